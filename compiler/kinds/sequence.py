"""`sequence`: blocks in a row; also every transform (g_a, g_s, h_a, h_s) is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.kind import Lowering, NodeKind, Place, build_children
from codecspec.compiler.plan import Node
from codecspec.compiler.read_rows import read_row
from codecspec.compiler.reading import Reading, View
from codecspec.schema.blocks import BlockSpec, SequenceSpec
from codecspec.schema.errors import SchemaError

if TYPE_CHECKING:
    from torch import nn


MAX_STRIDE = 2**16
"""Down or up, of all blocks together; far above what any image has, and small enough to compute with."""


LARGE_MAPS = ("g_a", "g_s")
"""The rows whose maps are large enough for their memory format to matter."""


class Sequence(NodeKind[SequenceSpec]):
    """Children 0, 1, .. each fed with what the one before gives."""

    spec_type = SequenceSpec

    def lower(self, spec: SequenceSpec, place: Place, lowering: Lowering) -> Node:
        return lower_row(spec, place, ("blocks",), lowering)

    def readings(self, view: View) -> list[Reading]:
        """The rows that the tensors of `view` can be, as blocks."""
        return [
            Reading(view.path, self.tag(), row.c_in, row.c_out, parts={"blocks": row}, first=view.first)
            for row in read_row(view)
            if row.c_in is not None and row.c_out is not None
        ]

    def build(self, node: Node) -> nn.Module:
        from torch import nn

        from codecspec.runtime.layers.transform import Transform

        row = Transform if node.path in LARGE_MAPS else nn.Sequential
        return row(*build_children(node.children).values())


def lower_blocks(blocks: tuple[BlockSpec, ...], place: Place, lowering: Lowering) -> Node:
    """A list of blocks that stands in the spec by itself, as a sequence at `place`."""
    return lower_row(SequenceSpec(type="sequence", blocks=blocks), place, (), lowering)


def lower_row(spec: SequenceSpec, place: Place, steps: tuple[str, ...], lowering: Lowering) -> Node:
    """The sequence node; `steps` lead from the place's spec path to the list of blocks."""
    children: list[Node] = []
    current = place
    for i, block in enumerate(spec.blocks):
        at = current.at(str(i), *steps, i)
        node = lowering.lower(block, at)
        children.append(node)
        current = current.after(node)
        if max(current.scale.as_integer_ratio()) > MAX_STRIDE:
            lowering.problem("E-stride", at.spec_path, f"the strides up to here multiply to more than {MAX_STRIDE}")
            raise SchemaError.collect(lowering.problems)
    return Node(
        path=place.path,
        kind=Sequence.tag(),
        spec=spec,
        c_in=place.channels,
        c_out=current.channels,
        scale_in=place.scale,
        scale_out=current.scale,
        children=tuple(children),
    )
