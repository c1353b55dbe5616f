"""Since when this process has been there."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STAT = Path("/proc/self/stat")
_STARTED = 19
"""Of the fields that come after the program's name in parentheses: when it was started, in ticks since booting."""


def seconds_since_start() -> float | None:
    """Seconds since this process was started, to a hundredth; None where the system does not say."""
    try:
        fields = _STAT.read_text().rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_STARTED]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):  # not Linux
        return None
