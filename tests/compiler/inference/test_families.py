"""A checkpoint of a family: the family, and the params that its authors' code may have set, out of names and shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from codecspec import infer_spec, load_spec, lower, parse_spec, spec_hash
from codecspec.compiler.checkpoints import TensorInfo
from codecspec.compiler.inference.infer import Inference
from codecspec.compiler.layouts import Layout, layouts, load_layout
from tests.compiler.inference.manifests import canonical_infos, infos_in, name_of, with_filled_tables, zoo_layouts
from tests.golden import authors_keys, golden_models
from tests.properties.test_infer import EXAMPLES
from tests.runtime.small_codecs import SMALL

ZOO = list(zoo_layouts())
VARIED = settings(
    max_examples=max(15, EXAMPLES // 30),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


def infos_of(shapes: Mapping[str, Sequence[int]]) -> dict[str, TensorInfo]:
    ends = ("_offset", "_quantized_cdf", "_cdf_length")
    return {
        key: TensorInfo("int32" if key.endswith(ends) else "float32", tuple(shape)) for key, shape in shapes.items()
    }


def inferred(name: str, layout: Layout | None, params: Mapping[str, Any], *, filled: bool = False) -> Inference:
    """What is inferred of a zoo spec at some params, which is then that family and no other."""
    plan = lower(load_spec(name, **params))
    infos = infos_in(layout, plan)
    found = infer_spec(with_filled_tables(infos) if filled else infos)
    assert (found.family, found.alternatives) == (name, ())
    assert spec_hash(found.spec) == spec_hash(plan.spec)
    assert found.spec.aux == plan.spec.aux
    assert spec_hash(lower(parse_spec(found.text())).spec) == spec_hash(plan.spec)
    expected = name_of(layout) if infos.keys() != canonical_infos(plan).keys() else "canonical"
    assert found.layout == expected
    return found


def assert_params(name: str, layout: Layout | None, params: Mapping[str, Any], *, filled: bool = False) -> None:
    """That a zoo spec at some params comes back with these."""
    found = inferred(name, layout, params, filled=filled)
    said = load_spec(name, **params)
    assert found.params == said.params
    own = load_spec(name)
    assert found.overrides.keys() <= params.keys()
    assert all(found.overrides.get(key, own.params[key]) == said.params[key] for key in params)


@pytest.mark.parametrize(
    ("name", "layout"), ZOO, ids=[f"{name}-{layout.file if layout else ''}" for name, layout in ZOO]
)
@pytest.mark.parametrize("filled", [False, True], ids=["empty tables", "filled tables"])
def test_every_spec_of_the_zoo_in_every_layout_is_itself(name: str, layout: Layout | None, filled: bool) -> None:
    assert_params(name, layout, {}, filled=filled)
    assert_params(name, layout, SMALL[name], filled=filled)


# Published checkpoints

GOLDENS = {
    "wacnn": ("wacnn", ""),
    "stf": ("stf", ""),
    "tcm": ("tcm", "params: {N: 64}\n"),
    "cca": ("cca-aux", ""),
    "elic": ("elic", ""),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_the_authors_checkpoints_are_two_lines(name: str) -> None:
    shapes = golden_models.read(name)["state_dict"]
    found = infer_spec({key: TensorInfo(dtype, tuple(shape)) for key, (dtype, shape) in shapes.items()})
    family, params = GOLDENS[name]
    assert found.text() == f"codecspec: 1\nextends: {family}\n{params}"
    assert found.layout == ("compressai-1.2" if name == "elic" else "authors")
    assert found.is_certain


def test_another_tcm_of_the_authors() -> None:
    found = infer_spec(infos_of(authors_keys.tcm(96, (1, 2, 1, 2, 1, 1), slices=10)))
    assert found.family == "tcm"
    assert found.overrides == {"N": 96, "depths": (1, 2, 1, 2, 1, 1), "slices": 10}


# What the authors' code can vary

EXPONENT = 1.7


@st.composite
def tcm_params(draw: Any) -> dict[str, Any]:
    n = draw(st.sampled_from([32, 64, 96, 128, 160]))
    divisors = [d for d in range(1, n + 1) if n % d == 0]
    return {
        "N": n,
        "depths": draw(st.lists(st.integers(1, 4), min_size=6, max_size=6)),
        "head_dims": draw(st.lists(st.sampled_from(divisors), min_size=6, max_size=6)),
        "slices": draw(st.sampled_from([1, 2, 4, 5, 8, 10, 16])),
    }


@VARIED
@given(tcm_params())
def test_tcm(params: dict[str, Any]) -> None:
    for layout in (None, load_layout("compressai-tcm")):
        assert_params("tcm", layout, params)
    shapes = authors_keys.tcm(params["N"], params["depths"], params["head_dims"], params["slices"])
    found = infer_spec(infos_of(shapes))
    assert found.params == load_spec("tcm", **params).params


@st.composite
def stf_params(draw: Any) -> dict[str, Any]:
    heads = [draw(st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16, 24, 48])) for _ in range(4)]
    return {
        "depths": draw(st.lists(st.integers(1, 7), min_size=4, max_size=4)),
        "heads": heads,
        "window": draw(st.integers(1, 9)),
        "patch": draw(st.sampled_from([1, 2, 3, 4])),
        "mlp_ratio": draw(st.integers(1, 5)),
    }


@VARIED
@given(stf_params())
def test_stf(params: dict[str, Any]) -> None:
    for layout in (None, load_layout("compressai-stf")):
        assert_params("stf", layout, params)
    found = infer_spec(infos_of(authors_keys.stf(**params)))
    assert found.params == load_spec("stf", **params).params


@st.composite
def cca_params(draw: Any) -> dict[str, Any]:
    form = draw(st.sampled_from(["one", "unequal", "power"]))
    m = 2 * draw(st.integers(24, 200))
    if form == "one":
        count = draw(st.sampled_from([d for d in range(2, 9) if m % d == 0] or [1]))
        proportions: list[Any] = [count]
    elif form == "power":
        proportions = [i**EXPONENT for i in range(1, draw(st.integers(2, 6)) + 1)]
    else:
        proportions = draw(st.lists(st.integers(2, 9), min_size=2, max_size=6))
    return {
        "widths": draw(st.lists(st.integers(2, 130).map(lambda half: 2 * half), min_size=1, max_size=5)),
        "M": m,
        "bottlenecks": draw(st.integers(0, 4)),
        "nafs": draw(st.integers(0, 5)),
        "naf_width": draw(st.integers(1, 250)),
        "naf_depth": draw(st.integers(1, 5)),
        "proportions": proportions,
    }


def assert_cca(found: Inference, name: str, params: dict[str, Any]) -> None:
    """CCA with these params; its proportions with others of the same widths, where those are simpler."""
    said = lower(load_spec(name, **params))
    assert (found.family, found.alternatives) == (name, ())
    assert spec_hash(found.spec) == spec_hash(said.spec)
    assert found.spec.aux == said.spec.aux
    free = {"proportions", "slices", "aux_lrps"}
    told = {key: value for key, value in found.params.items() if key not in free}
    assert told == {key: value for key, value in said.spec.params.items() if key not in free}
    if len(params["proportions"]) == 1:
        assert found.params["proportions"] == tuple(params["proportions"])


@VARIED
@given(cca_params())
def test_cca(params: dict[str, Any]) -> None:
    if params["bottlenecks"] + params["nafs"] == 0:
        params = {**params, "nafs": 1}
    renamed = {"m": params["M"], **{key: value for key, value in params.items() if key != "M"}}
    for layout in (None, load_layout("compressai-cca")):
        assert_cca(inferred("cca", layout, params), "cca", params)
    assert_cca(infer_spec(infos_of(authors_keys.cca(**renamed, aux=False))), "cca", params)
    assert_cca(infer_spec(infos_of(authors_keys.cca(**renamed))), "cca-aux", params)


@VARIED
@given(cca_params(), st.integers(0, 3))
def test_cca_with_its_branch(params: dict[str, Any], fewer: int) -> None:
    if params["bottlenecks"] + params["nafs"] == 0:
        params = {**params, "bottlenecks": 1}
    slices = load_spec("cca-aux", **params).params["slices"]
    lrps = max(0, slices - fewer)
    params = {**params, "aux_lrps": lrps}
    renamed = {"m": params["M"], **{key: value for key, value in params.items() if key != "M"}}
    for found in (
        inferred("cca-aux", None, params),
        inferred("cca-aux", load_layout("compressai-cca"), params),
        infer_spec(infos_of(authors_keys.cca(**renamed))),
    ):
        assert_cca(found, "cca-aux", params)
        assert (found.params["aux_lrps"], found.params["slices"]) == (lrps, slices)


@st.composite
def elic_params(draw: Any) -> dict[str, Any]:
    m = draw(st.integers(8, 330))
    cuts = sorted(draw(st.sets(st.integers(1, m - 1), min_size=1, max_size=6)))
    groups = [after - before for before, after in zip([0, *cuts], [*cuts, m], strict=True)]
    said = {"N": 2 * draw(st.integers(1, 128)), "M": m, "groups": groups}
    return said


@VARIED
@given(elic_params(), st.sampled_from(["elic", "elic-chandelier"]))
def test_elic(params: dict[str, Any], name: str) -> None:
    for layout in (None, *(layout for layout in layouts() if name in layout.families)):
        assert_params(name, layout, params)


NM = [name for name in SMALL if SMALL[name].keys() <= {"N", "M"}]


@VARIED
@given(st.sampled_from(NM), st.integers(1, 260), st.integers(1, 340))
def test_the_rest_of_the_zoo(name: str, n: int, m: int) -> None:
    params = {"N": 2 * n, "M": 2 * m} if "M" in SMALL[name] else {"N": 2 * n}
    for layout in (None, *(layout for layout in layouts() if name in layout.families)):
        assert_params(name, layout, params)
