"""What a pilot says of the rest, and which papers it takes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus.index import IndexEntry
from handlers.domain.call import ChatRequest
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.paper import Paper
from handlers.domain.plan import PilotFigures
from handlers.domain.run import RunSpec
from handlers.planning.assumptions import AssumptionsBuilder
from handlers.planning.pilot_figures import PilotPaper, PilotWork, pilot_figures
from handlers.planning.sample import SampleBounds, Sieve, stratified
from handlers.planning.workload import Workload, measure_workload
from handlers.runs.submit import costs_nothing, why_nothing
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.pilots import CORPUS, call, pilot_paper, piloted, sized, workload

SPEC = RunSpec(corpus_sha256="0" * 64, corpus="c", prompt_version="1", masking_version="1", model="m")


def test_tokens_and_time_by_size_are_recovered_to_rounding() -> None:
    found = piloted()
    assert found.prompt.per_token == pytest.approx(1.5, rel=0.01)
    assert found.prompt.per_request == pytest.approx(400, rel=0.01)
    assert found.completion.per_token == pytest.approx(0.8, rel=0.01)
    assert found.seconds.per_request == pytest.approx(1.0, rel=0.01)
    assert found.cost_error < 0.01


def test_twenty_papers_tell_the_cost_of_a_corpus_within_three_percent() -> None:
    work = workload(CORPUS)
    truth = sum(round(400 + 1.5 * each.size) for each in CORPUS)
    assert piloted().prompt.total(work.requests, work.size) == pytest.approx(truth, rel=0.03)


def test_the_interval_of_the_time_holds_the_truth_nine_times_in_ten() -> None:
    work = workload(CORPUS)
    truth = sum(1 + 0.01 * each.size for each in CORPUS)
    inside = 0
    for seed in range(200):
        found = piloted(sigma=0.4, seed=seed)
        off = abs(found.seconds.total(work.requests, work.size) / truth - 1)
        inside += off <= found.time_error
    assert 0.82 <= inside / 200 <= 0.97


def test_the_spread_of_calls_is_found() -> None:
    assert piloted(200, sigma=0.4).latency_sigma == pytest.approx(0.4, abs=0.06)


def test_repairs_retries_and_throttles_are_told_apart() -> None:
    paper = CORPUS[10]
    calls = (
        call(paper, latency=0.1, outcome="throttled", at=1.0),
        call(paper, latency=2.0, outcome="transient", at=2.0),
        call(paper, latency=1.0, at=3.0),
        call(paper, latency=1.0, kind="repair", at=4.0),
    )
    found = pilot_figures([pilot_paper(paper, *calls, status="flagged")], {paper.id: paper}, workload(CORPUS))
    assert found is not None
    assert (found.repair_share, found.retry_share, found.throttled_share, found.flag_share) == (1, 1, 0.25, 1)
    assert found.seconds.total(1, paper.size) == pytest.approx(4.5), "a refusal for the rate is no work"
    assert found.done == 0


@pytest.mark.parametrize("papers", [1, 2])
def test_one_paper_or_two_know_nothing_of_the_others(papers: int) -> None:
    few = piloted(papers)
    assert (few.cost_error, few.time_error) == (1.0, 1.0)
    assert piloted(20).cost_error < 0.01, "calls without any spread"


def test_of_whole_papers_a_passage_s_tokens_and_seconds_are_found() -> None:
    keys = {"head": 400.0, "terms": 100.0, **{f"body/{number}": 900.0 - number for number in range(8)}}
    corpus = [replace(sized(number, sum(keys.values()), 10), passages=keys) for number in range(20)]
    chance = random.Random(1)
    papers = []
    for each in corpus:
        parts = [(key, replace(each, size=size)) for key, size in each.passages.items()]
        work = [
            PilotWork((call(part, latency=(1 + 0.01 * part.size) * chance.lognormvariate(0, 0.3)),), 0, key)
            for key, part in parts
        ]
        frame = PilotWork((), 0, "frame")
        papers.append(PilotPaper(each.id, "done", (*work, frame)))
    found = pilot_figures(papers, {each.id: each for each in corpus}, workload(corpus))
    assert found is not None
    assert (found.prompt.per_request, found.prompt.per_token) == pytest.approx((400, 1.5), rel=0.01)
    assert found.latency_sigma == pytest.approx(0.3, abs=0.05), "of a passage, not of a sum of ten"
    assert found.seconds_per_paper == pytest.approx(10 + 0.01 * sum(keys.values()), rel=0.1)
    assert found.calls == 200


def test_a_pilot_of_the_whole_corpus_knows_it() -> None:
    paper = CORPUS[0]
    found = pilot_figures(
        [pilot_paper(paper, call(paper, latency=1.0))], {paper.id: paper}, workload([paper])
    )
    assert found is not None
    assert (found.cost_error, found.time_error) == (0.0, 0.0)


def test_the_cached_share_is_that_of_a_warm_cache() -> None:
    assert piloted().cached_share == pytest.approx(0.5, abs=0.01)


def test_a_pilot_without_an_answer_says_nothing() -> None:
    paper = CORPUS[0]
    refused = pilot_paper(paper, call(paper, latency=0.1, outcome="throttled"), status="pending")
    assert pilot_figures([refused], {paper.id: paper}, workload(CORPUS)) is None


def test_what_was_measured_replaces_what_was_assumed() -> None:
    assumed = AssumptionsBuilder()
    assumed.take_pilot(piloted())
    assert assumed.build().prompt_tokens_per_token == pytest.approx(1.5, rel=0.01)
    assert assumed.origins["latency_sigma"] == "pilot"


def job(at: float = 1_000.0, *, answered: int = 20, **limits: int) -> JobRecord:
    stats = JobStats(latency={3: answered} if answered else {}, limits=limits)
    return JobRecord("j", "r", "s", "h:1:1", 10, at, at, at, "finished", stats)


def with_limits(*jobs: JobRecord, apart: float = 3.0) -> PilotFigures:
    papers = CORPUS[:20]
    found = [pilot_paper(each, call(each, latency=1.0, at=n * apart)) for n, each in enumerate(papers)]
    made = pilot_figures(found, {each.id: each for each in CORPUS}, workload(CORPUS), jobs)
    assert made is not None
    return made


def assumed_of(made: PilotFigures, **flags: float) -> AssumptionsBuilder:
    assumed = AssumptionsBuilder()
    assumed.take_pilot(made)
    assumed.take("flag", **flags)
    return assumed


def test_limits_of_a_minute_that_the_api_stated_are_assumed_with_their_day() -> None:
    made = with_limits(job(at=86_400.0, requests_per_minute=3_000, tokens_per_minute=90_000))
    assumed = assumed_of(made)
    assert (assumed.build().rpm, assumed.build().tpm) == (3_000, 90_000)
    assert assumed.origins["rpm"] == assumed.origins["tpm"] == "the API's headers, 1970-01-02"


def test_a_flag_wins_over_the_apis_headers() -> None:
    assumed = assumed_of(with_limits(job(requests_per_minute=3_000, tokens_per_minute=90_000)), rpm=50.0)
    assert (assumed.build().rpm, assumed.origins["rpm"]) == (50.0, "flag")
    assert assumed.build().tpm == 90_000


def test_limits_of_an_hour_or_a_day_set_no_pace() -> None:
    made = with_limits(job(requests_per_day=200, tokens_per_hour=9_000))
    assert made.limits == {"requests_per_day": 200, "tokens_per_hour": 9_000}
    assumed = assumed_of(made).build()
    assert (assumed.rpm, assumed.tpm) == (None, None)


def test_limits_that_the_pilots_own_calls_belie_are_not_believed() -> None:
    stated = {"requests_per_minute": 9, "tokens_per_minute": 4_000}
    assert with_limits(job(**stated), apart=3.0).limits == {}, "20 answers of 440 tokens in a minute"
    assert with_limits(job(**stated), apart=30.0).limits == stated


def test_the_last_word_on_the_limits_stands_but_for_a_job_that_was_hardly_answered() -> None:
    early, late, short = (
        job(1.0, requests_per_minute=500),
        job(2.0, requests_per_minute=600),
        job(3.0, answered=1, requests_per_minute=700),
    )
    assert with_limits(early, late, short, job(4.0)).limits == {"requests_per_minute": 600}


def test_figures_of_a_pilot_before_limits_were_heard_are_read() -> None:
    old = with_limits().model_dump(mode="json", exclude={"limits", "limits_on"})
    assert PilotFigures.model_validate(old).limits == {}


@given(st.integers(1, 120), st.integers(0, 60))
def test_a_larger_sample_holds_every_paper_of_a_smaller_one_in_full_layers(papers: int, more: int) -> None:
    fewer = {each.id for each in stratified(CORPUS, papers // 10 * 10)}
    larger = {each.id for each in stratified(CORPUS, papers + more)}
    assert len(larger) == min(500, papers + more)
    assert papers < 10 or fewer <= larger


def test_a_sample_reaches_from_the_smallest_papers_to_the_largest() -> None:
    sizes = sorted(each.size for each in stratified(CORPUS, 20))
    strata = {int((size - 20) // 50) for size in sizes}
    assert strata == set(range(10))


def corpus(papers: int) -> tuple[list[IndexEntry], bytes]:
    lines, entries, offset = [], [], 0
    for number in range(papers):
        paper = Paper(
            id=f"p{number}", title="关于模型的研究", abstract="实验结果" * (1 + number % 30), language="zh"
        )
        line = json.dumps(paper.model_dump(exclude_none=True), ensure_ascii=False).encode() + b"\n"
        entries.append(IndexEntry(offset, len(line), 10, 0, 1, 0, "zh", paper.id))
        lines.append(line)
        offset += len(line)
    return entries, b"".join(lines)


def measured(papers: int, most: int) -> tuple[Workload, int]:
    entries, text = corpus(papers)
    work, kept = measure_workload(
        entries, lambda offset, length: text[offset : offset + length], TranslateTask(SPEC),
        skips=costs_nothing(SPEC), bounds=SampleBounds(most),
    )  # fmt: skip
    assert len(kept) <= most
    return work, len(kept)


def test_a_large_corpus_is_sized_by_a_part_of_it_at_flat_memory() -> None:
    (whole, all_sized), (part, some_sized) = measured(2_000, 5_000), measured(2_000, 600)
    assert (whole.sent, all_sized) == (2_000, 2_000)
    assert some_sized <= 600
    assert part.sent == 2_000
    assert part.size / part.sent == pytest.approx(whole.size / whole.sent, rel=0.05)


def test_whole_papers_are_sized_by_their_passages_and_one_without_a_body_is_one() -> None:
    spec = SPEC.model_copy(update={"full_text": True, "body_version": BODY_VERSION})
    task, body = TranslateTask(spec), "## 方法\n\n" + "河流的水温随着季节变化。" * 400 + "\n\n$$\nx\n$$\n"
    papers = [
        Paper(id=f"p{number}", title="关于模型的研究", abstract="实验结果", body=text, language="zh")
        for number, text in enumerate((body, body + body, None))
    ]
    lines = [each.model_dump_json().encode() for each in papers]
    starts = [sum(map(len, lines[:number])) for number in range(3)]
    entries = [
        IndexEntry(start, len(line), 10, 0, 1, 0, "zh", f"p{number}")
        for number, (start, line) in enumerate(zip(starts, lines, strict=True))
    ]
    text = b"".join(lines)
    work, sized = measure_workload(
        entries, lambda offset, length: text[offset : offset + length], task,
        skips=costs_nothing(spec), bounds=SampleBounds.of_bodies(3),
    )  # fmt: skip
    cut = [[*task.first(each), *task.rest(each, {})] for each in papers[:2]]
    assert work.passages == len(cut[0]) + len(cut[1]) + 1
    assert [sum(each.passages.values()) for each in sized] == [
        sum(w.weight for w in each) for each in cut
    ] + [0]
    assert work.counts.passages == work.scaled(3).passages
    assert work.scaled(30).passages == 10 * work.passages
    assert work.size < work.prompt
    assert len(work.passage_sizes) == 41


class AsksNothing(TranslateTask):
    """As of a paper that makes too many passages."""

    def requests(self, paper: Paper) -> Iterator[ChatRequest]:
        return iter(())


def test_a_paper_of_which_nothing_is_asked_takes_no_call() -> None:
    entries, text = corpus(3)
    work, kept = measure_workload(
        entries, lambda offset, length: text[offset : offset + length], AsksNothing(SPEC),
        skips=costs_nothing(SPEC),
    )  # fmt: skip
    assert (work.sent, kept, work.skipped) == (0, [], {"nothing of it can be asked": 3})


class AsksOfSome(TranslateTask):
    def requests(self, paper: Paper) -> Iterator[ChatRequest]:
        return iter(()) if paper.id.endswith("3") else super().requests(paper)


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_what_is_told_of_a_drawn_corpus_adds_up_to_its_papers(share: float) -> None:
    """A draw has never quite the share of the papers that it stands for."""
    entries, text = corpus(1_000)
    changed = [*entries[:900], *(entry._replace(language="en") for entry in entries[900:])]
    work, kept = measure_workload(
        changed, lambda offset, length: text[offset : offset + length], AsksOfSome(SPEC),
        skips=partial(why_nothing, SPEC), bounds=SampleBounds(share=share),
        has_results=lambda papers: [paper.id.endswith("7") for paper in papers],
    )  # fmt: skip
    skipped = sorted(work.skipped.values())
    assert work.sent + work.reused + sum(skipped) == work.papers == 1_000
    assert 100 in skipped, "what the index tells is no guess"
    assert work.sent == pytest.approx(720, rel=0.06)
    assert work.requests == pytest.approx(
        work.sent * sum(each.requests for each in kept) / len(kept), rel=0.001
    )


def test_bodies_are_sized_within_bounds_of_papers_and_bytes() -> None:
    bounds = SampleBounds.of_bodies(34_237)
    assert bounds.share == pytest.approx(2_000 / 34_237)
    sieve = Sieve(replace(bounds, share=1.0))
    for number in range(3_000):
        sieve.add(replace(sized(number, 9_000.0), length=500_000))
    assert 100 <= len(sieve.kept) <= bounds.bytes / 500_000


def test_papers_that_cost_no_call_are_not_counted_as_sent() -> None:
    entries, text = corpus(4)
    changed = [entries[0], entries[1]._replace(flags=1), entries[2]._replace(language="en"), entries[3]]
    work, _ = measure_workload(
        changed, lambda offset, length: text[offset : offset + length], TranslateTask(SPEC),
        skips=costs_nothing(SPEC),
    )  # fmt: skip
    assert (work.papers, work.same_as, work.sent) == (4, 1, 2)


def test_papers_with_a_result_and_those_left_out_are_counted_with_why() -> None:
    entries, text = corpus(600)
    changed = [*entries[:590], *(entry._replace(language="en") for entry in entries[590:])]
    asked: list[int] = []

    def has_results(papers: Sequence[Paper]) -> list[bool]:
        asked.append(len(papers))
        return [int(paper.id[1:]) % 10 != 0 for paper in papers]

    work, kept = measure_workload(
        changed, lambda offset, length: text[offset : offset + length], TranslateTask(SPEC),
        skips=partial(why_nothing, SPEC), has_results=has_results, bounds=SampleBounds(100),
    )  # fmt: skip
    assert (work.sent, len(kept), work.reused) == (59, 59, 531), "few are to be sent: none is left out"
    assert work.skipped == {"already in en": 10}
    assert max(asked) <= 500
    said = "600 papers: 59 to send, 531 with a result already, 10 skipped (10 already in en)"
    assert str(work.counts) == said


def test_reasons_are_bounded_whatever_the_corpus_says() -> None:
    entries, text = corpus(100)
    work, _ = measure_workload(
        entries, lambda offset, length: text[offset : offset + length], TranslateTask(SPEC),
        skips=lambda entry: f"reason {entry.id}",
    )  # fmt: skip
    assert len(work.skipped) == 21
    assert (work.skipped["other reasons"], sum(work.skipped.values())) == (80, 100)
