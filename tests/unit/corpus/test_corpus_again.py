"""Lines of a task's corpus, as a source has them, are the same records again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.tasks.reads import BY_DIGEST, Reads

RECORDS = [
    {"sku": "a-1", "id": 7, "title": "Lamp", "Review Text": "It broke.", "meta": {"stars": 2}},
    {"sku": "a-2", "id": 8, "title": "Lamp", "Review Text": "It works.", "meta": {"stars": 5}},
]


@pytest.mark.parametrize("shape", ["record", "paper"])
@pytest.mark.parametrize("name", ["id", "sku", BY_DIGEST])
def test_a_sample_is_ingested_as_its_corpus_was(tmp_path: Path, shape: str, name: str) -> None:
    reads = Reads.model_validate({"shape": shape, "fields": ("Review Text", "title"), "id": name})
    source, sample = tmp_path / "source.jsonl", tmp_path / "sample.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    first = ingest(open_source(str(source)), tmp_path, reads=reads)
    lines = first.corpus.read_bytes().splitlines(keepends=True)
    sample.write_bytes(b"".join(lines))
    again = ingest(open_source(str(sample)), tmp_path, reads=reads, of_corpus=True)
    assert again.corpus.read_bytes().splitlines(keepends=True) == lines
