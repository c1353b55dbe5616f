"""Tables in terminals that are too narrow for all of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from codecspec.cli.say import WIDTH, console, remark

if TYPE_CHECKING:
    from rich.table import Table

GAP = 2
"""Columns of the terminal between two of a table."""
SHORTEST_NAME = 8
"""Columns that the first of a table has at least."""


class FittingTable:
    """A table that leaves columns out where there is no room: a figure that is cut is worse than none.

    Args:
        expendable: titles of the columns that may be left out, the first of them first.
    """

    def __init__(self, *expendable: str) -> None:
        self._expendable = expendable
        self._columns: dict[str, dict[str, str]] = {}
        self._rows: list[tuple[tuple[str, ...], str]] = []

    def add_column(self, title: str, *, justify: Literal["left", "right"] = "left", style: str = "") -> None:
        """A column of these titles and cells."""
        self._columns[title] = {"justify": justify, "style": style}

    def add_row(self, *cells: str, style: str = "") -> None:
        """A row, a cell for each column."""
        self._rows.append((cells, style))

    def print(self, width: int = WIDTH) -> None:
        """Print it in as many columns as the terminal has, or `width` where there is none; say what is left out."""
        out = console(width)
        left_out: list[str] = []
        for title in self._expendable:
            if sum(self._widths(left_out)) <= out.width:
                break
            left_out.append(title)
        out.print(self._table(left_out, out.width))
        if left_out:
            remark(f"too narrow for: {', '.join(left_out)}; a pipe has them (| less -S)")

    def _widths(self, left_out: list[str]) -> list[int]:
        """Of the columns that stay, with the gaps between them."""
        from rich.cells import cell_len

        columns = zip(self._columns, *(cells for cells, _ in self._rows), strict=True)
        first, *others = [max(map(cell_len, column)) for column in columns if column[0] not in left_out]
        return [first, *(GAP + other for other in others)]

    def _table(self, left_out: list[str], width: int) -> Table:
        """The columns that stay; the names in the first are cut if that is still too much."""
        from rich.table import Table

        first, *others = self._widths(left_out)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title, look in self._columns.items():
            if title not in left_out:
                room = None if table.columns else max(SHORTEST_NAME, min(first, width - sum(others)))
                table.add_column(title, no_wrap=True, width=room, **look)  # type: ignore[arg-type]
        for cells, style in self._rows:
            kept = [cell for title, cell in zip(self._columns, cells, strict=True) if title not in left_out]
            table.add_row(*kept, style=style)
        return table
