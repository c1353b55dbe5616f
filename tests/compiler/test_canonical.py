"""What is the same codec has one hash, what is another has another, and the canonical form survives its own text."""

from __future__ import annotations

import pytest

from codecspec import specs
from codecspec.compiler.canonical import canonical_dict, dump_spec, spec_hash
from codecspec.compiler.lower import lower
from codecspec.schema.load import load_spec, parse_spec
from codecspec.schema.model import ModelSpec
from tests.schema.bad_spec import GROUPS, TINY, spoilt

ZOO = specs.names()
GOLDEN = {
    "bmshj2018-factorized": "ed12bf001aa8a5410d1e2b6ddcaa81ea1d202022c32b4d1fdfc06ecf128e5c62",
    "bmshj2018-hyperprior": "56fed1d842d2545da5befd984fc1cfdcd28e85c85a8d44a156248ce127b69c7d",
    "mbt2018-mean": "c465fefd265385f28e700a9ba59babd8712fab44c4c4b8053629cbc6d7601ead",
    "wacnn": "cce663b1f98988e714c5ded127bb1781fe801717e22eea4eb66b825640131113",
}
"""Changed only together with a line in the changelog: every coded image names the hash of its spec."""

LEAF = "leaf: {type: lrp_gaussian, widths: [8]}"
SUPPORT = "{filter: first, max: 2}"
BASES = {"tiny": TINY, "groups": GROUPS}


def _hash(text: str) -> str:
    return spec_hash(lower(parse_spec(text)).spec)


def _canonical(text: str) -> ModelSpec:
    return lower(parse_spec(text)).spec


SAME = {
    "groups-as-widths": ("groups", "{equal: slices}", "[slices, 4, 4, 4]"),
    "groups-as-proportions": ("groups", "{equal: slices}", "{proportions: [slices, 4, 4.0, 4]}"),
    "groups-as-a-single-proportion": ("groups", "{equal: slices}", "{proportions: [slices]}"),
    "support-written-out": ("groups", SUPPORT, "{slices: [[], [0], [0, 1], [0, 1]]}"),
    "post-without-transform": ("groups", "emit_mean_support: pre", "emit_mean_support: post"),
    "emit-left-out": ("groups", ", emit_mean_support: pre", ""),
    "transform-said": ("groups", "widths: [8], e", "widths: [8], transform: null, e"),
    "leaf-default-said": ("groups", LEAF, "leaf: {type: lrp_gaussian, widths: [8], lrp_scale: 0.5, quantizer: ste}"),
    "leaf-list-of-one": ("groups", LEAF, f"leaf: [{LEAF[6:]}]"),
    "leaf-counted": ("groups", LEAF, f"leaf: [{LEAF[6:-1]}, count: slices}}]"),
    "leaf-in-two-runs": ("groups", LEAF, f"leaf: [{LEAF[6:-1]}, count: 3}}, {LEAF[6:]}]"),
    "leaf-and-none-of-another": ("groups", LEAF, f"leaf: [{LEAF[6:]}, {{type: gaussian, count: 0}}]"),
    "repeat-written-out": (
        "tiny",
        '- repeat: {count: "depths[1]", index: i, blocks: [{type: leaky_relu, slope: i}]}',
        '- {type: leaky_relu, slope: 0}\n  - {type: leaky_relu, slope: "depths[0]"}',
    ),
    "default-said": ("tiny", "{type: gdn}", "{inverse: false, type: gdn}"),
    "expression": ("tiny", "out: 2*M", "out: 32"),
    "name": ("tiny", "name: tiny", "name: other"),
    "reference": ("tiny", "name: tiny", "name: tiny\nreference: {title: T, authors: [A], venue: V, url: U}"),
    "in-channels-said": ("tiny", "name: tiny", "name: tiny\nin_channels: 3"),
    "params": ("tiny", "{N: 8, M: 16, depths: [1, 2]}", "{half: 4, N: 2*half, M: 16, depths: [7, 2]}"),
}
CHANGES = {
    "M": ("groups", "M: 16", "M: 32"),
    "inverse": ("tiny", "inverse: true", "inverse: false"),
    "slope": ("tiny", "slope: i", "slope: 2*i"),
    "in-a-sequence": ("tiny", "{type: gdn}", "{type: sequence, blocks: [{type: gdn}]}"),
    "groups": ("groups", "{equal: slices}", "[slices, 4, 2, 6]"),
    "support": ("groups", SUPPORT, "{filter: recent, max: 2}"),
    "support-order": ("groups", SUPPORT, "{slices: [[], [0], [1, 0], [0, 1]]}"),
    "max": ("groups", SUPPORT, "{filter: first, max: 1}"),
    "widths": ("groups", "widths: [8], e", "widths: [9], e"),
    "lrp-scale": ("groups", LEAF, "leaf: {type: lrp_gaussian, widths: [8], lrp_scale: 0.25}"),
    "leaf": ("groups", LEAF, "leaf: {type: gaussian}"),
    "leaf-order": ("groups", LEAF, f"leaf: [{{type: gaussian, count: 1}}, {LEAF[6:]}]"),
    "shift": ("groups", "shift: 2", "shift: 1"),
}


@pytest.mark.parametrize(("base", "old", "new"), SAME.values(), ids=SAME)
def test_spellings_of_one_codec(base: str, old: str, new: str) -> None:
    text = spoilt(old, new, BASES[base])
    assert text != BASES[base]
    assert _hash(text) == _hash(BASES[base])


@pytest.mark.parametrize(("base", "old", "new"), CHANGES.values(), ids=CHANGES)
def test_changes_of_the_codec(base: str, old: str, new: str) -> None:
    assert _hash(spoilt(old, new, BASES[base])) != _hash(BASES[base])


def test_changes_differ_from_each_other() -> None:
    hashes = {_hash(spoilt(old, new, BASES[base])) for base, old, new in CHANGES.values()}
    assert len(hashes) == len(CHANGES)


def test_a_clamp_that_clamps_nothing_is_all() -> None:
    every = spoilt(SUPPORT, "{filter: all}", GROUPS)
    for support in ("{filter: first, max: 3}", "{filter: first, max: 99}", "{filter: recent}", "{filter: first}", "{}"):
        assert _hash(spoilt(SUPPORT, support, GROUPS)) == _hash(every)
    assert _hash(every) != _hash(GROUPS)


def test_emission_that_no_leaf_reads_means_nothing() -> None:
    plain = spoilt(LEAF, "leaf: {type: gaussian}", GROUPS)
    assert len({_hash(plain.replace("pre}", f"{emit}}}")) for emit in ("pre", "post", "none")}) == 1
    assert _canonical(plain).latent_codec.y.model_dump()["context"]["emit_mean_support"] == "none"


def test_extending_is_the_same_as_copying() -> None:
    text = "codecspec: 1\nextends: mbt2018-mean\nname: small\nparams: {N: 16, M: 24}\n"
    assert _hash(text) == spec_hash(lower(load_spec("mbt2018-mean", N=16, M=24)).spec)
    assert _hash(text) != GOLDEN["mbt2018-mean"]


def test_canonical_form_of_the_groups() -> None:
    y = canonical_dict(_canonical(GROUPS))["latent_codec"]["y"]
    leaf = {"quantizer": "ste", "type": "lrp_gaussian", "widths": [8], "lrp_scale": 0.5, "count": None}
    assert y == {
        "type": "channel_groups",
        "groups": [4, 4, 4, 4],
        "side_in_context": True,
        "support": {"filter": "first", "max": 2, "slices": None},
        "context": {"type": "mean_scale", "widths": [8], "transform": None, "emit_mean_support": "post"},
        "leaf": [leaf],
    }


def test_canonical_leaves_are_runs() -> None:
    leaves = f"leaf: [{{type: gaussian, count: 1}}, {{type: gaussian, count: 1}}, {LEAF[6:]}]"
    y = canonical_dict(_canonical(spoilt(LEAF, leaves, GROUPS)))["latent_codec"]["y"]
    assert [(leaf["type"], leaf["count"]) for leaf in y["leaf"]] == [("gaussian", 2), ("lrp_gaussian", 2)]


def test_canonical_is_its_own_canonical_form() -> None:
    once = _canonical(GROUPS)
    assert lower(once).spec == once


def test_the_zoo_is_found() -> None:
    assert len(ZOO) >= 3
    assert set(GOLDEN) <= set(ZOO)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_hash(name: str) -> None:
    assert spec_hash(lower(load_spec(name)).spec) == GOLDEN[name]


@pytest.mark.parametrize("name", ZOO)
def test_dumped_zoo_spec_is_the_same(name: str) -> None:
    spec = lower(load_spec(name)).spec
    text = dump_spec(spec)
    again = lower(parse_spec(text)).spec
    assert spec_hash(again) == spec_hash(spec)
    assert dump_spec(again) == text
    assert (again.name, again.reference) == (spec.name, spec.reference)
    assert canonical_dict(again) == canonical_dict(spec)


@pytest.mark.parametrize(
    "support",
    [SUPPORT, "{filter: skip_most_recent}", "{filter: first_and_recent}", "{slices: [[], [0], [1, 0], [2]]}", "{}"],
)
def test_dumped_support_is_the_same(support: str) -> None:
    spec = _canonical(spoilt(SUPPORT, support, GROUPS))
    text = dump_spec(spec)
    assert canonical_dict(_canonical(text)) == canonical_dict(spec)
    assert dump_spec(_canonical(text)) == text


@pytest.mark.parametrize(
    "name", ["1e5", "08", "1.5e3", "no", "null", "1_000", "0x1F", "12", "1.", "true", "2018-01-01"]
)
def test_dumped_name_stays_text(name: str) -> None:
    spec = _canonical(spoilt("name: tiny", f"name: '{name}'\nreference: {{title: '{name}', authors: ['{name}']}}"))
    again = _canonical(dump_spec(spec))
    assert again.reference is not None
    assert (again.name, again.reference.title, again.reference.authors) == (name, name, (name,))


@pytest.mark.parametrize(
    "title", ["Ballé: \"a\" 'b' # c", "two\nlines", "\ttab", "{a: b}", "- a", " spaces ", "x" * 500]
)
def test_dumped_title_survives(title: str) -> None:
    spec = load_spec({**_as_mapping(TINY), "reference": {"title": title}})
    again = _canonical(dump_spec(lower(spec).spec))
    assert again.reference is not None
    assert again.reference.title == title


def _as_mapping(text: str) -> dict[str, object]:
    return canonical_dict(_canonical(text)) | {"name": "tiny"}


def test_what_only_training_sees_is_no_part_of_the_hash() -> None:
    noisy = LEAF.replace("widths", "quantizer: noise, widths")
    mixed = "leaf: [{type: lrp_gaussian, widths: [8], count: 1}, {type: lrp_gaussian, widths: [8], quantizer: noise}]"
    assert LEAF in GROUPS
    assert _hash(GROUPS.replace(LEAF, noisy)) == _hash(GROUPS.replace(LEAF, mixed)) == _hash(GROUPS)
    assert canonical_dict(lower(parse_spec(GROUPS.replace(LEAF, noisy))).spec) != canonical_dict(
        lower(parse_spec(GROUPS)).spec
    )
