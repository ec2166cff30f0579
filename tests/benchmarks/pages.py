"""What people look at, made from finished runs of a real corpus; prints sizes, seconds and memory.

    python -m tests.benchmarks.pages CORPUS.jsonl.gz [--report-papers 34237]

The report is made of so many papers (the corpus over and over, each copy with texts of its own), the review
site and Parquet of the corpus once. Translations are filler around the exact formulas; 3% are flagged.
Checked on the way, with exit code 1 if one fails: the report is below 2 MB, and no paper is missing on the
site.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from handlers.domain.paper import Paper
from handlers.domain.result import Check
from handlers.model_server.canned import Filler
from handlers.tasks.translation.masking.masking import mask, unmask
from tests.builders.finished_run import RUN, Outcome, finished_run

_MOST = 2_000_000
_MISSING = Check(
    name="numbers",
    verdict="fail",
    detail='In "abstract" numbers of the source are missing or changed: 12, 3.5.',
)


def papers(corpus: Path, wanted: int) -> Iterator[dict[str, Any]]:
    """The corpus, again and again until there are as many as wanted."""
    for copy in count():
        before = wanted
        for paper in islice(_lines(corpus), wanted):
            suffix = f" {copy}" if copy else ""
            yield paper | {"id": paper["id"] + suffix, "title": paper["title"] + suffix}
            wanted -= 1
        if not wanted or wanted == before:
            return


def _lines(corpus: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(corpus, "rt", encoding="utf-8") if corpus.suffix == ".gz" else corpus.open() as file:
        yield from (json.loads(line) for line in file)


class Translations:
    """Filler with the formulas of the source; every 33rd answer is refused by the gate."""

    def __init__(self) -> None:
        self._filler = Filler()

    def __call__(self, paper: Paper, number: int) -> Outcome:
        if paper.language == "en":
            return Outcome("skipped", error="target_language")
        fields = {
            "title": self._text(paper.title),
            "abstract": self._text(paper.abstract),
            "keywords": [self._text(word) for word in paper.keywords],
        }
        if number % 33 == 0:
            return Outcome("flagged", fields, (_MISSING,), "numbers", _MISSING.detail, cost=900_000)
        return Outcome("done", fields, cost=300_000 + 700 * len(paper.abstract))

    def _text(self, text: str) -> str:
        masked = mask(text)
        return unmask(self._filler.translate(masked.text, {}), masked.spans)


@dataclass(frozen=True)
class Cost:
    """Of one command, start of the interpreter included."""

    seconds: float
    cpu: float
    memory_mb: float
    said: str


def paperfleet(*arguments: object) -> Cost:
    began = time.monotonic()
    command = [sys.executable, "-m", "handlers.cli", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(said)
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(each.stat().st_size for each in path.rglob("*")) if path.is_dir() else path.stat().st_size


def show(name: str, papers: int, cost: Cost, path: Path) -> None:
    print(
        f"{name:10}{papers:8,} papers {size(path) / 1e6:8.2f} MB {cost.seconds:7.1f} s {cost.cpu:7.1f} s CPU"
        f" {cost.memory_mb:6.0f} MB peak"
    )


def measure(corpus: Path, report_papers: int, folder: Path) -> bool:
    state = folder / "large"
    with finished_run(state, papers(corpus, report_papers), Translations(), jobs=20, workers=100) as run:
        count = run.report().papers
    page = folder / "report.html"
    cost = paperfleet("report", "--state", state, "--run-id", RUN, "--html", page, "--json")
    show("report", count, cost, page)
    state = folder / "small"
    with finished_run(state, _lines(corpus), Translations(), jobs=4, workers=100) as run:
        counts = run.report().counts
    site = folder / "site"
    cost = paperfleet("review", "--state", state, "--run-id", RUN, "--output", site, "--drafts")
    shown = int((re.search(r"([\d,]+) papers on", cost.said) or ["", "0"])[1].replace(",", ""))
    show("review", shown, cost, site)
    files = list((site / "search").iterdir())
    print(f"{'':10}of it the search {size(site / 'search') / 1e6:.2f} MB in {len(files)} files")
    table = folder / "results.parquet"
    cost = paperfleet("export", "--state", state, "--run-id", RUN, "--format", "parquet", "--output", table)
    show("parquet", sum(counts.values()), cost, table)
    return page.stat().st_size < _MOST and shown == counts["done"] + counts["flagged"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--report-papers", type=int, default=34_237)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        return 0 if measure(options.corpus, options.report_papers, Path(name)) else 1


if __name__ == "__main__":
    sys.exit(main())
