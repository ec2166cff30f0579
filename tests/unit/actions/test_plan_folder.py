"""What travels with a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from handlers.actions.plan_folder import without_repeats, write_folder
from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.ledger_slice import slice_ledger
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.audit.scan_parts import CARRIED
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State, connect
from handlers.domain.paper import Paper
from handlers.domain.part_lines import decode, encode
from handlers.domain.result import Part, PartLine, PartPointer
from handlers.pipeline.stored_answers import NOTHING, StoredCalls, stored_calls
from handlers.ports import Ledger, ObjectStore
from handlers.settings import Settings
from handlers.state_paths import LEDGER, index_key
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.prompt import PROMPT_VERSION
from tests.builders.plans import session_plan
from tests.builders.values import RUN, batch, commit, entry, part_line, passage_line, run_record, session


def place(number: int) -> PartPointer:
    return PartPointer(key="runs/r/segments/job-a.jsonl", offset=number, length=1)


def test_each_call_travels_once_however_often_it_was_copied() -> None:
    lines = {
        place(1): {"a"},
        place(2): {"a", "b"},
        place(3): {"a", "b"},
        place(4): {"c"},
        place(5): set[str](),
    }
    assert without_repeats(lines) == [place(2), place(4)]
    assert without_repeats({}) == []


FIRST = [
    passage_line("head", "a", passed=True, at=1.0),
    passage_line("frame", frame={"肺癌": "lung cancer"}, at=2.0),
    passage_line("body/0", "b", passed=True, at=3.0),
    passage_line("body/1", "c", at=4.0),
    passage_line("body/0", at=5.0),
]
"""Of the first generation: the frame, and a check of the whole paper that takes a pass back, have no call."""
AGAIN = [passage_line("body/1", "d", passed=True, generation=2, at=7.0)]


VERSIONS: dict[str, Any] = {"prompt_version": PROMPT_VERSION, "masking_version": MASKING_VERSION}
WHOLE: dict[str, Any] = {**VERSIONS, "full_text": True, "body_version": BODY_VERSION}


class Answered:
    """A state in which the whole paper ``p1`` was answered, flagged, opened again and answered again."""

    def __init__(self, folder: Path, first: Sequence[PartLine] = FIRST, **spec: Any) -> None:
        self.state: State = connect(Settings(state=folder, run_id=RUN), RUN)
        record = run_record(papers=2, **(spec or WHOLE))
        for name in (record.spec.corpus, index_key(record.spec.corpus)):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()
        self.state.ledger.add_batches([batch()])
        self.state.ledger.create_run(record)
        self.state.ledger.open_session(session())
        self.commit("1", *first)
        self.commit("2", part_line("p1", "flagged", calls=()))
        self.retry()

    def retry(self) -> None:
        assert self.state.ledger.reopen(RUN, statuses=["flagged"], error=None) == 1

    def commit(self, part: str, *lines: PartLine) -> None:
        name = f"b1/1-job-a-{part}"
        (places,) = self.state.store.write_parts("job-a", [Part(RUN, name, tuple(map(encode, lines)))])
        entries = [
            entry("p1", line.status, generation=line.generation, pointer=where)
            for line, where in zip(lines, places, strict=True)
        ]
        self.state.ledger.commit([commit(*entries, part=part)])


def travelled(folder: Path) -> list[PartLine]:
    """The lines that a job of this plan is given, in their order."""
    ledger, store = of_job(folder)
    answers = [answer.pointer for answer in ledger.answers(RUN, "b1")["p1"]]
    assert all(CARRIED in where.key for where in answers)
    lines = [decode(store.read(where.key, where.offset, where.length), where) for where in answers]
    ledger.close()
    store.close()
    return sorted(lines, key=lambda line: line.at)


def of_job(folder: Path) -> tuple[SqliteLedger, FileStore]:
    """What a job of this plan has."""
    into = folder / "job.sqlite3"
    slice_ledger(folder / LEDGER, into, RUN, ["b1"], budget=None, session="s1", limit=None, carried="")
    return SqliteLedger(into), FileStore(folder)


def known(ledger: Ledger, store: ObjectStore) -> StoredCalls:
    """What the work on the paper begins with."""
    row = ledger.paper_rows(RUN, ["p1"])["p1"]
    return stored_calls(ledger, store, batch(), {"p1": row}).get("p1", NOTHING)


def test_every_line_of_a_whole_paper_s_passages_travels_once_also_those_without_a_call(
    tmp_path: Path,
) -> None:
    answered = Answered(tmp_path / "state")
    answered.commit("3", *AGAIN)
    answered.commit("4", passage_line("body/2", "e", passed=True, generation=2, at=8.0))
    answered.commit("5", *AGAIN)  # as a merge brings an earlier plan's copy
    write_folder(session_plan(), answered.state, tmp_path / "plan")
    found = travelled(tmp_path / "plan")
    assert found[:-1] == [*FIRST, *AGAIN]
    assert found[-1].passage == "body/2"
    answered.state.close()


def test_an_abstract_s_answers_from_before_a_retry_do_not_travel(tmp_path: Path) -> None:
    answered = Answered(tmp_path / "state")
    answered.commit("3", *AGAIN)
    answered.commit("4", passage_line("", "e", at=8.0), passage_line("", "f", generation=2, at=9.0))
    write_folder(session_plan(), answered.state, tmp_path / "plan")
    assert [call.id for line in travelled(tmp_path / "plan") for call in line.calls][-2:] == ["d", "f"]
    answered.state.close()


REFUSED_SINCE = passage_line("", "a", "b", passed=True, generation=1, at=4.0)
"""As ``regate`` leaves it: what was let through, and is refused now."""
VOTES = [passage_line("vote/0", "a", passed=True, at=1.0), passage_line("vote/1", "b", reason="no", at=2.0)]
KINDS: dict[str, tuple[dict[str, Any], list[PartLine], int]] = {
    "refused at once": (VERSIONS, [passage_line("", "a", at=1.0)], 0),
    "refused since": (VERSIONS, [passage_line("", "a", at=1.0), REFUSED_SINCE], 2),
    "without a body": (WHOLE, [passage_line("", "a", at=1.0), REFUSED_SINCE], 2),
    "votes": (VERSIONS, VOTES, 1),
    "votes refused since": (VERSIONS, [*VOTES, REFUSED_SINCE], 2),
    "passages": (WHOLE, FIRST[:4], 2),
}
"""What a flagged paper of a run was answered, and how many of the calls a retry begins with."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_retry_begins_with_what_it_begins_with_where_the_run_was_made(tmp_path: Path, kind: str) -> None:
    spec, lines, calls = KINDS[kind]
    answered = Answered(tmp_path / "state", lines, **spec)
    write_folder(session_plan(), answered.state, tmp_path / "plan")
    here = known(answered.state.ledger, answered.state.store)
    ledger, store = of_job(tmp_path / "plan")
    assert known(ledger, store) == here
    assert len({call.id for call in here.calls + here.earlier}) == calls
    for each in (answered.state, ledger, store):
        each.close()


def test_what_one_retry_began_with_is_left_behind_by_the_next(tmp_path: Path) -> None:
    answered = Answered(tmp_path / "state", [REFUSED_SINCE], **VERSIONS)
    answered.commit("3", part_line("p1", "flagged", generation=2, calls=()))
    answered.retry()
    write_folder(session_plan(), answered.state, tmp_path / "plan")
    ledger, store = of_job(tmp_path / "plan")
    assert ledger.answers(RUN, "b1") == {}
    for each in (answered.state, ledger, store):
        each.close()


@pytest.mark.parametrize("had_body", [True, False])
def test_a_head_that_another_run_has_paid_for_travels(tmp_path: Path, had_body: bool) -> None:
    state = connect(Settings(state=tmp_path / "state", run_id=RUN), RUN)
    paper = Paper(id="p1", title="肺癌的研究", abstract="本文研究肺癌。", language="zh", body="正文很长。")
    data = paper.model_dump_json().encode()
    record = run_record(papers=1, **WHOLE)
    for name, content in ((record.spec.corpus, data), (index_key(record.spec.corpus), b"")):
        (tmp_path / "state" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "state" / name).write_bytes(content)
    state.ledger.add_batches([batch("b1", ["p1"], ranges=((0, len(data)),))])
    state.ledger.create_run(record)
    state.ledger.open_session(session())
    bare = run_record("abstracts", papers=1, **VERSIONS)
    state.ledger.create_run(bare)
    known = paper if had_body else paper.model_copy(update={"body": None})
    name = wiring.task_of(bare.spec).fingerprint(known)
    line = part_line("p1", run_id="abstracts", fingerprint=name)
    ((where,),) = state.store.write_parts("job-a", [Part("abstracts", "b1/1-job-a-1", (encode(line),))])
    state.ledger.commit([commit(entry("p1", pointer=where, fingerprint=name), run_id="abstracts")])
    write_folder(session_plan(), state, tmp_path / "plan")
    state.close()
    ledger, store = SqliteLedger(tmp_path / "plan" / LEDGER), FileStore(tmp_path / "plan")
    carried = ledger.reusable([name])[name].pointer
    assert CARRIED in carried.key
    assert decode(store.read(carried.key, carried.offset, carried.length), carried) == line
    ledger.close()
    store.close()
