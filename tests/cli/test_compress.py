"""`codecspec compress` and `decompress`: through files and processes, and what is refused before time is spent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import codecspec as cs
from codecspec.runtime.streams.container import Stream
from tests.cli.conftest import Command, Outcome
from tests.runtime.small_codecs import small

HEIGHT, WIDTH = 70, 53
SMALL_YAML = "codecspec: 1\nextends: mbt2018-mean\nname: tiny\nparams: {N: 12, M: 18}\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small saved models."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("bmshj2018-factorized", "elic", "mbt2018-mean"):
        cs.save(small(name), folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An image file with something in it."""
    samples = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(samples).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def coded(command: Command, photo: Path, models: Path) -> Path:
    """The same image, coded with the small mbt2018-mean."""
    path = photo.with_name("photo.csp")
    assert command("codecspec", "compress", photo, "-m", models / "mbt2018-mean.safetensors", "-o", path).code == 0
    return path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def refused(done: Outcome, start: str) -> None:
    """The command ended with exit code 2, one error and nothing else."""
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(start), done.err
    assert done.err.count("E-") == 1


def test_decoded_in_another_process_is_the_encoders_own_reconstruction(
    process: Command, photo: Path, models: Path
) -> None:
    model, folder = models / "elic.safetensors", photo.parent
    done = process("codecspec", "compress", "photo.png", "-m", model, "-o", "x.csp", "--reconstruction", "expected.png")
    assert (done.code, done.err) == (0, "")
    size = (folder / "x.csp").stat().st_size
    first, second = done.out.splitlines()
    bpp = 8 * size / (HEIGHT * WIDTH)
    assert first == f"photo.png {WIDTH}x{HEIGHT} -> x.csp: {size:,} bytes, {bpp:.4f} bits per pixel"
    assert [part.split()[0] for part in second.split(", ")] == ["g_a", "hyper", "context", "coding"]
    done = process("codecspec", "decompress", "x.csp", "-m", model, "-o", "decoded.png")
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first == f"x.csp -> decoded.png: {WIDTH}x{HEIGHT}"
    assert [part.split()[0] for part in second.split(", ")] == ["hyper", "context", "g_s", "coding"]
    decoded = pixels(folder / "decoded.png")
    assert np.array_equal(decoded, pixels(folder / "expected.png"))
    assert decoded.shape == (HEIGHT, WIDTH, 3)
    assert len(np.unique(decoded)) > 20


def test_a_codec_without_a_hyperprior(command: Command, photo: Path, models: Path) -> None:
    model, folder = models / "bmshj2018-factorized.safetensors", photo.parent
    coded, decoded, expected = (folder / name for name in ("x.csp", "decoded.png", "expected.png"))
    done = command("codecspec", "compress", photo, "-m", model, "-o", coded, "--reconstruction", expected)
    assert (done.code, done.err) == (0, "")
    assert [part.split()[0] for part in done.out.splitlines()[1].split(", ")] == ["g_a", "coding"]
    done = command("codecspec", "decompress", coded, "-m", model, "-o", decoded)
    assert (done.code, done.err) == (0, "")
    assert [part.split()[0] for part in done.out.splitlines()[1].split(", ")] == ["g_s", "coding"]
    assert np.array_equal(pixels(decoded), pixels(expected))


@pytest.mark.parametrize("by", ["yaml", "name"])
def test_a_spec_is_a_model_with_the_same_untrained_weights_in_each_process(
    command: Command, process: Command, photo: Path, by: str
) -> None:
    folder = photo.parent
    (folder / "tiny.yaml").write_text(SMALL_YAML)
    model = folder / "tiny.yaml" if by == "yaml" else "bmshj2018-hyperprior"
    note = f"note: {model} is a spec without weights: coding with untrained ones (seed 0)\n"
    out, expected = folder / "x.csp", folder / "expected.png"
    done = command("codecspec", "compress", photo, "-m", model, "-o", out, "--reconstruction", expected)
    assert (done.code, done.err) == (0, note)
    done = process("codecspec", "decompress", "x.csp", "-m", model, "-o", "decoded.png")
    assert (done.code, done.err) == (0, note)
    assert np.array_equal(pixels(folder / "decoded.png"), pixels(expected))


def test_coding_is_the_same_every_time(command: Command, photo: Path, coded: Path, models: Path) -> None:
    again = photo.with_name("again.csp")
    assert command("codecspec", "compress", photo, "-m", models / "mbt2018-mean.safetensors", "-o", again).code == 0
    assert again.read_bytes() == coded.read_bytes()


@pytest.mark.parametrize("ending", [".png", ".ppm", ".webp", ".bmp", ".tif"])
def test_outputs_of_every_lossless_format_are_equal(command: Command, coded: Path, models: Path, ending: str) -> None:
    model, path = models / "mbt2018-mean.safetensors", coded.with_name(f"decoded{ending}")
    assert command("codecspec", "decompress", coded, "-m", model, "-o", path).code == 0
    codec = cs.load(model)
    x_hat = cs.decode(codec, coded.read_bytes())
    assert np.array_equal(pixels(path), (x_hat[0] * 255).round().permute(1, 2, 0).numpy().astype(np.uint8))


def test_another_model_is_refused(command: Command, coded: Path, models: Path) -> None:
    output = coded.with_name("decoded.png")
    done = command("codecspec", "decompress", coded, "-m", models / "elic.safetensors", "-o", output)
    written, this = (cs.load(models / f"{name}.safetensors").spec_hash[:16] for name in ("mbt2018-mean", "elic"))
    refused(done, f"E-stream-model at spec: written by the spec {written}, and this model is {this}\n")
    assert "hint: decode with the model that the image was coded with" in done.err
    assert not output.exists()


def never(*_: object, **__: object) -> None:
    pytest.fail("time was spent on what could not succeed")


def flipped(data: bytes) -> bytes:
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "the checksum does not hold"),
        (lambda data: data + b"\n", "the checksum does not hold"),
        (flipped, "the checksum does not hold"),
        (lambda data: data[:8], "the stream ends inside its header"),
        (lambda data: data[:4] + b"\x07" + data[5:], "stream version 7; this program reads version 1"),
        (lambda data: data[:4] + b"\x00" + data[5:], "version 0 was provisional: code the image again"),
        (lambda data: b"", "not a codecspec stream"),
        (lambda data: b"\x89PNG\r\n\x1a\n", "not a codecspec stream"),
    ],
)
def test_damaged_streams_are_refused_before_the_model_is_opened(
    command: Command, coded: Path, monkeypatch: pytest.MonkeyPatch, damage: object, message: str
) -> None:
    assert callable(damage)
    coded.write_bytes(damage(coded.read_bytes()))
    output = coded.with_name("decoded.png")
    output.write_bytes(b"before")
    monkeypatch.setattr("codecspec.cli.decompress.open_model", never)
    done = command("codecspec", "decompress", coded, "-m", "x.safetensors", "-o", output)
    refused(done, "E-stream at byte ")
    assert message in done.err
    assert output.read_bytes() == b"before"


def test_streams_with_another_number_of_parts_are_refused(command: Command, coded: Path, models: Path) -> None:
    stream = Stream.from_bytes(coded.read_bytes())
    coded.write_bytes(Stream(stream.header, stream.chunks[:1]).to_bytes())
    output = coded.with_name("decoded.png")
    done = command("codecspec", "decompress", coded, "-m", models / "mbt2018-mean.safetensors", "-o", output)
    refused(done, "E-stream at chunk table: 1 chunks that are not the 2 parts of this model's latent")
    assert not output.exists()


def test_streams_that_are_not_there(command: Command, tmp_path: Path) -> None:
    missing = tmp_path / "nothing.csp"
    done = command("codecspec", "decompress", missing, "-m", "wacnn", "-o", tmp_path / "x.png")
    refused(done, f"E-stream at {missing}: it cannot be read: No such file or directory")
    done = command("codecspec", "decompress", tmp_path, "-m", "wacnn", "-o", tmp_path / "out")
    refused(done, f"E-usage at {tmp_path}: no file in this folder ends in .csp")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.png", b"hello", "it is in none of the formats that are read"),
        ("x.png", b"", "it is in none of the formats that are read"),
        ("deep.ppm", b"P6 2 2 65535\n" + bytes(23), "it cannot be read as an image"),
        ("nothing.png", None, "no such file"),
    ],
)
def test_bad_images_are_refused_before_the_model_is_opened(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, message: str
) -> None:
    monkeypatch.setattr("codecspec.cli.compress.open_model", never)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = command("codecspec", "compress", tmp_path / name, "-m", "wacnn", "-o", tmp_path / "x.csp")
    refused(done, f"E-image at {tmp_path / name}: ")
    assert message in done.err
    assert not (tmp_path / "x.csp").exists()


OUTPUTS = [
    ("x.xyz", "E-image", "'.xyz' names no image format that is written"),
    ("x", "E-image", "it has no ending"),
    ("nothing/x.png", "E-output", "No such file or directory"),
    ("photo.png/x.png", "E-output", "Not a directory"),
    (".", "E-output", "it is a directory"),
    ("a" * 300 + ".png", "E-output", "File name too long"),
]
"""Names of images that cannot be written, and how that is said."""


@pytest.fixture
def nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that opens a model or reads an image."""
    for place in ("cli.compress.open_model", "cli.decompress.open_model", "runtime.image_files.read_image_file"):
        monkeypatch.setattr(f"codecspec.{place}", never)


@pytest.mark.usefixtures("nothing_is_done")
@pytest.mark.parametrize(("name", "code", "message"), OUTPUTS)
def test_images_that_cannot_be_written_are_refused_first(
    command: Command, photo: Path, name: str, code: str, message: str
) -> None:
    output, stream = photo.parent / name, photo.with_name("x.csp")
    compressing = command("codecspec", "compress", photo, "-m", "wacnn", "-o", stream, "--reconstruction", output)
    decompressing = command("codecspec", "decompress", stream, "-m", "wacnn", "-o", output)
    for done in (compressing, decompressing):
        refused(done, f"{code} at {output}: ")
        assert message in done.err
    assert list(photo.parent.iterdir()) == [photo]


@pytest.mark.usefixtures("nothing_is_done")
@pytest.mark.parametrize(("name", "code", "message"), [each for each in OUTPUTS if each[1] == "E-output"])
def test_streams_that_cannot_be_written_are_refused_first(
    command: Command, photo: Path, name: str, code: str, message: str
) -> None:
    done = command("codecspec", "compress", photo, "-m", "wacnn", "-o", photo.parent / name)
    refused(done, f"{code} at {photo.parent / name}: ")
    assert message in done.err


@pytest.mark.usefixtures("nothing_is_done")
@pytest.mark.parametrize(
    "args",
    [
        ["compress", "photo.png", "-m", "m.safetensors", "-o", "photo.png"],
        ["compress", "photo.png", "-m", "m.safetensors", "-o", "./sub/../photo.png"],
        ["compress", "photo.png", "-m", "m.safetensors", "-o", "link.csp"],
        ["compress", "photo.png", "-m", "m.safetensors", "-o", "m.safetensors"],
        ["compress", "photo.png", "-m", "m.safetensors", "-o", "x.png", "--reconstruction", "x.png"],
        ["compress", "photo.png", "-m", "m.safetensors", "-o", "x.csp", "--reconstruction", "photo.png"],
        ["decompress", "photo.png", "-m", "m.safetensors", "-o", "photo.png"],
    ],
    ids=" ".join,
)
def test_no_file_is_read_and_overwritten(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    monkeypatch.chdir(photo.parent)
    (photo.parent / "sub").mkdir()
    (photo.parent / "m.safetensors").write_bytes(b"model")
    (photo.parent / "link.csp").symlink_to("photo.png")
    before = photo.read_bytes()
    done = command("codecspec", *args)
    refused(done, "E-usage at ")
    assert "the same command uses this file for something else, and would overwrite it" in done.err
    assert photo.read_bytes() == before
    assert sorted(path.name for path in photo.parent.iterdir()) == ["link.csp", "m.safetensors", "photo.png", "sub"]


@pytest.mark.parametrize(
    ("model", "start"),
    [
        ("wacn", "E-no-such-spec at wacn:1:1: "),
        ("nothing.safetensors", "E-checkpoint at nothing.safetensors: no such file"),
        ("folder/nothing.pth", "E-checkpoint at folder/nothing.pth: no such file"),
        ("nothing.yaml", "E-no-such-spec at nothing.yaml:1:1: "),
        ("photo.png", "E-checkpoint at photo.png: it cannot be read as a checkpoint"),
        ("a" * 300, "E-no-such-spec at "),
        ("bad.yaml", "E-unknown-key at bad.yaml:2:1: "),
    ],
)
def test_models_that_are_none(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch, model: str, start: str
) -> None:
    monkeypatch.chdir(photo.parent)
    Path("bad.yaml").write_text("extends: mbt2018-mean\nnonsense: 1\n")
    done = command("codecspec", "compress", photo, "-m", model, "-o", "x.csp")
    refused(done, start)
    assert not Path("x.csp").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["compress"], "Missing argument 'IMG...'"),
        (["compress", "x.png"], "Missing option '-m'"),
        (["compress", "x.png", "-m", "wacnn", "--profile", "best"], "'best' is not one of 'portable', 'exact'"),
        (["compress", "x.png", "-m", "wacnn", "--coder", "zip"], "'zip' is not one of 'codecspec', 'compressai'"),
        (["stream"], "Missing argument 'FILE'"),
        (["decompress", "x.csp", "-m", "wacnn", "-o", "x.png", "--bogus"], "No such option: --bogus"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(command: Command, args: list[str], message: str) -> None:
    done = command("codecspec", *args)
    assert (done.code, done.out) == (2, "")
    assert message in done.said


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_examples(command: Command, flag: str) -> None:
    for name, example in {
        "compress": "codecspec compress photo.png -m wacnn.safetensors -o photo.csp",
        "decompress": "codecspec decompress photo.csp -m wacnn.safetensors -o photo.png",
    }.items():
        done = command("codecspec", name, flag)
        assert (done.code, done.err) == (0, "")
        assert example in " ".join(done.out.split())


@pytest.mark.parametrize(("args", "code"), [([], 2), (["-h"], 0), (["--help"], 0)])
def test_codecspec_alone_lists_its_commands(command: Command, args: list[str], code: int) -> None:
    done = command("codecspec", *args)
    assert done.code == code
    for line in ("compress Code images into files.", "decompress Decode images", "stream Show what is in a coded"):
        assert line in " ".join(done.out.split())


@pytest.mark.parametrize("place", ["runtime.image_files.read_image_file", "cli.compress.open_model"])
def test_an_interrupt_is_said_and_leaves_nothing(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"codecspec.{place}", interrupt)
    done = command("codecspec", "compress", photo, "-m", "wacnn", "-o", photo.with_name("x.csp"))
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    assert list(photo.parent.iterdir()) == [photo]


def test_max_memory_of_both_commands(command: Command, photo: Path, models: Path) -> None:
    model, folder = models / "mbt2018-mean.safetensors", photo.parent
    bound, free = folder / "bound.csp", folder / "free.csp"
    limit = ("--max-memory", "3GB")
    assert command("codecspec", "compress", photo, "-m", model, "-o", bound, *limit).code == 0
    assert command("codecspec", "compress", photo, "-m", model, "-o", free).code == 0
    assert bound.read_bytes() == free.read_bytes(), "an image that fits is coded as ever"
    assert command("codecspec", "decompress", bound, "-m", model, "-o", folder / "bound.png", *limit).code == 0
    assert command("codecspec", "decompress", bound, "-m", model, "-o", folder / "free.png").code == 0
    assert np.array_equal(pixels(folder / "bound.png"), pixels(folder / "free.png"))


def test_too_little_memory_and_what_is_none(command: Command, photo: Path, models: Path, coded: Path) -> None:
    model = models / "mbt2018-mean.safetensors"
    output = photo.with_name("none.csp")
    given = ("compress", photo, "-m", model, "-o", output, "--max-memory")
    refused(command("codecspec", *given, "64MB"), "E-memory at max_memory: coding 53x70 with this model takes 1.")
    refused(command("codecspec", *given, "lots"), "E-usage at --max-memory: an amount of memory")
    assert not output.exists()
    given = ("decompress", coded, "-m", model, "-o", photo.with_name("none.png"), "--max-memory")
    refused(command("codecspec", *given, "64MB"), "E-memory at max_memory")
    refused(command("codecspec", *given, "0"), "E-usage at --max-memory")
