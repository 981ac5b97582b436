"""What .github and .ci say twice: the same requirements, actions, and commands as elsewhere."""

from __future__ import annotations

import re
import tomllib

import pytest

from support.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
USES = re.compile(r"^ +(?:- )?uses: +(\S+)(?: +# +(\S+))?$", re.MULTILINE)


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def floors(requirements: list[str]) -> dict[str, str]:
    """The least version of each requirement; all are of the form "name>=version; marker"."""
    found = [re.fullmatch(r"([\w-]+)>=([\d.]+)(?:;.*)?", text) for text in requirements]
    return {match[1]: match[2] for match in found}


def as_release(version: str) -> tuple[int, ...]:
    """A version as numbers, without zeros at its end: 14 and 14.0 are one release."""
    numbers = list(map(int, version.split(".")))
    while numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def test_the_oldest_releases_that_are_tested_are_the_oldest_that_are_allowed():
    metadata = project()
    requirements = metadata["build-system"]["requires"] + metadata["project"]["dependencies"]
    requirements += metadata["project"]["optional-dependencies"]["test"]
    allowed = floors(requirements)
    lines = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert list(tested) == sorted(tested, key=str.lower)
    assert {name: as_release(version) for name, version in tested.items()} == {
        name: as_release(version) for name, version in allowed.items()
    }
    for extra in metadata["project"]["optional-dependencies"].values():
        for name, version in floors(extra).items():
            assert version == allowed.get(name, version), f"{name} has two least versions"


def test_the_oldest_python_is_the_one_tested_with_the_oldest_releases():
    oldest = project()["project"]["requires-python"].removeprefix(">=")
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert f'python: "{oldest}"\n            constraints: .ci/oldest.txt\n' in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_named_by_version(path):
    for action, version in USES.findall(path.read_text(encoding="utf-8")):
        if not action.startswith("$/"):  # of this repository and commit
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r"v\d+\.\d+\.\d+", version), f"{action}: {version}"


def test_an_action_is_pinned_to_one_commit_everywhere():
    pinned: dict[str, set[tuple[str, str]]] = {}
    for path in WORKFLOWS:
        for action, version in USES.findall(path.read_text(encoding="utf-8")):
            name, _, commit = action.partition("@")
            pinned.setdefault(name, set()).add((commit, version))
    assert {name: found for name, found in pinned.items() if len(found) > 1} == {}


def test_what_is_installed_without_the_global_lock_is_the_extra_without_polars():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    (names,) = re.findall(r"allow_limited_api=false \.\n((?: {10}\S.*\n)+)", text)
    extra = project()["project"]["optional-dependencies"]["test"]
    wanted = {re.match(r"[\w-]+", requirement)[0] for requirement in extra}
    assert set(names.split()) - {"pytest-run-parallel"} == wanted - {"polars"}
