"""Reading that overlaps computing: what a thread of its own reads while others compute."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

import numpy as np

from .._common.typing import AnyArray, Doubles, FloatDType
from .array_rows import Block, Rows

# Blocks that are filled, waiting or computed with at a time.
BLOCKS = 3

# Chunks that are read before they are asked for, where no block is filled with them.
PIECES_AHEAD = 2

Item = TypeVar("Item")


class _ReadAhead(Generic[Item]):
    """Runs an iterator in a thread of its own, so that reading overlaps computing.

    Parameters
    ----------
    items : iterator
        It must bound by itself how far it runs ahead.
    wake : callable
        Called when nobody reads on, to end a wait of the iterator.
    """

    def __init__(self, items: Iterator[Item], wake: Callable[[], None]) -> None:
        self._items = items
        self._wake = wake
        self._read: queue.SimpleQueue[tuple[Item | None, BaseException | None]]
        self._read = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="gaussmix reader", daemon=True)

    def _run(self) -> None:
        try:
            for item in self._items:
                self._read.put((item, None))
        except BaseException as error:
            self._read.put((None, error))
        else:
            self._read.put((None, None))

    def __enter__(self) -> Iterator[Item]:
        self._thread.start()
        return self._received()

    def __exit__(self, *exc_info: object) -> None:
        self._wake()
        # A reader that hangs in a read ends after it, by itself.
        self._thread.join(timeout=0.2)

    def _received(self) -> Iterator[Item]:
        while True:
            item, error = self._read.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item


def read_ahead(items: Iterator[Item]) -> Generator[Item]:
    """The items, a few of which are read before they are asked for."""
    room = threading.Semaphore(PIECES_AHEAD)
    stopped = threading.Event()

    def bounded() -> Iterator[Item]:
        while room.acquire() and not stopped.is_set():
            item = next(items, None)
            if item is None:
                return
            yield item

    def stop() -> None:
        stopped.set()
        room.release()

    with _ReadAhead(bounded(), wake=stop) as read:
        for item in read:
            yield item
            room.release()


def filled_ahead(
    pieces: Iterator[tuple[AnyArray, Doubles | None]], size: int, like: Rows
) -> Generator[Block]:
    """Pieces of rows, with their weights, as blocks of so many rows each but the last.

    A block's arrays are filled again once the next block is asked for. They are of the type and
    the number of columns of the rows `like` which they are, with weights where those have some.
    """
    check_first: queue.SimpleQueue[_Buffer | None] = queue.SimpleQueue()
    for _ in range(BLOCKS):
        check_first.put(_Buffer(size, like.n_features, like.dtype, like.weighted))
    first = 0
    with _ReadAhead(_filled(pieces, check_first), wake=lambda: check_first.put(None)) as buffers:
        for buffer in buffers:
            block = buffer.rows(first)
            yield block
            first += len(block.X)
            check_first.put(buffer)


def _filled(
    pieces: Iterator[tuple[AnyArray, Doubles | None]],
    check_first: queue.SimpleQueue[_Buffer | None],
) -> Iterator[_Buffer]:
    """Fill buffers with the rows of one pass, each but the last to its end."""
    buffer = None
    for X, weight in pieces:
        start = 0
        while start < len(X):
            if buffer is None:
                buffer = check_first.get()
                if buffer is None:
                    return  # nobody reads on
                buffer.used = 0
            start += buffer.add(X[start:], None if weight is None else weight[start:])
            if buffer.is_full:
                yield buffer
                buffer = None
    if buffer is not None:
        yield buffer


class _Buffer:
    """A block that is filled piece by piece."""

    def __init__(self, size: int, n_features: int, dtype: FloatDType, weighted: bool) -> None:
        self._X = np.empty((size, n_features), dtype)
        self._weight = np.empty(size) if weighted else None
        self.used = 0

    @property
    def is_full(self) -> bool:
        return self.used == len(self._X)

    def add(self, X: AnyArray, weight: Doubles | None) -> int:
        """Copy as many of the rows as there is room for; how many these are."""
        n = min(len(X), len(self._X) - self.used)
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinity
            self._X[self.used : self.used + n] = X[:n]
        if self._weight is not None:
            self._weight[self.used : self.used + n] = weight[:n] if weight is not None else 1.0
        self.used += n
        return n

    def rows(self, first: int) -> Block:
        weight = None if self._weight is None else self._weight[: self.used]
        return Block(first, self._X[: self.used], weight)
