"""Other checks of a task file: stored answers are judged by them, and a run has them from then on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handlers.audit.gate_change import change_gate, changed_gate
from handlers.domain.call_errors import UnansweredError
from handlers.domain.job import JobStats
from handlers.errors import RunChangedError, UsageError
from handlers.pipeline.papers.known_answers import KnownAnswers, judged_again
from handlers.tasks.file_task.file_task import FileTask
from handlers.tasks.file_task.load_task import key_of
from handlers.tasks.file_task.samples.sampled_task import SampledFileTask
from handlers.tasks.file_task.stored_bundle import put_bundle
from handlers.tasks.file_task.task_kinds import task_of_bundle
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.task_files import SUBJECT, SUMMARY, bundle_in, paper, sampled, spec_of, task_in
from tests.builders.values import RUN, call

STRICTER = SUBJECT + '[[check]]\nkind = "contains"\nfield = "reason"\ntexts = ["magic"]\n'
POOR, GOOD = (
    f'{{"field":"physics","confidence":1,"reason":"It is {word} physics."}}' for word in ("about", "magic")
)


def answered(folder: Path, *raws: str, text: str = SUBJECT) -> KnownAnswers:
    """To the first request, and to a repair in words that nobody asks with any more."""
    digest = task_in(folder, text).first_request(paper()).digest
    calls = [
        call(f"c{n}", kind="repair" if n else "ask", request=digest if not n else f"of old {n}", raw=raw,
             finish_reason="stop")
        for n, raw in enumerate(raws)
    ]  # fmt: skip
    return KnownAnswers(calls, any_repair=True)


@pytest.mark.parametrize(
    ("text", "raws", "status", "given"),
    [
        (SUBJECT, [POOR], "done", 1),
        (STRICTER, [POOR], "flagged", 1),
        (STRICTER, [GOOD], "done", 1),
        (STRICTER, [POOR, GOOD], "done", 2),
        (STRICTER, [POOR, POOR], "flagged", 2),
        (STRICTER, ["no answer", GOOD], "done", 2),
    ],
)
def test_a_record_is_judged_by_what_is_known_alone(
    tmp_path: Path, text: str, raws: list[str], status: str, given: int
) -> None:
    known = answered(tmp_path, *raws)
    result, passages = judged_again(task_in(tmp_path, text), paper(), known, None)
    assert (result.status, passages, known.given, known.missed) == (status, {}, given, 0)
    assert result.gate == task_in(tmp_path, text).gate


VOTED = sampled(5).replace('field = ["physics", "other"]', 'field = ["physics", "other"]\nreason = "text"')
NO_MAGIC = VOTED + '[[check]]\nkind = "contains"\nfield = "reason"\ntexts = ["magic"]\n'


@pytest.mark.parametrize(
    ("text", "reasons", "status", "given"),
    [
        (VOTED, ["magic", "none", "magic"], "done", 3),
        (NO_MAGIC, ["magic", "magic", "magic"], "done", 3),
        (NO_MAGIC, ["magic", "none"], "flagged", 2),  # one of five votes does not decide
        (NO_MAGIC, ["none", "magic", "none", "magic", "magic"], "done", 4),
        (NO_MAGIC, ["none", "none", "none"], "flagged", 3),
        (VOTED, ["magic", "magic"], None, 2),  # nothing is wrong with them: they are too few
    ],
)
def test_each_of_several_answers_is_judged_again(
    tmp_path: Path, text: str, reasons: list[str], status: str | None, given: int
) -> None:
    bundle = bundle_in(tmp_path, text)
    task = task_of_bundle(bundle, spec_of(bundle, temperature=0.7))
    assert isinstance(task, SampledFileTask)
    calls = [
        call(
            f"c{n}",
            request=request.digest,
            raw=f'{{"field":"physics","reason":"{said}"}}',
            finish_reason="stop",
        )
        for n, (request, said) in enumerate(zip(task.requests(paper()), reasons, strict=False))
    ]
    known = KnownAnswers(calls)
    if status is None:
        with pytest.raises(UnansweredError):
            judged_again(task, paper(), known, None)
        assert known.missed == 1
        return
    result, _ = judged_again(task, paper(), known, None)
    assert (result.status, known.given, known.missed) == (status, given, 0)
    assert result.error == ("contains" if status == "flagged" else None)


def test_what_was_never_asked_is_missed_and_no_verdict(tmp_path: Path) -> None:
    known = answered(tmp_path, POOR, text=SUMMARY)
    judged_again(task_in(tmp_path, SUBJECT), paper(), known, None)
    assert (known.given, known.missed) == (0, 1)


def test_a_run_takes_other_checks_and_refuses_other_requests(tmp_path: Path) -> None:
    from handlers.adapters.file_store import FileStore
    from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger

    first, stricter = bundle_in(tmp_path, SUBJECT), bundle_in(tmp_path, STRICTER)
    ledger, store = SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)
    backend = values.backend(ledger=ledger, store=store)
    record = ledger.create_run(
        values.run_record(**spec_of(first).model_dump(exclude={"corpus", "corpus_sha256"}))
    )
    put_bundle(first, store)
    changed = changed_gate(record, stricter, store)
    change_gate(backend, record, changed, stricter)
    assert ledger.run(RUN).spec == changed
    assert store.exists(key_of(stricter.digest))
    assert FileTask.of_run(stricter, changed).gate == changed.task_gate != record.spec.task_gate
    with pytest.raises(UsageError, match="was given another gate meanwhile"):
        change_gate(backend, record, changed_gate(record, stricter, store), stricter)
    with pytest.raises(RunChangedError, match="another task: its prompts"):
        changed_gate(record, bundle_in(tmp_path, SUMMARY), store)
    with pytest.raises(UsageError, match="translates papers"):
        changed_gate(values.run_record(), stricter, store)
    ledger.close()
    store.close()


@pytest.mark.parametrize(("ended", "refused"), [(None, True), (9.0, False)])
def test_a_run_that_jobs_work_on_keeps_its_checks(tmp_path: Path, ended: float | None, refused: bool) -> None:
    from handlers.adapters.file_store import FileStore
    from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger

    first, stricter = bundle_in(tmp_path, SUBJECT), bundle_in(tmp_path, STRICTER)
    ledger, store = SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)
    backend = values.backend(ledger=ledger, store=store, clock=FakeClock(10.0))
    fixed = spec_of(first).model_dump(exclude={"corpus", "corpus_sha256"})
    record = ledger.create_run(values.run_record(**fixed))
    ledger.start_job(values.job("j1", started=5.0, heartbeat_at=9.0))
    if ended is not None:
        ledger.end_job(RUN, "j1", at=ended, outcome="finished", stats=JobStats())
    put_bundle(first, store)
    changed = changed_gate(record, stricter, store)
    if refused:
        with pytest.raises(UsageError, match="1 job at work, which would go on with the checks of before"):
            change_gate(backend, record, changed, stricter)
    else:
        change_gate(backend, record, changed, stricter)
    assert (ledger.run(RUN).spec == record.spec) is refused
    ledger.close()
    store.close()


@pytest.mark.parametrize("line", ['shape = "record"', 'id = "title"', 'require = ["title", "year"]'])
def test_a_run_keeps_what_it_reads_of_a_record(tmp_path: Path, line: str) -> None:
    """Else its corpus has other fields than are asked with: records lose their texts, and are skipped."""
    from handlers.adapters.file_store import FileStore

    first = bundle_in(tmp_path, SUBJECT)
    own = re.sub(r"(?s)\[input\].*\[prompt\]", f"[input]\n{line}\n[prompt]", STRICTER)
    other = bundle_in(tmp_path, own)
    store = FileStore(tmp_path)
    put_bundle(first, store)
    record = values.run_record(**spec_of(first).model_dump(exclude={"corpus", "corpus_sha256"}))
    with pytest.raises(UsageError, match="reads records otherwise"):
        changed_gate(record, other, store)
    store.close()


def test_whoever_goes_on_with_other_checks_is_told_what_judges_by_them(tmp_path: Path) -> None:
    first, stricter = spec_of(bundle_in(tmp_path, SUBJECT)), spec_of(bundle_in(tmp_path, STRICTER))
    told = str(RunChangedError("june", first.diff(stricter)))
    assert "`paperfleet regate --run-id june --task FILE`" in told
    assert "--task own.toml`" in str(RunChangedError("june", first.diff(stricter), task_file="own.toml"))
    assert str(first.task_gate) not in told
    other = str(RunChangedError("june", first.diff(stricter.model_copy(update={"model": "b"}))))
    assert "regate" not in other
