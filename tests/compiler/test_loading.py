"""Loading a checkpoint: nothing is initialised that it brings, nothing copied that can be mapped, nothing else read."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch

import codecspec as cs
from codecspec.compiler.collector import paused_collector

SMALL = {"N": 8, "M": 12}
INITIALISING = ("uniform_", "normal_", "fill_", "zero_", "erfinv_", "trunc_normal_")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "x.pth"
    torch.save(cs.compile_spec("mbt2018-mean", **SMALL).state_dict(), path)
    return path


def test_no_initial_weights_are_made(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in INITIALISING:
        before = getattr(torch.Tensor, name, None)
        if before is None:
            continue

        def refuse(self: torch.Tensor, *args: object, _before=before, **kwargs: object) -> torch.Tensor:
            assert self.is_meta or self.numel() < 1000, "a weight is initialised"
            return _before(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, refuse)
    codec = cs.load(saved)
    assert not any(tensor.is_meta for tensor in codec.state_dict().values())
    assert not codec.training


def test_loaded_tensors_are_those_of_the_file(saved: Path) -> None:
    codec = cs.load(saved)
    for key, tensor in torch.load(saved, weights_only=True).items():
        assert torch.equal(codec.state_dict()[key], tensor), key
    assert all(parameter.requires_grad for parameter in codec.parameters())


def test_tensors_lie_in_the_mapped_file(saved: Path) -> None:
    codec = cs.load(saved)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("the system does not say what is mapped")
    lines = [line.split() for line in maps.read_text().splitlines() if line.endswith(str(saved))]
    areas = [tuple(int(end, 16) for end in line[0].split("-")) for line in lines]
    for key, parameter in codec.named_parameters():
        assert any(start <= parameter.data_ptr() < end for start, end in areas), key


class _Watched:
    """A file that counts what is read of it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.count = 0

    def seek(self, *place: int) -> int:
        return self._file.seek(*place)

    def read(self, length: int) -> bytes:
        data = self._file.read(length)
        self.count += len(data)
        return data


def test_the_state_of_an_optimizer_is_never_read(tmp_path: Path) -> None:
    state = cs.compile_spec("mbt2018-mean", **SMALL).state_dict()
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3_000_000)}}, "param_groups": []}
    torch.save({"state_dict": state, "optimizer": optimizer}, tmp_path / "x.pth.tar")
    file = _Watched(tmp_path / "x.pth.tar")
    codec = cs.load(file)
    file._file.close()
    weights = sum(tensor.nbytes for tensor in codec.state_dict().values())
    assert weights <= file.count < weights + 200_000


def test_a_codec_is_saved_over_the_file_that_it_was_loaded_from(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    cs.save(cs.compile_spec("mbt2018-mean", **SMALL), path)
    codec = cs.load(path)
    before = {key: tensor.clone() for key, tensor in codec.state_dict().items()}
    cs.save(codec, path)
    for state in (codec.state_dict(), cs.load(path).state_dict()):
        assert all(torch.equal(state[key], tensor) for key, tensor in before.items())


def test_the_collector_is_as_it_was() -> None:
    with paused_collector():
        assert not gc.isenabled()
        with paused_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
