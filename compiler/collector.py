"""Python's garbage collector, kept from running where next to nothing becomes garbage.

Nothing that a caller imports changes it for good: a block pauses it, and processes of our own run it rarely.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 100_000
"""New objects after which a process of our own looks for garbage; a checkpoint of a thousand tensors makes so many."""


@contextmanager
def paused_collector() -> Iterator[None]:
    """No collection in this block, nor in other threads meanwhile.

    A model is made of some ten thousand objects that stay. Making them sets off collections, and one that goes over all
    that torch and CompressAI hold takes as long as making the model does.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def collect_rarely() -> None:
    """Leave alone what was imported, and look for garbage about once for each checkpoint, in this process from now on.

    Python's default, every 700 objects and now and then among all there are, is a third of the time that reading
    checkpoints takes, a sixth of that of importing torch, and a third of that of loading the kernels that code.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS)


def leave_all() -> None:
    """Look at nothing any more, where the process is about to end.

    Python would look once more for garbage among all objects, which is most of a second after a codec has run.
    """
    gc.freeze()
