"""Channel groups: what each head and each leaf gets, shown by stubs that remember it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from compressai.latent_codecs import LatentCodec
from torch import Tensor, nn

from codecspec.runtime.latent_codecs.channel_groups import ChannelGroupsLatentCodec
from codecspec.schema.errors import StreamError
from codecspec.schema.support import Support

GROUPS = [1, 2, 3, 2]
SIDE = 5
HEIGHT, WIDTH = 2, 3


class Head(nn.Module):
    """Gives two channels that depend on all it sees, and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return torch.cat([x.sum(1, keepdim=True), x[:, :1] - x.shape[1]], dim=1)


class Leaf(LatentCodec):
    """Decodes a slice to its rounded samples plus half the first parameter; its strings are those samples."""

    def __init__(self, channels: int, *, with_channels: bool = False, parts: int = 1) -> None:
        super().__init__()
        self.channels, self.with_channels, self.num_parts = channels, with_channels, parts
        self.params: list[Tensor] = []
        self.shapes: list[tuple[int, ...]] = []

    def _decoded(self, y: Tensor, params: Tensor) -> Tensor:
        self.params.append(params)
        return y.round() + params[:, :1] / 2

    def forward(self, y: Tensor, params: Tensor) -> dict[str, Any]:
        likelihoods = torch.full_like(y, self.channels / 8)
        return {"y_hat": self._decoded(y, params), "likelihoods": {"y": likelihoods}}

    def compress(self, y: Tensor, params: Tensor) -> dict[str, Any]:
        symbols = y.round().to(torch.int8)
        strings = [[bytes(image.flatten().view(torch.uint8).tolist()) for image in symbols]] * self.num_parts
        shape = y.shape[1:] if self.with_channels else y.shape[2:]
        return {"strings": strings, "shape": shape, "y_hat": self._decoded(y, params)}

    def decompress(self, strings: Sequence[Sequence[bytes]], shape: tuple[int, ...], params: Tensor) -> dict[str, Any]:
        assert len(strings) == self.num_parts
        self.shapes.append(shape)
        images = [torch.tensor(list(string), dtype=torch.uint8).view(torch.int8) for string in strings[-1]]
        y = torch.stack(images).view(len(images), self.channels, *shape[-2:]).float()
        return {"y_hat": self._decoded(y, params)}

    def latent_shape(self, height: int, width: int) -> tuple[int, ...]:
        return (self.channels, height, width) if self.with_channels else (height, width)


def make(*, first_head: bool = False, leaves: list[Leaf] | None = None, **options: Any) -> ChannelGroupsLatentCodec:
    """A codec of stubs for GROUPS; every slice but the first has a head, and the first where `first_head`."""
    heads = {f"y{k}": Head() for k in range(0 if first_head else 1, len(GROUPS))}
    made = {f"y{k}": leaf for k, leaf in enumerate(leaves or [Leaf(channels) for channels in GROUPS])}
    return ChannelGroupsLatentCodec(made, heads, groups=GROUPS, **options)


def latent(batch: int = 2) -> tuple[Tensor, Tensor]:
    """y and side parameters, small whole numbers: sums of them are exact."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(-20, 20, (batch, sum(GROUPS), HEIGHT, WIDTH), generator=generator) + 0.25
    side = torch.randint(-9, 9, (batch, SIDE, HEIGHT, WIDTH), generator=generator).float()
    return y, side


def slices_of(y_hat: Tensor) -> list[Tensor]:
    return list(y_hat.split(GROUPS, dim=1))


def calls(codec: ChannelGroupsLatentCodec) -> dict[str, list[Tensor]]:
    """What every head saw, and every leaf's parameters, in one forward pass."""
    heads = {f"head {key}": head.seen for key, head in codec.channel_context.items()}
    return heads | {f"leaf {key}": leaf.params for key, leaf in codec.latent_codec.items()}


SEEN_BY: dict[str, list[list[int]]] = {
    "all": [[], [0], [0, 1], [0, 1, 2]],
    "first 2": [[], [0], [0, 1], [0, 1]],
    "first 1": [[], [0], [0], [0]],
    "recent 1": [[], [0], [1], [2]],
    "recent 2": [[], [0], [0, 1], [1, 2]],
    "first_and_recent": [[], [0], [0, 1], [0, 2]],
    "skip_most_recent": [[], [], [0], [0, 1]],
    "another order": [[], [0], [1, 0], [2, 0]],
    "gaps": [[], [], [1], []],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "all": {},
    "first 2": {"max_support_slices": 2},
    "first 1": {"max_support_slices": 1},
    "recent 1": {"support_filter": lambda k, prior: prior[-1:]},
    "recent 2": {"support_slices": Support(filter="recent", max=2).indices(4)},
    "first_and_recent": {"support_slices": Support(filter="first_and_recent").indices(4)},
    "skip_most_recent": {"support_filter": lambda k, prior: prior[: max(0, k - 1)]},
    "another order": {"support_filter": lambda k, prior: [prior[-1], *prior[:1]] if k > 1 else prior},
    "gaps": {"support_slices": ((), (), (1,), ())},
}


@pytest.mark.parametrize("support", sorted(SEEN_BY))
@pytest.mark.parametrize("side_in_context", [True, False])
def test_each_head_sees_its_slices_and_each_leaf_its_parameters(support: str, side_in_context: bool) -> None:
    codec = make(first_head=side_in_context, side_in_context=side_in_context, **OPTIONS[support])
    y, side = latent()
    decoded = slices_of(codec(y, side)["y_hat"])
    for k, seen in enumerate(SEEN_BY[support]):
        prior = [decoded[j] for j in seen]
        [params] = codec[f"y{k}"].params
        if side_in_context:
            [found] = codec.channel_context[f"y{k}"].seen
            assert torch.equal(found, torch.cat([side, *prior], dim=1))
            assert torch.equal(params, Head()(found))
        elif prior:
            [found] = codec.channel_context[f"y{k}"].seen
            assert torch.equal(found, torch.cat(prior, dim=1))
            assert torch.equal(params, torch.cat([Head()(found), side], dim=1))
        else:
            assert k == 0 or codec.channel_context[f"y{k}"].seen == []
            assert torch.equal(params, side)


def test_no_support_at_all_leaves_the_side_parameters() -> None:
    codec = make(max_support_slices=0)
    y, side = latent()
    codec(y, side)
    assert all(torch.equal(leaf.params[0], side) for leaf in codec.latent_codec.values())
    assert all(head.seen == [] for head in codec.channel_context.values())


def test_a_filter_is_asked_once_for_each_slice_with_what_is_decoded() -> None:
    asked: list[tuple[int, list[Tensor]]] = []

    def keep(k: int, prior: list[Tensor]) -> list[Tensor]:
        asked.append((k, list(prior)))
        return prior

    y, side = latent()
    decoded = slices_of(make(support_filter=keep)(y, side)["y_hat"])
    assert [k for k, _ in asked] == [0, 1, 2, 3]
    for k, prior in asked:
        assert len(prior) == k
        assert all(torch.equal(a, b) for a, b in zip(prior, decoded, strict=False))


def test_support_filter_and_support_slices_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="support_filter or support_slices, not both"):
        make(support_filter=lambda k, prior: prior, support_slices=((), (), (), ()))


def test_outputs_are_the_slices_in_order() -> None:
    codec = make()
    y, side = latent()
    out = codec(y, side)
    assert out["y_hat"].shape == y.shape
    assert out["likelihoods"]["y"].shape == y.shape
    assert out["likelihoods"]["y"][0, :, 0, 0].tolist() == [width / 8 for width in GROUPS for _ in range(width)]
    for k, y_hat in enumerate(slices_of(out["y_hat"])):
        [params] = codec[f"y{k}"].params
        assert torch.equal(y_hat, slices_of(y)[k].round() + params[:, :1] / 2)


Run = Callable[[ChannelGroupsLatentCodec], Tensor]


def forward(codec: ChannelGroupsLatentCodec) -> Tensor:
    return codec(*latent())["y_hat"]


def compress(codec: ChannelGroupsLatentCodec) -> Tensor:
    return codec.compress(*latent())["y_hat"]


def decompress(codec: ChannelGroupsLatentCodec) -> Tensor:
    y, side = latent()
    coded = make(first_head=codec.side_in_context, side_in_context=codec.side_in_context).compress(y, side)
    return codec.decompress(coded["strings"], coded["shape"], side)["y_hat"]


@pytest.mark.parametrize("run", [compress, decompress], ids=["compress", "decompress"])
@pytest.mark.parametrize("side_in_context", [True, False])
def test_all_three_take_the_same_walk(run: Run, side_in_context: bool) -> None:
    """The same heads and leaves called as often, with equal inputs; the same y_hat."""
    reference, codec = (make(first_head=side_in_context, side_in_context=side_in_context) for _ in range(2))
    assert torch.equal(forward(reference), run(codec))
    expected, found = calls(reference), calls(codec)
    assert expected.keys() == found.keys()
    assert {len(seen) for seen in expected.values()} == {1}
    for who, seen in expected.items():
        assert len(found[who]) == 1, who
        assert torch.equal(found[who][0], seen[0]), who


@pytest.mark.parametrize("with_channels", [False, True], ids=["(H, W)", "(C, H, W)"])
def test_leaves_may_report_either_kind_of_shape(with_channels: bool) -> None:
    codec = make(leaves=[Leaf(channels, with_channels=with_channels) for channels in GROUPS])
    y, side = latent()
    coded = codec.compress(y, side)
    expected = [(channels, HEIGHT, WIDTH) if with_channels else (HEIGHT, WIDTH) for channels in GROUPS]
    assert [tuple(shape) for shape in coded["shape"]] == expected
    assert codec.latent_shape(HEIGHT, WIDTH) == expected
    for shape in (coded["shape"], expected, [list(each) for each in expected]):
        decoded = codec.decompress(coded["strings"], shape, side)["y_hat"]
        assert torch.equal(decoded, coded["y_hat"])
    assert [leaf.shapes for leaf in codec.latent_codec.values()] == [[shape] * 3 for shape in expected]


def test_strings_are_those_of_the_slices_in_order() -> None:
    y, side = latent()
    strings = make().compress(y, side)["strings"]
    assert [len(part) for part in strings] == [2] * len(GROUPS)
    assert [len(part[0]) for part in strings] == [channels * HEIGHT * WIDTH for channels in GROUPS]
    assert strings[0][1] == bytes(slices_of(y)[0][1].round().to(torch.int8).flatten().view(torch.uint8).tolist())


@pytest.mark.parametrize("parts", [[2, 2, 2, 2], [1, 2, 1, 3], [3, 1, 1, 1]])
def test_leaves_of_several_parts(parts: list[int]) -> None:
    """As a checkerboard has, with two: the parts of a slice are handed back to its leaf, each and no others."""
    codec = make(leaves=[Leaf(channels, parts=n) for channels, n in zip(GROUPS, parts, strict=True)])
    y, side = latent()
    coded = codec.compress(y, side)
    assert len(coded["strings"]) == sum(parts)
    assert torch.equal(codec.decompress(coded["strings"], coded["shape"], side)["y_hat"], coded["y_hat"])
    for wrong in (coded["strings"][1:], [*coded["strings"], coded["strings"][0]]):
        with pytest.raises(StreamError, match=f"{len(wrong)} parts of strings and 4 shapes for 4 slices"):
            codec.decompress(wrong, coded["shape"], side)


@pytest.mark.parametrize(("num_strings", "num_shapes"), [(3, 4), (5, 4), (8, 4), (0, 4), (4, 3), (4, 5), (1, 1)])
def test_other_numbers_of_strings_or_shapes_are_refused(num_strings: int, num_shapes: int) -> None:
    codec = make()
    y, side = latent()
    coded = codec.compress(y, side)
    strings = (coded["strings"] * 2)[:num_strings]
    shapes = (coded["shape"] * 2)[:num_shapes]
    message = f"{num_strings} parts of strings and {num_shapes} shapes for 4 slices"
    with pytest.raises(StreamError, match=message) as caught:
        codec.decompress(strings, shapes, side)
    assert caught.value.code == "E-stream"
    assert caught.value.where == "y"


def test_an_error_names_its_slice() -> None:
    class Broken(Leaf):
        def compress(self, y: Tensor, params: Tensor) -> dict[str, Any]:
            raise StreamError("E-latent", "y", "broken", "mend it")

    codec = make(leaves=[Leaf(1), Leaf(2), Broken(3), Leaf(2)])
    with pytest.raises(StreamError, match="broken") as caught:
        codec.compress(*latent())
    problem = caught.value.problems[0]
    assert (problem.code, problem.where, problem.message, problem.hint) == (
        "E-latent",
        "slice 2 of y",
        "broken",
        "mend it",
    )
