"""`codecspec eval`: what it prints and writes, how it ends."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import codecspec as cs
from codecspec.evaluation import image_files
from codecspec.runtime.codec import Codec
from codecspec.runtime.evaluation.measurement import Measurement
from codecspec.runtime.evaluation.run import EvaluationRun
from codecspec.runtime.image_files import ImageFile
from tests.cli.conftest import SCRIPTS, Command
from tests.first_runs import as_if_compiled
from tests.runtime.small_codecs import small


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("bmshj2018-hyperprior", "mbt2018-mean"):
        cs.save(small(name), folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, height, width in (("a.png", 40, 53), ("b.png", 64, 30)):
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / name)
    return folder


def test_figures_that_are_printed(command: Command, models: Path, pictures: Path, tmp_path: Path) -> None:
    model = models / "mbt2018-mean.safetensors"
    done = command("codecspec", "eval", model, pictures)
    assert (done.code, done.err) == (0, "")
    sizes = []
    for image in ("a.png", "b.png"):
        command("codecspec", "compress", pictures / image, "-m", model, "-o", tmp_path / "x.csp")
        sizes.append((tmp_path / "x.csp").stat().st_size)
    rates = [8 * sizes[0] / (40 * 53), 8 * sizes[1] / (64 * 30)]
    lines = done.out.splitlines()
    assert lines[0] == str(model)
    assert [line.split()[:3] for line in lines[2:4]] == [
        ["a.png", "53x40", f"{rates[0]:.4f}"],
        ["b.png", "30x64", f"{rates[1]:.4f}"],
    ]
    mean = next(line for line in lines if line.startswith("  mean of 2"))
    assert mean.split()[3] == f"{sum(rates) / 2:.4f}"
    total = next(line for line in lines if line.startswith("  all bits by all pixels"))
    assert total.split()[5] == f"{8 * sum(sizes) / (40 * 53 + 64 * 30):.4f}"
    assert "  2 of 2 images have no MS-SSIM: a side is under 161 pixels" in lines
    assert any(line.endswith("2 of 2 files differ by over 1% from estimates") for line in lines)
    assert lines[-1].startswith("coding took ")


def test_where_the_time_of_a_process_went(process: Command, models: Path, pictures: Path) -> None:
    begin = time.monotonic()
    done = process("codecspec", "eval", models / "mbt2018-mean.safetensors", pictures)
    passed = time.monotonic() - begin
    said = re.fullmatch(
        r"coding took ([\d.]+)% of ([\d.]+) s; opening models ([\d.]+) s, warming up ([\d.]+) s, "
        r"reading images and measuring ([\d.]+) s; starting took ([\d.]+) s before that",
        done.out.splitlines()[-1],
    )
    assert said is not None, done.out
    percent, wall, opening, warming, measuring, starting = map(float, said.groups())
    assert percent / 100 * wall + opening + warming + measuring == pytest.approx(wall, abs=0.25)
    assert 0.1 < starting < passed
    assert wall + starting <= passed + 0.1
    assert warming > 0


def test_a_folder_of_results(command: Command, models: Path, pictures: Path, tmp_path: Path) -> None:
    given = [models / "mbt2018-mean.safetensors", models / "bmshj2018-hyperprior.safetensors", pictures]
    out = tmp_path / "out"
    done = command("codecspec", "eval", *given, "-o", out, "-q")
    assert done.code == 0, done.err
    names = ["curve-bmshj2018-hyperprior.json", "curve-mbt2018-mean.json", "evaluation.json", "images.csv"]
    assert sorted(path.name for path in out.iterdir()) == [*names, "measured.jsonl"]
    first = (out / "images.csv").read_text()
    done = command("codecspec", "eval", *given, "-o", out, "-q")
    assert "4 of 4 results are from earlier runs" in done.out
    assert (out / "images.csv").read_text() == first, "times too: they are those of the run that measured"
    content = json.loads((out / "evaluation.json").read_text())
    assert [model["spec"] for model in content["models"]] == ["mbt2018-mean", "bmshj2018-hyperprior"]
    drawn = command("codecspec", "plot", *sorted(out.glob("curve-*")), "-o", tmp_path / "x.svg")
    assert drawn.code == 0, drawn.err


def test_csv_and_json_on_stdout(command: Command, models: Path, pictures: Path) -> None:
    model = models / "mbt2018-mean.safetensors"
    rows = list(csv.DictReader(io.StringIO(command("codecspec", "eval", model, pictures, "--csv").out)))
    content = json.loads(command("codecspec", "eval", model, pictures, "--json").out)
    assert [row["image"] for row in rows] == [each["image"] for each in content["models"][0]["images"]]
    assert [int(row["bytes"]) for row in rows] == [each["num_bytes"] for each in content["models"][0]["images"]]


def test_results_say_what_they_are_of(command: Command, models: Path, pictures: Path) -> None:
    """Of which images, by their content, with which settings, program and machine: what it takes to compare two."""
    given = [models / "mbt2018-mean.safetensors", pictures, "--max-memory", "1GB", "--profile", "exact"]
    rows = list(csv.DictReader(io.StringIO(command("codecspec", "eval", *given, "--csv").out)))
    content = json.loads(command("codecspec", "eval", *given, "--json").out)
    digests = {row["image"]: row["sha256"] for row in rows}
    assert digests == {image: hashlib.sha256((pictures / image).read_bytes()).hexdigest() for image in digests}
    assert digests == {each["image"]: each["sha256"] for each in content["models"][0]["images"]}
    assert content["settings"] == {"estimate": False, "profile": "exact", "coder": "codecspec", "max_memory": 10**9}
    assert content["codecspec"] == version("codecspec")
    assert content["machine"]["torch"] == torch.__version__
    assert content["machine"]["threads"] == torch.get_num_threads()


def test_luma_and_estimates(command: Command, models: Path, pictures: Path) -> None:
    model = models / "mbt2018-mean.safetensors"
    content = json.loads(command("codecspec", "eval", model, pictures / "a.png", "--estimate", "--json").out)
    [image] = content["models"][0]["images"]
    lines = command("codecspec", "eval", model, pictures / "a.png", "--estimate", "--y").out.splitlines()
    assert "PSNR-Y" in lines[1]
    assert lines[2].split() == [
        "a.png",
        "53x40",
        "-",
        f"{image['bpp_estimated']:.4f}",
        "-",
        f"{image['psnr_y']:.2f}",
        *"----",
        *lines[2].split()[-2:],
    ]


def test_the_progress_bar_goes_to_its_end(
    command: Command, models: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that cannot be opened counts as all of its images."""
    totals, steps = [], []

    @contextmanager
    def bar(total: int, doing: str) -> Iterator[Callable[[int], None]]:
        totals.append(total)
        yield steps.append

    monkeypatch.setattr("codecspec.cli.eval.progress_bar", bar)
    done = command("codecspec", "eval", pictures / "none.pth", models / "mbt2018-mean.safetensors", pictures, "-q")
    assert (totals, steps) == ([4], [2, 1, 1])
    assert done.err.splitlines()[-1] == "1 failed", "of two images and two models"


def test_failures_are_said_at_the_end(command: Command, models: Path, pictures: Path) -> None:
    (pictures / "bad.png").write_bytes(b"no image")
    done = command("codecspec", "eval", models / "mbt2018-mean.safetensors", "none.safetensors", pictures)
    assert done.code == 2
    assert "  bad.png                      failed" in done.out.splitlines()
    assert "mean of 2" in done.out
    assert done.err.splitlines()[0].endswith("it is in none of the formats that are read")
    assert "none.safetensors: E-checkpoint at none.safetensors: no such file" in done.err
    assert done.err.splitlines()[-1] == "2 failed"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Pairs of a spec and an image that fail."""
    measured, wrong = EvaluationRun._measured, set[tuple[str, str]]()

    def fails(
        run: EvaluationRun, codec: Codec, file: ImageFile, where: str, meanwhile: Callable[[], None]
    ) -> Measurement:
        if (codec.spec.name, Path(where).name) in wrong:
            meanwhile()
            raise MemoryError("as the test says")
        return measured(run, codec, file, where, meanwhile)

    monkeypatch.setattr(EvaluationRun, "_measured", fails)
    return wrong


def _rates(content: dict[str, Any], averages: str) -> list[float]:
    return [model[averages]["bpp_estimated"] for model in content["models"]]


def test_averages_over_different_images(
    command: Command, models: Path, pictures: Path, failing: set[tuple[str, str]]
) -> None:
    shutil.copy(pictures / "a.png", pictures / "c.png")
    names = ("bmshj2018-hyperprior", "mbt2018-mean")
    given = [models / f"{name}.safetensors" for name in names]
    failing |= {(names[0], "a.png"), (names[1], "b.png")}
    done = command("codecspec", "eval", *given, pictures, "--estimate")
    assert done.code == 2
    lines = done.out.splitlines()
    said = f"these averages are over different images ({given[0]} 2, {given[1]} 2); over the 1 that all have:"
    table = lines[lines.index(said) + 1 :]
    assert table[0].split()[0] == "model"

    content = json.loads(command("codecspec", "eval", *given, pictures, "--estimate", "--json").out)
    assert content["common_images"] == ["c.png"]
    of_c = [next(row for row in model["images"] if row["image"] == "c.png") for model in content["models"]]
    assert _rates(content, "averages_over_common_images") == [row["bpp_estimated"] for row in of_c]
    assert _rates(content, "averages_over_common_images") != _rates(content, "averages")
    assert [line.split()[2] for line in table[1:3]] == [f"{row['bpp_estimated']:.4f}" for row in of_c]


def test_no_image_that_all_models_have(
    command: Command, models: Path, pictures: Path, failing: set[tuple[str, str]], tmp_path: Path
) -> None:
    failing |= {("bmshj2018-hyperprior", "a.png"), ("mbt2018-mean", "b.png")}
    given = sorted(models.iterdir())
    done = command("codecspec", "eval", *given, pictures, "--estimate", "-q", "-o", tmp_path / "out")
    assert f"({given[0]} 1, {given[1]} 1), and no image is common to all" in done.out
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert content["common_images"] == []
    assert [model["averages_over_common_images"] for model in content["models"]] == [None, None]


def test_the_same_images_need_no_word(command: Command, models: Path, pictures: Path) -> None:
    done = command("codecspec", "eval", *sorted(models.iterdir()), pictures, "--estimate", "-q")
    assert done.code == 0
    assert "different images" not in done.out


def test_a_curve_over_different_images_says_so(
    command: Command, models: Path, pictures: Path, failing: set[tuple[str, str]], tmp_path: Path
) -> None:
    model = models / "mbt2018-mean.safetensors"
    command("codecspec", "eval", model, pictures, "--estimate", "-o", tmp_path / "one")
    assert _description(tmp_path / "one").startswith("means over 2 images on cpu")
    failing.add(("mbt2018-mean", "b.png"))  # the first model has it from before
    command("codecspec", "eval", model, "mbt2018-mean", pictures, "--estimate", "-o", tmp_path / "one")
    assert _description(tmp_path / "one").startswith("means over different 1 or 2 images on cpu")


def _description(folder: Path) -> str:
    return str(json.loads((folder / "curve-mbt2018-mean.json").read_text())["description"])


def test_images_are_listed_once(
    command: Command, models: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = []

    def files(images: str) -> list[tuple[str, Path]]:
        listed.append(images)
        return image_files(images)

    monkeypatch.setattr("codecspec.evaluation.image_files", files)
    assert command("codecspec", "eval", models / "mbt2018-mean.safetensors", pictures, "--estimate").code == 0
    assert listed == [str(pictures)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pictures"], "E-usage at pictures: models come first, then the images"),
        (["mbt2018-mean", "nowhere"], "E-usage at nowhere: no such file or folder"),
        (["mbt2018-mean", "pictures", "-o", "no/out"], "E-output at no/out: it cannot be written"),
        (["mbt2018-mean", "pictures", "-o", "pictures/a.png"], "E-output at pictures/a.png: it is a file"),
        (["mbt2018-mean", "pictures", "--device", "abacus"], "E-usage at --device: abacus: "),
        (["mbt2018-mean", "pictures", "--coder", "none"], "Invalid value for '--coder'"),
    ],
)
def test_wrong_input(
    command: Command,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("codecspec", "eval", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.said
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.png", "b.png", "pictures"]


def test_a_folder_of_images_may_be_called_as_files_of_weights_are(
    command: Command, models: Path, pictures: Path, tmp_path: Path
) -> None:
    folder = pictures.rename(tmp_path / "photos.pt")
    done = command("codecspec", "eval", models / "mbt2018-mean.safetensors", folder, "--estimate", "-q")
    assert (done.code, done.err) == (0, "")
    assert "mean of 2" in done.out


def test_json_is_one_document(command: Command, pictures: Path) -> None:
    done = command("codecspec", "eval", "mbt2018-mean", pictures, "--csv", "--json")
    assert done.code == 2
    (problem,) = json.loads(done.out)["problems"]
    assert (problem["where"], problem["message"]) == ("--csv", "--json prints something else")


@pytest.mark.slow
def test_an_interrupt_leaves_what_was_measured(models: Path, pictures: Path, tmp_path: Path) -> None:
    for number in range(60):
        Image.new("RGB", (256, 256), (number, 0, 0)).save(pictures / f"{number}.png")
    command = [SCRIPTS / "codecspec", "eval", models / "mbt2018-mean.safetensors", pictures, "-o", tmp_path / "out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    measured = tmp_path / "out" / "measured.jsonl"
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        for _ in range(6000):  # the file is there before its first line is
            if (measured.exists() and b"\n" in measured.read_bytes()) or running.poll() is not None:
                break
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate()
    assert running.returncode == 130, said
    note = f"note: what was measured is kept in {tmp_path / 'out'}; the same command resumes from there"
    assert as_if_compiled(said).splitlines() == [note, "interrupted"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["measured.jsonl"]
    lines = measured.read_text().splitlines()
    assert 0 < len(lines) < 62
    assert all(json.loads(line)["key"] for line in lines)


@pytest.mark.parametrize("held", ["", "a line\n"], ids=["nothing", "a line"])
def test_an_interrupt_says_what_is_kept_where_anything_is(
    command: Command, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    out = tmp_path / "out"

    def interrupted(*_: object, **__: object) -> None:
        (out / "measured.jsonl").write_text(held)
        raise KeyboardInterrupt

    monkeypatch.setattr("codecspec.evaluation.evaluate_files", interrupted)
    done = command("codecspec", "eval", "mbt2018-mean", pictures, "-o", out)
    note = f"note: what was measured is kept in {out}; the same command resumes from there\n" if held else ""
    assert (done.code, done.out, done.err) == (130, "", f"{note}interrupted\n")
