"""`make demo`: WACNN from its spec to a coded photograph and back, in separate processes.

spec ─ compile-spec ─► wacnn.safetensors
photograph ─ codecspec compress ─► coffee.csp ─ codecspec decompress ─► decoded.png  ==  encoder's reconstruction
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path("demo-out")


def photograph() -> Path:
    """A real photograph, out of scikit-image's wheel: a cup of coffee, 600x400."""
    import skimage.data

    return Path(skimage.data.__file__).parent / "coffee.png"


def step(*command: str) -> None:
    """Run one command in a process of its own, and show it."""
    print(f"$ {' '.join(command)}", flush=True)
    subprocess.run([sys.executable, "-W", "ignore", "-c", _RUN, *command], check=True)


_RUN = """
import sys
from importlib import import_module
module = {"compile-spec": "compile_spec", "codecspec": "codecspec"}[sys.argv[1]]
sys.argv = sys.argv[1:]
import_module(f"codecspec.cli.{module}").main()
"""


def main() -> None:
    """Run the demo; exit 1 if the decoded image differs from the encoder's reconstruction."""
    OUT.mkdir(exist_ok=True)
    model, coded = str(OUT / "wacnn.safetensors"), str(OUT / "coffee.csp")
    expected, decoded = OUT / "encoder.png", OUT / "decoded.png"
    step("compile-spec", "wacnn", "-o", model)
    step("codecspec", "compress", str(photograph()), "-m", model, "-o", coded, "--reconstruction", str(expected))
    step("codecspec", "decompress", coded, "-m", model, "-o", str(decoded))
    same = np.array_equal(np.asarray(Image.open(expected)), np.asarray(Image.open(decoded)))
    print(f"decoded image equals the encoder's own reconstruction, bit for bit: {'yes' if same else 'NO'}")
    print("The weights are untrained, so the decoded picture is almost uniform: this shows the path, not the quality.")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
