"""Check that a release agrees with itself.

    python packaging/check_release.py notes [TAG]
    python packaging/check_release.py files FOLDER

`notes` prints the section of CHANGELOG.md about the version in meson.build. With a tag, the tag
must be `v` and that version, and the section must have the date of the release.

`files` wants the archive of sources in the folder, one wheel for each line of identifiers.txt, and
nothing else, all of that version.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: Tags in the name of a wheel; of several platforms, which differ in their versions, the first.
TAGS = re.compile(
    r"(?P<python>cp\d+)-(?P<abi>abi3|cp\d+t)-"
    r"(?P<system>manylinux|musllinux|macosx|win)(2014|_\d+_\d+)?_(?P<machine>\w+)(\.[\w.]+)?"
)


def fail(what: str) -> None:
    raise SystemExit(f"check_release: {what}")


def version() -> str:
    text = (ROOT / "meson.build").read_text(encoding="utf-8")
    return re.search(r"^  version: '([^']+)'", text, flags=re.MULTILINE)[1]


def notes(tag: str | None = None) -> None:
    if tag is not None and tag != f"v{version()}":
        fail(f"the tag is {tag}, but the version in meson.build {version()}")
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", text, flags=re.MULTILINE))
    heading = rf"{re.escape(version())} \(\d{{4}}-\d\d-\d\d\)"
    if tag is None:
        heading += rf"|Unreleased \({re.escape(version())}\)"
    found = [name for name in sections if re.fullmatch(heading, name)]
    if len(found) != 1:
        fail(f"CHANGELOG.md must have one section '## {version()} (YYYY-MM-DD)'")
    if not sections[found[0]].strip():
        fail(f"CHANGELOG.md says nothing of {version()}")
    print(sections[found[0]].strip())


def identifier(wheel: str) -> str:
    """cibuildwheel's name for what built a wheel of this version, from the wheel's own."""
    prefix = f"gaussmix-{version()}-"
    tags = TAGS.fullmatch(wheel.removeprefix(prefix).removesuffix(".whl"))
    if not wheel.startswith(prefix) or tags is None:
        fail(f"{wheel} should not be there")
    python = tags["python"] if tags["abi"] == "abi3" else tags["abi"]
    return f"{python}-{tags['system']}_{tags['machine']}"


def files(folder: str) -> None:
    names = sorted(path.name for path in Path(folder).iterdir())
    sources = f"gaussmix-{version()}.tar.gz"
    if sources not in names:
        fail(f"{sources} is missing")
    found = [identifier(name) for name in names if name != sources]
    expected = (ROOT / "packaging" / "identifiers.txt").read_text(encoding="utf-8").split()
    for name in expected:
        if found.count(name) != 1:
            fail(f"{found.count(name)} wheels for {name}, must be one")
    if len(found) != len(expected):
        fail(f"wheels that identifiers.txt does not name: {sorted(set(found) - set(expected))}")
    print(f"{sources} and {len(found)} wheels")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["notes", *tag] if len(tag) <= 1:
            notes(*tag)
        case ["files", folder]:
            files(folder)
        case _:
            raise SystemExit(__doc__)
