"""Stored answers judged by today's gate: papers move, nothing is asked, and a crash loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.audit.audit import audit
from handlers.audit.regate import Regated, regate
from handlers.corpus.batching import read_paper
from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallTotals
from handlers.domain.ledger import Commit
from handlers.domain.part_lines import decode, encode
from handlers.domain.result import Part, PartLine
from handlers.domain.run import RunSpec
from handlers.pipeline.committer import entry_of
from handlers.pipeline.stored_answers import stored_calls
from handlers.ports import Backend
from handlers.runs.submit import RunRequest, cut_batches, submit_run
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.fakes import FakeClock
from tests.builders.values import RUN, call, part_line

TITLES = {
    "good": "三千米深的湖", "wrongly_done": "七千米深的湖", "wrongly_flagged": "五千米深的湖",
    "unanswered": "湖水的温度", "taken_over": "海水的温度", "waiting": "河水的温度",
}  # fmt: skip
ANSWERS = {
    "good": "A lake 3,000 metres deep", "wrongly_done": "A lake 70 metres deep",
    "wrongly_flagged": "A lake 5,000 metres deep", "unanswered": "The temperature of the lake",
}  # fmt: skip


class Run:
    """Of two batches, the second of which waits: what a gate of another day made of the first."""

    def __init__(self, folder: Path, batch_papers: int = 1) -> None:
        source = folder / "in.jsonl"
        rows = [{"id": name, "title": title, "language": "zh"} for name, title in TITLES.items()]
        source.write_text(
            "\n".join(map(json.dumps, [*rows, {**rows[1], "id": "follower"}])), encoding="utf-8"
        )
        found = ingest(open_source(str(source)), folder)
        self.ledger, self.store = SqliteLedger(folder / "ledger.sqlite3"), FileStore(folder)
        self.queue = SqliteQueue(folder / "queue.sqlite3", RUN, FakeClock())
        self.backend = Backend(self.ledger, self.queue, self.store, FakeClock(1000.0))
        spec = RunSpec(
            corpus_sha256=found.sha256, corpus=found.key, prompt_version="p", masking_version="2",
            model="m", batch_papers=batch_papers,
        )  # fmt: skip
        submit_run(
            self.backend, RunRequest(run_id=RUN, spec=spec, papers=found.papers, same_as=found.same_as)
        )
        self.task = TranslateTask(spec)
        self._parts = 0
        for message in list(self.ledger.unfinished_batches(RUN)):
            for position, paper_id in enumerate(message.ids):
                if paper_id != "waiting":
                    self._answer(message, position, paper_id)
            assert self.ledger.finish_batch(RUN, message.batch_id, now=2.0) == ("waiting" not in message.ids)

    def _answer(self, message: BatchMessage, position: int, name: str) -> None:
        paper = read_paper(self.store.read(message.corpus, *message.ranges[position]), name)
        answered = name in ANSWERS
        request = self.task.first_request(paper).digest if name != "unanswered" else "another"
        raw = json.dumps({"title": ANSWERS.get(name, "")})
        calls = (call(f"c-{name}", request=request, raw=raw, finish_reason="stop"),) if answered else ()
        status: Any = "flagged" if name == "wrongly_flagged" else "done"
        self.put(
            message,
            part_line(
                name, status, batch_id=message.batch_id, calls=calls,
                fields={"title": ANSWERS.get(name, "x")},
                error="numbers" if status == "flagged" else None,
                reused_from=None if answered else f"{RUN}/good", fingerprint=self.task.fingerprint(paper),
            ),
        )  # fmt: skip

    def put(self, message: BatchMessage, line: PartLine) -> None:
        self._parts += 1
        part_id = f"{message.batch_id}/1-job-{self._parts}"
        ((where,),) = self.store.write_parts("job", [Part(RUN, part_id, (encode(line),))])
        entry = entry_of(line, message.weight(message.ids.index(line.id)), where)
        totals = CallTotals.of(line.calls)
        self.ledger.commit([Commit(RUN, message.batch_id, part_id, "job", (entry,), totals, 1.0)])

    def regated(self, **options: Any) -> Regated:
        return regate(self.backend, self.ledger.run(RUN), self.task, **options)

    def statuses(self) -> dict[str, str]:
        return {row.paper_id: row.status for row in self.ledger.entries(RUN)}

    def line(self, name: str) -> PartLine:
        where = self.ledger.paper_rows(RUN, [name])[name].pointer
        assert where is not None
        return decode(self.store.read(where.key, where.offset, where.length), where)

    def close(self) -> None:
        for each in (self.ledger, self.queue, self.store):
            each.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.close()


MOVED = {"done->flagged": 2, "flagged->done": 1}


def test_papers_move_by_the_answers_that_are_stored_and_only_once(run: Run) -> None:
    assert run.statuses()["wrongly_done"] == "done"
    told = run.regated(dry=True)
    assert (told.moved, told.dry, run.statuses()["wrongly_done"]) == (MOVED, True, "done")
    done = run.regated()
    assert done.model_copy(update={"dry": True}) == told
    assert (done.papers, done.unchanged, done.unanswered, done.unfinished) == (6, 1, 2, 1)
    assert run.statuses() == {
        "good": "done", "wrongly_done": "flagged", "wrongly_flagged": "done", "unanswered": "done",
        "taken_over": "done",
    }  # fmt: skip
    assert run.regated().moved == {}
    assert run.ledger.totals(RUN).counts == {"done": 4, "flagged": 2, "failed": 0, "skipped": 0, "pending": 1}
    assert run.ledger.totals(RUN).calls.sent == len(ANSWERS)
    assert audit(run.backend, RUN).differences == ()


def test_a_line_says_what_judged_it_and_what_was_paid_for_it(run: Run) -> None:
    before, paid = run.line("wrongly_done"), run.line("wrongly_flagged").calls
    run.regated()
    flagged, done = run.line("wrongly_done"), run.line("wrongly_flagged")
    assert (flagged.status, flagged.error, flagged.gate, flagged.generation) == (
        "flagged",
        "numbers",
        run.task.gate,
        2,
    )
    assert flagged.reason is not None
    assert (done.status, done.error, done.reason) == ("done", None, None)
    assert (done.calls, done.carried) == ((), paid)
    assert (flagged.fingerprint, flagged.at) == (before.fingerprint, 1000.0)
    known = run.ledger.reusable([flagged.fingerprint, done.fingerprint])
    assert set(known) == {done.fingerprint}, "a refused result is none for other runs"


@pytest.mark.parametrize("where", ["write_parts", "rejudge"])
def test_a_crash_leaves_what_stood_and_the_same_again_goes_on(
    run: Run, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    target: Any = run.store if where == "write_parts" else run.ledger
    wrapped, calls = getattr(target, where), []

    def killed(*arguments: Any) -> Any:
        calls.append(arguments)
        if where == "write_parts" and len(calls) == 2:
            wrapped(*arguments)
        if len(calls) == 2:
            raise Killed
        return wrapped(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(target, where, killed)
        with pytest.raises(Killed):
            run.regated()
    assert "pending" not in run.statuses().values()
    run.regated()
    assert run.statuses()["wrongly_done"] == "flagged"
    assert run.statuses()["wrongly_flagged"] == "done"
    assert run.ledger.totals(RUN).calls.sent == len(ANSWERS)
    assert audit(run.backend, RUN).differences == ()


def test_a_refused_one_is_asked_again_by_a_retry(run: Run) -> None:
    run.regated()
    assert run.ledger.reopen(RUN, statuses=["flagged"], error=None) == 2
    messages = {each.ids[0]: each for each in run.ledger.unfinished_batches(RUN)}
    assert messages.keys() == {"wrongly_done", "waiting"}
    assert (
        messages["wrongly_done"].generation
        == run.ledger.paper_rows(RUN, ["wrongly_done"])["wrongly_done"].generation
        == 3
    )
    assert run.regated().unfinished == 3


def test_a_retry_begins_with_what_is_refused_now_though_others_of_the_batch_were_retried_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.corpus.batching._size", lambda left, most: most)  # no small ones at the end
    run = Run(tmp_path, batch_papers=4)
    message = next(cut_batches(RUN, run.ledger.run(RUN).spec, run.store))
    for generation in (2, 3):
        assert run.ledger.reopen(RUN, statuses=["flagged"], error=None) == 1
        said = {"batch_id": message.batch_id, "generation": generation, "calls": ()}
        run.put(message, part_line("wrongly_flagged", "flagged", **said))
        assert run.ledger.finish_batch(RUN, message.batch_id, now=2.0)
    assert run.regated().moved["done->flagged"]
    run.ledger.reopen(RUN, statuses=["flagged"], error=None)
    row = run.ledger.paper_rows(RUN, ["wrongly_done"])["wrongly_done"]
    found = stored_calls(run.ledger, run.store, message, {"wrongly_done": row})["wrongly_done"]
    assert [each.id for each in found.calls] == ["c-wrongly_done"]
    run.close()
