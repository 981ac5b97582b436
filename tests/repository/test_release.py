"""packaging/check_release.py: a release that does not agree with itself is refused."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from support.paths import ROOT

VERSION = re.search(r"version: '(.+?)'", (ROOT / "meson.build").read_text(encoding="utf-8"))[1]
SOURCES = f"gaussmix-{VERSION}.tar.gz"

#: What auditwheel and others make of the platforms in packaging/identifiers.txt.
PLATFORMS = {
    "manylinux_x86_64": "manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64",
    "manylinux_aarch64": "manylinux_2_27_aarch64.manylinux_2_28_aarch64",
    "musllinux_x86_64": "musllinux_1_2_x86_64",
    "musllinux_aarch64": "musllinux_1_2_aarch64",
    "macosx_x86_64": "macosx_11_0_x86_64",
    "macosx_arm64": "macosx_11_0_arm64",
    "win_amd64": "win_amd64",
}
TAGS = {"cp311": "cp311-abi3", "cp314t": "cp314-cp314t", "cp315t": "cp315-cp315t"}
WHEELS = [
    f"gaussmix-{VERSION}-{tags}-{platform}.whl"
    for tags in TAGS.values()
    for platform in PLATFORMS.values()
]


def check_release(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "packaging" / "check_release.py", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def check_files(folder, names):
    for name in names:
        (folder / name).touch()
    return check_release("files", folder)


def test_all_files_of_a_release(tmp_path):
    done = check_files(tmp_path, [SOURCES, *WHEELS])
    assert done.stdout == f"{SOURCES} and {len(WHEELS)} wheels\n", done.stderr


@pytest.mark.parametrize("missing", [SOURCES, WHEELS[0], WHEELS[-1]])
def test_a_missing_file(tmp_path, missing):
    done = check_files(tmp_path, sorted({SOURCES, *WHEELS} - {missing}))
    assert done.returncode == 1
    assert "missing" in done.stderr or "0 wheels" in done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"gaussmix-{VERSION}-cp312-abi3-win_amd64.whl", "does not name: .*cp312-win_amd64"),
        (f"gaussmix-{VERSION}-cp312-cp312-win_amd64.whl", "should not be there"),
        (f"gaussmix-{VERSION}-cp311-abi3-manylinux_2_34_x86_64.whl", "2 wheels for cp311-many"),
        (f"gaussmix-{VERSION}-cp311-abi3-linux_x86_64.whl", "should not be there"),
        ("gaussmix-0.0.1-cp311-abi3-win_amd64.whl", "should not be there"),
        ("gaussmix-0.0.1.tar.gz", "should not be there"),
        ("notes.md", "should not be there"),
    ],
)
def test_a_file_too_many(tmp_path, name, message):
    done = check_files(tmp_path, [SOURCES, *WHEELS, name])
    assert done.returncode == 1
    assert re.search(message, done.stderr)


def test_the_changelog_speaks_of_this_version():
    done = check_release("notes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "\n## " not in done.stdout


def test_a_tag_of_another_version():
    done = check_release("notes", "v0.0.1")
    assert done.returncode == 1
    assert f"the tag is v0.0.1, but the version in meson.build {VERSION}" in done.stderr
