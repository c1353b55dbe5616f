"""What streams say of a model, computed once for many images."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import codecspec as cs
from codecspec.runtime.codec import Codec
from codecspec.runtime.evaluation.evaluation import Failure, Row
from codecspec.runtime.streams import image_streams
from codecspec.runtime.streams.image_streams import model_known, model_of
from codecspec.schema.errors import BuildError
from tests.runtime.small_codecs import images, small


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The codecs whose weights are read, as they come."""
    seen: list[object] = []
    real = image_streams.weights_digest

    def weights_digest(codec: Codec) -> bytes:
        seen.append(codec)
        return real(codec)

    monkeypatch.setattr(image_streams, "weights_digest", weights_digest)
    return seen


def test_streams_are_the_same_and_weights_are_read_twice(hashed: list[object]) -> None:
    codec, other = small("mbt2018-mean"), small("bmshj2018-hyperprior")
    expected = cs.encode(codec, images(1, 32, 32))
    hashed.clear()
    with model_known(codec), model_known(codec):
        for _ in range(3):
            data = cs.encode(codec, images(1, 32, 32))
            assert data == expected
            cs.decode(codec, data)
        assert hashed == [codec]
        cs.encode(other, images(1, 32, 32))
        assert hashed == [codec, other]
    assert hashed == [codec, other, codec]
    cs.encode(codec, images(1, 32, 32))
    assert len(hashed) == 4


def changed_inside(codec: Codec, then: BaseException | None = None) -> bytes:
    """What a stream says of weights that change while it is known what it says."""
    with model_known(codec):
        codec.g_s[0].bias.data += 1  # no version count of torch tells of this
        said = model_of(codec).weights
        if then is not None:
            raise then
    return said


def test_weights_that_changed_are_an_error() -> None:
    codec = small("mbt2018-mean")
    before = model_of(codec)
    with pytest.raises(BuildError, match="they changed while images were coded"):
        changed_inside(codec)
    assert model_of(codec) != before


def test_what_fails_inside_is_said_instead() -> None:
    codec = small("mbt2018-mean")
    before = model_of(codec)
    with pytest.raises(KeyboardInterrupt):
        changed_inside(codec, KeyboardInterrupt())
    assert model_of(codec) != before


def test_an_evaluation_reads_them_for_all_images(tmp_path: Path, hashed: list[object]) -> None:
    for number in range(4):
        Image.new("RGB", (40, 30), (90, 120, number)).save(tmp_path / f"{number}.png")
    codec = small("mbt2018-mean")
    found = cs.evaluate(codec, tmp_path)
    assert len(found.rows) == 4
    assert hashed == [codec, codec]

    def train(_: Row | Failure) -> None:
        codec.g_s[0].bias.data += 1

    with pytest.raises(BuildError, match="they changed"):
        cs.evaluate(codec, tmp_path, watch=train)
