"""docs/check_links.py finds what it is for."""

from __future__ import annotations

import importlib.util

import pytest

from support.paths import ROOT

SCRIPT = ROOT / "docs" / "check_links.py"

PAGES = {
    "index.html": '<a href="one.html#here">one</a> <img src="picture.svg">',
    "one.html": '<h2 id="here">Here</h2> <a href="#here">up</a> <a href="https://a.test/b">b</a>',
    "picture.svg": "<svg/>",
}


@pytest.fixture
def faults(tmp_path):
    """Write pages and return what is found wrong with them."""
    specification = importlib.util.spec_from_file_location("check_links", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    source, built = tmp_path / "docs", tmp_path / "html"
    source.mkdir()
    built.mkdir()

    def of(pages, sources=("index.md", "one.md")):
        for name in sources:
            (source / name).touch()
        for name, text in pages.items():
            (built / name).write_text(text, encoding="utf-8")
        return module.faults(source, built)

    return of


def test_sound_pages_have_no_faults(faults):
    assert faults(PAGES) == ([], 2, 3)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"one.html": ""}, "index.html: one.html#here: no such place on the page"),
        ({"index.html": '<a href="two.html">two</a>'}, "index.html: two.html does not exist"),
        ({"index.html": '<img src="other.svg">'}, "index.html: other.svg does not exist"),
        ({"index.html": ""}, "one.html: no link leads there"),
    ],
)
def test_faults_are_found(faults, changed, found):
    assert found in faults(PAGES | changed)[0]


def test_a_page_that_was_not_built_is_found(faults):
    assert faults(PAGES, ["index.md", "one.md", "two.md"])[0][0].endswith("two.md: not built")
