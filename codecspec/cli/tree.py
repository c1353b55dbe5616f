"""The plan in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from codecspec.compiler.canonical import spec_hash
from codecspec.compiler.plan import PARTS, Node, Plan


def print_tree(plan: Plan) -> None:
    """Print every node with channels, resolution, parameters and kMACs per pixel; then totals by part."""
    spec = plan.spec
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("node", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("says", overflow="fold", style="dim")
    for title in ("channels", "at", "parameters", "kMAC/px"):
        table.add_column(title, justify="right", no_wrap=True)
    for depth, node in _rows(plan):
        table.add_row(
            "  " * depth + (node.path if depth == 0 else _below(node)),
            node.kind,
            _says(node),
            f"{node.c_in} > {node.c_out}" if node.c_in != node.c_out else str(node.c_in),
            str(node.scale_out),
            f"{node.parameters:,}" if node.parameters else "",
            f"{float(node.total_macs) / 1e3:,.3f}" if node.total_macs else "",
        )
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    console.print(table)
    console.print(_totals(plan))
    params = ", ".join(f"{name}={value}" for name, value in spec.params.items())
    console.print(
        f"{spec.name} ({params}): {plan.parameters:,} parameters in {len(plan.manifest())} tensors, "
        f"images padded to multiples of {plan.stride}, hash {spec_hash(spec)[:12]}"
    )


def _rows(plan: Plan) -> Iterator[tuple[int, Node]]:
    def below(node: Node, depth: int) -> Iterator[tuple[int, Node]]:
        yield depth, node
        for child in node.children:
            yield from below(child, depth + 1)

    for root in plan.roots:
        yield from below(root, 0)


def _below(node: Node) -> str:
    """The last segment of the path, and the one before it for a slice (`channel_context.y3`)."""
    segments = node.path.split(".")
    return ".".join(segments[-2:]) if segments[-2] in ("channel_context", "latent_codec") else segments[-1]


def _says(node: Node) -> str:
    """The node's own numbers that are not their defaults."""
    fields = node.spec.model_dump(exclude_defaults=True, exclude={"type", "out"})
    plain = {name: value for name, value in fields.items() if isinstance(value, (int, float, str))}
    return " ".join(f"{name}={value}" for name, value in plain.items())


def _totals(plan: Plan) -> Table:
    parameters, macs = plan.parameters_by_part(), plan.macs_by_part()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("part", "parameters", "kMAC/px"):
        table.add_column(title, justify="left" if title == "part" else "right")
    for part in PARTS:
        table.add_row(part, f"{int(parameters[part]):,}", f"{float(macs[part]) / 1e3:,.3f}")
    table.add_row("all", f"{plan.parameters:,}", f"{float(sum(macs.values())) / 1e3:,.3f}", style="bold")
    return table
