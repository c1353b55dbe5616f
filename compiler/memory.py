"""What a plan says of memory: what the runtime runs transforms in pieces by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codecspec.compiler.dataflow import dataflow, held
from codecspec.compiler.plan import Node, Plan, part_of
from codecspec.compiler.reach import POINTWISE

if TYPE_CHECKING:
    from codecspec.runtime.memory_limit import MemoryNeeds
    from codecspec.runtime.tile_plan import Block


def memory_needs(plan: Plan) -> MemoryNeeds:
    """The blocks of the transforms, and what is held between them."""
    from codecspec.runtime.memory_limit import MemoryNeeds

    steps = dataflow(plan)
    between = [
        numbers for step, numbers in zip(steps, held(steps), strict=True) if part_of(step.path) in ("hyper", "context")
    ]
    return MemoryNeeds(
        g_a=transform_blocks(plan.root("g_a")),
        g_s=transform_blocks(plan.root("g_s")),
        latents=float(max(between)),
    )


def transform_blocks(root: Node) -> tuple[Block, ...]:
    """The blocks of a transform in the order in which they run; those of nested rows stand in their place."""
    return tuple(_block(node, root) for node in root.walk() if not node.children)


def _block(node: Node, root: Node) -> Block:
    from codecspec.runtime.tile_plan import Block

    reach = node.reach or POINTWISE
    scale = node.scale_out / node.scale_in
    return Block(
        path=node.path.removeprefix(f"{root.path}."),
        c_in=node.c_in,
        c_out=node.c_out,
        up=scale.numerator,
        down=scale.denominator,
        before=reach.before,
        after=reach.after,
        window=reach.window,
        shift=reach.shift,
        pools=reach.pools,
        whole=node.reach is None,
        macs=float(node.macs / node.scale_in**2),
        held=float(node.held / node.scale_in**2),
    )
