"""The plan in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from codecspec.cli.fitting_table import FittingTable
from codecspec.cli.say import console
from codecspec.compiler.canonical import spec_hash
from codecspec.compiler.plan import PARTS, Node, Plan
from codecspec.compiler.statistics import statistics


def print_tree(plan: Plan) -> None:
    """Print every node with channels, resolution, parameters and kMACs per pixel; then totals by part."""
    spec = plan.spec
    table = FittingTable("tensors", "fields", "scale")
    table.add_column("node")
    table.add_column("kind")
    table.add_column("fields", style="dim")
    for title in ("channels", "scale", "tensors", "parameters", "kMAC/px"):
        table.add_column(title, justify="right")
    for name, node in _rows(plan):
        tensors = sum(len(inner.tensors) for inner in node.walk())
        table.add_row(
            name,
            node.kind,
            _fields(node),
            f"{node.c_in} > {node.c_out}" if node.c_in != node.c_out else str(node.c_in),
            str(node.scale_out),
            str(tensors) if tensors else "",
            f"{node.parameters:,}" if node.parameters else "",
            f"{float(node.total_macs) / 1e3:,.3f}" if node.total_macs else "",
        )
    table.print()
    out = console()
    out.print(_totals(plan))
    params = ", ".join(f"{name}={value}" for name, value in spec.params.items())
    out.print(
        f"{spec.name} ({params}): {plan.parameters:,} parameters in {len(plan.manifest())} tensors, "
        f"images padded to multiples of {plan.stride}, hash {spec_hash(spec)[:12]}",
        soft_wrap=True,
    )


def _rows(plan: Plan) -> Iterator[tuple[str, Node]]:
    """Every node with its indented name: its path below its parent."""

    def below(node: Node, parent: str, depth: int) -> Iterator[tuple[str, Node]]:
        yield "  " * depth + node.path.removeprefix(f"{parent}."), node
        for child in node.children:
            yield from below(child, node.path, depth + 1)

    for root in plan.roots:
        yield from below(root, "", 0)


def _fields(node: Node) -> str:
    """The node's own numbers that are not their defaults; lists of them where no child says them again."""
    fields = node.spec.model_dump(exclude_defaults=True, exclude={"type", "out"})
    said = {name: value for name, value in fields.items() if isinstance(value, (int, float, str))}
    if not node.children:
        lists = {name: value for name, value in fields.items() if isinstance(value, tuple)}
        said |= {name: f"[{','.join(map(str, value))}]" for name, value in lists.items()}
    return " ".join(f"{name}={value}" for name, value in said.items())


def _totals(plan: Plan) -> Table:
    """By part; an auxiliary branch, which coding does not run, below the sum."""
    figures = statistics(plan)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("part", "parameters", "kMAC/px"):
        table.add_column(title, justify="left" if title == "part" else "right")

    def row(name: str, parameters: int, kmacs: float, style: str = "") -> None:
        table.add_row(name, f"{parameters:,}", f"{kmacs:,.3f}", style=style)

    for part in PARTS:
        row(part, figures.parameters_by_part[part], figures.kmacs_per_pixel_by_part[part])
    row("all", figures.parameters, figures.kmacs_per_pixel, "bold")
    if "aux" in figures.parameters_by_part:
        row("aux (training only)", figures.parameters_by_part["aux"], figures.kmacs_per_pixel_by_part["aux"])
    return table
