"""What a codec costs, from its plan: parameters, multiply-accumulates and the memory of activations, by part.

No weights and no torch. Totals are those of coding, which runs no auxiliary branch; the branch's own figures stand
under `aux`.

Memory of activations is the peak of what is alive at once, in numbers of float32, for one image: a tensor lives from
the node that makes it to the last one that reads it, the image to the end, and a node has beside its input and output
what it holds inside (a window attention its scores). Likelihoods that wait for the end of the pass are left out, and so
is what an arithmetic coder needs: torch's own peak is a few percent above.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from codecspec.compiler.canonical import spec_hash
from codecspec.compiler.dataflow import dataflow, held
from codecspec.compiler.plan import Part, Plan, part_of
from codecspec.schema.errors import UsageError

KODAK = (768, 512)
"""Width and height of the images that papers report on, in pixels."""
MAX_SIDE = 65_535
BYTES = 4
"""Of a float32."""
H_A = "latent_codec.h_a"


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a codec.

    Args:
        name: the spec's name.
        hash: the spec's hash.
        parameters: learned numbers.
        parameters_by_part: the same by part: g_a, hyper, context, g_s, and beside them aux where there is one.
        kmacs_per_pixel: thousand multiply-accumulates per pixel of the image, for encoding and decoding in one pass.
        kmacs_per_pixel_by_part: the same by part.
        encoder_kmacs_per_pixel: the same for an encoder: all but g_s.
        decoder_kmacs_per_pixel: the same for a decoder: all but g_a and h_a.
        size: width and height of the image that the memory is for, in pixels.
        padded_size: the same, padded to multiples of the stride.
        activation_bytes: the peak over encoding and decoding in one pass, in bytes.
        activation_bytes_by_part: the peak while each part runs.
        weight_bytes: parameters, in bytes.
    """

    name: str
    hash: str
    parameters: int
    parameters_by_part: dict[Part, int]
    kmacs_per_pixel: float
    kmacs_per_pixel_by_part: dict[Part, float]
    encoder_kmacs_per_pixel: float
    decoder_kmacs_per_pixel: float
    size: tuple[int, int]
    padded_size: tuple[int, int]
    activation_bytes: int
    activation_bytes_by_part: dict[Part, int]
    weight_bytes: int


def statistics(plan: Plan, size: tuple[int, int] = KODAK) -> Statistics:
    """The figures of a plan.

    Args:
        plan: what `lower` gives.
        size: width and height of an image in pixels, for the memory.

    Raises:
        UsageError: there is no such image.
    """
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise UsageError("E-usage", f"size {size[0]}x{size[1]}", f"an image's sides are 1 to {MAX_SIDE} pixels")
    macs = {node.path: node.macs for node in plan.walk() if part_of(node.path) != "aux"}
    total = sum(macs.values(), Fraction(0))
    encoder_only = sum((own for path, own in macs.items() if path.startswith(("g_a.", f"{H_A}."))), Fraction(0))
    decoder_only = sum((own for path, own in macs.items() if path.startswith("g_s.")), Fraction(0))
    parameters = {part: int(count) for part, count in plan.parameters_by_part().items()}
    coding = sum(count for part, count in parameters.items() if part != "aux")
    padded = (size[0] + -size[0] % plan.stride, size[1] + -size[1] % plan.stride)
    peaks = _peaks(plan, padded[0] * padded[1])
    return Statistics(
        name=plan.spec.name,
        hash=spec_hash(plan.spec),
        parameters=coding,
        parameters_by_part=parameters,
        kmacs_per_pixel=_kilo(total),
        kmacs_per_pixel_by_part={part: _kilo(own) for part, own in plan.macs_by_part().items()},
        encoder_kmacs_per_pixel=_kilo(total - decoder_only),
        decoder_kmacs_per_pixel=_kilo(total - encoder_only),
        size=size,
        padded_size=padded,
        activation_bytes=max(peaks.values()),
        activation_bytes_by_part=peaks,
        weight_bytes=BYTES * coding,
    )


def _peaks(plan: Plan, pixels: int) -> dict[Part, int]:
    steps = dataflow(plan)
    peaks: dict[Part, Fraction] = {}
    for step, numbers in zip(steps, held(steps), strict=True):
        part = part_of(step.path)
        peaks[part] = max(peaks.get(part, Fraction(0)), numbers)
    return {part: int(BYTES * pixels * numbers) for part, numbers in peaks.items()}


def _kilo(macs: Fraction) -> float:
    return float(macs / 1000)
