"""Answers to a task file that another run was given and refused: judged again, and never paid for twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from handlers.domain.call import CallRecord, ChatRequest
from handlers.domain.part_lines import encode
from handlers.domain.result import Part, PartLine
from handlers.domain.run import RunRecord
from handlers.pipeline.papers.reused_results import reuse_results
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.run_paper import PendingPaper, run_paper
from handlers.pipeline.stored_answers import StoredCalls
from tests.builders import values
from tests.builders.bench import GOOD as ANSWER
from tests.builders.bench import Bench
from tests.builders.task_files import SUBJECT, answering, paper, task_in

STRICTER = SUBJECT + '[[check]]\nkind = "contains"\nfield = "reason"\ntexts = ["magic"]\n'
POOR, GOOD = (
    f'{{"field":"physics","confidence":1,"reason":"It is {word} physics."}}' for word in ("about", "magic")
)


def bench_of(folder: Path, text: str, *answers: str) -> Bench:
    bench = Bench(folder, *(replace(ANSWER, content=each) for each in answers))
    task = task_in(folder, text)
    spec = task._spec
    bench.context.task = task
    bench.context.record = RunRecord("r", spec, 10, 0, 0.0, None)
    bench.context.names = ResultNames(task, spec, task.with_settings)
    return bench


def refused_before(bench: Bench, text: str, folder: Path, run_id: str = "before") -> None:
    """Twice it was answered poorly."""
    task, asked = task_in(folder, text), list[ChatRequest]()
    result = task.run(paper(), answering(POOR, POOR, asked=asked))
    calls = tuple(
        values.call(f"c{n}", kind=each.kind, request=each.digest, raw=POOR, finish_reason="stop")
        for n, each in enumerate(asked)
    )
    store_refused(bench, task.fingerprint(paper()), result.error or "", calls, run_id)


def store_refused(
    bench: Bench, name: str, error: str, calls: tuple[CallRecord, ...], run_id: str = "before"
) -> None:
    line = values.part_line("p1", "flagged", run_id=run_id, fingerprint=name, calls=calls, error=error)
    ((where,),) = bench.job.backend.store.write_parts(
        "job-b", [Part(run_id, "b1/1-job-b-1", (encode(line),))]
    )
    if run_id != "r":
        bench.ledger.create_run(values.run_record(run_id))
    entry = values.entry("p1", "flagged", fingerprint=line.fingerprint, pointer=where)
    bench.ledger.commit([values.commit(entry, run_id=run_id)])


def taken(bench: Bench, generation: int = 1) -> tuple[PartLine | None, StoredCalls | None]:
    pending = PendingPaper.of(bench.context, paper(), 1)
    batch = values.batch(ids=("p1",)).model_copy(update={"generation": generation})
    lines, answered = reuse_results(bench.context, batch, [pending])
    return lines.get("p1"), answered.get("p1")


def test_a_refused_answer_is_refused_again_for_nothing(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, STRICTER)
    refused_before(bench, STRICTER, tmp_path)
    line, answered = taken(bench)
    assert line is not None
    assert answered is None
    assert (line.status, line.error, line.reused_from) == ("flagged", "contains", "before/p1")
    assert (line.calls, line.carried) == ((), ())
    assert line.fields["reason"] == "It is about physics."


def test_a_refusal_of_the_endpoint_is_not_asked_for_again(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, SUBJECT)
    task = task_in(tmp_path, SUBJECT)
    digest = task.first_request(paper()).digest
    refused = values.call("c0", kind="ask", request=digest, outcome="refused", code="too_long", usage=None)
    store_refused(bench, task.fingerprint(paper()), "too_long", (refused,))
    line, _ = taken(bench)
    assert line is not None
    assert (line.status, line.error, line.calls) == ("flagged", "too_long", ())


def test_one_that_looser_checks_let_through_is_done(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, SUBJECT)
    refused_before(bench, STRICTER, tmp_path)
    line, _ = taken(bench)
    assert line is not None
    assert (line.status, line.gate) == ("done", bench.context.task.gate)


def test_other_checks_pay_for_the_repair_alone(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, STRICTER.replace("magic", "other"), POOR.replace("about", "other"))
    refused_before(bench, STRICTER, tmp_path)
    line, answered = taken(bench)
    assert line is None
    assert answered is not None
    pending = PendingPaper.of(bench.context, paper(), 1).knowing(answered)
    made = run_paper(bench.context, values.batch(ids=("p1",)), pending)
    assert made is not None
    assert (made.status, [call.kind for call in made.calls]) == ("done", ["repair"])


@pytest.mark.parametrize(("run_id", "generation"), [("before", 2), ("r", 1)])
def test_a_retry_asks_anew(tmp_path: Path, run_id: str, generation: int) -> None:
    bench = bench_of(tmp_path, STRICTER)
    refused_before(bench, STRICTER, tmp_path, run_id)
    assert taken(bench, generation) == (None, None)


def test_answers_to_other_prompts_are_none(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, STRICTER.replace("scientific", "chemical"))
    refused_before(bench, STRICTER, tmp_path)
    assert taken(bench) == (None, None)
