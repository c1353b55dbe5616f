"""A whole checkpoint, read: g_a, g_s, the latent codec and the auxiliary branch as their tensors tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from codecspec.compiler.kinds import read_latent_codec
from codecspec.compiler.kinds.cca import CCA
from codecspec.compiler.plan import AUX, ROOTS
from codecspec.compiler.read_rows import read_row
from codecspec.compiler.reading import Reading, Row, Seen, Unread, View, unread_of


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
            found += unread_of(part)
        return found


def read_model(tensors: Mapping[str, Seen]) -> ModelReading:
    """What canonical keys and shapes tell.

    Raises:
        CheckpointError: the keys are no paths of a tree.
    """
    view = View.of(tensors)
    at_latent, at_aux = view.below("latent_codec"), view.below(AUX)
    g_a, g_s = _transforms(view.below("g_a"), view.below("g_s"), at_latent)
    y = _first_known(g_s.c_in if isinstance(g_s, Row) else None, g_a.c_out if isinstance(g_a, Row) else None)
    latent_codec = read_latent_codec(at_latent, y) or Unread.of(at_latent)
    aux = (CCA().read_conditional(at_aux, y, _side_of(latent_codec)) or Unread.of(at_aux)) if at_aux else None
    strange = (
        tuple(seen for key, seen in tensors.items() if is_strange(key)) if any(map(is_strange, view.children)) else ()
    )
    return ModelReading(g_a, g_s, latent_codec, aux, strange)


def is_strange(key: str) -> bool:
    """Whether a key stands outside of all that the canonical layout has."""
    return key.partition(".")[0] not in ROOTS


def _transforms(at_g_a: View, at_g_s: View, at_latent: View) -> tuple[Row | Unread, Row | Unread]:
    """The analysis and the synthesis. Where each may be several, those that fit each other, and the latent codec if its
    tensors tell what that takes."""
    downs, ups = read_row(at_g_a), read_row(at_g_s)
    pairs = [(down, up) for down in downs for up in ups if _agree(down.c_in, up.c_out) and _agree(down.c_out, up.c_in)]
    if not pairs:
        return downs[0] if downs else Unread.of(at_g_a), ups[0] if ups else Unread.of(at_g_s)
    latents = {_first_known(down.c_out, up.c_in) for down, up in pairs}
    y = latents.pop() if len(latents) == 1 else None
    if y is None:
        latent_codec = read_latent_codec(at_latent, None)
        y = latent_codec.c_in if latent_codec else None
    fitting = [(down, up) for down, up in pairs if _agree(_first_known(down.c_out, up.c_in), y)]
    down, up = (fitting or pairs)[0]
    return _through(down, up.c_out, y), _through(up, down.c_in, y)


def _agree(one: int | None, other: int | None) -> bool:
    """Whether two numbers of channels may be the same."""
    return one is None or other is None or one == other


def _first_known(*channels: int | None) -> int | None:
    return next((each for each in channels if each is not None), None)


def _through(row: Row, image: int | None, y: int | None) -> Row:
    """A transform; one without tensors gives what it takes."""
    if row.places:
        return row
    channels = _first_known(image, y)
    return replace(row, c_in=channels, c_out=channels)


def _side_of(latent_codec: Reading | Unread) -> int | None:
    """Channels of the side parameters."""
    y = latent_codec.parts.get("y") if isinstance(latent_codec, Reading) else None
    return y.params if isinstance(y, Reading) else None
