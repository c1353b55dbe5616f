"""`codecspec stream`: what is in a file, to its last byte; without PyTorch, and without a model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import codecspec as cs
from codecspec.runtime.streams.container import Stream
from codecspec.runtime.streams.image_streams import encode_image
from codecspec.runtime.streams.rate_report import PartRate
from tests.cli.conftest import Command
from tests.runtime.small_codecs import images, small


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coded") / "x.csp"
    path.write_bytes(cs.encode(small("elic"), images(1, 70, 100)))
    return path


def test_every_byte_is_accounted_for(command: Command, coded: Path) -> None:
    done = command("codecspec", "stream", coded)
    assert (done.code, done.err) == (0, "")
    head, spec, weights, tables, by, padded, names, *rows = done.out.splitlines()
    size = coded.stat().st_size
    assert head == f"{coded}: 100x70, RGB, 8 bits a sample; {size:,} bytes, {8 * size / 7000:.4f} bits per pixel"
    header = Stream.from_bytes(coded.read_bytes()).header
    assert spec.split() == ["spec", header.model.spec.hex()]
    assert weights.split() == ["weights", header.model.weights.hex()]
    assert tables.split() == ["tables", header.model.tables.hex()]
    assert by.strip() == "coded by codecspec, portable, numerics fast"
    assert padded.split() == ["padded", "to", "multiples", "of", "64", "(edge)"]
    assert names.split() == ["chunk", "bytes", "bits", "per", "pixel", "share"]
    assert [row.split("  ")[1] for row in rows] == [
        "z",
        *(f"slice {k} of y, {which}" for k in range(4) for which in ("anchors", "the rest")),
        "header and chunk table",
    ]
    assert sum(int(row.split()[-4].replace(",", "")) for row in rows) == size
    assert sum(float(row.split()[-2]) for row in rows) == pytest.approx(100, abs=0.5)
    for row in rows:
        count, rate, share, _ = row.split()[-4:]
        assert rate == f"{8 * int(count.replace(',', '')) / 7000:.4f}"
        assert share == f"{100 * int(count.replace(',', '')) / size:.1f}"


def test_the_same_as_json(command: Command, coded: Path) -> None:
    found = json.loads(command("codecspec", "stream", coded, "--json").out)
    assert found["bytes"] == coded.stat().st_size == found["overhead_bytes"] + sum(c["bytes"] for c in found["chunks"])
    assert (found["width"], found["height"], found["channels"], found["bit_depth"]) == (100, 70, 3, 8)
    assert found["bits_per_pixel"] == 8 * found["bytes"] / 7000
    assert found["chunks"][1]["name"] == "slice 0 of y, anchors"
    assert found["padding"] == {"mode": "edge", "multiple": 64}
    assert small("elic").spec_hash.startswith(found["spec"])


def test_a_grey_image_of_16_bits(command: Command, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 65_536, (20, 36), dtype=np.uint16)
    Image.fromarray(samples).save(tmp_path / "x.png")
    (tmp_path / "x.csp").write_bytes(cs.encode(small("mbt2018-mean"), tmp_path / "x.png"))
    head = command("codecspec", "stream", tmp_path / "x.csp").out.splitlines()[0]
    assert ": 36x20, grey, 16 bits a sample; " in head
    found = json.loads(command("codecspec", "stream", tmp_path / "x.csp", "--json").out)
    assert (found["width"], found["height"], found["channels"], found["bit_depth"]) == (36, 20, 1, 16)


def test_with_a_model_it_says_what_likelihoods_say(command: Command, coded: Path, tmp_path: Path) -> None:
    cs.save(small("elic"), tmp_path / "elic.safetensors")
    done = command("codecspec", "stream", coded, "-m", tmp_path / "elic.safetensors")
    assert done.code == 0
    assert f"{coded.stat().st_size:,} bytes for likelihoods of" in done.out
    said = command("codecspec", "stream", coded, "-m", tmp_path / "elic.safetensors", "--json").out
    rates: list[PartRate] = []
    encode_image(small("elic"), images(1, 70, 100), rates=rates)
    for chunk, rate in zip(json.loads(said)["chunks"], rates, strict=True):
        assert {name: chunk[name] for name in chunk if name not in ("name", "bytes")} == asdict(rate)
    cs.save(small("wacnn"), tmp_path / "wacnn.safetensors")
    done = command("codecspec", "stream", coded, "-m", tmp_path / "wacnn.safetensors")
    assert done.code == 2
    assert "E-stream-model at spec" in done.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a codecspec stream"),
        (b"CSPC\x00" + bytes(60), "stream version 0; this program reads version 1"),
        (b"CSPC\x01" + bytes(60), "the checksum does not hold"),
    ],
)
def test_other_files_are_refused(command: Command, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.csp").write_bytes(content)
    done = command("codecspec", "stream", tmp_path / "x.csp")
    assert (done.code, done.out) == (2, "")
    assert message in done.err
