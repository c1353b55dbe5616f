"""Rows of blocks out of tensors: which kinds can stand at each place, so that channels flow from end to end."""

from __future__ import annotations

from dataclasses import replace

from codecspec.compiler.plan import join
from codecspec.compiler.reading import MAX_BLOCKS, Place, Row, Unread, View

_Channels = set[int | None]
"""Channels that may flow at a boundary; None where they are not known."""


def read_row(view: View) -> list[Row]:
    """The rows that tensors can be: one for each number of channels in and out that they allow.

    A row whose tensors are not all understood has `Unread` places, and channels flow around those.
    """
    indexes = view.indexes()
    if indexes is None or (indexes and indexes[-1] >= MAX_BLOCKS):
        return []
    if not indexes:
        return [Row(view.path, None, None, ())]
    known = set(indexes)
    places = [_place(view, i) if i in known else () for i in range(indexes[-1] + 1)]
    firsts = _firsts(places)
    rows: list[Row] = []
    for c_in in firsts:
        forward = _forward(places, c_in)
        rows += [_pruned(view.path, places, forward, c_in, c_out) for c_out in _lasts(places, forward[-1])]
    return rows


def row_or_unread(view: View, c_in: int | None, *c_out: int | None) -> Row | Unread:
    """The row that the tensors of `view` are, preferably one that takes `c_in` channels and gives one of `c_out`; None
    for any.

    A row without tensors gives what it takes.
    """
    rows = read_row(view)
    if rows and not rows[0].places:
        return replace(rows[0], c_in=c_in, c_out=c_in)
    for given in (*c_out, None):
        for row in rows:
            if c_in in (None, row.c_in) and given in (None, row.c_out):
                return row
    return rows[0] if rows else Unread.of(view)


def _place(view: View, i: int) -> Place:
    from codecspec.compiler.kinds import block_readings

    below = view.below(str(i))
    seen = view.seen(str(i))
    if seen is not None:
        return Unread(join(view.path, str(i)), seen)
    readings = block_readings(below)
    return tuple(readings) if readings else Unread.of(below)


def _firsts(places: list[Place]) -> list[int | None]:
    """The channels that the first place with tensors can take."""
    first = next(place for place in places if place)
    if isinstance(first, Unread):
        return [None]
    return list(dict.fromkeys(reading.c_in for reading in first))


def _lasts(places: list[Place], boundary: _Channels) -> list[int | None]:
    """The channels that can flow at the end, in the order in which the last block prefers them."""
    last = next(place for place in reversed(places) if place)
    preferred = [] if isinstance(last, Unread) else [reading.c_out for reading in last if reading.c_out in boundary]
    return list(dict.fromkeys(preferred)) or list(boundary)


def _forward(places: list[Place], c_in: int | None) -> list[_Channels]:
    """The channels that can flow at each boundary, the first and the last included.

    Where none can, the place is passed over as one that is not understood.
    """
    boundaries: list[_Channels] = [{c_in}]
    for place in places:
        before = boundaries[-1]
        if isinstance(place, Unread):
            boundaries.append({None})
        elif not place:
            boundaries.append(before)
        else:
            after: _Channels = {reading.c_out for reading in place if _flows(reading.c_in, before)}
            boundaries.append(after or {None})
    return boundaries


def _pruned(path: str, places: list[Place], forward: list[_Channels], c_in: int | None, c_out: int | None) -> Row:
    """The row that ends with `c_out`: at each place what can follow and be followed."""
    kept: list[Place] = []
    wanted: _Channels = {c_out}
    for place, before in zip(reversed(places), reversed(forward[:-1]), strict=True):
        if isinstance(place, tuple) and place:
            fits = tuple(r for r in place if _flows(r.c_in, before) and _flows(r.c_out, wanted))
            kept.append(fits or place)  # blocks that do not fit their neighbours are for the proof to name
            wanted = {reading.c_in for reading in fits} or {None}
        else:
            kept.append(place)
            wanted = {None} if isinstance(place, Unread) else wanted
    return Row(path, c_in, c_out, tuple(reversed(kept)))


def _flows(channels: int | None, boundary: _Channels) -> bool:
    return channels in boundary or None in boundary
