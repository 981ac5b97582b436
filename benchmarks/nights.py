"""A nightly batch that nobody watches: five nights, and what is found in the morning.

    python benchmarks/nights.py

docs/jobs/nightly.sh runs over a directory: on a good night, with a bad file, killed in the midst
of a file and started again, on a disk without room, and when there is room. What it prints, its
exit status and what is in the output directory are shown, and every output is held against the
scores of its rows. Ends with status 1 if anything is not as it should be. It measures no speed.

Needs Linux and `flock`. As root the disk is a file system in memory, else files have a limit.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gaussmix import GaussianMixture, load

SCRIPT = Path(__file__).resolve().parent.parent / "docs" / "jobs" / "nightly.sh"

COLUMNS = ["eruptions", "waiting"]
ROWS = 60_000  # of a file: some tenths of a second, in which it can be killed
SMALL = 3 << 20  # bytes of the disk that fills

PATIENCE = 120.0  # seconds


class NotRight(Exception):
    """Something is not as it should be in the morning."""


# --- files ---------------------------------------------------------------------------------------


def rows_of(day: int) -> np.ndarray:
    """The rows of a day, (ROWS, 2)."""
    rng = np.random.default_rng(day)
    long = rng.random((ROWS, 1)) < 0.6
    return np.where(long, [4.3, 80.0], [2.0, 54.0]) + rng.normal(size=(ROWS, 2)) * [0.3, 6.0]


def arrive(folder: Path, day: int) -> None:
    """Put a day's file among the incoming ones, under its name when it is whole."""
    ids = [f"d{day}-{number}" for number in range(ROWS)]
    lines = [",".join([name, *map(repr, row)]) for name, row in zip(ids, rows_of(day).tolist())]
    unfinished = folder / "unfinished"
    unfinished.write_text("\n".join(["id,eruptions,waiting", *lines, ""]), encoding="utf-8")
    unfinished.replace(folder / "incoming" / f"day{day}.csv")


def spoil(folder: Path, day: int) -> None:
    """A value of a day's file becomes a word."""
    path = folder / "incoming" / f"day{day}.csv"
    first, second, rest = path.read_text(encoding="utf-8").split("\n", 2)
    path.write_text("\n".join([first, second, "d,long,80", rest]), encoding="utf-8")


def is_right(folder: Path, name: str) -> bool:
    """Whether an output holds the ids of its file and what the model gives for their rows."""
    day = int(name.removeprefix("day").removesuffix(".csv"))
    with (folder / "scores" / name).open(encoding="utf-8") as lines:
        written = [line.rstrip("\n").split(",") for line in lines][1:]
    model = load(folder / "model.npz")
    model.feature_names_in_ = None
    scores = model.score_samples(rows_of(day))
    ids = [f"d{day}-{number}" for number in range(ROWS)]
    return [row[0] for row in written] == ids and np.array_equal(
        np.array([row[1] for row in written], dtype=float), scores
    )


# --- nights --------------------------------------------------------------------------------------


def started(folder: Path, limit: Callable[[], None] | None = None) -> subprocess.Popen:
    programs = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return subprocess.Popen(
        ["sh", SCRIPT, folder],
        env=os.environ | {"PATH": programs},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limit,
    )


def state(folder: Path) -> tuple[list[str], list[str]]:
    """The outputs that are there, and the files that are unfinished."""
    found = os.listdir(folder / "scores")
    return (
        sorted(name for name in found if not name.startswith(".")),
        [name for name in found if name.endswith(".tmp")],
    )


def morning(
    folder: Path, process: subprocess.Popen, status: int, days: list[int], unfinished: int = 0
) -> None:
    """Show what a night has left, and hold it against what it should be."""
    said, _ = process.communicate(timeout=PATIENCE)
    outputs, pieces = state(folder)
    for line in said.splitlines() or ["(nothing printed)"]:
        print(f"    {line}")
    print(f"    status {process.returncode}")
    right = [name for name in outputs if is_right(folder, name)]
    print(f"    scores/: {', '.join(outputs)}; {len(right)} of {len(outputs)} right, "
          f"{len(pieces)} unfinished", flush=True)  # fmt: skip
    wanted = [f"day{day}.csv" for day in days]
    if (process.returncode, outputs, right, len(pieces)) != (status, wanted, wanted, unfinished):
        raise NotRight(f"expected status {status}, {wanted}, {unfinished} unfinished")


def kill_in_the_midst(folder: Path, process: subprocess.Popen, done: int) -> None:
    """SIGKILL, when so many outputs are done and another is begun."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        outputs, pieces = state(folder)
        if len(outputs) >= done and pieces:
            process.send_signal(signal.SIGKILL)
            return
        time.sleep(0.001)
    raise NotRight("the run was over before it could be killed")


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[tuple[Callable[[], None] | None, Callable[[], None]]]:
    """Scores on a disk with room for one file; yields what limits it, and what makes room."""
    shutil.rmtree(folder / "scores")
    (folder / "scores").mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    made = ["-t", "tmpfs", "-o", f"size={SMALL}", "gaussmix-nights", str(folder / "scores")]
    quiet = {"check": False, "capture_output": True}
    if mount and umount and subprocess.run([mount, *made], **quiet).returncode == 0:
        print(f"    (a file system of {SMALL >> 20} MB)")
        grow = [mount, "-o", "remount,size=64m", str(folder / "scores")]
        try:
            yield None, lambda: subprocess.run(grow, check=True)
        finally:
            subprocess.run([umount, str(folder / "scores")], check=True)
        return
    import resource

    size = SMALL >> 3
    print(f"    (no file may be larger than {size >> 10} KB: no file system can be mounted here)")
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)), lambda: None


def nights(folder: Path) -> None:
    """All of them, one after the other, on one directory."""
    (folder / "incoming").mkdir()
    (folder / "scores").mkdir()
    model = GaussianMixture(2, random_state=0).fit(rows_of(0))
    model.feature_names_in_ = np.array(COLUMNS, dtype=object)
    model.save(folder / "model.npz")

    print("night 1: two files have come in")
    for day in (1, 2):
        arrive(folder, day)
    morning(folder, started(folder), 0, [1, 2])

    print("night 2: two more, and day2.csv was delivered again, with a bad value")
    for day in (3, 4):
        arrive(folder, day)
    spoil(folder, 2)
    morning(folder, started(folder), 2, [1, 3, 4])

    print("night 3: day2.csv is mended and two more are there; killed in the midst of day5.csv")
    for day in (2, 5, 6):
        arrive(folder, day)
    process = started(folder)
    kill_in_the_midst(folder, process, done=4)
    morning(folder, process, -signal.SIGKILL, [1, 2, 3, 4], unfinished=1)

    print("night 3, started again")
    morning(folder, started(folder), 0, [1, 2, 3, 4, 5, 6])

    print("night 4: a new disk for the scores, too small, and day1.csv is bad")
    spoil(folder, 1)
    with small_disk(folder) as (limit, make_room):
        process = started(folder, limit)
        first = [2] if limit is None else []
        morning(folder, process, 2, first)
        print("night 5: there is room, and day1.csv is mended")
        make_room()
        arrive(folder, 1)
        morning(folder, started(folder), 0, [1, 2, 3, 4, 5, 6])


def main() -> None:
    if not shutil.which("flock"):
        raise SystemExit("nights.py needs flock, of util-linux")
    with tempfile.TemporaryDirectory() as folder:
        try:
            nights(Path(folder))
        except NotRight as wrong:
            sys.exit(f"not right: {wrong}")
    print("all nights ended right")


if __name__ == "__main__":
    main()
