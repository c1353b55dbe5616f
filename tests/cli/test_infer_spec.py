"""`infer-spec`, `codecspec diff` and `codecspec scan`, as their users run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import codecspec as cs
from codecspec.compiler.inference.scan import checkpoints_below, scan
from tests.cli.conftest import Command
from tests.runtime.small_codecs import SMALL, small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of checkpoints, as a training run and a download leave them."""
    folder = tmp_path_factory.mktemp("checkpoints")
    tcm = small("tcm")
    theirs = cs.convert(tcm.state_dict(), "authors", spec=tcm.spec).tensors
    torch.save({"state_dict": {f"module.{key}": t for key, t in theirs.items()}, "epoch": 3}, folder / "tcm.pth.tar")
    (folder / "run").mkdir()
    cs.save(small("mbt2018-mean"), folder / "run" / "mean.safetensors")
    torch.save({"fc.weight": torch.zeros(3, 3)}, folder / "run" / "other.pth")
    (folder / "broken.pth").write_bytes(b"PK\3\4 and no more")
    (folder / "notes.txt").write_text("no weights")
    return folder


def test_a_family_is_extends_and_the_params_that_differ(command: Command, folder: Path) -> None:
    done = command("infer-spec", folder / "tcm.pth.tar")
    assert done.code == 0
    assert done.out == (
        "codecspec: 1\nextends: tcm\nparams:\n  N: 32\n  M: 40\n  depths: [2, 1, 2, 1, 2, 1]\n  max_support: 3\n"
    )
    assert "whose plan has exactly these 1,188 tensors (layout: authors)" in done.err
    assert "N = 32 by module.g_a.0" not in done.err  # the prefix of all keys is said once
    assert "N = 32 by g_a.0.conv1.weight [64, 3, 3, 3]" in done.err
    assert "the wrapper 'state_dict'" in done.err
    assert "module." in done.err
    assert "weights do not determine" in done.err
    assert "emit_mean_support is post; the same tensors allow pre" in done.err
    assert cs.spec_hash(cs.lower(cs.parse_spec(done.out)).spec) == small("tcm").spec_hash


def test_full_is_the_whole_spec_and_means_the_same(command: Command, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "whole.yaml"
    done = command("infer-spec", folder / "tcm.pth.tar", "--full", "-o", output)
    assert (done.code, done.out) == (0, "")
    assert f"wrote {output}" in done.err
    assert output.read_text().startswith("# Inferred from tcm.pth.tar, whose plan has exactly these 1,188 tensors")
    assert "extends" not in output.read_text()
    assert cs.spec_hash(cs.lower(cs.load_spec(output)).spec) == small("tcm").spec_hash


def test_json_has_the_evidence_for_every_field(command: Command, folder: Path) -> None:
    content = json.loads(command("infer-spec", folder / "tcm.pth.tar", "--json").out)
    assert (content["family"], content["layout"], content["tensors"]) == ("tcm", "authors", 1188)
    assert content["params"]["N"] == 32
    assert content["hash"] == small("tcm").spec_hash
    assert content["evidence"]["params.N"] == {
        "status": "derived",
        "value": 32,
        "key": "g_a.0.conv1.weight",
        "shape": [64, 3, 3, 3],
        "alternatives": [],
    }
    assert content["evidence"]["g_a.0.stride"]["status"] == "assumed"
    assert content["evidence"]["g_a.0.out"]["status"] == "proven"


def test_strict_is_content_with_one_family_alone(command: Command, folder: Path, tmp_path: Path) -> None:
    assert command("infer-spec", folder / "tcm.pth.tar", "--strict").code == 0
    mine = cs.lower(cs.load_spec({"extends": "mbt2018-mean", "name": "mine", "params": SMALL["mbt2018-mean"]}))
    spec = cs.load_spec({**_whole(mine.spec), "name": "mine"})
    own = cs.compile_spec(spec)
    torch.save(own.state_dict(), tmp_path / "own.pth")
    done = command("infer-spec", tmp_path / "own.pth", "--strict")
    assert done.code == 3
    assert "of no family in the zoo" in done.err
    assert "documented defaults" in done.err
    assert cs.lower(cs.parse_spec(done.out)).manifest().keys() == own.state_dict().keys()


def _whole(spec: cs.ModelSpec) -> dict[str, object]:
    """A spec as data, with one more block than its family."""
    data = spec.model_dump(mode="json", exclude={"params", "reference"})
    data["g_a"].append({"type": "residual_bottleneck"})
    return data


def test_what_is_no_model_is_told_in_words(command: Command, folder: Path, tmp_path: Path) -> None:
    done = command("infer-spec", folder / "run" / "other.pth", "-o", tmp_path / "x.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"E-infer at {folder / 'run' / 'other.pth'}: no spec has exactly these tensors")
    assert "fc.weight" in done.err
    assert not (tmp_path / "x.yaml").exists()


def test_json_of_a_misfit_has_what_was_understood(command: Command, tmp_path: Path) -> None:
    state = small("tcm").state_dict()
    state["g_s.2.gate.weight"] = torch.zeros(3)
    del state["latent_codec.y.latent_codec.y1.lrp_transform.0.bias"]
    torch.save(state, tmp_path / "x.pth")
    done = command("infer-spec", tmp_path / "x.pth", "--json")
    content = json.loads(done.out)
    assert (done.code, content["ok"], content["problems"][0]["code"]) == (2, False, "E-infer")
    whole = cs.lower(cs.load_spec("tcm", **SMALL["tcm"])).spec.model_dump(mode="json")
    assert [block["type"] for block in content["understood"]["g_a"]] == [block["type"] for block in whole["g_a"]]
    assert [block["type"] for block in content["understood"]["g_s"]] == ["residual_upsample", "conv_trans"]
    assert list(content["understood"]["latent_codec"]) == ["type", "h_a", "h_s", "z"]


def test_wrong_input(command: Command, folder: Path, tmp_path: Path) -> None:
    assert command("infer-spec", tmp_path / "none.pth").err.startswith("E-checkpoint")
    assert "E-output" in command("infer-spec", folder / "tcm.pth.tar", "-o", tmp_path / "no" / "x.yaml").err
    before = (folder / "tcm.pth.tar").read_bytes()
    assert "would overwrite it" in command("infer-spec", folder / "tcm.pth.tar", "-o", folder / "tcm.pth.tar").err
    assert (folder / "tcm.pth.tar").read_bytes() == before


def test_infer_spec_in_a_process_of_its_own(process: Command, folder: Path) -> None:
    done = process("infer-spec", folder / "run" / "mean.safetensors")
    assert done.code == 0
    assert done.out == "codecspec: 1\nextends: mbt2018-mean\nparams: {N: 12, M: 18}\n"
    assert "the spec inside the file (mbt2018-mean) is the same" in done.err


def test_diff_of_a_spec_and_a_checkpoint(command: Command, folder: Path, tmp_path: Path) -> None:
    recovered = tmp_path / "tcm.yaml"
    command("infer-spec", folder / "tcm.pth.tar", "-o", recovered)
    same = command("codecspec", "diff", recovered, folder / "tcm.pth.tar")
    assert (same.code, same.out) == (0, f"no difference: both are tcm, hash {small('tcm').spec_hash[:12]}\n")
    recovered.write_text(recovered.read_text().replace("max_support: 3", "max_support: 2"))
    other = command("codecspec", "diff", recovered, folder / "tcm.pth.tar", "--json")
    assert other.code == 1
    content = json.loads(other.out)
    assert content["same_hash"] is False
    assert content["differences"] == [{"path": "latent_codec.y.support.max", "first": 2, "second": 3}]


def test_diff_names_blocks_that_one_has_not(command: Command) -> None:
    done = command("codecspec", "diff", "cheng2020-anchor", "cheng2020-attn", "--json")
    paths = {each["path"]: each for each in json.loads(done.out)["differences"]}
    assert all(each["second"] == {"type": "attention"} for path, each in paths.items() if path.startswith("g_a"))
    assert len(paths) == 4


def test_diff_of_what_only_training_sees_keeps_the_hash(command: Command) -> None:
    done = command("codecspec", "diff", "cca", "cca-aux")
    assert done.code == 1
    assert "aux" in done.out
    assert "the same hash" in done.err


def test_scan_lists_what_is_known_and_why_the_rest_is_not(command: Command, folder: Path) -> None:
    rows = {Path(row["path"]).name: row for row in json.loads(command("codecspec", "scan", folder, "--json").out)}
    assert list(rows) == ["broken.pth", "tcm.pth.tar", "mean.safetensors", "other.pth"]
    assert (rows["tcm.pth.tar"]["family"], rows["tcm.pth.tar"]["layout"]) == ("tcm", "authors")
    assert rows["tcm.pth.tar"]["params"]["depths"] == [2, 1, 2, 1, 2, 1]
    assert rows["mean.safetensors"]["size"] == (folder / "run" / "mean.safetensors").stat().st_size
    assert rows["broken.pth"]["problem"].startswith("E-checkpoint: ")
    assert rows["other.pth"]["problem"].startswith("E-infer: no spec has exactly these tensors")
    table = command("codecspec", "scan", folder)
    assert table.code == 0
    assert "4 checkpoints, 2 recognised" in table.out
    assert "run/mean.safetensors" in table.out


def test_scan_of_no_folder(command: Command, folder: Path, tmp_path: Path) -> None:
    assert command("codecspec", "scan", folder / "notes.txt").err.startswith("E-usage")
    assert command("codecspec", "scan", tmp_path / "none").err.startswith("E-usage")
    assert command("codecspec", "scan", tmp_path).out == f"no checkpoints below {tmp_path}\n"


def test_scan_on_several_processes_says_the_same(folder: Path, tmp_path: Path) -> None:
    content = (folder / "run" / "mean.safetensors").read_bytes()
    for i in range(20):
        (tmp_path / f"{i:02}.safetensors").write_bytes(content)
    (tmp_path / "z.pth").write_bytes(b"nothing")
    done: list[int] = []
    paths = checkpoints_below(tmp_path)
    rows = scan(paths, workers=2, done=lambda: done.append(1))
    assert rows == scan(paths, workers=1)
    assert [row.family for row in rows] == ["mbt2018-mean"] * 20 + [None]
    assert len(done) == len(rows) == 21
