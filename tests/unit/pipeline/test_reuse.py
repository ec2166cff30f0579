"""Results of earlier runs and earlier releases are found, each by the name that it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.domain.paper import Paper
from handlers.domain.part_lines import encode
from handlers.domain.result import Part
from handlers.pipeline.run_paper import PendingPaper, reuse_results
from handlers.tasks.translation.translate import TranslateTask
from tests.builders import values
from tests.builders.bench import Bench

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
    pending = PendingPaper.of(bench.context, PAPER, 1, ())
    assert pending.earlier_fingerprint == GOLDEN
    done_before(bench, GOLDEN if release == "earlier" else pending.fingerprint)
    lines = reuse_results(bench.context, values.batch(ids=("p1",)), [pending])
    assert lines["p1"].reused_from == "before/p1"
    assert lines["p1"].fingerprint == pending.fingerprint
    assert lines["p1"].calls == ()


def test_a_result_of_other_requests_is_not_taken(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    other = values.spec(target_language="de")
    done_before(bench, TranslateTask(other).fingerprint(PAPER))
    pending = PendingPaper.of(bench.context, PAPER, 1, ())
    assert reuse_results(bench.context, values.batch(ids=("p1",)), [pending]) == {}


def test_a_paper_that_cannot_be_asked_for_does_not_keep_the_others_of_its_batch_back(tmp_path: Path) -> None:
    class Broken(TranslateTask):
        def fingerprint(self, paper: Paper) -> str:
            raise RuntimeError("a text that nobody foresaw")

    bench = Bench(tmp_path)
    bench.context.task = Broken(values.spec())
    pending = PendingPaper.of(bench.context, PAPER, 1, ())
    assert pending.fingerprint == pending.earlier_fingerprint
