"""What torch.save writes, in both of its formats: each tensor as torch itself would load it."""

from __future__ import annotations

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codecspec.compiler.checkpoints import read_manifest, read_tensors
from tests.compiler.checkpoints.written import members_of, torch_legacy, torch_zip, zip_of

WRITERS = {"zip": torch_zip, "legacy": torch_legacy}
DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.complex128,
    torch.complex64,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.bool,
]


def numbers(dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor([[0, 1, 2], [3, 1, 0]]).to(dtype)


BASE = torch.arange(24.0)
TENSORS = {
    **{f"of.{str(dtype).removeprefix('torch.')}": numbers(dtype) for dtype in DTYPES},
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
    "empty.inside": torch.zeros(3, 0, 2, dtype=torch.int64),
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "base": BASE,
    "part": BASE[4:8],
    "transposed": BASE.view(4, 6).t(),
    "every.second": BASE[1::2],
    "expanded": torch.ones(1).expand(5, 7),
    "big": torch.arange(70000, dtype=torch.int32),
}


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    as_bytes = [t.contiguous().flatten().view(torch.uint8) for t in (one.detach(), other.detach())]
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*as_bytes)


def require_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(expected)
    assert [key for key in expected if not equal(found[key], expected[key])] == []


@pytest.fixture(params=WRITERS)
def raw(request: pytest.FixtureRequest) -> bytes:
    return WRITERS[request.param](TENSORS)


def test_every_type_and_view_from_a_path(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(raw)
    require_same(read_tensors(tmp_path / "x.pth"), TENSORS)


def test_every_type_and_view_from_a_file_object(raw: bytes) -> None:
    require_same(read_tensors(io.BytesIO(raw)), TENSORS)


def test_the_manifest_says_what_the_tensors_are(raw: bytes) -> None:
    manifest = read_manifest(io.BytesIO(raw))
    found = {key: (info.dtype, info.shape) for key, info in manifest.items()}
    expected = {key: (str(t.dtype).removeprefix("torch."), tuple(t.shape)) for key, t in TENSORS.items()}
    assert list(found.items()) == list(expected.items())
    assert manifest.nbytes == sum(t.numel() * t.element_size() for t in TENSORS.values())


def test_values_of_small_tensors(raw: bytes) -> None:
    manifest = read_manifest(io.BytesIO(raw))
    for key, tensor in TENSORS.items():
        if not key.startswith("of.float8") and key != "big":
            wanted = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
            found = manifest.values_of(key)
            assert (found.shape, found.dtype) == (wanted.shape, wanted.detach().numpy().dtype), key
            assert np.array_equal(found, wanted.detach().numpy()), key


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(writer: str, protocol: int) -> None:
    beside = {"name": "x" * 300, "bytes": b"\0" * 300, "set": {1, 2}, "numbers": [-1, 1 << 40, 2.5, True, None]}
    content = {
        "state_dict": OrderedDict(TENSORS),
        "beside": beside,
        "shape": torch.Size((1, 2)),
        "on": torch.device("cpu"),
    }
    require_same(read_tensors(io.BytesIO(WRITERS[writer](content, protocol))), TENSORS)


@pytest.mark.parametrize("writer", WRITERS)
def test_shared_memory_stays_shared(tmp_path: Path, writer: str) -> None:
    (tmp_path / "x.pth").write_bytes(WRITERS[writer](TENSORS))
    for source in (tmp_path / "x.pth", io.BytesIO(WRITERS[writer](TENSORS))):
        found = read_tensors(source)
        found["part"].fill_(-1)
        assert found["base"][3:9].tolist() == [3, -1, -1, -1, -1, 8]
    assert read_tensors(tmp_path / "x.pth")["base"].tolist() == BASE.tolist(), "the file itself stays as it is"


@pytest.mark.parametrize("writer", WRITERS)
def test_what_trainings_put_beside_a_state_dict(writer: str) -> None:
    net = torch.nn.Linear(3, 2)
    net.weight.note = "an attribute"  # type: ignore[assignment] - makes torch write another rebuilder
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(3)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    content = {
        "epoch": 3,
        "state_dict": net.state_dict(keep_vars=True),
        "loss": np.float64(0.5),
        "best": np.float32(0.25),
        "history": np.arange(4),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": scheduler.state_dict(),
    }
    manifest = read_manifest(io.BytesIO(WRITERS[writer](content)))
    assert manifest.unwrapped == ("the wrapper 'state_dict'",)
    assert manifest.state_dicts == ("state_dict",)
    require_same(manifest.tensors(), {key: t.detach() for key, t in net.state_dict().items()})


def rewritten(**changed: Any) -> bytes:
    """A zip `.pth`, with functions that change a member's bytes by the end of its name (`data_pkl` for data.pkl)."""
    members = members_of(torch_zip(TENSORS))
    for end, change in changed.items():
        members = {name: change(raw) if name.endswith(end.replace("_", ".")) else raw for name, raw in members.items()}
    return zip_of(members)


def test_a_file_that_was_unzipped_and_zipped_again() -> None:
    require_same(read_tensors(io.BytesIO(rewritten())), TENSORS)


def test_where_a_tensor_was_does_not_matter() -> None:
    def on_gpu(pickle: bytes) -> bytes:
        assert b"X\x03\0\0\0cpu" in pickle
        return pickle.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0")

    require_same(read_tensors(io.BytesIO(rewritten(data_pkl=on_gpu))), TENSORS)


def test_a_file_from_a_big_endian_machine() -> None:
    tensors = {key: t.clone() for key, t in TENSORS.items() if key not in ("of.uint16", "of.uint32", "of.uint64")}
    members = members_of(torch_zip(tensors))
    width = {"complex128": 8, "complex64": 4}
    for at, (key, tensor) in enumerate((k, t) for k, t in tensors.items()):
        name = f"archive/data/{at}"
        step = width.get(key.removeprefix("of."), tensor.element_size())
        raw = members[name]
        members[name] = b"".join(raw[i : i + step][::-1] for i in range(0, len(raw), step))
    members["archive/byteorder"] = b"big"
    source = io.BytesIO(zip_of(members))
    require_same(read_tensors(source), tensors)
    assert read_manifest(source).values_of("of.float32").tolist() == numbers(torch.float32).tolist()
    assert read_manifest(source).values_of("of.complex64").tolist() == numbers(torch.complex64).tolist()
