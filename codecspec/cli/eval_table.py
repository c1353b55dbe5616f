"""The table of `codecspec eval`: a line an image as it comes, in columns that its terminal has room for."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from codecspec.schema.errors import escaped

if TYPE_CHECKING:
    from codecspec.runtime.evaluation.evaluation import Averages
    from codecspec.runtime.evaluation.measurement import Measurement

    Figures = Measurement | Averages

USUAL_NAME, LONGEST_NAME, SHORTEST_NAME = 28, 48, 14
"""Columns for the images' names: where all are short, at most, and at least."""
SIZE = 10


class EvalTable:
    """Lines of one table.

    Args:
        names: the images'.
        luma: PSNR is that of Y.
        width: columns of the terminal; None where there is none, and no end.
    """

    def __init__(self, names: Iterable[str], *, luma: bool, width: int | None) -> None:
        self._columns = _columns(luma)
        longest = max((len(escaped(name)) for name in names), default=0)
        self._name = min(max(longest + 1, USUAL_NAME), LONGEST_NAME)
        self.left_out: list[str] = []
        """Titles of the columns that the terminal is too narrow for."""
        if width is not None:
            self._name = max(SHORTEST_NAME, min(self._name, width - self._width()))
            while self._columns and self._name + self._width() > width:
                self.left_out.insert(0, self._columns.pop()[0].strip())

    def head(self, what: str = "image") -> str:
        """The titles; `what` is that of the rows' names."""
        return f"  {what:{self._name}}{'size':>{SIZE}}" + "".join(f"{title:>{w}}" for title, w, _ in self._columns)

    def row(self, name: str, size: str, figures: Figures) -> str:
        """An image, or the mean of several (which has no `size`)."""
        cells = [(size, SIZE), *((shown(figures), width) for _, width, shown in self._columns)]
        # A cell that is too long for its column still stands apart from the one before.
        return f"  {self._named(name)}" + "".join(f" {text:>{width - 1}}" for text, width in cells)

    def failure(self, name: str) -> str:
        """An image that could not be measured."""
        return f"  {self._named(name)} failed"

    def all_bits(self, found: Averages) -> str:
        """The rates of all images as if they were one."""
        real, estimated = _or_none(found.aggregate_bpp, ".4f"), f"{found.aggregate_bpp_estimated:.4f}"
        return f"  {'all bits by all pixels':{self._name + SIZE}}{real:>9}{estimated:>16}"

    def _width(self) -> int:
        return 2 + SIZE + sum(width for _, width, _ in self._columns)

    def _named(self, name: str) -> str:
        """A name in its column, without its middle where it is too long."""
        text, room = escaped(name), self._name
        if len(text) > room:
            end = (room - 2) // 2
            text = f"{text[: room - 2 - end]}..{text[-end:]}"
        return f"{text:{room}}"


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _columns(luma: bool) -> list[tuple[str, int, Callable[[Figures], str]]]:
    """Title, width and content of each."""
    return [
        ("bpp", 9, lambda each: _or_none(each.bpp, ".4f")),
        ("bpp estimated", 16, lambda each: f"{each.bpp_estimated:.4f}"),
        ("gap ", 9, lambda each: _gap(each.gap)),
        ("PSNR-Y" if luma else "PSNR", 7, lambda each: f"{each.psnr_y if luma else each.psnr_rgb:.2f}"),
        ("MS-SSIM", 9, lambda each: _or_none(each.ms_ssim, ".4f")),
        ("(dB)", 8, lambda each: _or_none(each.ms_ssim_db, ".2f")),
        ("encode", 10, lambda each: _or_none(each.encode_s, ".2f", " s")),
        ("decode", 10, lambda each: _or_none(each.decode_s, ".2f", " s")),
        ("memory", 11, lambda each: f"{each.peak_bytes / (1 << 20):,.0f} MiB"),
    ]


def _gap(gap: float | None) -> str:
    from codecspec.runtime.evaluation.measurement import is_large

    return "- " if gap is None else f"{100 * gap:+.1f}%{'!' if is_large(gap) else ' '}"


def _or_none(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
