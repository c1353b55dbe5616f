"""What is read one after another, the next thing while something else is done with the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """Reads, in their order, each begun when it is asked for at the latest.

    Args:
        reads: each gives one thing, or raises.
    """

    def __init__(self, reads: Iterable[Callable[[], T]]) -> None:
        self._reads = iter(reads)
        self._thread = ThreadPoolExecutor(1)
        self._begun: Future[T] | None = None

    def __enter__(self) -> ReadAhead[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def begin(self) -> None:
        """Begin to read the next thing, on a thread, if there is one and it has not begun."""
        if self._begun is None and (read := next(self._reads, None)) is not None:
            self._begun = self._thread.submit(read)

    def take(self) -> T:
        """The next thing.

        Raises:
            StopIteration: there is none.
            Exception: what its read raised.
        """
        self.begin()
        if self._begun is None:
            raise StopIteration
        begun, self._begun = self._begun, None
        return begun.result()
