"""The support filter: which earlier slices of y_hat does slice k see?

    all               0 .. k-1
    first             the first `max` of them   (the clamp of Minnen & Singh, ICIP 2020, and of WACNN, STF, TCM)
    recent            the last `max` of them
    first_and_recent  slice 0 and slice k-1     (Chandelier's ELIC)
    skip_most_recent  all but slice k-1         (CCA's auxiliary branch)
    slices            written out, one list per slice

The plan computes head widths from `indices`, the running codec takes them as they are: nobody filters twice.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from codecspec.schema.fields import MAX_SLICES, Integer, SpecModel
from codecspec.schema.source import SpecPath

Filter = Literal["all", "first", "recent", "first_and_recent", "skip_most_recent"]
SliceIndexes = tuple[tuple[int, ...], ...]


class Support(SpecModel):
    """Which earlier slices a slice sees: a named filter, or the indexes written out."""

    filter: Filter = "all"
    """The named filter; `all` when `slices` is given. Not recoverable from a checkpoint where widths are equal."""

    max: Annotated[Integer, Field(ge=0, le=MAX_SLICES)] | None = None
    """At most so many slices; for `first` and `recent`."""

    slices: tuple[tuple[Annotated[Integer, Field(ge=0)], ...], ...] | None = None
    """One list of slice indexes per slice, in the order in which they are concatenated; instead of `filter`."""

    def indices(self, num_slices: int) -> SliceIndexes:
        """The slices that each of `num_slices` slices sees, in the order of their concatenation.

        `slices` is returned as written: `problem` says what is wrong with it.
        """
        if self.slices is not None:
            return self.slices
        return tuple(tuple(_select(self.filter, self.max, k)) for k in range(num_slices))

    def problem(self, num_slices: int) -> tuple[SpecPath, str] | None:
        """What is wrong with this support for `num_slices` slices and where in it, or None."""
        if self.max is not None and (self.slices is not None or self.filter not in ("first", "recent")):
            found = "`slices`" if self.slices is not None else f"`filter: {self.filter}`"
            return ("max",), f"`max` goes with `filter: first` or `filter: recent` only, found it with {found}"
        if self.slices is None:
            return None
        if self.filter != "all":
            return ("filter",), f"`slices` says it all; leave `filter: {self.filter}` out"
        if len(self.slices) != num_slices:
            return ("slices",), f"`slices` has {len(self.slices)} lists, and there are {num_slices} slices"
        for k, seen in enumerate(self.slices):
            for i, j in enumerate(seen):
                if j >= k:
                    return ("slices", k, i), f"slice {k} cannot see slice {j}: only slices before it are decoded"
                if j in seen[:i]:
                    return ("slices", k, i), f"slice {k} sees slice {j} twice"
        return None

    def canonical(self, num_slices: int) -> Support:
        """The one way to say this support: the first named filter that selects the same slices, else `slices`."""
        seen = self.indices(num_slices)
        longest = max((len(s) for s in seen), default=0)
        for name in ("all", "first", "recent", "first_and_recent", "skip_most_recent"):
            candidate = Support(filter=name, max=longest if name in ("first", "recent") else None)
            if candidate.indices(num_slices) == seen:
                return candidate
        return Support(slices=seen)


def _select(name: Filter, clamp: int | None, k: int) -> list[int]:
    earlier = list(range(k))
    match name:
        case "first":
            return earlier[:clamp]
        case "recent":
            return earlier[max(0, k - clamp) :] if clamp is not None else earlier
        case "first_and_recent":
            return sorted({0, k - 1}) if k else []
        case "skip_most_recent":
            return earlier[:-1]
        case _:
            return earlier
