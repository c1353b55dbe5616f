"""`--key`, of every command that reads a checkpoint which may hold several models."""

from __future__ import annotations

from typing import Annotated

import typer

StateDictKey = Annotated[
    str | None,
    typer.Option(metavar="K", help="The state dict to use, if the file has several; or a prefix of its keys."),
]
