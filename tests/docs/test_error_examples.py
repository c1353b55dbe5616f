"""The examples in docs/errors.md are what the program says: each is provoked, and compared with the page.

An example is the indented block of a code's section; `...` in it stands for anything.
"""

from __future__ import annotations

import doctest
import json
import pickle
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch

import codecspec as cs
from codecspec.compiler import build
from codecspec.runtime.codec import Codec
from codecspec.schema import errors
from codecspec.schema.errors import ErrorCode
from tests.contracts.source_files import ROOT
from tests.docs.pages import in_process

GOOD = """\
codecspec: 1
name: mine
params: {N: 16, M: 24, slices: 4}
g_a:
  - {type: conv, out: N, kernel: 5, stride: 2}
  - {type: gdn}
  - {type: conv, out: M, kernel: 5, stride: 2}
g_s:
  - {type: deconv, out: N, kernel: 5, stride: 2}
  - {type: gdn, inverse: true}
  - {type: deconv, out: 3, kernel: 5, stride: 2}
latent_codec:
  type: hyperprior
  h_a: [{type: conv, out: N, stride: 2}]
  h_s: [{type: deconv, out: 2*M, stride: 2}]
  z: {type: entropy_bottleneck}
  y:
    type: channel_groups
    groups: {equal: slices}
    side_in_context: true
    context: {type: mean_scale, widths: [8]}
    leaf: {type: lrp_gaussian, widths: [8]}
"""
SPECS: dict[str, str | bytes | tuple[str, str]] = {
    "E-encoding": b"codecspec: 1\nname: caf\xe9\n",
    "E-yaml": "codecspec: 1\nname: !!python/object:os.system mine\n",
    "E-empty": "# nothing yet\n",
    "E-too-large": f"a: &a [{100 * '1, '}]\nb: &b [{100 * '*a, '}]\nc: [{100 * '*b, '}]\n",
    "E-too-deep": "codecspec: " + 100 * "[",
    "E-duplicate-key": "codecspec: 1\nname: mine\nname: yours\n",
    "E-extends": "codecspec: 1\nextends: wacn\n",
    "E-unknown-key": ("M, kernel", "M, kernal"),
    "E-unknown-type": ("{type: gdn}", "{type: gnd}"),
    "E-missing-key": ("{type: conv, out: N, kernel", "{type: conv, kernel"),
    "E-value": ("out: N, kernel: 5, stride: 2}\n  - {type: gdn}", "out: N, kernel: 5, stride: 0}\n  - {type: gdn}"),
    "E-expression": ("{type: conv, out: N, kernel", "{type: conv, out: N / 2, kernel"),
    "E-unused-param": ("slices: 4}", "slices: 4, K: 8}"),
    "E-version": ("codecspec: 1", "codecspec: 2"),
    "E-channels": ("{type: gdn}", "{type: window_gate, heads: 3, window: 4, shift: 2}"),
    "E-stride": ("M, kernel: 5, stride: 2", "M, kernel: 5, stride: 4"),
    "E-groups": ("slices: 4", "slices: 5"),
    "E-support": ("groups: {equal: slices}", "groups: {equal: slices}\n    support: {slices: [[], [1], [0], [0]]}"),
    "E-leaf": ("leaf: {type: lrp_gaussian, widths: [8]}", "leaf: [{type: gaussian, count: 3}]"),
    "E-context": ("context: {type: mean_scale,", "context: {type: mean_scale, emit_mean_support: none,"),
}
"""What my.yaml is: all of it, or what is changed in GOOD."""


def examples() -> dict[str, str]:
    """Code -> its example in the page."""
    sections = re.split(r"^### ", (ROOT / "docs" / "errors.md").read_text(), flags=re.MULTILINE)[1:]
    shown = {section.partition("\n")[0]: re.findall(r"^    (.*)$", section, re.MULTILINE) for section in sections}
    return {code: "\n".join(lines) for code, lines in shown.items()}


COMMANDS = {
    "E-no-such-spec": "compile-spec wacn --check",
    "E-unknown-param": "compile-spec wacnn --set K=8 --check",
    "E-layout": "codecspec convert wacnn.pth --to autors -o out.pth",
    "E-image": "codecspec compress scan.tif -m mean.safetensors",
    "E-results": "codecspec plot bpg.json -o curves.svg",
    "E-curves": "codecspec bd mine.json mine.json",
    "E-usage": "compile-spec wacnn --set N --check",
    "E-output": "compile-spec mbt2018-mean --set N=8 --set M=8 -o out/model.safetensors -q",
}
"""What is typed; see `_files`."""


def _files() -> None:
    """What the commands are called on."""
    from PIL import Image

    wacnn = cs.compile_spec("wacnn", N=16, M=24, slices=3)
    torch.save(wacnn.state_dict(), "wacnn.pth")
    cs.save(_mean(), "mean.safetensors")
    Image.new("I;16", (8, 8)).save("scan.tif")
    Path("bpg.json").write_text(json.dumps({"name": "BPG", "results": {"bpp": [0.1, 0.2, 0.3], "psnr-rgb": [30, 32]}}))
    Path("mine.json").write_text(json.dumps({"name": "mine", "results": {"bpp": [1, 2, 3], "psnr-rgb": [30, 31, 32]}}))


def _spec(code: str) -> None:
    said = SPECS[code]
    text = GOOD.replace(*said, 1) if isinstance(said, tuple) else said
    Path("my.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    cs.lower(cs.load_spec("my.yaml"))


def _unreadable() -> None:
    Path("my.yaml").mkdir()
    cs.load_spec("my.yaml")


def _checkpoint() -> None:
    Path("notes.pth").write_bytes(pickle.dumps(Path))
    cs.load("notes.pth")


def _tensors() -> None:
    cs.compile_spec("wacnn", N=16, M=24, slices=3).load_state_dict(
        cs.compile_spec("wacnn", N=8, M=24, slices=3).state_dict()
    )


def _infer() -> None:
    tensors = dict(_mean().state_dict())
    tensors["latent_codec.y.gate.weight"] = torch.zeros(24, 24)
    torch.save(tensors, "ckpt.pth")
    cs.infer_spec("ckpt.pth")


def _contract() -> None:
    codec = _mean()
    codec.g_a[0].register_parameter("gain", torch.nn.Parameter(torch.ones(16)))
    build._check_contract(cs.lower(codec.spec), codec)


def _input() -> None:
    _mean()(torch.rand(3, 8, 8))


def _memory() -> None:
    cs.encode(_mean(), torch.rand(1, 3, 64, 64), max_memory="1GB")


def _latent() -> None:
    codec = _mean()
    codec.latent_codec.h_s[0].weight.data.fill_(torch.nan)
    cs.encode(codec, torch.rand(1, 3, 64, 64))


def _stream() -> None:
    codec = _mean()
    coded = bytearray(cs.encode(codec, torch.rand(1, 3, 64, 64)))
    coded[-10] ^= 1
    cs.decode(codec, bytes(coded))


def _stream_model() -> None:
    cs.decode(_mean(M=32), cs.encode(_mean(), torch.rand(1, 3, 64, 64)))


def _stream_drift() -> None:
    codec = _mean()
    coded = cs.encode(codec, torch.rand(1, 3, 64, 64))
    codec.latent_codec.h_s.register_forward_hook(lambda net, given, out: out + torch.rand_like(out))
    cs.decode(codec, coded)


def _mean(**params: int) -> Codec:
    torch.manual_seed(0)
    return cs.compile_spec("mbt2018-mean", **{"N": 16, "M": 24, **params}).eval()


CALLS: dict[str, Callable[[], None]] = {
    "E-unreadable": _unreadable,
    "E-checkpoint": _checkpoint,
    "E-tensors": _tensors,
    "E-infer": _infer,
    "E-contract": _contract,
    "E-input": _input,
    "E-memory": _memory,
    "E-latent": _latent,
    "E-stream": _stream,
    "E-stream-model": _stream_model,
    "E-stream-drift": _stream_drift,
}


def _said(code: str) -> str:
    if code in COMMANDS:
        _files()
        return in_process(shlex.split(COMMANDS[code]))[1]
    with pytest.raises(cs.SpecError) as caught:
        CALLS[code]() if code in CALLS else _spec(code)
    return f"{caught.value}\n"


def _families() -> dict[str, str]:
    """Code -> its family, by the table at the page's head."""
    codes, found = list(get_args(ErrorCode)), {}
    for name, cell in re.findall(
        r"^\| `(\w+).* \| .* \| (.*) \|$", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE
    ):
        named = [codes.index(code) for code in re.findall(r"`(.*?)`", cell)]
        span = range(named[0], named[-1] + 1) if cell.startswith("from") else named
        found |= {codes[i]: name for i in span}
    return found


def test_every_code_has_its_family() -> None:
    assert list(_families()) == list(get_args(ErrorCode))


@pytest.mark.parametrize("code", sorted({*CALLS, *SPECS}))
def test_the_family_is_the_class(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    family = getattr(errors, _families()[code])
    with pytest.raises(family, match=code):
        CALLS[code]() if code in CALLS else _spec(code)


@pytest.mark.parametrize("code", get_args(ErrorCode))
def test_the_example_is_what_is_said(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said, shown = _said(code), f"{examples()[code]}\n"
    assert shown.startswith(f"{code} at ")
    assert doctest.OutputChecker().check_output(shown, said, doctest.ELLIPSIS), (
        f"the page has\n{shown}\nand it says\n{said}"
    )
