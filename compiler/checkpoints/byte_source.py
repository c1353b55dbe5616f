"""Where bytes come from: a file, an open file object, a URL. Only what is asked for is read."""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from typing import IO, Any

from codecspec import specs
from codecspec.schema.errors import CheckpointError
from codecspec.schema.missing_files import missing_hint


class ByteSource(ABC):
    """Bytes by their place.

    Args:
        name: for messages.
        size: bytes in all.
        path: where it can be mapped from; None where it is no local file.
        location: its path or URL; None where it is only an open file object.
    """

    name: str
    size: int
    path: str | None = None
    location: str | None = None

    @abstractmethod
    def read(self, start: int, length: int) -> bytes:
        """Exactly `length` bytes from `start` on.

        Raises:
            CheckpointError: there are not so many, or reading fails.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open; a later `read` opens it again."""


class LocalFile(ByteSource):
    """A file on disk, open while it is being read; that it is still the same file is checked whenever it is opened."""

    def __init__(self, path: str) -> None:
        self.name = self.path = self.location = path
        self._file: IO[bytes] | None = None
        self._identity: tuple[int, int, int, int] | None = None
        self._open()
        self.size = self._identity[2] if self._identity else 0

    def read(self, start: int, length: int) -> bytes:
        _require_inside(self, start, length)
        return _read(self._file or self._open(), self.name, start, length)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        try:
            file = open(self.name, "rb", buffering=0)  # noqa: SIM115 - closed by `close`
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CheckpointError("E-checkpoint", self.name, f"it cannot be opened: {reason}") from error
        stat = os.fstat(file.fileno())
        identity = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if self._identity not in (None, identity):
            file.close()
            raise CheckpointError("E-checkpoint", self.name, "it was changed after its tensors were listed")
        self._file, self._identity = file, identity
        return file


class OpenFile(ByteSource):
    """A binary file object that can seek; it stays open, and is the caller's."""

    def __init__(self, file: IO[bytes], name: str, location: str | None = None) -> None:
        self.name = name
        self.location = location
        self._file = file
        try:
            self.size = file.seek(0, io.SEEK_END)
        except Exception as error:
            raise CheckpointError(
                "E-checkpoint", name, f"it is no file that can be read at any place: {error}"
            ) from error

    def read(self, start: int, length: int) -> bytes:
        _require_inside(self, start, length)
        return _read(self._file, self.name, start, length)

    def close(self) -> None:
        """Nothing: the file object stays open."""


def open_source(source: str | os.PathLike[str] | IO[bytes]) -> ByteSource:
    """What a path, a URL or a file object names.

    Raises:
        CheckpointError: there is no such file, or it cannot be read.
    """
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        return _remote(path) if "://" in path else _local(path)
    if callable(getattr(source, "read", None)) and callable(getattr(source, "seek", None)):
        name = getattr(source, "name", None)
        return OpenFile(source, name if isinstance(name, str) else f"<{type(source).__name__}>")
    message = f"a {type(source).__name__} is neither a path, a URL, a binary file object nor a mapping of tensors"
    raise CheckpointError("E-checkpoint", "checkpoint", message)


def _local(path: str) -> ByteSource:
    if not os.path.isfile(path):  # not `Path.is_file()`, which raises where the name is too long
        if os.path.exists(path):
            raise CheckpointError("E-checkpoint", path, "it is no regular file")
        raise no_such_checkpoint(path)
    return LocalFile(path)


def no_such_checkpoint(path: str) -> CheckpointError:
    """What there is to say of a checkpoint that is not there."""
    hint = missing_hint(path)
    if path in specs.names():
        hint = f"it is a spec in the zoo: `compile-spec {path} -o {path}.safetensors` saves a codec of it, untrained"
    return CheckpointError("E-checkpoint", path, "no such file", hint)


def _remote(url: str) -> ByteSource:
    try:
        import fsspec
    except ImportError as error:
        message = "URLs are read with fsspec, which is not installed"
        raise CheckpointError("E-checkpoint", url, message, "pip install 'codecspec[remote]'") from error
    try:
        system, path = fsspec.core.url_to_fs(url)
        file: Any = system.open(path, "rb", block_size=REMOTE_BLOCK_BYTES)
    except Exception as error:  # whatever the protocol's library raises
        raise CheckpointError("E-checkpoint", url, f"it cannot be opened: {error}") from error
    return OpenFile(file, url, url)


REMOTE_BLOCK_BYTES = 1 << 18
"""What one request fetches at least: a header's size, not fsspec's megabytes."""


def _require_inside(source: ByteSource, start: int, length: int) -> None:
    if start + length > source.size:
        message = f"it is truncated: {length:,} bytes should be here, and the file has {source.size:,} in all"
        raise CheckpointError("E-checkpoint", f"{source.name} byte {start}", message)


def _read(file: IO[bytes], name: str, start: int, length: int) -> bytes:
    parts = []
    missing = length
    try:
        file.seek(start)
        while missing > 0:
            part = file.read(missing)
            if not isinstance(part, bytes):
                raise TypeError("it was not opened in binary mode")
            if not part:
                break
            parts.append(part)
            missing -= len(part)
    except Exception as error:  # a file object may raise anything
        raise CheckpointError("E-checkpoint", f"{name} byte {start}", f"it cannot be read: {error}") from error
    if missing:
        raise CheckpointError("E-checkpoint", f"{name} byte {start}", f"it ends {missing:,} bytes too early")
    return parts[0] if len(parts) == 1 else b"".join(parts)
