"""Other processes for tests to run code in."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

#: For what OpenMP's threads cannot do, where the pool may not help them out.
needs_pool = pytest.mark.skipif(
    os.environ.get("GAUSSMIX_THREADING") == "openmp", reason="OpenMP is forced, and cannot do this"
)

#: Variables that decide threads and instruction set; a new process has only those it is given.
OURS = ("GAUSSMIX_ISA", "GAUSSMIX_NUM_THREADS", "OMP_NUM_THREADS")


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with these thread and instruction set variables only."""
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    return inherited | variables


def run_python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter, in `environment`. A process that hangs fails the test."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def output_of(code: str, **variables: str) -> str:
    """What code prints in a new interpreter, where it must not fail."""
    done = run_python(code, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# The command line, which says when it calls a method for the nth time, and waits for a line.
PAUSING = """
import sys
from importlib import import_module
from gaussmix import cli

place, number, *arguments = sys.argv[1:]
module, owner, name = place.split(".")
owner = getattr(import_module(f"gaussmix.cli.{module}"), owner)
method = getattr(owner, name)
calls = 0

def pausing(*args, **kwargs):
    global calls
    calls += 1
    if calls == int(number):
        print("paused", flush=True)
        sys.stdin.readline()
    return method(*args, **kwargs)

setattr(owner, name, pausing)
sys.exit(cli.main(arguments))
"""


@contextlib.contextmanager
def paused(place, number, *arguments):
    """The command in a process of its own, waiting where it does something for the nth time."""
    process = subprocess.Popen(
        [sys.executable, "-c", PAUSING, place, str(number), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "paused\n"
        yield process
    finally:
        process.kill()
        process.communicate()
