"""What times depend on beside the model."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

import torch


def machine(device: torch.device | None = None) -> dict[str, str | int]:
    """The processor, the threads and the PyTorch that code, and the GPU if `device` is one."""
    found: dict[str, str | int] = {"cpu": _processor(), "threads": torch.get_num_threads(), "torch": torch.__version__}
    if device is not None and device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
