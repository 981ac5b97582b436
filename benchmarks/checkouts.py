"""Commits of this repository, exported to clean folders and built there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Of a failed build, the last lines say what is wrong.
SHOWN_LOG_LINES = 30


@dataclass(frozen=True)
class Revision:
    """What is built: a commit, or the working tree when ``commit`` is None."""

    name: str
    commit: str | None


@dataclass(frozen=True)
class Build:
    """A revision and the folder it is imported from."""

    revision: Revision
    folder: Path


def git(*arguments: str) -> bytes:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def resolve(reference: str | None) -> Revision:
    """The commit a reference names; the working tree for None."""
    if reference is None:
        head = git("rev-parse", "--short", "HEAD").decode().strip()
        changed = git("status", "--porcelain").strip()
        return Revision(f"working tree, {head}{' with changes' if changed else ''}", None)
    wanted = ["--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}"]
    try:
        commit = git("rev-parse", *wanted).decode().strip()
    except subprocess.CalledProcessError:
        raise SystemExit(
            f"{reference!r} is no commit of this repository: give a hash, branch or tag that "
            f"`git log` shows"
        ) from None
    short = commit[:7]
    return Revision(short if commit.startswith(reference) else f"{reference}, {short}", commit)


def export(revision: Revision, folder: Path) -> None:
    """Write the files of a revision: those git tracks, of the working tree also new ones."""
    folder.mkdir(parents=True)
    if revision.commit is not None:
        subprocess.run(
            # By default some tars read from a tape.
            ["tar", "-x", "-f", "-", "-C", str(folder)],
            input=git("archive", revision.commit),
            check=True,
        )
        return
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():  # not when deleted and not yet staged
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())


def build(revision: Revision, folder: Path) -> Build:
    """Export and install a revision under ``folder``."""
    source, target = folder / "source", folder / "installed"
    export(revision, source)
    print(f"building {revision.name}", file=sys.stderr, flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*pip, "--target", str(target), str(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-SHOWN_LOG_LINES:])
        raise SystemExit(f"{revision.name} does not build; the log of pip ends with:\n{end}")
    return Build(revision, target)
