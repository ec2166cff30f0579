"""Results a second that ``export`` writes, and its own peak memory; prints them as a table.

python -m tests.benchmarks.export_rate [PAPERS]
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.bootstrap.host import helper_processes
from handlers.domain.ledger import Commit
from handlers.domain.part_lines import encode
from handlers.domain.result import Part
from handlers.results import export as exporting
from tests.builders import values

_ABSTRACT = "本文研究了材料的结构与性能，结果表明该方法的准确率为百分之九十五。" * 8
_TRANSLATED = "This paper studies the structure and properties of the material; the accuracy is 95%. " * 8
_PART = 25


def corpus(folder: Path, papers: int) -> Path:
    path = folder / "corpus.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(papers):
            paper = {"id": f"p{number}", "title": "题目", "abstract": _ABSTRACT, "language": "zh"}
            file.write(json.dumps(paper, ensure_ascii=False) + "\n")
    return path


def commits(store: FileStore, papers: int) -> Iterator[Commit]:
    """Parts of a finished run, as its committer would have written them."""
    for start in range(0, papers, _PART):
        ids = [f"p{number}" for number in range(start, min(start + _PART, papers))]
        texts = {"title": "Title", "abstract": _TRANSLATED, "keywords": ["one", "two"]}
        lines = [
            values.part_line(paper_id, fields=texts, calls=(values.call(raw=_TRANSLATED),))
            for paper_id in ids
        ]
        part = Part("r", f"b/{start}", tuple(map(encode, lines)))
        (pointers,) = store.write_parts("job-a", [part])
        entries = [
            values.entry(paper_id, pointer=where) for paper_id, where in zip(ids, pointers, strict=True)
        ]
        yield values.commit(*entries, part=str(start))


def main() -> None:
    papers = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, ledger = FileStore(folder / "state"), SqliteLedger(folder / "ledger.sqlite3")
        source = corpus(folder, papers)
        key = f"corpora/{hashlib.sha256(source.read_bytes()).hexdigest()}.jsonl"
        store.put_file(key, source)
        ledger.create_run(values.run_record(papers=papers, corpus=key))
        parts = commits(store, papers)
        while group := list(islice(parts, 100)):
            ledger.commit(group)
        backend = values.backend(ledger=ledger, store=store)
        writers = {
            "jsonl": partial(exporting.export_jsonl, processes=helper_processes()),  # as the command does
            "csv": partial(exporting.export, form="csv"),
        }
        for kind, export in writers.items():
            began = time.monotonic()
            counts = export(backend, "r", folder / f"out.{kind}")
            assert counts["done"] == papers
            print(f"{kind:8}{papers / (time.monotonic() - began):12,.0f} results/s")
        print(f"{'memory':8}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:12,.0f} MB peak")
        ledger.close()
        store.close()


if __name__ == "__main__":
    main()
