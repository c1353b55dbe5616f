"""Where the time goes: every part, every network, and nothing twice."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from codecspec.compiler.plan import PARTS, part_of
from codecspec.runtime.codec import Codec
from codecspec.runtime.part_timer import described, part_times
from tests.runtime.small_codecs import SMALL, images, small

RUN = {
    "forward": ["aux", "context", "g_a", "g_s", "hyper"],
    "compress": ["context", "g_a", "hyper"],
    "decompress": ["context", "g_s", "hyper"],
}
"""The parts that each method runs, of a codec that has them all."""


@pytest.fixture(scope="module", params=sorted(SMALL))
def codec(request: pytest.FixtureRequest) -> Codec:
    return small(request.param)


def call(codec: Codec, method: str) -> None:
    x = images(1, 64, 64)
    with torch.no_grad():
        if method == "forward":
            codec(x)
        elif method == "compress":
            codec.compress(x)
        else:
            codec.decompress(**codec.compress(x))


def hooks(codec: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in codec.modules())


def layers_with_weights(codec: Codec) -> list[str]:
    """The paths of all but the entropy models, whose time is that of coding."""
    return [
        path
        for path, module in codec.named_modules()
        if next(module.parameters(recurse=False), None) is not None and "entropy_bottleneck" not in path
    ]


@pytest.mark.parametrize("method", ["forward", "compress"])
def test_each_part_that_runs_has_its_time(codec: Codec, method: str) -> None:
    with part_times(codec) as seconds:
        call(codec, method)
    with_weights = {part_of(path) for path in layers_with_weights(codec)}
    expected = [part for part in RUN[method] if part in with_weights]
    assert sorted(part for part in seconds if part != "coding" and seconds[part] > 0) == expected
    assert set(seconds) == {*PARTS, "coding"} | (with_weights & {"aux"})
    assert all(spent >= 0 for spent in seconds.values())


def test_decoding_runs_no_analysis() -> None:
    codec = small("wacnn")
    coded = codec.compress(images(1, 64, 64))
    with part_times(codec) as seconds:
        codec.decompress(**coded)
    assert sorted(part for part in PARTS if seconds[part] > 0) == RUN["decompress"]


def test_the_sum_is_the_time_that_passed(codec: Codec) -> None:
    """Between what passed inside the context and what passed around it; so no network is counted twice."""
    around = time.perf_counter()
    with part_times(codec) as seconds:
        inside = time.perf_counter()
        call(codec, "compress")
        inside = time.perf_counter() - inside
    around = time.perf_counter() - around
    assert inside <= sum(seconds.values()) * (1 + 1e-9)
    assert sum(seconds.values()) <= around * (1 + 1e-9)


def test_networks_are_counted_under_their_own_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that ticks once a look, each call of a watched module takes one tick, and all else is coding."""
    codec = small("wacnn")
    codec.prepare_tables()
    ticks = iter(range(10**6))
    monkeypatch.setattr("codecspec.runtime.part_timer.time.perf_counter", lambda: next(ticks))
    with part_times(codec) as seconds:
        call(codec, "forward")
    num_slices = SMALL["wacnn"]["slices"]
    assert {part: seconds[part] for part in PARTS} == {"g_a": 1, "hyper": 2, "context": 2 * num_slices, "g_s": 1}
    assert next(ticks) == sum(seconds.values()) + 1


def test_every_network_belongs_to_the_part_of_its_plan(codec: Codec) -> None:
    """Each layer with weights lies in exactly one watched module, but for the entropy models."""
    before = hooks(codec)
    with part_times(codec):
        watched = {path for path, module in codec.named_modules() if module._forward_pre_hooks}
        assert hooks(codec) == before + 2 * len(watched)
    heavy = layers_with_weights(codec)
    assert len(heavy) >= 8
    for path in heavy:
        assert len([root for root in watched if f"{path}.".startswith(f"{root}.")]) == 1, path


@pytest.mark.parametrize("name", sorted(SMALL))
def test_layers_are_slow_in_their_own_part_only(name: str) -> None:
    """Each call of a convolution or linear layer takes one tick; the ticks turn up in the part that the plan says."""
    codec = small(name)
    now = [0.0]
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr("codecspec.runtime.part_timer.time.perf_counter", lambda: now[0])
        expected = dict.fromkeys([*PARTS, "coding"], 0.0)

        def tick(path: str) -> None:
            now[0] += 1.0
            expected[part_of(path)] = expected.get(part_of(path), 0.0) + 1.0

        for path, module in codec.named_modules():
            if isinstance(module, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)):
                module.register_forward_hook(lambda *_, path=path: tick(path))
        with part_times(codec) as seconds:
            codec(images(1, 64, 64))
    assert seconds == expected
    assert expected["g_a"] > 1
    assert expected["g_s"] > 1


def test_hooks_are_gone_afterwards(codec: Codec) -> None:
    before = hooks(codec)
    with part_times(codec):
        assert hooks(codec) > before
    assert hooks(codec) == before


def test_hooks_are_gone_after_an_error_and_the_times_are_there() -> None:
    codec = small("mbt2018-mean")
    before = hooks(codec)
    with pytest.raises(RuntimeError, match="expected"), part_times(codec) as seconds:
        codec.g_a(torch.zeros(1, 5, 64, 64))
    assert hooks(codec) == before
    assert seconds["coding"] > 0


def test_parts_that_did_not_run_are_not_described() -> None:
    text = described({"g_a": 0.31049, "hyper": 0.021, "context": 0.0, "g_s": 0.0, "coding": 1.5})
    assert text == "g_a 0.310 s, hyper 0.021 s, coding 1.500 s"


def test_finer_parts_are_slices_and_the_two_hyper_nets() -> None:
    codec = small("tcm")
    with part_times(codec, finer=True) as seconds:
        call(codec, "forward")
    slices = len(codec.latent_codec.y.groups)
    expected = {f"context, slice {k}" for k in range(slices)} | {"hyper, h_a", "hyper, h_s", "g_a", "g_s", "coding"}
    assert {part for part, spent in seconds.items() if spent > 0} == expected
