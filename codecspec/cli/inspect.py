"""`codecspec inspect`: what is in a checkpoint, before anyone asks what model it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from codecspec.cli.say import console, print_json
from codecspec.cli.state_dict_key import StateDictKey
from codecspec.schema.errors import LayoutError, SpecError, listed

if TYPE_CHECKING:
    from rich.table import Table

    from codecspec.cli.tensor_tree import Group
    from codecspec.compiler.checkpoints import Manifest
    from codecspec.compiler.layouts import Layout


def inspect(
    checkpoint: Annotated[str, typer.Argument(metavar="CKPT", help="A checkpoint: a file, a folder of shards, a URL.")],
    key: StateDictKey = None,
    depth: Annotated[int, typer.Option(min=1, help="Levels of the tree to show.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every tensor.")] = False,
) -> None:
    """Show what is in a checkpoint: tensors as a tree, wrappers, layout, the spec inside.

    It runs no code in the file and reads no tensor data. To find the model, use `infer-spec`.
    """
    from codecspec.compiler.checkpoints import read_manifest

    manifest = read_manifest(checkpoint, key=key)
    if as_json:
        print_json(_content(manifest))
        return
    from codecspec.cli.tensor_tree import tree_of

    for line in _summary(manifest):
        print(line)
    console().print(_table(tree_of(manifest), depth))


def _content(manifest: Manifest) -> dict[str, Any]:
    from codecspec.compiler.checkpoints import HASH_KEY, SPEC_KEY

    return {
        "source": manifest.source,
        "format": manifest.format,
        "unwrapped": list(manifest.unwrapped),
        "state_dicts": list(manifest.state_dicts),
        "layouts": [{"layout": each.name, "families": list(each.families)} for each in _fitting(manifest)],
        "spec": _spec_inside(manifest),
        "metadata": {name: value for name, value in manifest.metadata.items() if name not in (SPEC_KEY, HASH_KEY)},
        "elements": sum(info.elements for info in manifest.values()),
        "bytes": manifest.nbytes,
        "tensors": {key: {"dtype": info.dtype, "shape": list(info.shape)} for key, info in manifest.items()},
    }


def _summary(manifest: Manifest) -> list[str]:
    """What there is to say beside the tensors, a line each."""
    from codecspec.compiler.checkpoints import HASH_KEY, SPEC_KEY, printable

    lines = [f"{printable(manifest.source)}: {manifest.format}"]
    if manifest.unwrapped:
        lines.append(f"  unwrapped    {listed(manifest.unwrapped)}")
    if len(manifest.state_dicts) > 1:
        lines.append(f"  state dicts  {listed(map(printable, manifest.state_dicts))} (--key NAME)")
    fitting = [f"{layout.name} ({listed(layout.families)})" for layout in _fitting(manifest)]
    lines.append(f"  layout       {listed(fitting) if fitting else 'none whose rules take every key'}")
    spec = _spec_inside(manifest)
    if spec is not None:
        lines.append(f"  spec inside  {', '.join(f'{name} {printable(value)}' for name, value in spec.items())}")
    for name, value in manifest.metadata.items():
        if name not in (SPEC_KEY, HASH_KEY):
            lines.append(f"  metadata     {printable(name)}: {printable(value)}")
    return lines


def _fitting(manifest: Manifest) -> list[Layout]:
    """The layouts whose rules take every key."""
    from codecspec.compiler.layouts import layouts

    return [layout for layout in layouts() if _takes(layout, manifest)]


def _takes(layout: Layout, manifest: Manifest) -> bool:
    try:
        return not layout.to_canonical(manifest).unknown
    except LayoutError:  # its rules take two keys to one
        return False


def _spec_inside(manifest: Manifest) -> dict[str, str] | None:
    """Name and hash of the spec that the file says it has, neither held against its tensors here."""
    from codecspec.compiler.checkpoints import HASH_KEY, SPEC_KEY
    from codecspec.schema.load import parse_whole_spec

    if SPEC_KEY not in manifest.metadata:
        return None
    said = {"hash": manifest.metadata.get(HASH_KEY, "")[:12]}
    try:
        return {"name": parse_whole_spec(manifest.metadata[SPEC_KEY], f"{manifest.source}#spec").name, **said}
    except SpecError as error:
        return {"error": error.message, **said}


def _table(tree: Group, depth: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    from codecspec.compiler.checkpoints import printable

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("key", "tensors", "elements", "bytes", "type and shape"):
        right = title in ("tensors", "elements", "bytes")
        table.add_column(title, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for level, name, row in tree.rows(depth):
        what = Text(row.said, style="dim")
        label = Text("  " * level + printable(name), style="" if row.info else "bold")
        table.add_row(label, f"{row.tensors:,}", f"{row.elements:,}", f"{row.nbytes:,}", what)
    table.add_row("all", f"{tree.tensors:,}", f"{tree.elements:,}", f"{tree.nbytes:,}", tree.said, style="bold")
    return table
