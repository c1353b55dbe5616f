"""The table of `codecspec eval`: columns that hold what is in them, in any terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codecspec.cli.eval_printer import EvalPrinter
from codecspec.cli.eval_table import EvalTable
from codecspec.runtime.evaluation.evaluation import Evaluation, ModelEvaluation, Row, Settings
from codecspec.runtime.evaluation.measurement import Measurement

ROW = Measurement(768, 512, 8, 49_152, 390_000.0, 30.125, 31.5, 0.9375, 1.25, 0.5, 3 << 29)


def table(*names: str, width: int | None = None, luma: bool = False) -> EvalTable:
    return EvalTable(names, luma=luma, width=width)


def test_figures_stand_below_their_titles() -> None:
    """All of them worked out by hand: 49,152 bytes are 1 bit for each of 768x512 pixels; -10 log10(1/16) dB."""
    head, row = table("a.png").head(), table("a.png").row("a.png", "768x512", ROW)
    assert len(head) == len(row) == 129
    for title, figure in {
        "size": "768x512",
        "bpp": "1.0000",
        "bpp estimated": "0.9918",
        "PSNR": "30.12",
        "MS-SSIM": "0.9375",
        "(dB)": "12.04",
        "encode": "1.25 s",
        "decode": "0.50 s",
        "memory": "1,536 MiB",
    }.items():
        end = head.index(f" {title}") + 1 + len(title)
        assert row[:end].endswith(f" {figure}"), title
    assert "  +0.8%  " in row
    assert row.replace("30.12", "31.50") == table("a.png", luma=True).row("a.png", "768x512", ROW)
    assert "PSNR-Y" in table("a.png", luma=True).head()


@pytest.mark.parametrize(
    ("num_bytes", "shown"),
    [(49_152, " +0.8% "), (97_500, "+100.0%!"), (48_140, " -1.3%!"), (48_300, " -0.9% "), (None, "  - ")],
)
def test_a_gap_over_one_percent_has_its_mark(num_bytes: int | None, shown: str) -> None:
    row = table("a.png").row("a.png", "768x512", replace(ROW, num_bytes=num_bytes))
    assert row[65:74].endswith(shown)


def test_the_summary_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a model on three images: 1 bit per pixel of 768x512, 2 of 100x100, 0.96 of 10x10; and of one on none."""
    small = Measurement(100, 100, 8, 2_500, 16_000.0, 20.0, 20.0, None, 0.75, 1.5, 1 << 29, "the most it costs")
    tiny = Measurement(10, 10, 8, 12, 120.0, 40.0, 40.0, None, 1.0, 1.0, 1 << 20, "less than it costs")
    rows = [Row("x.pth", f"{k}.png", "", each) for k, each in enumerate((ROW, tiny, small))]
    models = [
        ModelEvaluation("x.pth", "wacnn", "", "0123456789abcdef", 75_235_779, rows),
        ModelEvaluation("y.pth", "tcm", "", "f" * 32, 1_000),
    ]
    found = Evaluation(models, [], Settings(), "cpu", wall_s=20.0, opening_s=1.5, warming_s=0.5, coding_s=17.0)
    EvalPrinter(table("0.png"), 2.25, silent=True).summary(found)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    likelihoods = (390_000 / (768 * 512) + 1.6 + 1.2) / 3
    gap = 100 * ((1 + 2 + 0.96) / 3 / likelihoods - 1)
    pixels = 768 * 512 + 100 * 100 + 10 * 10
    assert lines == [
        "x.pth: wacnn, 75,235,779 parameters, digest 0123456789ab",
        "image size bpp bpp estimated gap PSNR MS-SSIM (dB) encode decode memory",
        f"mean of 3 1.3200 {likelihoods:.4f} {gap:+.1f}%! 30.04 0.9375 12.04 1.00 s 1.00 s 1,536 MiB",
        f"all bits by all pixels {8 * (49_152 + 2_500 + 12) / pixels:.4f} {(390_000 + 16_000 + 120) / pixels:.4f}",
        "2 of 3 images have no MS-SSIM: a side is under 161 pixels",
        "y.pth: tcm, 1,000 parameters, digest ffffffffffff",
        "nothing could be measured",
        "x.pth: 2 of 3 files differ by over 1% from estimates",
        "the most 2.png: the most it costs",
        "coding took 85.0% of 20.0 s; opening models 1.5 s, warming up 0.5 s, reading images and measuring 1.0 s; "
        "starting took 2.2 s before that",
    ]


def test_what_costs_less_than_it_should_is_a_gap_too(capsys: pytest.CaptureFixture[str]) -> None:
    more, less = replace(ROW, num_bytes=60_000, cause="more"), replace(ROW, num_bytes=10_000, cause="less")
    rows = [Row("x.pth", name, "", each, resumed=name == "a.png") for name, each in (("a.png", more), ("b.png", less))]
    found = Evaluation([ModelEvaluation("x.pth", "wacnn", "", "0" * 32, 7, rows)], [], Settings(), "cpu", 20.0)
    EvalPrinter(table("a.png"), None, silent=True).summary(found)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "x.pth: 2 of 2 files differ by over 1% from estimates",
        "  the most b.png: less",
        "1 of 2 results are from earlier runs",
    ]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (200, []),
        (129, []),
        (115, []),
        (114, ["memory"]),
        (80, ["(dB)", "encode", "decode", "memory"]),
        (20, ["bpp", "bpp estimated", "gap", "PSNR", "MS-SSIM", "(dB)", "encode", "decode", "memory"]),
    ],
)
def test_a_narrow_terminal_loses_whole_columns(width: int, left_out: list[str]) -> None:
    narrow = table("a.png", width=width)
    assert narrow.left_out == left_out
    assert max(len(narrow.head()), len(narrow.row("a.png", "768x512", ROW))) <= max(width, 26)


def test_names_have_the_room_that_they_need() -> None:
    long, longer = "x" * 40 + ".png", "first-" + "x" * 100 + "-last.png"
    wide = table(long, "a.png")
    assert wide.row(long, "768x512", ROW).startswith(f"  {long}  ")
    assert len(wide.row("a.png", "768x512", ROW)) == len(wide.row(long, "768x512", ROW)) == len(wide.head())
    row = table(longer).row(longer, "768x512", ROW)
    assert row.startswith("  first-xxx")
    assert "..xxxxxxxxxxxxx" in row
    assert "-last.png " in row
    assert len(row) == len(table(longer).head())


def test_what_does_not_fit_stands_apart() -> None:
    huge = Measurement(65_535, 65_535, 8, 10**13, 1.0, 100.0, 100.0, None, None, None, 0)
    assert "  65535x65535 18627.0199 " in table("a.png").row("a.png", "65535x65535", huge)


def test_names_are_one_line() -> None:
    row = table("a\n\x1b[2J.png").row("a\n\x1b[2J.png", "1x1", ROW)
    assert row.isprintable()
    assert row.startswith(r"  a\n\x1b[2J.png ")
    assert table("b\n").failure("b\n") == r"  b\n" + 25 * " " + " failed"
