"""What is said of variants, by figures that are given."""

from __future__ import annotations

import pytest

import codecspec as cs
from codecspec.compiler.variants import Aspect, Variant
from codecspec.diagnosis import trials
from codecspec.diagnosis.trials import MARGINS_DB, Trial, variant_findings

PLAN = cs.lower(cs.load_spec("mbt2018-mean", N=8, M=8))
BASE = Trial(bpp=0.5, psnr_rgb=30.0)


def tried(**gains_db: float) -> list[tuple[Variant, Trial]]:
    """A variant of each aspect, better by so many dB at the same rate; the best first."""
    made = [(aspect, Trial(BASE.bpp, BASE.psnr_rgb + gain)) for aspect, gain in gains_db.items()]
    variants = [(Variant(aspect, f"another {aspect}", PLAN, {}), each) for aspect, each in made]  # type: ignore[arg-type]
    return sorted(variants, key=lambda each: -each[1].score)


@pytest.mark.parametrize("aspect", MARGINS_DB)
def test_one_that_is_better_by_its_margin_is_named(aspect: Aspect) -> None:
    margin = MARGINS_DB[aspect]
    [found] = variant_findings(BASE, tried(**{aspect: margin + 0.01}))
    assert found.verdict == "wrong"
    figures = f"0.500 bits per pixel at {30 + margin + 0.01:.2f} dB instead of 0.500 bits per pixel at 30.00 dB"
    assert found.message == f"better where another {aspect}: {figures}"
    assert [each.verdict for each in variant_findings(BASE, tried(**{aspect: margin - 0.01}))] == ["fine", "note"]


def test_the_best_of_those_over_their_margins_is_named() -> None:
    [found] = variant_findings(BASE, tried(activation=2.5, support=1.0, parity=0.5))
    assert found.message.startswith("better where another support: ")


def test_what_cannot_be_told_is_said() -> None:
    fine, note = variant_findings(BASE, tried(parity=0.01, activation=1.2, support=-0.2, chunks=-9.0, nets=-3.5))
    assert fine.verdict == "fine"
    assert fine.message == (
        "none of 5 specs with the same tensors is better by a margin (0.500 bits per pixel at 30.00 dB; "
        "the next 0.500 bits per pixel at 31.20 dB: another activation)"
    )
    assert note.verdict == "note"
    assert note.message == (
        "these images do not tell the spec from one where "
        "another activation (+1.20 dB); another parity (the same); another support (-0.20 dB)"
    )


def test_all_are_told_where_all_are_far() -> None:
    [found] = variant_findings(BASE, tried(chunks=-9.0, support=-1.0))
    assert found.verdict == "fine"
    [found] = variant_findings(BASE, [])
    assert found.message == "no other spec one change away has these tensors"


def test_a_spec_that_gives_nothing_finite() -> None:
    [found] = variant_findings(None, tried(support=-5.0))
    assert (found.verdict, found.message) == (
        "wrong",
        "better where another support: 0.500 bits per pixel at 25.00 dB instead of nothing finite",
    )


def test_variants_are_tried_and_the_best_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """By picture and rate together; one that gives nothing finite is left out."""
    outcomes = {"a": Trial(1.0, 31.0), "b": Trial(0.25, 29.0), "c": None, "d": Trial(4.0, 40.0)}
    found = [Variant("support", name, PLAN, {name: name}) for name in outcomes]
    monkeypatch.setattr(trials, "_codec_of", lambda plan, tensors, renamed: next(iter(renamed)))
    monkeypatch.setattr(trials, "trial", lambda codec, images: outcomes[codec])
    made = trials.try_variants({}, found, [])
    assert [(variant.change, outcome.score) for variant, outcome in made] == [("b", 39.0), ("a", 31.0), ("d", 30.0)]
