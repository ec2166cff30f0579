"""The search of a review site as static files: rows that are shown and filtered, and words with their papers.

Both are scripts, since a page opened from a folder may load nothing else. Rows lie in the order of the
papers, a thousand a file. Words are cut as ``templates/search.js`` cuts a query: by their first three letters
they fall into one of 256 files, so that a query loads as many files as it has words. Memory is bounded
by ``_MOST_IN_MEMORY``, whatever the number of papers.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from handlers.domain.writing_systems import CJK
from handlers.reporting.review.highlighting import to_marked_html
from handlers.reporting.review.selection import ReviewPaper

_ROWS = 1_000
"""Papers in one file of rows."""
_MOST_IN_MEMORY = 300_000
"""Pairs of word and paper in memory before they are put aside on disk."""
_SHARDS = 256
_LONGEST = 40
"""Characters of a word; what is longer is no word."""
_PREFIX = 3
_RUN = re.compile(f"[{CJK}]+|[^\\W_{CJK}]+")
_IS_CJK = re.compile(f"[{CJK}]")


def words(text: str) -> set[str]:
    """Lower case and NFKC: words of letters and digits; of scripts without spaces every two neighbours."""
    result: set[str] = set()
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).lower()):
        if not _IS_CJK.match(run):
            result.add(run[:_LONGEST])
        elif len(run) == 1:
            result.add(run)
        else:
            result.update(left + right for left, right in pairwise(run))
    return result


def shard_of(word: str) -> str:
    """Two hex digits: FNV-1a (32 bit) over the code points of the word's first three characters."""
    digest = 2166136261
    for char in word[:_PREFIX]:
        digest = (digest ^ ord(char)) * 16777619 & 0xFFFFFFFF
    return f"{digest % _SHARDS:02x}"


def _drawn(titles: tuple[str, str]) -> Iterator[list[str]]:
    """The titles as safe HTML if one has a formula, which a list draws as the pages do."""
    if any("$" in title or "\\" in title for title in titles):
        yield [to_marked_html(title) for title in titles]


class SearchIndex:
    """Takes the papers in their order and writes the files below ``folder``, which must exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[list[Any]] = []
        self._words = _Words(folder)
        self.row_files = 0
        self.word_files: tuple[str, ...] = ()

    def add(self, page: int, number: int, paper: ReviewPaper) -> None:
        """``number`` counts the papers from 1."""
        checks = [f"{check.name} {check.verdict}" for check in paper.checks]
        titles = paper.title[:300], paper.source_title[:300]
        row = [page, number, paper.id, *titles, paper.status, paper.language, paper.subject]
        drawn = list(_drawn(titles))
        more = [drawn[0] if drawn else None, list(paper.facets)] if paper.facets else drawn
        self._rows.append([*row, round(paper.cost_usd, 9), checks, *more])
        self._words.add(number, words(" ".join(paper.searched)))
        if len(self._rows) == _ROWS:
            self._write_rows()

    def close(self) -> None:
        """Write what is left."""
        if self._rows:
            self._write_rows()
        self.word_files = tuple(self._words.close())

    def _write_rows(self) -> None:
        _script(self._folder / f"{self.row_files:04d}.js", "paperfleetRows", self.row_files, self._rows)
        self.row_files += 1
        self._rows = []


class _Words:
    """Word → numbers of its papers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._papers: dict[str, list[int]] = {}
        self._count = 0

    def add(self, number: int, words: Iterable[str]) -> None:
        for word in words:
            self._papers.setdefault(word, []).append(number)
            self._count += 1
        if self._count >= _MOST_IN_MEMORY:
            self._put_aside()

    def close(self) -> Iterator[str]:
        """Names of the shards that there are."""
        self._put_aside()
        for path in sorted(self._folder.glob("*.part")):
            papers: dict[str, list[int]] = {}
            for line in path.read_text(encoding="utf-8").splitlines():
                word, _, numbers = line.partition("\t")
                papers.setdefault(word, []).extend(map(int, numbers.split(",")))
            packed = {word: _packed(numbers) for word, numbers in sorted(papers.items())}
            _script(self._folder / f"w{path.stem}.js", "paperfleetWords", path.stem, packed)
            path.unlink()
            yield path.stem

    def _put_aside(self) -> None:
        lines: dict[str, list[str]] = {}
        for word, numbers in self._papers.items():
            lines.setdefault(shard_of(word), []).append(f"{word}\t{','.join(map(str, numbers))}\n")
        for shard, some in lines.items():
            with (self._folder / f"{shard}.part").open("a", encoding="utf-8") as file:
                file.writelines(some)
        self._papers, self._count = {}, 0


def _packed(numbers: list[int]) -> str:
    """Differences of rising numbers, base 36."""
    return ",".join(_base36(high - low) for low, high in pairwise([0, *numbers]))


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _script(path: Path, function: str, name: int | str, content: object) -> None:
    """ASCII without ``<``: no text of a paper can end the script or begin markup."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    path.write_text(f"{function}({json.dumps(name)},{text});\n", encoding="ascii")
