"""What a retry pays for after other checks judged a record that is asked by passages: repairs, and what was
refused before and still is. On every ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.audit.regate import regate
from handlers.corpus.batching import read_paper
from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.call import CallTotals
from handlers.domain.call_errors import UnansweredError
from handlers.domain.ledger import Commit
from handlers.domain.paper import Paper
from handlers.domain.part_lines import encode
from handlers.domain.result import Part, PassageResult, TaskResult
from handlers.pipeline.committer import entry_of
from handlers.pipeline.papers.known_answers import KnownAnswers
from handlers.pipeline.stored_answers import stored_calls
from handlers.ports import Backend, Ledger
from handlers.runs.submit import cut_batches
from handlers.tasks.file_task.by_passage.passage_task import PassageFileTask
from handlers.tasks.file_task.task_kinds import task_of_bundle
from handlers.tasks.translation.passages import BODY_VERSION
from tests.builders.fakes import FakeClock
from tests.builders.task_files import bundle_in, spec_of
from tests.builders.values import RUN, call, part_line, run_record

TASK = """v = 1
name = "terms"
[input]
unit = "passage"
[prompt]
user = "{{ passage }}"
[output.fields]
terms = "list of text 1..20"
"""
SAID = {"body/0": "heat", "body/1": "cold", "body/2": "wind"}
"""The term that each passage was answered with."""


def refusing(*words: str) -> str:
    return f'{TASK}[[check]]\nkind = "absent"\ntexts = {json.dumps(words)}\n'


class Blaming(PassageFileTask):
    """Its check of a whole record minds what no check of a passage does."""

    def result(self, paper: Paper, results: Mapping[str, PassageResult]) -> TaskResult:
        said = {"status": "flagged", "error": "structure", "blamed": ("body/1",)}
        return super().result(paper, results).model_copy(update=said)


class Record:
    """One of three passages, each answered, in a run that has ended."""

    def __init__(self, folder: Path, ledger: Ledger, *refused: str) -> None:
        self._folder, self._ledger, self._parts = folder, ledger, 0
        prose = "We train the model on the corpus and compare it with a baseline of words. " * 40
        body = "\n\n".join(f"# Part {n}\n\nTrial {n}. {prose}" for n in range(3))
        source = folder / "in.jsonl"
        source.write_text(json.dumps({"id": "p1", "title": "t", "language": "en", "body": body}), "utf-8")
        found = ingest(open_source(str(source)), folder)
        self._store, queue = FileStore(folder), SqliteQueue(folder / "queue.sqlite3", RUN, FakeClock())
        self._backend = Backend(ledger, queue, self._store, FakeClock(1000.0))
        self._spec = spec_of(
            bundle_in(folder, TASK), corpus_sha256=found.sha256, corpus=found.key, full_text=True,
            body_version=BODY_VERSION, batch_papers=1,
        )  # fmt: skip
        batches = list(cut_batches(RUN, self._spec, self._store))
        ledger.add_batches(batches)
        ledger.create_run(run_record(**self._spec.model_dump(exclude_defaults=True)))
        (self._message,) = batches
        self._paper = read_paper(self._store.read(found.key, *self._message.ranges[0]), "p1")
        self.end(1, {key: key not in refused for key in SAID})
        queue.close()

    def end(self, generation: int, passed: dict[str, bool]) -> None:
        """Each of these is answered as ever, and the record ends."""
        for work in self.task(TASK).first(self._paper):
            if work.key in passed:
                raw = json.dumps({"terms": [SAID[work.key]]})
                request = self._asked[work.key]
                done = call(f"{work.key}-{generation}", request=request, raw=raw, finish_reason="stop")
                self._put("pending", generation, passage=work.key, calls=(done,), passed=passed[work.key],
                          reason=None if passed[work.key] else "refused")  # fmt: skip
        status = "done" if all(passed.values()) else "flagged"
        self._put(status, generation, calls=(), behind=CallTotals(sent=3))
        assert self._ledger.finish_batch(RUN, self._message.batch_id, now=2.0)

    @property
    def _asked(self) -> dict[str, str]:
        task = self.task(TASK)
        keys = [work.key for work in task.first(self._paper)]
        return dict(zip(keys, (each.digest for each in task.requests(self._paper)), strict=True))

    def _put(self, status: Any, generation: int, **said: Any) -> None:
        self._parts += 1
        where = {"batch_id": self._message.batch_id, "generation": generation, "at": float(self._parts)}
        line = part_line("p1", status, **where, **said)
        part_id = f"{self._message.batch_id}/1-job-{self._parts}"
        ((place,),) = self._store.write_parts("job", [Part(RUN, part_id, (encode(line),))])
        made = Commit(RUN, line.batch_id, part_id, "job", (entry_of(line, 1, place),), CallTotals(), 1.0)
        self._ledger.commit([made])

    def task(self, text: str) -> PassageFileTask:
        bundle = bundle_in(self._folder, text)
        task = task_of_bundle(bundle, self._spec)
        assert isinstance(task, PassageFileTask)
        return task

    def judged(self, task: PassageFileTask) -> dict[str, int]:
        moved = regate(self._backend, self._ledger.run(RUN), task).moved
        assert regate(self._backend, self._ledger.run(RUN), task).moved == {}
        return moved

    def retried(self, task: PassageFileTask) -> set[str]:
        """The passages whose first questions are paid for."""
        assert self._ledger.reopen(RUN, statuses=["flagged"], error=None) == 1
        row = self._ledger.paper_rows(RUN, ["p1"])["p1"]
        stored = stored_calls(self._ledger, self._store, self._message, {"p1": row})["p1"]
        self.generation = row.generation
        anew = set()
        for work in task.first(self._paper):
            known = KnownAnswers((*stored.earlier, *stored.calls))
            with suppress(UnansweredError):
                work.run(known.ask)
            anew |= {work.key} if known.missed else set()
        return anew


Opened = Callable[[], Ledger]


def test_what_other_checks_refuse_is_repaired_and_a_second_retry_asks_it_anew(
    open_ledger: Opened, tmp_path: Path
) -> None:
    record, stricter = Record(tmp_path, open_ledger()), refusing("cold")
    assert record.judged(record.task(stricter)) == {"done->flagged": 1}
    assert record.retried(record.task(stricter)) == set()
    record.end(record.generation, {"body/1": False})
    assert record.retried(record.task(stricter)) == {"body/1"}


def test_one_that_other_checks_let_through_is_not_paid_for_though_another_is_refused(
    open_ledger: Opened, tmp_path: Path
) -> None:
    record, other = Record(tmp_path, open_ledger(), "body/0", "body/2"), refusing("cold", "wind")
    assert record.judged(record.task(other)) == {}
    assert record.retried(record.task(other)) == {"body/2"}, "it was refused, and still is"


def test_one_that_was_let_through_once_stays_known(open_ledger: Opened, tmp_path: Path) -> None:
    record, stricter = Record(tmp_path, open_ledger(), "body/0"), refusing("cold")
    assert record.judged(record.task(TASK)) == {"flagged->done": 1}
    assert record.judged(record.task(stricter)) == {"done->flagged": 1}
    assert record.retried(record.task(stricter)) == set()


def test_one_that_the_whole_record_blames_is_asked_anew(open_ledger: Opened, tmp_path: Path) -> None:
    record = Record(tmp_path, open_ledger())
    task = record.task(TASK)
    blaming = Blaming.of_run(task._bundle, task._spec)
    assert isinstance(blaming, Blaming)
    assert record.judged(blaming) == {"done->flagged": 1}
    assert record.retried(blaming) == {"body/1"}
