"""Models on images: what `codecspec eval` does, in one call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codecspec.schema.byte_sizes import byte_size
from codecspec.schema.errors import SpecError, UsageError, listed
from codecspec.schema.missing_files import missing_hint

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec
    from codecspec.runtime.evaluation.evaluation import Evaluation, Failure, Row, Settings

Given = str | os.PathLike[str]
Watch = Callable[["Row | Failure"], None]


def evaluate(
    models: Given | Codec | Sequence[Given | Codec],
    images: Given | Sequence[Given],
    *,
    estimate: bool = False,
    profile: Literal["portable", "exact"] | None = None,
    coder: Literal["codecspec", "compressai"] = "codecspec",
    device: str = "cpu",
    max_memory: int | str | None = None,
    folder: Given | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """Measure rate, distortion, time and memory of models on images: every image is coded into a file and decoded.

    Failures are collected in `failures`; the rest continues.

    Args:
        models: checkpoints of any layout, saved models, specs by name or file (with untrained weights), or codecs.
        images: a folder (all images in it and below), an image, or several of those.
        estimate: code nothing, and take rates from the likelihoods of the forward pass.
        profile: as in `encode`.
        coder: as in `encode`.
        device: where models run; a given codec stays where it is.
        max_memory: as in `encode`.
        folder: where results are kept; an interrupted evaluation resumes from there.
        watch: called with each image's result, and each failure.

    Raises:
        UsageError: there are no images, `folder` cannot be written to, or `max_memory` is no amount of memory.
        BuildError: the weights of a codec that was given changed meanwhile.
    """
    from codecspec.runtime.evaluation.evaluation import Settings

    settings = Settings(estimate, profile, coder, None if max_memory is None else byte_size(max_memory))
    return evaluate_files(models, image_files(images), settings, device=device, folder=folder, watch=watch)


def evaluate_files(
    models: Given | Codec | Sequence[Given | Codec],
    files: list[tuple[str, Path]],
    settings: Settings,
    *,
    device: str = "cpu",
    folder: Given | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """`evaluate` on image files with their names, as `image_files` lists them."""
    from codecspec.runtime.evaluation.evaluation import Evaluation, Failure
    from codecspec.runtime.evaluation.journal import Journal
    from codecspec.runtime.evaluation.run import EvaluationRun

    start = time.perf_counter()
    result = Evaluation([], [], settings, device)
    run = EvaluationRun(
        images=files,
        journal=Journal(None if folder is None else Path(folder), settings),
        result=result,
        watch=watch or (lambda _: None),
    )
    for given in _several(models):
        opening = time.perf_counter()
        try:
            codec = _opened(given, device, limited=settings.max_memory is not None)
        except SpecError as error:
            run.failed(Failure(str(given), "", str(error)))
            continue
        finally:
            result.opening_s += time.perf_counter() - opening
        with codec.limited(settings.max_memory):
            run.add(codec, os.fspath(given) if isinstance(given, (str, os.PathLike)) else codec.spec.name)
    result.wall_s = time.perf_counter() - start
    return result


def image_files(images: Given | Sequence[Given]) -> list[tuple[str, Path]]:
    """Image files with the names that results call them by: their path below the folder that was given.

    Raises:
        UsageError: there are none, or a folder or file is not there.
    """
    from codecspec.runtime.image_files import READ_ENDINGS

    found: list[tuple[str, Path]] = []
    for given in map(Path, _several(images)):
        if not given.is_dir():
            found.append((given.name, given))
            continue
        below = (path for path in sorted(given.rglob("*")) if path.suffix.lower() in READ_ENDINGS and path.is_file())
        found += [(path.relative_to(given).as_posix(), path) for path in below]
    missing = next((path for _, path in found if not path.exists()), None)
    if missing is not None:
        raise UsageError("E-usage", str(missing), "no such file or folder", missing_hint(str(missing)))
    if not found:
        message = f"no file in this folder ends in {', '.join(READ_ENDINGS)}"
        raise UsageError("E-usage", listed(map(str, _several(images))), message)
    return found


def _opened(given: Given | Codec, device: str, *, limited: bool) -> Codec:
    """The codec that is meant, on its device."""
    from codecspec.cli.models import open_model

    if not isinstance(given, (str, os.PathLike)):
        return given
    codec: Codec = open_model(os.fspath(given), limited=limited).to(device)
    return codec


def _several(given: Any) -> list[Any]:
    """One or several as several; a path is one, and a codec is."""
    return list(given) if isinstance(given, (list, tuple)) else [given]
