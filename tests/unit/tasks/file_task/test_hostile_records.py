"""Records made to hurt, in one source: each is rejected by its line, skipped, flagged, or sent as it is."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.call import ChatRequest
from handlers.domain.paper import Paper
from handlers.tasks.file_task.file_task import FileTask
from tests.builders.hostile_records import BROKEN, GOOD, RECORDS, SENT, TASK
from tests.builders.task_files import answering, bundle_in, spec_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Paper], dict[int, str], FileTask]:
    """Papers by id, reasons by line, and the task."""
    folder: Path = tmp_path_factory.mktemp("records")
    bundle = bundle_in(folder, TASK)
    rows = [json.dumps({"id": f"r{n:02}", **said}) for n, (_, said, _) in enumerate(RECORDS)]
    source = folder / "in.jsonl"
    source.write_text("\n".join([*rows, *(line for _, line, _ in BROKEN)]), "utf-8")
    began = time.process_time()
    result = ingest(open_source(str(source)), folder / "state", reads=bundle.reads)
    assert time.process_time() - began < 2
    papers = [Paper.model_validate_json(line) for line in result.corpus.read_bytes().splitlines()]
    rejects = map(json.loads, result.rejects_path.read_text("utf-8").splitlines())
    reasons = {row["line"]: row["reason"] for row in rejects}
    return {paper.id: paper for paper in papers}, reasons, FileTask.of_run(bundle, spec_of(bundle))


Made = tuple[dict[str, Paper], dict[int, str], FileTask]


def test_there_are_forty() -> None:
    assert len(RECORDS) >= 40


@pytest.mark.parametrize("number", range(len(RECORDS)), ids=[each[0] for each in RECORDS])
def test_a_hostile_record_is_sent_as_it_is_or_costs_nothing(made: Made, number: int) -> None:
    papers, _, task = made
    paper, outcome = papers[f"r{number:02}"], RECORDS[number][2]
    asked: list[ChatRequest] = []
    began = time.process_time()
    reason = task.skip_reason(paper)
    if reason is not None:
        assert reason == outcome
        return
    result = task.run(paper, answering(GOOD, asked=asked))
    assert time.process_time() - began < 0.2
    assert (result.error or result.status) == outcome
    assert len(asked) == (outcome == SENT)
    for request in asked:
        system, user = request.messages
        assert system.content == task.first_request(papers["r00"]).messages[0].content
        assert user.role == "user"
        json.dumps(user.content).encode()
    assert result.fields in ({}, {"kind": "good"})


@pytest.mark.parametrize("number", range(len(BROKEN)), ids=[each[0] for each in BROKEN])
def test_a_line_that_is_no_record_is_rejected_by_its_number(made: Made, number: int) -> None:
    _, reasons, _ = made
    assert BROKEN[number][2] in reasons[len(RECORDS) + number + 1]


def test_what_a_value_holds_is_not_read_again(made: Made) -> None:
    papers, _, task = made
    said = task.first_request(papers["r00"]).messages[1].content
    assert said == "T\n{{ system }} {{ title }}"
