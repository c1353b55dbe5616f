"""Image files: what is read is what is in the file, what cannot be coded is refused, what is written is exact."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from codecspec.runtime.image_files import WRITTEN, format_of, read_image, read_image_file, write_image
from codecspec.schema.errors import StreamError, UsageError

SAMPLES = np.random.default_rng(0).integers(0, 256, (11, 14, 3), dtype=np.uint8)
PICTURE = Image.fromarray(SAMPLES)


def samples_of(x: torch.Tensor) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) in 0..255, which it must be exactly."""
    assert x.dtype == torch.float32
    assert x.shape[:2] == (1, 3)
    scaled = x[0].permute(1, 2, 0).double().numpy() * 255
    assert np.abs(scaled - scaled.round()).max() < 1e-4
    return scaled.round().astype(np.uint8)


def saved(path: Path, picture: Image.Image = PICTURE, **options: object) -> Path:
    picture.save(path, **options)
    return path


def refused(path: Path, message: str) -> StreamError:
    with pytest.raises(StreamError, match=message) as caught:
        read_image(path)
    assert caught.value.code == "E-image"
    assert caught.value.where == str(path)
    return caught.value


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG of any size and depth, well formed as far as its header goes."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in chunks)


@pytest.mark.parametrize(
    ("name", "options"),
    [("x.png", {}), ("x.ppm", {}), ("x.bmp", {}), ("x.tif", {}), ("x.webp", {"lossless": True}), ("wrong.jpg", {})],
)
def test_lossless_files_are_read_exactly(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    path = saved(tmp_path / name, format="PNG" if name == "wrong.jpg" else None, **options)
    assert np.array_equal(samples_of(read_image(path)), SAMPLES)


@pytest.mark.parametrize(("name", "options"), [("x.jpg", {"quality": 90}), ("x.webp", {"quality": 80})])
def test_lossy_files_are_read_as_pillow_reads_them(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    path = saved(tmp_path / name, **options)
    with Image.open(path) as image:
        assert np.array_equal(samples_of(read_image(path)), np.asarray(image.convert("RGB")))


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    found = samples_of(read_image(saved(tmp_path / "x.png", Image.fromarray(SAMPLES[..., 0]))))
    for channel in range(3):
        assert np.array_equal(found[..., channel], SAMPLES[..., 0])


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    bits = SAMPLES[..., 0] > 127
    found = samples_of(read_image(saved(tmp_path / "x.png", Image.fromarray(bits))))
    assert np.array_equal(found, np.where(bits[..., None], 255, 0).repeat(3, axis=2))


@pytest.mark.parametrize("name", ["x.png", "x.gif"])
def test_a_palette_is_looked_up(tmp_path: Path, name: str) -> None:
    palette = PICTURE.quantize(16)
    found = samples_of(read_image(saved(tmp_path / name, palette)))
    assert np.array_equal(found, np.asarray(palette.convert("RGB")))
    assert len(np.unique(found.reshape(-1, 3), axis=0)) > 4


def with_alpha(alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([SAMPLES, alpha]))


def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path) -> None:
    opaque = np.full(SAMPLES.shape[:2], 255, np.uint8)
    assert np.array_equal(samples_of(read_image(saved(tmp_path / "x.png", with_alpha(opaque)))), SAMPLES)
    grey = Image.fromarray(np.dstack([SAMPLES[..., 0], opaque]), mode=None)
    assert np.array_equal(samples_of(read_image(saved(tmp_path / "la.png", grey)))[..., 1], SAMPLES[..., 0])


@pytest.mark.parametrize("alpha", [0, 128, 254])
def test_one_transparent_pixel_is_refused(tmp_path: Path, alpha: int) -> None:
    channel = np.full(SAMPLES.shape[:2], 255, np.uint8)
    channel[3, 4] = alpha
    error = refused(saved(tmp_path / "x.png", with_alpha(channel)), "it is transparent in places")
    assert error.hint == "flatten it first"


def test_transparency_of_a_palette_counts_where_it_is_used(tmp_path: Path) -> None:
    palette = PICTURE.quantize(16)
    refused(saved(tmp_path / "used.png", palette, transparency=0), "it is transparent in places")
    unused = Image.fromarray(np.asarray(palette) % 8, mode=None).convert("P")
    unused.putpalette(palette.getpalette())
    found = samples_of(read_image(saved(tmp_path / "unused.png", unused, transparency=15)))
    assert np.array_equal(found, np.asarray(unused.convert("RGB")))


def test_a_transparent_colour_counts_where_it_is_used(tmp_path: Path) -> None:
    first = tuple(int(sample) for sample in SAMPLES[0, 0])
    refused(saved(tmp_path / "used.png", transparency=first), "it is transparent in places")
    colours = {tuple(pixel) for pixel in SAMPLES.reshape(-1, 3).tolist()}
    unused = next((0, 0, blue) for blue in range(256) if (0, 0, blue) not in colours)
    assert np.array_equal(samples_of(read_image(saved(tmp_path / "unused.png", transparency=unused))), SAMPLES)


def rows(samples: int, height: int = 2) -> bytes:
    return (b"\x00" + bytes(range(1, 2 * samples + 1))) * height


DEEP = np.array([[[0x0102, 0x0304, 0x0506], [0x0708, 0x090A, 0x0B0C]]] * 2)
"""The samples of `rows(6)`, as 16 bits each."""


@pytest.mark.parametrize(
    ("content", "expected", "bit_depth"),
    [
        (png(2, 2, 16, 0, rows(2)), DEEP[..., :1].repeat(3, axis=2) * 0 + np.array([[[0x0102] * 3, [0x0304] * 3]]), 16),
        (png(2, 2, 16, 2, rows(6)), DEEP, 16),
        (b"P5 2 2 65535\n" + bytes([1, 2, 3, 4] * 2), np.array([[[0x0102] * 3, [0x0304] * 3]] * 2), 16),
        (b"P6 2 2 65535\n" + bytes(range(1, 13)) * 2, DEEP, 16),
        (b"P6 1 1 1023\n" + bytes([1, 0, 0, 2, 3, 255]), np.array([[[256, 2, 1023]]]), 10),
        (b"P6 # a note\n1 1\n4095\n" + bytes([0, 1, 0, 2, 15, 255]), np.array([[[1, 2, 4095]]]), 12),
        (b"P3 1 1 4095\n 1 2 # blue\n 4095\n", np.array([[[1, 2, 4095]]]), 12),
    ],
)
def test_more_than_8_bits_a_sample_are_read_whole(
    tmp_path: Path, content: bytes, expected: np.ndarray, bit_depth: int
) -> None:
    """Pillow reads most of these as 8 bits, and says nothing of the half that it drops."""
    path = tmp_path / "deep"
    path.write_bytes(content)
    file = read_image_file(path)
    found = file.x[0].permute(1, 2, 0).double().numpy() * ((1 << bit_depth) - 1)
    assert np.abs(found - expected).max() < 1e-2
    assert file.bit_depth == bit_depth
    assert file.grey == (b"P5" in content[:2] or content[25:26] == b"\x00")


@pytest.mark.parametrize("colour", [4, 6])
def test_deep_images_with_alpha_are_read_where_that_is_opaque(tmp_path: Path, colour: int) -> None:
    channels = 2 if colour == 4 else 4
    opaque = b"".join(b"\x00" + (bytes([1, 2] * (channels - 1)) + b"\xff\xff") * 2 for _ in range(2))
    (tmp_path / "x.png").write_bytes(png(2, 2, 16, colour, opaque))
    file = read_image_file(tmp_path / "x.png")
    assert (file.grey, file.bit_depth) == (colour == 4, 16)
    assert torch.equal(file.x, torch.full((1, 3, 2, 2), 0x0102 / 65_535))
    (tmp_path / "x.png").write_bytes(png(2, 2, 16, colour, opaque[:-1] + b"\xfe"))
    refused(tmp_path / "x.png", "it is transparent in places")


@pytest.mark.parametrize(
    "content",
    [
        png(2, 2, 16, 2, rows(6, height=1)),
        png(2, 2, 16, 2, rows(6)[:-1]),
        b"P6 2 2 65535\n" + bytes(23),
        b"P6 1 1 1023\n" + bytes([255] * 6),
        b"P3 1 1 4095\n 1 2\n",
        b"P3 1 1 4095\n 1 2 4096\n",
        b"P3 1 1 4095\n 1 2 three\n",
    ],
)
def test_deep_images_that_are_broken_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "deep").write_bytes(content)
    refused(tmp_path / "deep", "it cannot be read as an image")


def test_the_same_files_with_8_bits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    for content in (png(2, 2, 8, 2, (b"\x00" + bytes(range(6))) * 2), b"P6 2 2 255\n" + bytes([0, 1, 2, 3, 4, 5] * 2)):
        path.write_bytes(content)
        assert samples_of(read_image(path)).tolist() == [[[0, 1, 2], [3, 4, 5]]] * 2
        assert read_image_file(path).bit_depth == 8


def test_deep_tiffs_are_refused(tmp_path: Path) -> None:
    grey = Image.fromarray(SAMPLES[..., 0].astype(np.uint16) * 257)
    error = refused(
        saved(tmp_path / "x.tif", grey), "its samples are of mode I;16; more than 8 bits a sample are read from"
    )
    assert error.hint == "convert it to PNG"
    refused(saved(tmp_path / "f.tif", Image.fromarray(SAMPLES[..., 0].astype(np.float32))), "of mode F; RGB, grey")
    refused(saved(tmp_path / "l.tif", PICTURE.convert("LAB")), "of mode LAB; RGB, grey")


@pytest.mark.parametrize("ending", [".png", ".ppm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_there_and_back(tmp_path: Path, ending: str, channels: int) -> None:
    x = torch.randint(0, 65_536, (1, channels, 5, 7), generator=torch.Generator().manual_seed(0)) / 65_535
    write_image(x, tmp_path / f"x{ending}", bit_depth=12)
    file = read_image_file(tmp_path / f"x{ending}")
    assert (file.grey, file.bit_depth) == (channels == 1, 16)
    assert torch.equal(file.x_for(3), x)


@pytest.mark.parametrize("ending", sorted(WRITTEN))
def test_grey_is_written_as_grey(tmp_path: Path, ending: str) -> None:
    x = torch.arange(64).view(1, 1, 8, 8) / 255
    for bit_depth in (8, 16):
        write_image(x, tmp_path / f"x{ending}", bit_depth=bit_depth)
        file = read_image_file(tmp_path / f"x{ending}")
        assert file.grey or ending == ".webp", "WebP has no grey"
        assert float((file.x[:, :1] - x).abs().max()) < (4 if ending in (".jpg", ".jpeg") else 0.5) / 255


def test_a_coloured_image_is_none_for_a_codec_of_one_channel(tmp_path: Path) -> None:
    file = read_image_file(saved(tmp_path / "x.png"))
    with pytest.raises(StreamError, match="it has colours, and the model codes grey images"):
        file.x_for(1)
    assert read_image_file(saved(tmp_path / "g.png", PICTURE.convert("L"))).x_for(1).shape == (1, 1, *SAMPLES.shape[:2])


def test_a_deep_image_is_turned_upright_too(tmp_path: Path) -> None:
    deep = np.arange(6, dtype=np.uint16).reshape(2, 3) * 1000
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(deep).save(tmp_path / "x.png", exif=exif)
        Image.fromarray((deep // 1000).astype(np.uint8)).save(tmp_path / "y.png", exif=exif)
        found = (read_image_file(tmp_path / "x.png").x * 65.535).round()
        assert torch.equal(found, (read_image_file(tmp_path / "y.png").x * 255).round()), orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "x.png", exif=exif)
    found = samples_of(read_image(path))
    turned = {
        1: SAMPLES,
        2: SAMPLES[:, ::-1],
        3: SAMPLES[::-1, ::-1],
        4: SAMPLES[::-1],
        5: SAMPLES.swapaxes(0, 1),
        6: SAMPLES.swapaxes(0, 1)[:, ::-1],
        7: SAMPLES[::-1, ::-1].swapaxes(0, 1),
        8: SAMPLES.swapaxes(0, 1)[::-1],
    }
    assert np.array_equal(found, turned[orientation])
    with Image.open(path) as image:
        assert np.array_equal(found, np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp", "x.ppm", "x.bmp", "x.tif", "x.gif"])
def test_truncated_files_are_refused(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name)
    whole = path.read_bytes()
    for length in (len(whole) // 2, len(whole) // 4, 20):
        path.write_bytes(whole[:length])
        refused(path, "it cannot be read as an image")


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp", "x.ppm", "x.bmp", "x.tif", "x.gif"])
def test_damaged_files_are_images_or_refused(tmp_path: Path, name: str) -> None:
    """Nothing else comes out, and no warning: of three bytes in a row, each is turned over in its turn."""
    path = saved(tmp_path / name)
    whole = path.read_bytes()
    outcomes = set()
    for i in range(0, min(len(whole), 600), 3):
        path.write_bytes(whole[:i] + bytes(255 - byte for byte in whole[i : i + 1]) + whole[i + 1 :])
        try:
            assert read_image(path).shape[:2] == (1, 3)
            outcomes.add("read")
        except StreamError as error:
            outcomes.add(error.code)
    assert "E-image" in outcomes


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"%PDF-1.4\n", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    error = refused(path, "it is in none of the formats that are read")
    assert error.hint == "those are: PNG, JPEG, WEBP, PPM, BMP, TIFF, GIF"


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_images_that_explode_are_refused(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, 8, 2, b"\x00" * 1000))
    refused(path, "exceeds limit of")


def test_images_with_a_longer_side_than_streams_have_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.ppm"
    path.write_bytes(b"P6 65536 1 255\n" + bytes(65_536 * 3))
    refused(path, "it has 65536x1 pixels; sides up to 65535 are coded")
    path.write_bytes(b"P6 65535 1 255\n" + bytes(65_535 * 3))
    assert read_image(path).shape == (1, 3, 1, 65_535)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.png", "no such file")
    refused(tmp_path, "Is a directory")
    refused(tmp_path / ("a" * 300), "File name too long")


def as_image(values: torch.Tensor) -> torch.Tensor:
    """A row of grey values as (1, 3, 1, n)."""
    return values.view(1, 1, 1, -1).expand(1, 3, 1, -1)


def written(x: torch.Tensor, path: Path) -> np.ndarray:
    write_image(x, path)
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def test_every_sample_survives_writing_and_reading(tmp_path: Path) -> None:
    x = as_image(torch.arange(256) / 255)
    write_image(x, tmp_path / "x.png")
    assert torch.equal(read_image(tmp_path / "x.png"), x)


def test_values_are_rounded_to_the_nearest_sample(tmp_path: Path) -> None:
    """Just below and just above each boundary (k + 0.5) / 255."""
    k = torch.arange(255)
    below = written(as_image((k + 0.4999) / 255), tmp_path / "below.png")
    above = written(as_image((k + 0.5001) / 255), tmp_path / "above.png")
    assert below[0, :, 0].tolist() == list(range(255))
    assert above[0, :, 0].tolist() == list(range(1, 256))


def test_values_outside_are_clamped(tmp_path: Path) -> None:
    x = as_image(torch.tensor([-1e9, -0.3, -0.001, 1.001, 1.5, 1e9, float("inf"), float("-inf")]))
    assert written(x, tmp_path / "x.png")[0, :, 1].tolist() == [0, 0, 0, 255, 255, 255, 255, 0]


@pytest.mark.parametrize("ending", [*sorted(WRITTEN), ".PNG", ".Tiff"])
def test_endings_name_the_format(tmp_path: Path, ending: str) -> None:
    lossy = format_of(Path(f"x{ending}"))[0] == "JPEG"
    samples = np.arange(0, 256, 2).reshape(8, 16, 1).repeat(3, axis=2) if lossy else SAMPLES
    path = tmp_path / f"x{ending}"
    found = written(torch.from_numpy(samples.copy()).permute(2, 0, 1)[None] / 255, path)
    with Image.open(path) as image:
        assert image.format == format_of(path)[0]
    assert np.abs(found.astype(int) - samples).max() <= (4 if lossy else 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.xyz", "'.xyz' names no image format"),
        ("x.pdf", "'.pdf' names no"),
        ("x", "no ending"),
        (".png", "no ending"),
    ],
)
def test_other_endings_are_refused_and_nothing_is_written(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(StreamError, match=message) as caught:
        write_image(torch.zeros(1, 3, 2, 2), tmp_path / name)
    assert caught.value.code == "E-image"
    assert caught.value.hint == "use .png"
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"before")

    def fail_halfway(self: Image.Image, partial: BinaryIO, **_: object) -> None:
        partial.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", fail_halfway)
        with pytest.raises(UsageError, match="No space left on device") as caught:
            write_image(torch.zeros(1, 3, 2, 2), path)
    assert caught.value.code == "E-output"
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    write_image(torch.zeros(1, 3, 2, 2), path)
    assert samples_of(read_image(path)).tolist() == [[[0] * 3] * 2] * 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory") as caught:
        write_image(torch.zeros(1, 3, 2, 2), tmp_path / "nothing" / "x.png")
    assert caught.value.code == "E-output"
    with pytest.raises(UsageError, match="File name too long"):
        write_image(torch.zeros(1, 3, 2, 2), tmp_path / f"{'a' * 300}.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match="it is a directory"):
        write_image(torch.zeros(1, 3, 2, 2), tmp_path / "folder.png")
