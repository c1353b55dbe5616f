"""A manifest that was changed gives a clear error, or a spec that the changed manifest proves; never anything else."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codecspec import CheckpointError, infer_spec, load_spec, lower
from codecspec.compiler.checkpoints import TensorInfo
from codecspec.compiler.inference.infer import Inference
from codecspec.compiler.layouts import Layout, layouts
from tests.compiler.inference.manifests import Infos, canonical_infos, infos_in, zoo_layouts
from tests.properties.random_specs import specs
from tests.properties.test_infer import DRAWN, EXAMPLES, plan_of
from tests.runtime.small_codecs import SMALL

DTYPES = ("float32", "float16", "float64", "int32", "int64", "uint8", "bool", "complex64")
SEGMENTS = ("0", "1", "7", "9999", "weight", "bias", "y0", "y7", "g_a", "g_s", "latent_codec", "h_s", "h_mean_s", "z",
            "attn", "channel_context", "mean_cc", "lrp_transform", "entropy_bottleneck", "", "x", "²", "٣")  # fmt: skip

Draw = Callable[[st.SearchStrategy[Any]], Any]


def _shape(draw: Draw, near: tuple[int, ...]) -> tuple[int, ...]:
    """Another shape: a size changed, a dimension more or less."""
    shape = list(near)
    how = draw(st.sampled_from(["size", "more", "fewer", "any", "swapped"]))
    if how == "size" and shape:
        i = draw(st.integers(0, len(shape) - 1))
        shape[i] = draw(st.sampled_from([0, 1, shape[i] + 1, max(1, shape[i] - 1), 2 * shape[i], 4 * shape[i], 10**6]))
    elif how == "more":
        shape.append(1)
    elif how == "fewer" and shape:
        shape.pop()
    elif how == "swapped":
        shape.reverse()
    else:
        shape = draw(st.lists(st.integers(0, 9), max_size=5))
    return tuple(shape)


def _renamed(draw: Draw, key: str) -> str:
    segments = key.split(".")
    i = draw(st.integers(0, len(segments) - 1))
    how = draw(st.sampled_from(["replace", "insert", "drop"]))
    if how == "replace":
        segments[i] = draw(st.sampled_from(SEGMENTS))
    elif how == "insert":
        segments.insert(i, draw(st.sampled_from(SEGMENTS)))
    else:
        segments.pop(i)
    return ".".join(segments)


@st.composite
def changes(draw: Draw, infos: Infos) -> Infos:
    """A manifest with a few tensors changed."""
    changed = dict(infos)
    for _ in range(draw(st.integers(1, 3))):
        if not changed:
            break
        key = draw(st.sampled_from(list(changed)))
        info = changed[key]
        match draw(st.sampled_from(["delete", "rename", "reshape", "retype", "add", "copy", "delete all below"])):
            case "delete":
                del changed[key]
            case "rename":
                del changed[key]
                changed[_renamed(draw, key)] = info
            case "reshape":
                changed[key] = TensorInfo(info.dtype, _shape(draw, info.shape))
            case "retype":
                changed[key] = TensorInfo(draw(st.sampled_from(DTYPES)), info.shape)
            case "add":
                changed[_renamed(draw, key)] = TensorInfo("float32", _shape(draw, info.shape))
            case "copy":
                changed[_renamed(draw, key)] = info
            case _:
                above = key.rpartition(".")[0] + "."
                changed = {name: each for name, each in changed.items() if not name.startswith(above)}
    return changed


def outcome(infos: Infos) -> Inference | CheckpointError:
    """The spec of a manifest, or the one error that there may be."""
    try:
        return infer_spec(infos)
    except CheckpointError as error:
        return error


def assert_clear_or_proved(infos: Infos) -> None:
    found = outcome(infos)
    if isinstance(found, CheckpointError):
        assert found.code in ("E-infer", "E-checkpoint")
        assert all(problem.where and problem.message for problem in found.problems)
        assert str(found).replace("\n", "").isprintable()
    else:
        own = [None] if found.layout == "canonical" else [each for each in layouts() if each.name == found.layout]
        assert any(_is_of(infos, found, layout) for layout in own)


def _is_of(infos: Infos, found: Inference, layout: Layout | None) -> bool:
    """Whether a manifest is exactly a plan's in a layout, but for what it may leave out, as another tensor says it."""
    planned = list(found.plan.manifest())
    if layout is not None and layout.from_canonical(planned).unknown:
        return False
    expected = infos_in(layout, found.plan)
    left_out = expected.keys() - infos.keys()
    made = {made.key for made in layout.from_canonical(planned).made} if layout else set()
    return (
        left_out <= made
        and infos.keys() <= expected.keys()
        and all(map(_same, infos.values(), (expected[key] for key in infos)))
    )


def _same(info: TensorInfo, want: TensorInfo) -> bool:
    """Whether a tensor may be a plan's: a table's shape, and how many bits a number has, are free."""
    floats = ("float16", "bfloat16", "float32", "float64")
    if (info.dtype in floats) != (want.dtype in floats):
        return False
    return info.shape == want.shape or want.shape == (0,)


@lru_cache
def _zoo_infos(name: str, layout: Layout | None) -> Infos:
    return infos_in(layout, lower(load_spec(name, **SMALL[name])))


HALF = settings(DRAWN, max_examples=EXAMPLES // 2)
"""Half of the examples on the zoo, half on drawn specs."""
ZOO = st.sampled_from(list(zoo_layouts()))


@HALF
@given(ZOO, st.data())
def test_a_changed_checkpoint_of_the_zoo(of: tuple[str, Layout | None], data: st.DataObject) -> None:
    assert_clear_or_proved(data.draw(changes(_zoo_infos(*of))))


@HALF
@given(specs(), st.data())
def test_a_changed_checkpoint_of_a_drawn_spec(written: dict[str, Any], data: st.DataObject) -> None:
    assert_clear_or_proved(data.draw(changes(canonical_infos(plan_of(written)))))


@settings(DRAWN, max_examples=max(50, EXAMPLES // 5))
@given(ZOO, st.data())
def test_what_was_changed_is_named(of: tuple[str, Layout | None], data: st.DataObject) -> None:
    infos = _zoo_infos(*of)
    key = data.draw(st.sampled_from(list(infos)))
    change = data.draw(st.sampled_from(["delete", "reshape", "add"]))
    changed = {name: info for name, info in infos.items() if name != key or change != "delete"}
    if change == "reshape":
        changed[key] = TensorInfo(infos[key].dtype, (*infos[key].shape, 2))
    if change == "add":
        key = f"{key}.more" if data.draw(st.booleans()) else key.rpartition(".")[0] + ".more"
        changed[key] = TensorInfo("float32", (3,))
    found = outcome(changed)
    if isinstance(found, CheckpointError):
        assert key in str(found)
        assert len(found.problems) <= 10
    else:
        assert_clear_or_proved(changed)
