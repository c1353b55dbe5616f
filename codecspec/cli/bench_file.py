"""The JSON that `codecspec bench -o` writes, read again: what `--compare` takes from it is there, and is numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from codecspec.schema.errors import UsageError

Seconds = Annotated[list[Annotated[float, Field(ge=0, allow_inf_nan=False)]], Field(min_length=1)]


class _Work(BaseModel):
    """One kind of work.

    Args:
        seconds: of each run.
        parts: the same of each part.
    """

    model_config = ConfigDict(strict=True)

    seconds: Seconds
    parts: dict[str, Seconds]


_WORKS = TypeAdapter(dict[str, _Work])


def read_bench(path: str) -> dict[str, Any]:
    """What is in such a file.

    Raises:
        UsageError: it is none.
    """
    try:
        found = json.loads(Path(path).read_text(), parse_int=float)
        _WORKS.validate_python(found["work"], strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(path, f"{'.'.join(map(str, ('work', *first['loc'])))}: {first['msg']}") from error
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, str(error)[:100]) from error
    except (KeyError, TypeError) as error:
        raise _refused(path, "it has no `work`") from error
    return dict(found)


def _refused(path: str, why: str) -> UsageError:
    return UsageError("E-usage", path, f"not a file that `codecspec bench -o` wrote: {why}")
