"""The table of `codecspec eval`: columns that hold what is in them, in any terminal."""

from __future__ import annotations

import pytest

from codecspec.cli.eval_table import EvalTable
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
