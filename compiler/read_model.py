"""A whole checkpoint, read: g_a, g_s, the latent codec and the auxiliary branch as their tensors tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codecspec.compiler.kinds import read_latent_codec
from codecspec.compiler.kinds.cca import CCA
from codecspec.compiler.plan import AUX, ROOTS
from codecspec.compiler.read_rows import read_row, row_or_unread
from codecspec.compiler.reading import Reading, Row, Seen, Unread, View


@dataclass(frozen=True, slots=True)
class ModelReading:
    """What a checkpoint's canonical keys and shapes tell of its spec.

    Args:
        g_a: the analysis transform.
        g_s: the synthesis transform.
        latent_codec: how y is coded.
        aux: the auxiliary branch; None where there is none.
        strange: tensors that stand outside of these.
    """

    g_a: Row | Unread
    g_s: Row | Unread
    latent_codec: Reading | Unread
    aux: Reading | Unread | None
    strange: tuple[Seen, ...] = ()

    @property
    def in_channels(self) -> int | None:
        """Channels of the image."""
        return self.g_a.c_in if isinstance(self.g_a, Row) else None

    @property
    def unread(self) -> list[Unread]:
        """Everything that is not understood, in the order of the model."""
        found = [Unread(seen.key, seen) for seen in self.strange]
        for part in (self.g_a, self.latent_codec, self.g_s, self.aux):
            found += _unread(part)
        return found


def read_model(tensors: Mapping[str, Seen]) -> ModelReading:
    """What canonical keys and shapes tell.

    Raises:
        CheckpointError: the keys are no paths of a tree.
    """
    view = View.of(tensors)
    at_g_a, at_g_s = view.below("g_a"), view.below("g_s")
    image = next((row.c_in for row in read_row(at_g_a)), None)
    g_s = row_or_unread(at_g_s, None, image)
    y = g_s.c_in if isinstance(g_s, Row) else None
    g_a = row_or_unread(at_g_a, image, y)
    if y is None and isinstance(g_a, Row):
        y = g_a.c_out
    at_latent, at_aux = view.below("latent_codec"), view.below(AUX)
    latent_codec = read_latent_codec(at_latent, y) or Unread.of(at_latent)
    aux = (CCA().read_conditional(at_aux, y, _side_of(latent_codec)) or Unread.of(at_aux)) if at_aux else None
    strange = tuple(seen for key, seen in tensors.items() if key.split(".", 1)[0] not in ROOTS)
    return ModelReading(g_a, g_s, latent_codec, aux, strange)


def _side_of(latent_codec: Reading | Unread) -> int | None:
    """Channels of the side parameters."""
    y = latent_codec.parts.get("y") if isinstance(latent_codec, Reading) else None
    return y.params if isinstance(y, Reading) else None


def _unread(part: Reading | Row | Unread | tuple[Reading | Unread, ...] | None) -> list[Unread]:
    if isinstance(part, Unread):
        return [part]
    if isinstance(part, Row):
        return part.unread
    inner = part if isinstance(part, tuple) else tuple(part.parts.values()) if part else ()
    return [found for each in inner for found in _unread(each)]
