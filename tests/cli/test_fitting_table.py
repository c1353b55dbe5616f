"""Tables leave columns out rather than cut figures."""

from __future__ import annotations

import pytest

from codecspec.cli.fitting_table import FittingTable


def _printed(width: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    table = FittingTable("venue", "licence")
    table.add_column("name")
    table.add_column("parameters", justify="right")
    for title in ("licence", "venue"):
        table.add_column(title)
    table.add_row("bmshj2018-hyperprior", "5,075,843", "BSD-3-Clause-Clear", "ICLR 2018")
    table.add_row("all", "75,235,779", "", "")
    table.print(width)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_where_there_is_room_all_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert _printed(63, capsys) == [
        "name                  parameters  licence             venue",
        "bmshj2018-hyperprior   5,075,843  BSD-3-Clause-Clear  ICLR 2018",
        "all                   75,235,779",
    ]


@pytest.mark.parametrize(("width", "left_out"), [(62, "venue"), (52, "venue"), (51, "venue, licence")])
def test_columns_that_are_left_out(width: int, left_out: str, capsys: pytest.CaptureFixture[str]) -> None:
    head, first, last, said = _printed(width, capsys)
    assert said == f"too narrow for: {left_out}; a pipe has them (| less -S)"
    assert head.split() == [title for title in ("name", "parameters", "licence", "venue") if title not in left_out]
    assert first.split()[:2] == ["bmshj2018-hyperprior", "5,075,843"]
    assert last.split() == ["all", "75,235,779"]


def test_what_is_still_too_long_is_cut_in_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert _printed(24, capsys)[1:3] == ["bmshj2018-h…   5,075,843", "all           75,235,779"]
