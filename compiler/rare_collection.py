"""Garbage collection for a process that reads checkpoints: it makes much, keeps little, and ends soon."""

from __future__ import annotations

import gc

OBJECTS = 100_000
"""New objects after which garbage is looked for: a checkpoint of a thousand tensors makes about so many."""


def collect_rarely() -> None:
    """Leave alone what was imported, and look for garbage about once for each checkpoint.

    Python's default, every 700 objects and now and then among all there are, is a third of the time that reading takes.
    For processes of our own: nothing that a caller imports calls this.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS)
