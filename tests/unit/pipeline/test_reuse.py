"""Results of earlier runs and earlier releases are found, each by the name that it was given."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlers.domain.paper import Paper
from handlers.domain.part_lines import encode
from handlers.domain.result import MADE_UP, Part
from handlers.domain.run import RunSpec
from handlers.pipeline.calls.paper_calls import PaperCalls
from handlers.pipeline.papers.reused_results import reuse_results
from handlers.pipeline.result_names import ResultNames, kindred
from handlers.pipeline.run_paper import PendingPaper, run_paper
from handlers.tasks.translation.translate import TranslateTask
from tests.builders import values
from tests.builders.bench import GOOD, Bench

PAPER = Paper(id="p1", title="样本的热导率", abstract="本文研究了样本。", language="zh")
GOLDEN = "ad38cea6c152958f10934e93861d835bd3ecd10564a201eb55a53f7d1b564dda"
"""Of this text with the tests' settings, as an earlier release named it."""


def done_before(bench: Bench, fingerprint: str) -> None:
    line = values.part_line("p1", run_id="before", fingerprint=fingerprint)
    part = Part("before", "b1/1-job-a-1", (encode(line),))
    ((where,),) = bench.job.backend.store.write_parts("job-a", [part])
    entry = values.entry("p1", fingerprint=fingerprint, pointer=where)
    bench.ledger.create_run(values.run_record("before"))
    bench.ledger.commit([values.commit(entry, run_id="before")])


@pytest.mark.parametrize("release", ["earlier", "this"])
def test_a_result_is_found_under_the_name_of_its_release(tmp_path: Path, release: str) -> None:
    bench = Bench(tmp_path)
    pending = PendingPaper.of(bench.context, PAPER, 1)
    assert pending.names[1:] == (GOLDEN,)
    done_before(bench, GOLDEN if release == "earlier" else pending.names[0])
    lines, _ = reuse_results(bench.context, values.batch(ids=("p1",)), [pending])
    assert lines["p1"].reused_from == "before/p1"
    assert lines["p1"].fingerprint == pending.names[0]
    assert lines["p1"].calls == ()


@pytest.mark.parametrize("here", [True, False], ids=["the built-in server", "another endpoint"])
def test_what_the_built_in_server_made_up_is_taken_over_there_alone(tmp_path: Path, here: bool) -> None:
    bench = Bench(tmp_path)
    bench.context.is_built_in = lambda: here
    pending = PendingPaper.of(bench.context, PAPER, 1)
    done_before(bench, MADE_UP + pending.names[0])
    lines, _ = reuse_results(bench.context, values.batch(ids=("p1",)), [pending])
    assert [line.fingerprint for line in lines.values()] == [MADE_UP + pending.names[0]] * here


@pytest.mark.parametrize("made_up", [True, False])
def test_a_result_is_named_by_who_answered(tmp_path: Path, made_up: bool) -> None:
    segments = json.dumps({"title": "Thermal conductivity of the sample", "abstract": "We study the sample."})
    bench = Bench(tmp_path, replace(GOOD, content=segments, made_up=made_up))
    pending = PendingPaper.of(bench.context, PAPER, 1)
    line = run_paper(bench.context, values.batch(ids=("p1",)), pending)
    assert line is not None
    assert (line.status, line.fingerprint) == ("done", MADE_UP * made_up + pending.names[0])
    assert ("not a translation" in line.notice, "Machine translation" in line.notice) == (
        made_up,
        not made_up,
    )
    assert [call.made_up for call in line.calls] == [made_up]
    again = PaperCalls(bench.context, line.calls)
    assert bool(again._replay) != made_up  # of an attempt that was broken off, at another endpoint


def test_what_was_made_up_for_another_paper_of_equal_requests_is_made_up_here_too(tmp_path: Path) -> None:
    segments = json.dumps({"title": "Thermal conductivity of the sample", "abstract": "We study the sample."})
    bench = Bench(tmp_path, replace(GOOD, content=segments, made_up=True))
    for paper in (PAPER, PAPER.model_copy(update={"id": "p2"})):
        line = run_paper(bench.context, values.batch(), PendingPaper.of(bench.context, paper, 1))
        assert line is not None
        assert (line.status, line.fingerprint.startswith(MADE_UP)) == ("done", True)
    assert len(bench.model.requests) == 1


def test_a_result_of_other_requests_is_not_taken(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    other = values.spec(target_language="de")
    done_before(bench, TranslateTask(other).fingerprint(PAPER))
    pending = PendingPaper.of(bench.context, PAPER, 1)
    assert reuse_results(bench.context, values.batch(ids=("p1",)), [pending]) == ({}, {})


def test_a_paper_that_cannot_be_asked_for_does_not_keep_the_others_of_its_batch_back(tmp_path: Path) -> None:
    class Broken(TranslateTask):
        def fingerprint(self, paper: Paper) -> str:
            raise RuntimeError("a text that nobody foresaw")

    bench = Bench(tmp_path)
    bench.context.names = ResultNames(Broken(values.spec()), values.spec(), Broken)
    assert PendingPaper.of(bench.context, PAPER, 1).names == (GOLDEN,)


def done_with(bench: Bench, **settings: Any) -> RunSpec:
    """A result that an earlier release made with other settings, named by these."""
    spec = values.spec(**settings)
    done_before(bench, spec.fingerprint(PAPER.text_digest()))
    return spec


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ({}, {"max_tokens": 8_192}, True),
        ({"max_tokens": 8_192}, {}, True),
        ({"max_tokens": 8_192}, {"max_tokens": 16_000}, True),
        ({}, {"glossary": {"超导": "superconductivity"}}, True),
        ({"json_mode": "on"}, {}, True),
        ({"target_language": "EN"}, {}, True),
        ({"full_text": True}, {}, True),  # it has no body
        ({"skip_no_derivatives": False}, {}, True),
        ({"masking_version": "1"}, {"masking_version": "2"}, True),
        ({}, {"max_tokens": 50}, False),
        ({"max_tokens": 50}, {}, False),
        ({"glossary": {"热导率": "heat conductivity"}}, {}, False),
        ({"json_mode": "off"}, {}, False),
        ({"target_language": "de"}, {}, False),
    ],
)
def test_an_earlier_releases_result_is_found_where_its_settings_asked_the_same(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], found: bool
) -> None:
    bench = Bench(tmp_path)
    other, spec = done_with(bench, **before), values.spec(**now)
    bench.context.names = ResultNames(TranslateTask(spec), spec, TranslateTask, [other])
    pending = PendingPaper.of(bench.context, PAPER, 1)
    assert bool(reuse_results(bench.context, values.batch(ids=("p1",)), [pending])[0]) is found


def test_an_earlier_maskings_result_is_not_taken_for_a_text_that_is_masked_otherwise() -> None:
    first, second = (values.spec(masking_version=each) for each in "12")
    names = ResultNames(TranslateTask(second), second, TranslateTask, [first])
    priced = PAPER.model_copy(update={"title": "碳价由每吨$25上升至$50"})
    for paper, same in ((PAPER, True), (priced, False)):
        assert names.is_same(paper, first.fingerprint(paper.text_digest())) is same


def test_the_runs_that_may_ask_the_same_are_picked_from_the_ledger(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    settings: list[dict[str, Any]] = [
        {"max_tokens": 9},
        {"max_tokens": 9, "batch_papers": 3, "corpus": "other"},
        {"model": "another"},
        {"temperature": 0.5},
        {"json_mode": "on"},
    ]
    for number, each in enumerate(settings):
        record = values.run_record(f"before-{number}")
        bench.ledger.create_run(replace(record, spec=values.spec(**each), created_at=float(number)))
    picked = kindred(values.spec(), bench.ledger)
    assert [(spec.json_mode, spec.max_tokens) for spec in picked] == [("on", None), ("auto", 9)]


def test_a_run_that_cannot_be_read_costs_its_own_results_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for number, cap in enumerate((9, 10)):
        record = values.run_record(f"before-{number}")
        bench.ledger.create_run(replace(record, spec=values.spec(max_tokens=cap), created_at=float(number)))
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as file:
        changed = "UPDATE run SET spec = json_set(spec, '$.of_a_later_release', 1) WHERE run_id = 'before-1'"
        assert file.execute(changed).rowcount == 1
    assert [spec.max_tokens for spec in kindred(values.spec(), bench.ledger)] == [9]


def test_other_settings_are_asked_for_papers_with_a_result_alone(tmp_path: Path) -> None:
    class Counting(TranslateTask):
        asked = 0

        def fingerprint(self, paper: Paper) -> str:
            Counting.asked += 1
            return super().fingerprint(paper)

    bench = Bench(tmp_path)
    others = [values.spec(max_tokens=cap) for cap in (7_000, 8_000, 9_000)]
    bench.context.names = ResultNames(TranslateTask(values.spec()), values.spec(), Counting, others)
    papers = [PAPER.model_copy(update={"id": f"p{number}", "title": f"样本{number}"}) for number in range(9)]
    pending = [PendingPaper.of(bench.context, each, 1) for each in papers]
    assert reuse_results(bench.context, values.batch(ids=tuple(each.id for each in papers)), pending) == (
        {},
        {},
    )
    assert Counting.asked == 0


def test_a_result_goes_by_the_request_as_it_was_sent(tmp_path: Path) -> None:
    """The endpoint refuses JSON mode after the paper was taken up."""
    bench = Bench(tmp_path, GOOD)
    pending = PendingPaper.of(bench.context, PAPER, 1)
    bare = values.spec(json_mode="off")
    bench.context.as_sent = lambda _spec: bare
    assert pending.name_of_result(bench.context) == TranslateTask(bare).fingerprint(PAPER)
    later = PendingPaper.of(bench.context, PAPER, 1)
    assert later.names == (TranslateTask(bare).fingerprint(PAPER), pending.names[0], GOLDEN)
