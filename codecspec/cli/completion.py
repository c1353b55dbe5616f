"""The words that a shell completes: zoo specs, params of the spec that is typed, layouts; files where none fits.

Nothing here imports PyTorch, and what cannot be said (a spec that is wrong so far) gives no words, never an error.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from codecspec import specs
from codecspec.schema.errors import SpecError


def spec_words(incomplete: str) -> list[str]:
    """The zoo's names, and the YAML files here."""
    from codecspec.schema.spec_files import ENDINGS

    return _fitting([*specs.names(), *_files(ENDINGS)], incomplete)


def model_words(incomplete: str) -> list[str]:
    """The zoo's names, and the YAML files and files of weights here."""
    from codecspec.schema.spec_files import ENDINGS, WEIGHTS

    return _fitting([*specs.names(), *_files((*ENDINGS, *WEIGHTS))], incomplete)


def param_words(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """`NAME=VALUE` for each param of the specs that are typed and is not set yet, with the spec's own value."""
    from codecspec.schema.load import load_spec

    found: dict[str, str] = {}
    # The line ends in an option without its value, and so far the parser has put words without an option aside.
    for spec in [*_typed(ctx, "spec", "specs", "models"), *ctx.args]:
        try:
            params = load_spec(spec).params
        except SpecError:
            continue
        for name, value in params.items():
            found.setdefault(name, f"{name}={json.dumps(value, separators=(',', ':'))}")
    for assignment in _typed(ctx, "assignments"):
        found.pop(assignment.partition("=")[0], None)
    return [(word, "a param, with its value in the spec") for word in _fitting(list(found.values()), incomplete)]


def layout_words(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The layouts, those of the spec that is typed or all, with the families that have them."""
    from codecspec.compiler.layouts import CANONICAL, layouts

    families: dict[str, list[str]] = {}
    for layout in layouts():
        families.setdefault(layout.name, []).extend(layout.families)
    typed = _typed(ctx, "spec")
    said = {CANONICAL: "codecspec's own keys"} | {
        name: f"of {', '.join(own)}" for name, own in families.items() if not typed or {*typed} & {*own}
    }
    return [(name, said[name]) for name in _fitting(list(said), incomplete)]


def _typed(ctx: typer.Context, *names: str) -> list[str]:
    """What the line says so far for the parameters of these names."""
    found: list[str] = []
    for name in names:
        value: Any = ctx.params.get(name)
        found += [value] if isinstance(value, str) else [each for each in value or () if isinstance(each, str)]
    return found


def _files(endings: tuple[str, ...]) -> Iterator[str]:
    try:
        yield from sorted(path.name for path in Path().iterdir() if path.suffix in endings and path.is_file())
    except OSError:
        return


def _fitting(words: list[str], incomplete: str) -> list[str]:
    found = [word for word in words if word.startswith(incomplete)]
    return [_ESCAPED.sub(r"\\\g<0>", word) for word in found] if _is_bash() else found


def _is_bash() -> bool:
    """Whether it is bash that asks: it puts words into the line as they are, where the others escape them."""
    return any(value == "complete_bash" for name, value in os.environ.items() if name.endswith("_COMPLETE"))


_ESCAPED = re.compile(r"[^\w@%+=:,./\[\]-]")
"""What bash would take for its own."""
