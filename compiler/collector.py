"""Python's garbage collector, kept from running where nothing becomes garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
