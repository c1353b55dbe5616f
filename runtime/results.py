"""Results of an evaluation: points of rate and quality, in the JSON form that CompressAI's tools write and plot.

    {"name": "wacnn", "description": "..", "provenance": "measured",
     "results": {"bpp": [0.12, ..], "psnr-rgb": [28.1, ..], "ms-ssim-rgb": [0.94, ..]}}

One list per figure, one entry per point, averages over a set of images; MS-SSIM is between 0 and 1, and decibels are
made of it where it is drawn or compared. `provenance` is ours: `measured` for what codecspec measured itself; a file
that does not say is `published`, as those that come with papers are. Other keys are kept out of the way.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from codecspec.schema.errors import ResultsError, listed, nearest, shown
from codecspec.schema.whole_file import whole_file

Provenance = Literal["measured", "published"]
Metric = Literal["psnr", "ms-ssim"]
METRICS: tuple[Metric, ...] = get_args(Metric)
MAX_BYTES = 1 << 20
MAX_POINTS = 1_000
MAX_NAME = 100

_KEYS: dict[Metric, tuple[str, ...]] = {"psnr": ("psnr-rgb", "psnr"), "ms-ssim": ("ms-ssim-rgb", "ms-ssim")}
"""What a metric is called in results; the first is what is written now."""
_READ = ("bpp", *(key for keys in _KEYS.values() for key in keys))
"""The figures that curves are made of; what others are, and in which form, is for whoever wrote them."""


@dataclass(frozen=True, slots=True)
class Results:
    """Points of one codec.

    Args:
        name: what it is called in a legend.
        results: one list per figure, all of one length: `bpp` in bits per pixel, `psnr-rgb` in dB, `ms-ssim-rgb`, ..
        provenance: who measured.
        description: where and how.
    """

    name: str
    results: Mapping[str, tuple[float, ...]]
    provenance: Provenance = "published"
    description: str = ""

    def curve(self, metric: Metric) -> Curve:
        """The points of one metric, by rate, in decibels.

        Raises:
            ResultsError: they have no rate or no such metric, or values that it cannot have.
        """
        rate = self.results.get("bpp")
        key = next((key for key in _KEYS[metric] if key in self.results), None)
        if rate is None or key is None:
            missing = "bpp" if rate is None else _KEYS[metric][0]
            _refuse(self.name, f"there is no '{missing}' in the results, only {listed(self.results)}")
        quality = self.results[key]
        if min(rate) <= 0:
            _refuse(self.name, f"a rate is more than 0 bits per pixel, found {min(rate):g}")
        if metric == "ms-ssim":
            if not all(0 <= value < 1 for value in quality):
                _refuse(self.name, "an MS-SSIM is at least 0 and less than 1; decibels are made of it here")
            quality = tuple(-10 * math.log10(1 - value) for value in quality)
        return Curve(self.name, metric, self.provenance, tuple(sorted(zip(rate, quality, strict=True))))

    def write(self, path: Path) -> None:
        """Write them; whole or not at all."""
        content = {
            "name": self.name,
            "description": self.description,
            "provenance": self.provenance,
            "results": {key: list(values) for key, values in self.results.items()},
        }
        with whole_file(path) as partial:
            partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Curve:
    """Rate against quality.

    Args:
        name: whose.
        metric: what quality is.
        provenance: who measured.
        points: (bits per pixel, dB), by rate.
    """

    name: str
    metric: Metric
    provenance: Provenance
    points: tuple[tuple[float, float], ...]

    @property
    def counted(self) -> str:
        """`3 points`."""
        return "1 point" if len(self.points) == 1 else f"{len(self.points)} points"

    @property
    def rates(self) -> list[float]:
        """In bits per pixel."""
        return [rate for rate, _ in self.points]

    @property
    def qualities(self) -> list[float]:
        """In dB."""
        return [quality for _, quality in self.points]


def read_results(path: Path) -> Results:
    """The results in a file.

    Raises:
        ResultsError: it cannot be read, is no JSON of that form, or holds what is no finite number.
    """
    content = _json(path)
    results = content.get("results", content)
    where = str(path)
    if not isinstance(results, dict):
        _refuse(where, f"`results` is a mapping of figures to lists, found {shown(results)}")
    figures = {key: _numbers(results[key], key, where) for key in _READ if key in results}
    if "bpp" not in figures:
        hint = "the curves of an evaluation are in curve-NAME.json beside it" if "models" in content else ""
        _refuse(where, f"there is no list 'bpp' in the results, only {listed(results)}", hint)
    for key, values in figures.items():
        if len(values) != len(figures["bpp"]):
            _refuse(where, f"'{key}' has {len(values)} entries, and 'bpp' has {len(figures['bpp'])}")
    beside = {key: values for key, values in results.items() if key not in figures and isinstance(values, list)}
    fitting = {key: values for key, values in beside.items() if len(values) == len(figures["bpp"])}
    figures |= {key: tuple(map(float, values)) for key, values in fitting.items() if all(map(_is_number, values))}
    return Results(
        name=_text(content, "name", where) or path.stem,
        results=figures,
        provenance=_provenance(content, where),
        description=_text(content, "description", where),
    )


def _json(path: Path) -> dict[str, Any]:
    def refuse_constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is no number")

    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            _refuse(str(path), f"a file of results has at most {MAX_BYTES:,} bytes")
        content = json.loads(raw, parse_constant=refuse_constant, parse_int=_whole)
    except OSError as error:
        raise ResultsError("E-results", str(path), f"it cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ResultsError("E-results", str(path), f"it is no JSON: {str(error)[:100]}") from error
    if not isinstance(content, dict):
        _refuse(str(path), f'it is no results: {{"name": .., "results": {{"bpp": [..], ..}}}}; found {shown(content)}')
    return content


def _whole(digits: str) -> float:
    """Exactly, where that is no feat: Python refuses to read thousands of digits, and advises whoever calls it."""
    return int(digits) if len(digits) < 20 else float(digits)


def _numbers(values: Any, key: str, where: str) -> tuple[float, ...]:
    if not isinstance(values, list):
        _refuse(where, f"{shown(key)} is {shown(values)}; it must be a list of numbers, one for each point")
    if not 1 <= len(values) <= MAX_POINTS:
        _refuse(where, f"{shown(key)} has {len(values)} entries; a curve has 1 to {MAX_POINTS} points")
    wrong = [value for value in values if not _is_number(value)]
    if wrong:
        _refuse(where, f"{shown(key)} holds {shown(wrong[0])}; it must be a number, and less than 1e12")
    return tuple(map(float, values))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12


def _text(content: dict[str, Any], key: str, where: str) -> str:
    text, most = content.get(key, ""), MAX_NAME * (10 if key == "description" else 1)
    if not isinstance(text, str) or len(text) > most:
        _refuse(where, f"`{key}` is a text of at most {most:,} characters, found {shown(text)}")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _provenance(content: dict[str, Any], where: str) -> Provenance:
    said = content.get("provenance", "published")
    for known in get_args(Provenance):
        if said == known:
            return known
    hint = nearest(said, get_args(Provenance)) if isinstance(said, str) else ""
    raise ResultsError(
        "E-results", where, f"`provenance` is {shown(said)}; allowed: {listed(get_args(Provenance))}", hint
    )


def _refuse(where: str, message: str, hint: str = "") -> NoReturn:
    raise ResultsError("E-results", where, message, hint)
