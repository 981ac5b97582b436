"""A library in a process of its own, which does what it is asked and can be stopped."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from libraries import Library, Missing, Parameters, load
from shapes import Shape, Start
from threadpoolctl import threadpool_limits

# A library that takes longer than this to be imported, or compiled, is not waited for.
IMPORT_SECONDS = 120.0


class Stopped(Exception):
    """A library did not answer: it was too slow, failed, or its process died."""


class TooSlow(Stopped):
    """A library was stopped at the time limit."""


@dataclass(frozen=True)
class Description:
    """What is told of a library without importing it here."""

    versions: dict[str, str]
    differences: str
    precision: str
    own_start: bool
    agreement: float


@dataclass(frozen=True)
class EMRun:
    """One run of EM: its seconds, and what came out."""

    seconds: float
    iterations: int
    lower_bound: float | None
    parameters: Parameters


def describe(library: Library) -> Description:
    return Description(
        library.versions(),
        library.differences,
        library.precision,
        library.own_start,
        library.agreement,
    )


def em_run(library: Library, X: np.ndarray, start: Start, n_iter: int, n_threads: int) -> EMRun:
    """Run and time EM in this process."""
    begin = time.perf_counter()
    model = library.em(X, start, n_iter, n_threads)
    taken = time.perf_counter() - begin
    own = library.seconds(model)
    return EMRun(
        taken if own is None else own,
        library.iterations(model),
        library.lower_bound(model),
        library.parameters(model),
    )


class Worker:
    """What runs in the process: the library, and the rows and start it was given last."""

    def __init__(self, library: Library, n_threads: int) -> None:
        self.library = library
        self.n_threads = n_threads
        self.X: np.ndarray
        self.start: Start

    def rows(self, rows_file: Path, start_file: Path) -> None:
        self.X, self.start = np.load(rows_file), Start.load(start_file)

    def cannot(self, shape: Shape) -> str | None:
        return self.library.cannot(shape)

    def em(self, n_iter: int) -> EMRun:
        return em_run(self.library, self.X, self.start, n_iter, self.n_threads)


def serve(
    connection: Connection, name: str, n_threads: int, folder: str, environment: dict[str, str]
) -> None:
    """Answer (method, arguments) with (True, result) or (False, what went wrong)."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_threads])
    tempfile.tempdir = folder
    os.environ.update(environment)
    try:
        library = load(name)
        connection.send((True, describe(library)))
    except Missing as error:
        connection.send((False, str(error)))
        return
    worker = Worker(library, n_threads)
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        try:
            with threadpool_limits(n_threads):
                connection.send((True, getattr(worker, method)(*arguments)))
        except Exception as error:
            connection.send((False, f"{type(error).__name__}: {error}"))


class Peer:
    """The near end of a library in a process of its own.

    Raises ``Missing`` where the library is not installed. The process uses ``n_threads`` CPUs, and
    ``environment`` is set before the library is imported.
    """

    def __init__(
        self, name: str, n_threads: int, environment: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.n_threads = n_threads
        self.environment = environment or {}
        self.process: multiprocessing.process.BaseProcess | None = None
        self.files: tuple[Path, Path] | None = None
        try:
            self.description = self._begin()
        except Stopped as error:
            raise Missing(str(error)) from None

    def _begin(self) -> Description:
        context = multiprocessing.get_context("spawn")
        self.folder = tempfile.TemporaryDirectory()
        self.connection, far_end = context.Pipe()
        told = (self.name, self.n_threads, self.folder.name, self.environment)
        self.process = context.Process(target=serve, args=(far_end, *told), daemon=True)
        self.process.start()
        far_end.close()
        return self._answer(IMPORT_SECONDS)

    def _answer(self, limit: float) -> object:
        if not self.connection.poll(limit):
            self.close()
            raise TooSlow(f"stopped after {limit:.0f} s")
        try:
            good, answer = self.connection.recv()
        except EOFError:
            self.close()
            raise Stopped("its process died, perhaps out of memory") from None
        if not good:
            raise Stopped(str(answer))
        return answer

    def _ask(self, limit: float, method: str, *arguments: object) -> object:
        if self.process is None:
            self._begin()
            if self.files is not None and method != "rows":
                self._ask(IMPORT_SECONDS, "rows", *self.files)
        self.connection.send((method, arguments))
        return self._answer(limit)

    def cannot(self, shape: Shape) -> str | None:
        return self._ask(IMPORT_SECONDS, "cannot", shape)

    def rows(self, rows_file: Path, start_file: Path) -> None:
        """Use these rows and this start from now on."""
        self.files = (rows_file, start_file)
        self._ask(IMPORT_SECONDS, "rows", rows_file, start_file)

    def em(self, n_iter: int, limit: float) -> EMRun:
        """Run EM; ``Stopped`` where it does not end well within ``limit`` seconds."""
        return self._ask(limit, "em", n_iter)

    def close(self) -> None:
        """End the process and whatever it started."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.is_alive():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (AttributeError, ProcessLookupError, PermissionError):
                process.kill()
        process.join()
        self.connection.close()
        self.folder.cleanup()


def open_peers(names: list[str], n_threads: int) -> tuple[dict[str, Peer], dict[str, str]]:
    """Processes for the libraries that are installed; for the others the reason."""
    peers, missing = {}, {}
    for name in names:
        try:
            peers[name] = Peer(name, n_threads)
        except Missing as error:
            missing[name] = str(error)
    return peers, missing
