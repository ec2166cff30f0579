"""Which accepted papers have a formula of their source changed, told by a reader of its own."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FORMULA = re.compile(r"\$\$[^$]+\$\$|\$[^$]+\$")
_WORDS = re.compile(r"\\(?:text|mathrm|mbox|textrm|textbf|mathbf|rm)\s*\{[^{}]*\}")
_HAN = re.compile("[\u4e00-\u9fff]")


def formulas(text: str) -> Counter[str]:
    """Formulas between dollars, by a pattern that knows nothing of the masking. Texts with escaped or an
    odd number of dollars are left to other tests: there two readers may differ on what is a formula. A
    span with Chinese outside ``\\text{}`` and the like is prose between two formulas, or an arrow that
    came out of a PDF as ``$$``."""
    if "\\$" in text or text.count("$") % 2:
        return Counter()
    return Counter(found for found in _FORMULA.findall(text) if not _HAN.search(_WORDS.sub("", found)))


def changed_formulas(corpus: Path, results: Path) -> list[str]:
    """Ids of accepted papers in which a formula of the source is missing, doubled or altered."""
    wrong = []
    sources = {paper["id"]: paper for paper in _lines(corpus)}
    for line in _lines(results):
        source = sources.get(line["id"])
        if line["status"] != "done" or source is None:
            continue
        for name in ("title", "abstract"):
            if formulas(source.get(name) or "") - formulas(line[name] or ""):
                wrong.append(line["id"])
                break
    return wrong


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue
