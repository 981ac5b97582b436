"""Whether every page of the built documentation can be reached, and every link in it resolves.

    python docs/check_links.py SOURCE BUILT

Only links inside are followed: to pages, pictures, downloads and places on pages.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Pages that Sphinx writes by itself; the theme does not link to all of them.
WRITTEN_BY_SPHINX = {"genindex.html", "search.html", "py-modindex.html", "index.html"}


class Page(HTMLParser):
    """The places and links of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.places.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def faults(source: Path, built: Path) -> tuple[list[str], int, int]:
    """What is wrong, and the number of pages and of links that were looked at."""
    pages = {
        path.resolve(): Page(path)
        for path in sorted(built.rglob("*.html"))
        if "_modules" not in path.parts and "_static" not in path.parts
    }
    found, reached, n_links = [], set(), 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            n_links += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            where = f"{path.relative_to(built)}: {link}"
            if not target.exists():
                found.append(f"{where} does not exist")
            elif target in pages:
                if target != path:
                    reached.add(target)
                if parts.fragment and unquote(parts.fragment) not in pages[target].places:
                    found.append(f"{where}: no such place on the page")
    for path in pages.keys() - reached:
        if path.name not in WRITTEN_BY_SPHINX:
            found.append(f"{path.relative_to(built)}: no link leads there")
    for path in source.glob("*.md"):
        if (built / path.with_suffix(".html").name).resolve() not in pages:
            found.append(f"{path}: not built")
    return found, len(pages), n_links


def main() -> int:
    source, built = (Path(argument).resolve() for argument in sys.argv[1:])
    found, n_pages, n_links = faults(source, built)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{n_pages} pages, {n_links} links inside, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
