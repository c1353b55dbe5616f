"""What is said of variants, by figures that are given."""

from __future__ import annotations

import pytest

import codecspec as cs
from codecspec.compiler.variants import Aspect, Variant, variants
from codecspec.diagnosis import trials
from codecspec.diagnosis.dead_leaves import dead_leaves
from codecspec.diagnosis.trials import MARGINS_DB, Trial, trial, try_variants, variant_findings
from tests.runtime.small_codecs import small

PLAN = cs.lower(cs.load_spec("mbt2018-mean", N=8, M=8))
BASE = Trial(bpp=0.5, psnr_rgb=30.0)


def tried(**gains_db: float) -> list[tuple[Variant, Trial]]:
    """A variant of each aspect, better by so many dB at the same rate; the best first."""
    made = [(aspect, Trial(BASE.bpp, BASE.psnr_rgb + gain)) for aspect, gain in gains_db.items()]
    made_of = [(Variant(aspect, f"another {aspect}", PLAN, {}), each) for aspect, each in made]  # type: ignore[arg-type]
    return sorted(made_of, key=lambda each: -each[1].score)


@pytest.mark.parametrize("aspect", MARGINS_DB)
def test_one_that_is_better_by_its_margin_is_named(aspect: Aspect) -> None:
    margin = MARGINS_DB[aspect]
    [found] = variant_findings(BASE, tried(**{aspect: margin + 0.01}))
    assert found.verdict == "wrong"
    figures = f"0.500 bits per pixel at {30 + margin + 0.01:.2f} dB instead of 0.500 bits per pixel at 30.00 dB"
    assert found.message == f"better where another {aspect}: {figures}"
    assert [each.verdict for each in variant_findings(BASE, tried(**{aspect: margin - 0.01}))] == ["fine", "note"]


def test_what_to_do_is_in_the_spec_or_in_the_file() -> None:
    [found] = variant_findings(BASE, tried(chunks=9.0))
    assert "write it in the spec" in found.hint
    swapped = Variant("nets", "weights are exchanged", PLAN, {"a.bias": "b.bias", "b.bias": "a.bias"})
    [found] = variant_findings(BASE, [(swapped, Trial(BASE.bpp, BASE.psnr_rgb + 9))])
    assert found.hint == "exchange them in the file, all 2: a.bias and b.bias, and so on"
    assert found.keys == ("a.bias", "b.bias")


def test_the_best_of_those_over_their_margins_is_named() -> None:
    [found] = variant_findings(BASE, tried(activation=2.5, support=1.0, parity=0.5))
    assert found.message.startswith("better where another support: ")


def test_gdns_without_roots_are_the_codec_again() -> None:
    codec = small("mbt2018-mean")
    [variant] = [each for each in variants(cs.lower(codec.spec)) if each.rooted]
    assert len(variant.rooted) == 12
    tensors = {key: tensor.detach().clone() for key, tensor in codec.state_dict().items()}
    for key in variant.rooted:
        least = float(tensors[f"{key}_reparam.lower_bound.bound"])
        tensors[key] = tensors[key].clamp(min=least).square() - 2.0**-36
    x = dead_leaves(64, 64)
    [(_, outcome)] = try_variants(tensors, [variant], [x])
    want = trial(codec, [x])
    assert want is not None
    assert (outcome.bpp, outcome.psnr_rgb) == pytest.approx((want.bpp, want.psnr_rgb), rel=1e-4)
    [found] = variant_findings(Trial(outcome.bpp, outcome.psnr_rgb - 9), [(variant, outcome)])
    assert found.hint.startswith("put sqrt(value + 2**-36) in the place of each in the file: ")


def test_what_cannot_be_told_is_said() -> None:
    fine, note = variant_findings(BASE, tried(parity=0.01, activation=1.2, support=-0.2, chunks=-9.0, nets=-3.5))
    assert fine.verdict == "fine"
    assert fine.message == (
        "none of 5 specs with the same tensors is better by a margin (0.500 bits per pixel at 30.00 dB; "
        "the next 0.500 bits per pixel at 31.20 dB: another activation)"
    )
    assert note.verdict == "note"
    assert note.message == (
        "these images do not distinguish the spec from one where "
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
    monkeypatch.setattr(trials, "_codec_of", lambda variant, tensors: variant.change)
    monkeypatch.setattr(trials, "trial", lambda codec, images: outcomes[codec])
    made = trials.try_variants({}, found, [])
    assert [(variant.change, outcome.score) for variant, outcome in made] == [("b", 39.0), ("a", 31.0), ("d", 30.0)]
