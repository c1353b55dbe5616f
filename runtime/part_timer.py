"""Where the time of a codec goes, by part."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.utils.hooks import RemovableHandle

LEAF_NETS = ("lrp_transform", "context_prediction", "entropy_parameters")
PARTS = ("g_a", "hyper", "context", "g_s")
SLICE = re.compile(r"latent_codec\.y\.(?:channel_context|latent_codec)\.y(\d+)(?:\.|$)")
HYPER = re.compile(r"latent_codec\.(h_[as])(?:\.|$)")


@contextmanager
def part_times(codec: nn.Module, *, finer: bool = False) -> Iterator[dict[str, float]]:
    """Seconds spent in each part's networks while the context is open; the rest is under `coding` at its end.

    An auxiliary branch is a part of its own, `aux`, which only `forward` runs.

    With `finer` it is `context, slice 0` and so on, where y has slices, and `hyper, h_a`, `hyper, h_s`.

    `coding` is all that is not a network: entropy models, tables, copies, and whatever else ran meanwhile.
    """
    seconds = dict.fromkeys(PARTS, 0.0)
    started: list[float] = []

    def leave(part: str) -> None:
        seconds[part] += time.perf_counter() - started.pop()

    with watched_parts(codec, lambda: started.append(time.perf_counter()), leave, finer=finer) as parts:
        seconds |= {part: 0.0 for part in parts if part not in seconds}
        start = time.perf_counter()
        try:
            yield seconds
        finally:
            seconds["coding"] = time.perf_counter() - start - sum(seconds.values())


@contextmanager
def watched_parts(
    codec: nn.Module, enter: Callable[[], None], leave: Callable[[str], None], *, finer: bool = False
) -> Iterator[list[str]]:
    """Call `enter` before each of a codec's networks runs and `leave` with its part's name after; gives all names."""
    named = [(module, _part_of(path), path) for path, module in codec.named_modules()]
    watched = [(module, finer_part(part, path) if finer else part) for module, part, path in named if part is not None]
    handles: list[RemovableHandle] = []
    for module, part in watched:
        handles.append(module.register_forward_pre_hook(lambda *_: enter()))
        handles.append(module.register_forward_hook(lambda *_, part=part: leave(part)))
    try:
        yield list(dict.fromkeys(part for _, part in watched))
    finally:
        for handle in handles:
            handle.remove()


def described(seconds: dict[str, float]) -> str:
    """`g_a 0.310 s, hyper 0.021 s, ..`, without the parts that did not run."""
    return ", ".join(f"{part} {spent:.3f} s" for part, spent in seconds.items() if spent > 0)


def finer_part(part: str, path: str) -> str:
    """`context, slice 3` for what belongs to a slice of y, `hyper, h_a`, by the path; else the part as it is."""
    if found := SLICE.match(path):
        return f"{part}, slice {found[1]}"
    return f"{part}, {found[1]}" if (found := HYPER.match(path)) else part


def _part_of(path: str) -> str | None:
    """The part whose outermost module this is: heads and the nets of leaves are the context."""
    folder, _, name = path.rpartition(".")
    if path in ("g_a", "g_s"):
        return path
    if path in ("latent_codec.h_a", "latent_codec.h_s"):
        return "hyper"
    if path == "aux_entropy_model":
        return "aux"
    in_y = path.startswith("latent_codec.y.")
    return "context" if folder == "latent_codec.y.channel_context" or (in_y and name in LEAF_NETS) else None
