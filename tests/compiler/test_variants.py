"""Specs with the same tensors: which there are, and that they mean something else."""

from __future__ import annotations

import pytest

import codecspec as cs
from codecspec.compiler.variants import variants
from tests.runtime.small_codecs import SMALL

EXPECTED = {
    "mbt2018-mean": [
        "chunks are means, scales",
        "beta and gamma of GDNs are in the file as they are, not their square roots",
    ],
    "elic": [
        "chunks are means, scales",
        "anchors are where row + column is odd",
        "slices are seen in the opposite order",
    ],
    "wacnn": [
        "the most recent 3 slices are seen",
        "slices are seen in the opposite order",
        "the weights of the heads for means and scales are under each other's keys",
    ],
    "tcm": ["the mean support is emitted pre transform", "the most recent 3 slices are seen"],
    "cca": ["the mean support is emitted pre transform"],
    "bmshj2018-factorized": [],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_owns_the_same_tensors_and_is_another(name: str) -> None:
    plan = cs.lower(cs.load_spec(name, **SMALL[name]))
    found = variants(plan)
    changes = [variant.change for variant in found]
    assert set(EXPECTED[name]) <= set(changes), changes
    assert all(variant.plan.manifest() == plan.manifest() for variant in found)
    hashes = [cs.spec_hash(variant.plan.spec) for variant in found if not variant.renamed and not variant.rooted]
    assert len({*hashes, cs.spec_hash(plan.spec)}) == len(hashes) + 1
    for variant in found:
        for key, twin in variant.renamed.items():
            assert plan.manifest()[key] == plan.manifest()[twin]
            assert variant.renamed[twin] == key
        assert all(key.endswith((".beta", ".gamma")) for key in variant.rooted)


def test_the_name_of_what_is_emitted_is_right() -> None:
    plan = cs.lower(cs.load_spec("tcm", **SMALL["tcm"]))
    emit = plan.spec.latent_codec.y.context.emit_mean_support  # type: ignore[union-attr]
    other = next(v for v in variants(plan) if "emitted" in v.change)
    assert emit not in other.change
    assert other.plan.spec.latent_codec.y.context.emit_mean_support in other.change  # type: ignore[union-attr]


def test_what_each_is_about() -> None:
    words = {"chunks are": "chunks", "anchors": "parity", "slices": "support", "the mean support": "support"}
    words |= {
        "the most": "support",
        "the first": "support",
        "every": "activation",
        "the weights of": "nets",
        "beta": "values",
    }
    for name, params in SMALL.items():
        for variant in variants(cs.lower(cs.load_spec(name, **params))):
            assert [variant.aspect] == [about for begin, about in words.items() if variant.change.startswith(begin)]
