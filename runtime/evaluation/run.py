"""A model on images, one after another: what fails is kept and the rest goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from xxhash import xxh3_128

from codecspec.runtime.evaluation.evaluation import Evaluation, Failure, ModelEvaluation, Row
from codecspec.runtime.evaluation.journal import Journal
from codecspec.runtime.evaluation.measurement import Measurement, measure_coded, measure_estimated
from codecspec.runtime.evaluation.ms_ssim import SMALLEST_SIDE
from codecspec.runtime.evaluation.quality import quality
from codecspec.runtime.evaluation.read_ahead import ReadAhead
from codecspec.runtime.image_files import ImageFile, read_image_file
from codecspec.runtime.streams.digests import decoder_weights, digest_of, tables_digest
from codecspec.runtime.streams.image_streams import decode_image, encode_image, model_known
from codecspec.schema.errors import SpecError

if TYPE_CHECKING:
    from codecspec.runtime.codec import Codec

Watch = Callable[[Row | Failure], None]


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """How models are put on images.

    Args:
        images: the name of each, and its file.
        journal: what was measured before, and where what is measured is kept.
        result: what is filled; its settings are followed.
        watch: is handed each image's result, and each failure, as it comes.
    """

    images: list[tuple[str, Path]]
    journal: Journal
    result: Evaluation
    watch: Watch

    def add(self, codec: Codec, name: str) -> None:
        """Put a model on all images.

        Raises:
            BuildError: its weights changed meanwhile.
        """
        codec.prepare_tables()
        parameters = sum(parameter.numel() for parameter in codec.parameters())
        model = ModelEvaluation(name, codec.spec.name, codec.spec_hash, digest_of_model(codec), parameters)
        self.result.models.append(model)
        first = next(codec.parameters())
        computed = f"{model.digest} {codec.numerics} {first.dtype} {first.device}"
        with model_known(codec):
            self._all_images(codec, model, computed)

    def _all_images(self, codec: Codec, model: ModelEvaluation, computed: str) -> None:
        warm_up = cache(partial(self._warm_up, codec))  # once, and only where something is to be measured
        with ReadAhead(partial(self._read, path, computed) for _, path in self.images) as files:
            for image, path in self.images:
                try:
                    digest, found = files.take()
                    if isinstance(found, Measurement):
                        measured = found
                    else:
                        warm_up()
                        measured = self._measured(codec, found, str(path), files.begin)
                except (SpecError, OSError, MemoryError, torch.OutOfMemoryError) as error:
                    self.failed(Failure(model.name, image, _said(error)))
                    continue
                if measured is not found:
                    self.journal.add(computed, digest, measured)
                    self.result.coding_s += (measured.encode_s or 0) + (measured.decode_s or 0)
                model.rows.append(Row(model.name, image, digest, measured, resumed=measured is found))
                self.watch(model.rows[-1])

    def failed(self, failure: Failure) -> None:
        """Keep what could not be measured."""
        self.result.failures.append(failure)
        self.watch(failure)

    def _read(self, path: Path, computed: str) -> tuple[str, Measurement | ImageFile]:
        """A file's digest, and what is known of it or else the image in it."""
        data = path.read_bytes()
        digest = sha256(data).hexdigest()
        return digest, self.journal.find(computed, digest) or read_image_file(data, str(path))

    def _measured(self, codec: Codec, file: ImageFile, where: str, meanwhile: Callable[[], None]) -> Measurement:
        settings = self.result.settings
        if settings.estimate:
            return measure_estimated(codec, file, where, meanwhile=meanwhile)
        return measure_coded(codec, file, where, profile=settings.profile, coder=settings.coder, meanwhile=meanwhile)

    def _warm_up(self, codec: Codec) -> None:
        """Code a small grey image and compare two, so that no image's time has in it what is made or loaded once."""
        start, settings = time.perf_counter(), self.result.settings
        first = next(codec.parameters())
        x = torch.full((1, codec.spec.in_channels, codec.stride, codec.stride), 0.5, dtype=first.dtype)
        x = x.to(first.device)
        try:
            decode_image(codec, encode_image(codec, x, profile=settings.profile, coder=settings.coder))
            grey = torch.full((1, 1, SMALLEST_SIDE, SMALLEST_SIDE), 0.5)
            quality(grey, grey)
        except SpecError:
            return  # each image will say why
        finally:
            self.result.warming_s += time.perf_counter() - start


def digest_of_model(codec: Codec) -> str:
    """32 hexadecimal digits: of a codec's spec, all its weights and its coding tables."""
    weights = {key: weight.detach() for key, weight in codec.named_parameters()} | decoder_weights(codec)
    digest = xxh3_128(bytes.fromhex(codec.spec_hash))
    digest.update(digest_of(weights))
    digest.update(tables_digest(codec))
    return digest.hexdigest()


def _said(error: Exception) -> str:
    if isinstance(error, SpecError):
        return str(error)
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or error}"
    return f"there is not enough memory: {error}"
