"""Heads that a run with bodies has paid for, as a run without them takes them over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.domain.paper import Paper
from handlers.domain.part_lines import encode
from handlers.domain.result import MADE_UP, OF_HEAD, Part
from handlers.pipeline.papers.known_heads import known_heads
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.run_paper import PendingPaper, run_paper
from handlers.tasks.translation.translate import TranslateTask
from tests.builders import values
from tests.builders.bench import GOOD, Bench

PAPER = Paper(id="p1", title="样本的热导率", abstract="本文研究了样本。", language="zh")
RIGHT = {"title": "Thermal conductivity of the sample", "abstract": "We study the sample."}


def paid(
    bench: Bench, mark: str = "", run_id: str = "before", answer: dict[str, str] = RIGHT
) -> PendingPaper:
    """A paper whose head another run was answered so."""
    pending = PendingPaper.of(bench.context, PAPER, 1)
    asked = bench.context.task.first_request(PAPER).digest
    made = values.call(request=asked, raw=json.dumps(answer), finish_reason="stop", made_up=bool(mark))
    name = OF_HEAD + mark + pending.names[0]
    line = values.part_line("p1", "pending", run_id=run_id, fingerprint=name, calls=(made,))
    ((where,),) = bench.job.backend.store.write_parts("job-a", [Part(run_id, "b1/1-a-1", (encode(line),))])
    if run_id != "r":
        bench.ledger.create_run(values.run_record(run_id))
    entry = values.entry("p1", "pending", fingerprint=name, pointer=where)
    bench.ledger.commit([values.commit(entry, run_id=run_id)])
    return pending


def outcome(bench: Bench, pending: PendingPaper, again: bool = False) -> tuple[str, int]:
    """What becomes of the paper, and calls that are made for it."""
    head = known_heads(bench.context, [pending], again=again).get("p1")
    pending = pending.knowing(None if head is None else head.answered)
    line = run_paper(bench.context, values.batch(ids=("p1",)), pending)
    assert line is not None
    return line.status, len(bench.model.requests)


GIVEN, ASKED = ("done", 0), ("done", 1)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, replace(GOOD, content=json.dumps(RIGHT)))


def test_a_head_that_was_answered_is_not_asked_again(bench: Bench) -> None:
    assert outcome(bench, paid(bench)) == GIVEN


def test_nor_is_it_taken_as_it_is(bench: Bench) -> None:
    """The run's own gate judges it, and asks for the repair."""
    pending = paid(bench, answer=RIGHT | {"title": "样本的热导率"})
    assert outcome(bench, pending) == ASKED
    assert bench.model.requests[0].kind == "repair"


@pytest.mark.parametrize("here", [True, False])
def test_what_was_made_up_is_given_by_the_built_in_server_alone(bench: Bench, here: bool) -> None:
    bench.context.is_built_in = lambda: here
    assert outcome(bench, paid(bench, MADE_UP)) == (GIVEN if here else ASKED)


def test_a_retry_force_and_the_runs_own_lines_ask_again(bench: Bench) -> None:
    pending = paid(bench)
    assert known_heads(bench.context, [pending], again=True) == {}
    bench.job.force = True
    assert known_heads(bench.context, [pending], again=False) == {}


def test_a_head_of_the_run_itself_is_no_other_runs(bench: Bench) -> None:
    head = known_heads(bench.context, [paid(bench, run_id="r")], again=False)["p1"]
    assert head.answered is None


def test_one_that_cannot_be_read_is_asked_again_and_forgotten(bench: Bench, tmp_path: Path) -> None:
    pending = paid(bench)
    (segment,) = (tmp_path / "runs" / "before").rglob("*.jsonl")
    segment.write_bytes(b"\0" * segment.stat().st_size)
    assert outcome(bench, pending) == ASKED
    assert bench.ledger.reusable([OF_HEAD + pending.names[0]]) == {}


@pytest.mark.parametrize("bodies", [True, False])
def test_a_stack_looks_for_them_where_runs_have_bodies(bench: Bench, bodies: bool) -> None:
    pending, spec = paid(bench), bench.context.record.spec
    bench.job.in_stack = True
    other = spec.model_copy(update={"full_text": bodies, "body_version": "1"})
    bench.context.names = ResultNames(TranslateTask(spec), spec, TranslateTask, [other])
    assert outcome(bench, pending) == (GIVEN if bodies else ASKED)
