"""Where papers stand on a review site that was written before."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

MARKER = "paperfleet-review.txt"
"""In a site's folder: it may be written anew. Its second line names the run."""
_LEAD = "run: "


def marker(run_id: str) -> str:
    """Content of ``MARKER``."""
    return f"A review site: it may be written anew.\n{_LEAD}{run_id}\n"


def review_links(site: Path, run_id: str, papers: Collection[str], *, page: Path) -> dict[str, str]:
    """Id → address of the paper's review, relative to ``page``; only those that the site shows.

    None at all if the folder is no review site of the run, or cannot be read.
    """
    try:
        if (site / MARKER).read_text(encoding="utf-8").splitlines()[1:] != [f"{_LEAD}{run_id}"]:
            return {}
        folder = os.path.relpath(site.absolute(), page.absolute().parent)
        places = _places(site, set(papers))
        return {name: f"{quote(Path(folder).as_posix())}/{place}" for name, place in places}
    except (OSError, ValueError):  # another drive, or files that are no rows
        return {}


def page_name(number: int) -> str:
    """File name of a page; pages are counted from 1."""
    return f"{number:04d}.html"


def body_name(paper: int, page: int) -> str:
    """File name of a page of a whole paper's body; papers and pages are counted from 1."""
    return f"{paper}.html" if page == 1 else f"{paper}-{page}.html"


def _places(site: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Reads the search's rows, no further than needed."""
    for path in sorted((site / "search").glob("[0-9]*.js")):
        for number_of_page, number, name, *_ in _rows(path):
            if name in wanted:
                wanted.discard(name)
                yield name, f"pages/{page_name(int(number_of_page))}#p{int(number)}"
        if not wanted:
            return


def _rows(path: Path) -> list[list[Any]]:
    text = path.read_text(encoding="ascii")
    rows: list[list[Any]] = json.loads(text[text.index("[") : text.rindex("]") + 1])
    return rows
