"""Vectors of several lengths are no longer silent: report and export say how many of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.result import Part
from handlers.domain.tasks.answer_types import VECTOR
from handlers.domain.tasks.vectors import stored_vector
from handlers.ports import Backend
from handlers.results.answer_records import AnswerColumns
from handlers.results.run_answers import unlike_vectors
from tests.builders import values
from tests.builders.values import RUN, part_line

COLUMNS = AnswerColumns({"vector": {"type": VECTOR}, "note": {"type": "string"}})


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    store, ledger = FileStore(tmp_path), SqliteLedger(tmp_path / "ledger.sqlite3")
    yield values.backend(ledger=ledger, store=store)
    store.close()
    ledger.close()


def stored(backend: Backend, *lengths: int) -> None:
    backend.ledger.create_run(values.run_record(papers=len(lengths)))
    lines = [
        part_line(f"p{n}", fields={"vector": stored_vector(array("f", [1.0] * length)), "note": "x"})
        for n, length in enumerate(lengths)
    ]
    part = Part(RUN, "b1/1-job-1", tuple(line.model_dump_json().encode() + b"\n" for line in lines))
    (pointers,) = backend.store.write_parts("job-a", [part])
    entries = (values.entry(line.id, "done", pointer=at) for line, at in zip(lines, pointers, strict=True))
    backend.ledger.commit([values.commit(*entries)])


def test_vectors_of_several_lengths_are_told_with_how_many_of_each(backend: Backend) -> None:
    stored(backend, 4, 4, 8)
    (told,) = unlike_vectors(RUN, COLUMNS, backend)
    assert told.startswith(
        "the vectors in vector are of different lengths (2 of 4 dimensions, 1 of 8 dimensions)"
    )


def test_vectors_of_one_length_and_other_answers_say_nothing(backend: Backend) -> None:
    stored(backend, 4, 4)
    assert unlike_vectors(RUN, COLUMNS, backend) == []
    assert unlike_vectors(RUN, AnswerColumns({"note": {"type": "string"}}), backend) == []
