"""The installed wheel, by itself: run by .ci/run with the python of an environment that has only the wheel in it.

    python -I wheel_smoke.py WHEEL CHECKOUT       (from any folder outside the checkout)

No pytest here: that environment has only what the wheel declares.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOMS = {"codecspec": "codecspec", **{room: f"codecspec/{room}" for room in ("schema", "compiler", "runtime", "specs")}}
"""Folder of the checkout -> where it is in the wheel."""


def main() -> None:
    wheel, checkout = (Path(argument).resolve() for argument in sys.argv[1:])
    for check in (check_files, check_place):
        check(wheel, checkout)
    with tempfile.TemporaryDirectory() as folder:
        for step in (check_commands, check_zoo, check_round_trip):
            step(Path(folder))
            print(f"{step.__name__}: ok", flush=True)


def check_files(wheel: Path, checkout: Path) -> None:
    """The wheel holds every file of the rooms, and nothing else: no tests, no leftovers of an older build."""
    wanted = {
        f"{place}/{file.relative_to(checkout / room).as_posix()}"
        for room, place in ROOMS.items()
        for file in (checkout / room).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    require(wanted == found, f"missing: {sorted(wanted - found)}, unexpected: {sorted(found - wanted)}")
    print(f"check_files: ok, {len(found)} files in {wheel.name}")


def check_place(wheel: Path, checkout: Path) -> None:
    """What is imported comes out of this environment, not out of the checkout."""
    import codecspec

    place = Path(codecspec.__file__).resolve()
    require(place.is_relative_to(Path(sys.prefix).resolve()), f"codecspec was imported from {place}")
    seen = [entry for entry in map(Path, sys.path) if entry.resolve().is_relative_to(checkout)]
    require(not seen, f"the checkout is on sys.path: {seen}")
    print(f"check_place: ok, {place.parent}")


def check_commands(folder: Path) -> None:
    """Every command starts; compile-spec checks, shows and builds."""
    run(folder, "compile-spec", "--check", "wacnn", says="ok")
    run(folder, "compile-spec", "wacnn", "--tree", says="latent_codec")
    run(folder, "compile-spec", "bmshj2018-hyperprior", "--set", "N=8", "--set", "M=12", "-o", "small.safetensors")
    run(folder, "codecspec", "--help", says="compress")
    run(folder, "infer-spec", "--help", says="infer")
    missing = run(folder, "compile-spec", "--check", "no-such-spec", code=2)
    require("Traceback" not in missing, missing)


def check_zoo(folder: Path) -> None:
    """All specs load and lower, all layouts load."""
    import codecspec as cs
    from codecspec import specs
    from codecspec.compiler.layouts import layouts

    plans = [cs.lower(cs.load_spec(name)) for name in specs.names()]
    require("wacnn" in specs.names() and all(plan.parameters > 0 for plan in plans), f"{specs.names()}")
    require(len(layouts()) == len(specs.layout_names()) > 0, "no layouts")


def check_round_trip(folder: Path) -> None:
    """Compile, save, load, code an image and decode it: what the decoder gives is what the encoder saw."""
    import torch

    import codecspec as cs

    torch.manual_seed(0)
    codec = cs.compile_spec("bmshj2018-hyperprior", N=8, M=12)
    cs.save(codec, folder / "codec.safetensors")
    loaded = cs.load(folder / "codec.safetensors")
    x = torch.rand(1, 3, 40, 56)
    out = codec.compress(x)
    x_hat = loaded.decompress(out["strings"], out["shape"])["x_hat"]
    with torch.no_grad():
        expected = codec(x)["x_hat"].clamp(0, 1)
    require(x_hat.shape == x.shape and torch.equal(x_hat, expected), "the decoded image is not the encoder's")
    decoded = cs.decode(loaded, cs.encode(codec, x))
    require(torch.equal(decoded, expected), "the image of a stream is not the encoder's")


def run(folder: Path, command: str, *arguments: str, says: str = "", code: int = 0) -> str:
    """Run a console script of this environment in `folder`."""
    script = Path(sys.executable).parent / command
    result = subprocess.run([script, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    output = result.stdout + result.stderr
    shown = f"{command} {' '.join(arguments)}: exit {result.returncode}\n{output}"
    require(result.returncode == code and says in output, shown)
    return output


def require(condition: bool, message: str) -> None:
    """Stop, with a message, unless `condition` holds."""
    if not condition:
        sys.exit(f"wheel_smoke: {message}")


if __name__ == "__main__":
    main()
