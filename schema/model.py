"""A whole spec: the model that a YAML file describes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PrivateAttr
from pydantic_core import PydanticCustomError

from codecspec.schema.auxiliary import AuxSpec
from codecspec.schema.blocks import Blocks
from codecspec.schema.errors import shown
from codecspec.schema.fields import Integer, SpecModel
from codecspec.schema.latents import LatentCodecSpec
from codecspec.schema.source import SpecSource

ParamValue = int | float | tuple[int | float, ...]


def _version(value: Any) -> Any:
    if type(value) is not int or value != 1:
        message = f"`codecspec` is the version of the language; allowed: 1; found {shown(value)}"
        hint = "a newer codecspec may know this version" if isinstance(value, int) and value > 1 else "codecspec: 1"
        raise PydanticCustomError("E-version", "{message}", {"message": message, "hint": hint})
    return value


class Reference(SpecModel):
    """The paper that a model is from."""

    title: str
    """Its title."""
    authors: tuple[str, ...] = ()
    """Family names, in order."""
    venue: str = ""
    """Conference or journal and year."""
    url: str = ""
    """Where to read it."""
    code_licence: str = ""
    """The licence of the reference code, as SPDX names it; empty where it is not known here."""


class ModelSpec(SpecModel):
    """A learned image codec: transforms g_a and g_s, and how the latent between them is coded.

    Made by `load_spec`; the fields hold numbers, every expression evaluated and every repeat unrolled.
    """

    training_only: ClassVar[frozenset[str]] = frozenset({"aux"})

    codecspec: Annotated[Literal[1], BeforeValidator(_version)]
    """Version of the language."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    """What the model is called; no part of its hash."""
    reference: Reference | None = None
    """The paper; no part of its hash."""
    params: Annotated[dict[str, ParamValue], Field(default_factory=dict)]
    """The numbers that expressions name; no part of its hash, since they are evaluated."""
    in_channels: Annotated[Integer, Field(ge=1, le=64)] = 3
    """Channels of the image."""
    g_a: Blocks
    """The analysis transform: image -> y."""
    g_s: Blocks
    """The synthesis transform: y_hat -> image."""
    latent_codec: LatentCodecSpec
    """How y is coded."""
    aux: AuxSpec | None = None
    """What only training runs beside it; no part of its hash, since it codes nothing."""

    _source: SpecSource = PrivateAttr(default_factory=SpecSource)

    @property
    def source(self) -> SpecSource:
        """Where the spec was written, for errors that come to light later."""
        return self._source
