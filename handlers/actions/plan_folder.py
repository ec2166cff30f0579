"""A plan's folder, which every job of a session reads: the plan, ledger, corpus and answers paid for."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from handlers.actions.session_plan import PLAN_FILE, SessionPlan
from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.ledger_slice import (
    UnfinishedAnswer,
    endpoint_notes,
    other_runs_results,
    point_at,
    reuse_at,
    unfinished_answers,
)
from handlers.audit.scan_parts import CARRIED
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State
from handlers.corpus.batching import read_paper
from handlers.domain.batch import BatchMessage
from handlers.domain.ledger import Reusable, StoredAnswer
from handlers.domain.paper import Paper
from handlers.domain.part_lines import decode, encode
from handlers.domain.result import MADE_UP, OF_HEAD, REFUSED, Part, PartLine, PartPointer
from handlers.domain.run import RunSpec
from handlers.errors import DamagedObjectError, UsageError
from handlers.llm.dialects.dialect_memory import read_note
from handlers.llm.dialects.request_form import as_sent, form_of
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.stored_answers import every_call, still_counts
from handlers.state_paths import LEDGER, SEGMENTS, index_key, run_key

logger = logging.getLogger(__name__)


def refuse_strangers(output: Path) -> None:
    """UsageError if the folder, which is replaced, has anything but an earlier plan in it."""
    if output.is_dir() and any(output.iterdir()) and not (output / PLAN_FILE).is_file():
        raise UsageError(
            f"--output {output}: the folder has other files in it, which would be lost; give a new one"
        )


def write_folder(plan: SessionPlan, adapters: State | None, output: Path) -> None:
    """Replace the plan's folder. ``adapters``: of the state that travels with it; None on AWS."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    if adapters is not None:
        _write_state(plan, adapters, output)
    (output / PLAN_FILE).write_text(plan.model_dump_json(indent=2), encoding="utf-8")


def _write_state(plan: SessionPlan, adapters: State, output: Path) -> None:
    record = adapters.ledger.run(plan.run_id)
    for name in _objects_of(record.spec):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(adapters.directory / name, output / name)
    _copy_ledger(adapters.directory / LEDGER, output / LEDGER)
    _carry(plan, adapters, output)


def _objects_of(spec: RunSpec) -> list[str]:
    """Keys of what every job reads: the corpus, its index, and what a task file was resolved into."""
    corpus = [spec.corpus, index_key(spec.corpus)]
    if spec.task_bundle is None:
        return corpus
    from handlers.tasks.file_task.load_task import key_of  # for such runs alone

    return [*corpus, key_of(spec.task_bundle)]


def _copy_ledger(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as db, closing(sqlite3.connect(target)) as copy:
        db.backup(copy)


def carried_key(plan: SessionPlan) -> str:
    """Key of the object whose copies travel with a plan."""
    return run_key(plan.run_id, SEGMENTS, f"{_carrier(plan)}.jsonl")


def _carrier(plan: SessionPlan) -> str:
    return f"{CARRIED}{plan.session}"


def _carry(plan: SessionPlan, adapters: State, output: Path) -> None:
    """Copy what was paid for into the folder: answers of interrupted papers, and results of earlier runs for
    the same texts. Copies of single lines spare the plan every session's segments."""
    store = FileStore(output)
    copier = _Copier(plan, adapters, store)
    answers = unfinished_answers(output / LEDGER, plan.run_id)
    point_at(output / LEDGER, plan.run_id, copier.answers(answers))
    if other_runs_results(output / LEDGER, plan.run_id):
        for batch in adapters.ledger.unfinished_batches(plan.run_id):
            reuse_at(output / LEDGER, copier.results(batch))
    store.close()


class _Wanted(NamedTuple):
    """A result that is looked for: by which names, which of them every job looks for, and of which paper."""

    names: ResultNames
    first: str
    paper: Paper


class _Copier:
    def __init__(self, plan: SessionPlan, adapters: State, store: FileStore) -> None:
        self._plan = plan
        self._adapters = adapters
        self._store = store
        self._spec = adapters.ledger.run(plan.run_id).spec
        task = wiring.task_of(self._spec, adapters.store)
        names = wiring.result_names(self._spec, adapters.ledger, task)
        heads = [names.without_bodies()] if self._spec.full_text else []
        notes = endpoint_notes(adapters.directory / LEDGER)
        self._batch, self._of_batch = ("", ""), dict[str, list[StoredAnswer]]()
        self._sought = [(each, _sent_forms(each.spec, notes)) for each in (names, *heads)]
        """How earlier results are named, those of heads too, and the settings as they were sent."""

    def copy(self, name: str, places: Sequence[PartPointer]) -> tuple[PartPointer, ...]:
        """Where the copies of these lines are, written at once."""
        return self._put(name, tuple(self._read(where) for where in places))

    def _read(self, where: PartPointer) -> bytes:
        return self._adapters.store.read(where.key, where.offset, where.length)

    def _put(self, name: str, lines: tuple[bytes, ...]) -> tuple[PartPointer, ...]:
        part = Part(self._plan.run_id, f"carried/{name}", lines)
        (copies,) = self._store.write_parts(_carrier(self._plan), [part])
        return copies

    def answers(self, answers: Iterable[UnfinishedAnswer]) -> dict[PartPointer, PartPointer]:
        """Line → its copy, paper by paper."""
        copies: dict[PartPointer, PartPointer] = {}
        for paper_id, of_paper in groupby(answers, key=attrgetter("paper_id")):
            said = {answer.where: self._said(answer) for answer in of_paper}
            if needed := without_repeats(said):
                copies |= zip(needed, self.copy(paper_id, needed), strict=True)
        return copies

    def _said(self, answer: UnfinishedAnswer) -> set[str]:
        """Ids of the calls in a line; of a passage's, which may have none and count all the same, the digest
        of the line. Nothing if it cannot be read, or does not count any more."""
        where = answer.where
        try:
            data = self._adapters.store.read(where.key, where.offset, where.length)
            line = decode(data, where)
        except DamagedObjectError as error:
            logger.warning("answers to %s do not travel with the plan: %s", answer.paper_id, error)
            return set()
        if line.passage:
            return {hashlib.sha256(data).hexdigest()}
        if not still_counts(line, answer.opened):
            return set()
        return {call.id for call in (*line.carried, *line.calls)}

    def results(self, batch: BatchMessage) -> dict[str, tuple[Reusable, PartPointer]]:
        """Fingerprint → an earlier run's result for it, and the copy. All go by the name of the requests as
        asked, which every job looks for: its slice knows no other runs' settings, and its endpoint may
        take what the endpoint of an earlier run did not."""
        asked: dict[str, _Wanted] = {}
        for (offset, length), paper_id in zip(batch.ranges, batch.ids, strict=True):
            paper = read_paper(self._adapters.store.read(batch.corpus, offset, length), paper_id)
            for names, sent in self._sought:
                for each in (paper,) if names.spec == self._spec else (paper, _without_body(paper)):
                    asked |= _wanted(names, each, sent)
        found = {}
        for name, result in self._adapters.ledger.reusable(list(asked)).items():
            names, first, paper = asked[name]
            if name.startswith(OF_HEAD) and result.run_id == self._plan.run_id:
                continue  # it travels with the answers of unfinished papers
            if names.is_same(paper, name) and (line := self._result(result)) is not None:
                (copy,) = self._put(name, (line,))
                found[_looked_for(name, first)] = (result, copy)
        return found

    def _result(self, result: Reusable) -> bytes | None:
        """A result's line; None if it cannot be read, and the paper is sent again. A record of a task file
        that was asked by passages has the calls of their lines with it, for other checks to judge."""
        try:
            data = self._read(result.pointer)
            if self._spec.task != "file":
                return data
            line = decode(data, result.pointer)
            return data if line.behind is None else encode(self._with_calls(line, result.pointer))
        except DamagedObjectError:
            return None

    def _with_calls(self, line: PartLine, where: PartPointer) -> PartLine:
        found = self._answers_of(line.run_id, line.batch_id).get(line.id, ())
        calls = every_call(self._adapters.store, dict.fromkeys((*(each.pointer for each in found), where)))
        own = {call.id for call in line.calls}
        carried = tuple(call for call in calls.calls if call.id not in own)
        return line.model_copy(update={"carried": carried, "behind": None})

    def _answers_of(self, run_id: str, batch_id: str) -> dict[str, list[StoredAnswer]]:
        """Records follow each other as their batches do."""
        if self._batch != (run_id, batch_id):
            self._batch, self._of_batch = (run_id, batch_id), self._adapters.ledger.answers(run_id, batch_id)
        return self._of_batch


def _wanted(names: ResultNames, paper: Paper, sent: Iterable[RunSpec]) -> dict[str, _Wanted]:
    """Under each name that a result of the paper may have."""
    first, *others = names.all(paper, names.spec)
    asked = list(dict.fromkeys(names.name(paper, each) for each in sent))
    others += [*asked, MADE_UP + first]
    if names.spec.task != "file" and not names.spec.full_text:
        others += [OF_HEAD + each for each in (first, *asked, MADE_UP + first)]
    if names.spec.task == "file":  # what was refused is judged by other checks, and repaired
        others += [REFUSED + first, REFUSED + MADE_UP + first]
    return dict.fromkeys([first, *others], _Wanted(names, first, paper))


def _looked_for(name: str, first: str) -> str:
    """The name by which every job looks for what stands under this one."""
    if name.startswith((MADE_UP, REFUSED, OF_HEAD + MADE_UP)):
        return name
    return OF_HEAD + first if name.startswith(OF_HEAD) else first


def _without_body(paper: Paper) -> Paper:
    """As a corpus without bodies has it."""
    return paper.model_copy(update={"body": None})


def without_repeats(said: Mapping[PartPointer, set[str]]) -> list[PartPointer]:
    """The lines that it takes to have each thing said once, by what each line says: those that say most go
    first, and one that adds nothing, as the copy that an earlier plan carried, is left out."""
    known: set[str] = set()
    needed = []
    for where in sorted(said, key=lambda each: -len(said[each])):
        if not said[where] <= known:
            known |= said[where]
            needed.append(where)
    return needed


def _sent_forms(spec: RunSpec, notes: list[str]) -> list[RunSpec]:
    """The settings that requests may have had as they were sent, by what is remembered of endpoints."""
    found: list[RunSpec] = []
    for note in notes:
        sent = as_sent(spec, read_note(note).apply(form_of(spec), keep_json=spec.json_mode == "on"))
        if sent != spec and sent not in found:
            found.append(sent)
    return found


def matrix_of(plan: SessionPlan) -> str:
    """The value of ``strategy.matrix``, as JSON."""
    return json.dumps({"job": [share.job for share in plan.jobs]})
