"""State dicts in what a file holds: found under whatever wraps them, one of them chosen, its keys without prefixes.

What was taken off is put in words: nothing is unwrapped in silence.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from codecspec.compiler.checkpoints.damaged import printable
from codecspec.schema.errors import CheckpointError, listed, nearest

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "ema")
"""Where a state dict is looked for first, in this order; others are found too."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""What DataParallel, torch.compile and Lightning's modules put before every key."""
INSERTED = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Segments that torch puts into the keys of a part that was compiled, sharded or recomputed by itself."""
COUNT = "n_averaged"
"""What torch's AveragedModel counts in, beside a model under `module.`; no tensor of any codec."""
OPTIMIZER = "param_groups"
"""What every optimizer's state has, and no state dict: its tensors are none of the model's."""
MAX_DEPTH = 8
MAX_STATE_DICTS = 1000
MAX_LISTED = 32
MAX_PREFIXES = 8

IsTensor = Callable[[object], bool]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StateDict:
    """A state dict out of a file.

    Args:
        entries: key -> tensor, of whatever kind the file's reader makes.
        unwrapped: what was taken off, in words.
        names: the dotted paths of all state dicts there are; empty for one that nothing wraps.
    """

    entries: dict[str, Any]
    unwrapped: tuple[str, ...]
    names: tuple[str, ...]


def find_state_dict(content: object, is_tensor: IsTensor, name: str, key: str | None) -> StateDict:
    """The state dict in `content`, or the one that `key` names, with its keys as they are.

    Raises:
        CheckpointError: there is none, it has entries that are no tensors, or which is meant is not clear.
    """
    if not isinstance(content, Mapping) or not content:
        what = "one tensor" if is_tensor(content) else f"a {getattr(content, 'what', type(content).__name__)}"
        raise CheckpointError("E-checkpoint", name, f"it holds {what}, not a state dict")
    paths = list(islice(_paths(content, is_tensor, (), {}), MAX_STATE_DICTS))
    names = tuple(".".join(path) for path in paths if path)
    if key is not None and (found := _by_start(content, is_tensor, name, key, paths)):
        return found
    path = _named(key, paths, name) if key is not None else _meant(paths, content, name)
    entries: Any = content
    for depth, step in enumerate(path):
        if key is None and step not in WRAPPERS and any(map(is_tensor, entries.values())):
            path = path[:depth]  # a state dict with a mapping in it, it seems, and not a wrapper with a tensor beside
            break
        entries = entries[step]
    _require_tensors(entries, is_tensor, name)
    return StateDict({str(key): value for key, value in entries.items()}, tuple(_words(path, names, key)), names)


def _by_start(
    content: Mapping[str, Any], is_tensor: IsTensor, name: str, key: str, paths: list[tuple[str, ...]]
) -> StateDict | None:
    """The tensors whose keys have the prefix `key.` in the state dict that is taken by default; None if there are none,
    or if `key` is a path."""
    if any(".".join(path[:depth]) == key for path in paths for depth in range(1, len(path) + 1)):
        return None
    try:
        whole = find_state_dict(content, is_tensor, name, None)
    except CheckpointError:
        return None
    entries = under(key, whole.entries)
    if not entries:
        return None
    word = f"the prefix '{printable(key)}.' of {len(entries)} of {len(whole.entries)} keys; the others are left out"
    return StateDict(entries, (*whole.unwrapped, word), whole.names)


def under(start: str, entries: Mapping[str, T]) -> dict[str, T]:
    """The entries whose keys begin with `start` and a dot, without that."""
    prefix = f"{start}."
    return {key.removeprefix(prefix): value for key, value in entries.items() if _starts(key, prefix)}


def without_prefixes(entries: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The entries without what torch's wrappers put before all their keys or into some, and words for each."""
    words: list[str] = []
    if COUNT in entries and len(entries) > 1 and all(_starts(key, "module.") for key in entries if key != COUNT):
        entries = {key: value for key, value in entries.items() if key != COUNT}
        words.append(f"the count '{COUNT}' of torch's AveragedModel")
    while len(words) < MAX_PREFIXES:
        prefix = next((each for each in PREFIXES if all(_starts(key, each) for key in entries)), None)
        if prefix is None:
            break
        words.append(f"the prefix '{prefix}' of all keys")
        entries = {key.removeprefix(prefix): value for key, value in entries.items()}
    for inserted in INSERTED:
        shorter = [_without_segment(key, inserted) for key in entries]
        changed = sum(map(operator.ne, shorter, entries))
        if changed and len(set(shorter)) == len(entries):
            entries = dict(zip(shorter, entries.values(), strict=True))
            words.append(f"the segment '{inserted}' in {changed} keys")
    return entries, tuple(words)


def _without_segment(key: str, segment: str) -> str:
    return ".".join(each for each in key.split(".") if each != segment) or key if segment in key else key


def _starts(key: str, prefix: str) -> bool:
    return len(key) > len(prefix) and key.startswith(prefix)


def _paths(
    content: Mapping[str, Any], is_tensor: IsTensor, path: tuple[str, ...], seen: dict[int, bool]
) -> Iterator[tuple[str, ...]]:
    """The paths of all mappings that hold tensors and nothing else.

    Args:
        content: where to look.
        is_tensor: what counts as one.
        path: that of `content`.
        seen: id -> whether it is a state dict; a file may hold one under several names, and wrappers in each other.
    """
    known = seen.get(id(content))
    if known is None:
        known = seen[id(content)] = bool(content) and all(map(is_tensor, content.values()))
    elif not known:
        return
    if known:
        yield path
    elif len(path) < MAX_DEPTH and OPTIMIZER not in content:
        for name, value in content.items():
            if isinstance(value, Mapping) and isinstance(name, str):
                yield from _paths(value, is_tensor, (*path, name), seen)


def _first(paths: list[tuple[str, ...]], above: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The path that is meant where nobody says: by the order of `WRAPPERS`, or the only one."""
    depth = len(above)
    below = [path for path in paths if path[:depth] == above]
    if len(below) == 1:
        return below[0]
    steps = {path[depth] for path in below}
    step = next((wrapper for wrapper in WRAPPERS if wrapper in steps), None)
    if step is None and len(steps) > 1:
        message = f"it holds {len(below)} state dicts: {_list([*map('.'.join, below)])}"
        raise CheckpointError("E-checkpoint", name, message, "say which: --key NAME, or key=... in Python")
    return _first(paths, (*above, step or steps.pop()), name)


def _meant(paths: list[tuple[str, ...]], content: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The path that is taken where nobody says which."""
    return _first(paths, (), name) if paths else _path_by_name(content)


def _named(key: str, paths: list[tuple[str, ...]], name: str) -> tuple[str, ...]:
    """The path of the state dict called `key`, or that is meant below it."""
    for path in paths:
        if ".".join(path) == key:
            return path
    for path in paths:
        for depth in range(1, len(path)):
            if ".".join(path[:depth]) == key:
                return _first(paths, path[:depth], name)
    known = [".".join(path) for path in paths if path]
    message = f"it has no state dict '{printable(key)}'; it has: {_list(known)}"
    raise CheckpointError("E-checkpoint", name, message, nearest(key, known))


def _path_by_name(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a state dict would be, if its entries were all tensors: for the error that names those that are not."""
    path: tuple[str, ...] = ()
    while len(path) < MAX_DEPTH:
        step = next((wrapper for wrapper in WRAPPERS if isinstance(content.get(wrapper), Mapping)), None)
        if step is None:
            return path
        content = content[step]
        path = (*path, step)
    return path


def _require_tensors(entries: Mapping[str, Any], is_tensor: IsTensor, name: str) -> None:
    strange = [printable(str(key)) for key, value in entries.items() if not is_tensor(value)]
    if not entries or strange:
        message = f"these entries are no tensors: {listed(strange[:8])}{', ..' if len(strange) > 8 else ''}"
        hint = f"a state dict is looked for under {listed(WRAPPERS)}; --key NAME, or key=... in Python, names another"
        raise CheckpointError("E-checkpoint", name, message, hint)


def _words(path: tuple[str, ...], names: tuple[str, ...], key: str | None) -> Iterator[str]:
    for step in path:
        yield f"the wrapper '{printable(step)}'"
    others = [name for name in names if name != ".".join(path)]
    if path and others:
        which = "the first" if key is None else "the chosen one"
        yield f"{which} of {len(names)} state dicts (beside it: {_list(others)})"


def _list(names: list[str]) -> str:
    said = [printable(name) for name in names[:MAX_LISTED]]
    return listed([*said, ".."] if len(names) > MAX_LISTED else said)
