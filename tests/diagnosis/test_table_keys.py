"""A checkpoint without the keys of its coding tables is read as if they were there, empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from codecspec.compiler.checkpoints import Manifest, read_manifest
from codecspec.diagnosis.tables import with_table_keys
from codecspec.runtime.coding_tables import TABLES
from tests.runtime.small_codecs import small

BOTTLENECK = "latent_codec.z.entropy_bottleneck"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("checkpoint") / "no-tables.safetensors"
    state = small("mbt2018-mean").state_dict()
    save_file({f"module.{k}": v for k, v in state.items() if k.rpartition(".")[2] not in TABLES}, path, {"by": "test"})
    return read_manifest(path)


def test_absent_keys_are_there_and_empty(manifest: Manifest) -> None:
    whole, absent = with_table_keys(manifest)
    assert {f"{BOTTLENECK}.{name}" for name in TABLES} <= set(absent)
    assert set(whole) == {*manifest, *absent}
    assert all(whole.values_of(key).size == whole.tensors()[key].numel() == 0 for key in absent)
    assert whole.tensors().keys() == set(whole)


def test_all_else_stays(manifest: Manifest) -> None:
    whole, _ = with_table_keys(manifest)
    kept = vars(manifest).keys() - {"_infos", "_values"}
    assert kept >= {"source", "format", "unwrapped", "state_dicts", "metadata"}
    assert manifest.unwrapped
    assert manifest.metadata["by"] == "test"
    assert {name: getattr(whole, name) for name in kept} == {name: getattr(manifest, name) for name in kept}


def test_a_checkpoint_with_them_is_itself(tmp_path: Path) -> None:
    save_file(small("mbt2018-mean").state_dict(), tmp_path / "whole.safetensors")
    manifest = read_manifest(tmp_path / "whole.safetensors")
    assert with_table_keys(manifest) == (manifest, ())
