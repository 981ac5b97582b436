"""Other processes for tests to run code in."""

from __future__ import annotations

import os
import subprocess
import sys

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
