"""CompressAI, imported whole or, in a process that is a command's own, without what no command needs.

Whole, it brings its datasets, and for the names of their transforms all of torchvision, torch_geometric, pandas and
torch's compiler: over two seconds, longer than torch itself. A library leaves that to its host, which may want to train
with them; a command leaves them out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

PACKAGE = "compressai"
NOT_NEEDED = (
    "compressai.datasets",
    "compressai.transforms",
    "compressai.zoo",
    "scipy.stats",  # for one function that makes coding tables, which gets it when it asks
    "torch_geometric",
    "torch_geometric.transforms",
    "torchvision",
    "torchvision.transforms",
)
_left_out: list[str] = []


def leave_out(names: Sequence[str] = NOT_NEEDED) -> None:
    """Have CompressAI imported without these modules in this process, if something here imports it and nothing has yet.

    Whoever imports one of them after it gets it as it is; CompressAI's registry stays without the classes in them.
    """
    _left_out[:] = names


def import_compressai() -> None:
    """Import CompressAI; whole, where it turns out to need what is to be left out, as a release to come may."""
    if PACKAGE in sys.modules:
        return
    try:
        with _empty(_left_out):
            import_module(PACKAGE)
    except (AttributeError, ImportError):
        if not _left_out:
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
        import_module(PACKAGE)


@contextmanager
def _empty(names: Sequence[str]) -> Iterator[None]:
    """Have empty modules stand for those of these that are not there yet, for a while."""
    empty = {name: ModuleType(name) for name in names if name not in sys.modules}
    for name, module in empty.items():
        above, _, last = name.rpartition(".")
        if above in empty:
            setattr(empty[above], last, module)
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name, module in empty.items():
            above, _, last = name.rpartition(".")
            if vars(sys.modules.get(above, module)).get(last) is module:
                delattr(sys.modules[above], last)
        for name in empty:
            sys.modules.pop(name, None)
