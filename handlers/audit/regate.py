"""Stored answers judged again by the present gate, at no cost: papers move between done and flagged."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from handlers.corpus.batching import read_paper
from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallTotals
from handlers.domain.ledger import Commit, LedgerEntry, PaperRow
from handlers.domain.paper import Paper
from handlers.domain.part_lines import decode, encode
from handlers.domain.result import Part, PartLine, PartPointer, PassageResult, TaskResult
from handlers.domain.run import RunRecord
from handlers.domain.value import Frozen
from handlers.errors import BadLineError, DamagedObjectError, PaperfleetError
from handlers.pipeline.committer import entry_of
from handlers.pipeline.papers.known_answers import KnownAnswers, judged_again
from handlers.pipeline.run_paper import said_of
from handlers.pipeline.stored_answers import EveryCall, every_call
from handlers.ports import Backend, SampledTask, Task, WholePaperTask
from handlers.runs.submit import cut_batches

logger = logging.getLogger(__name__)

JOB = "regate"
"""Begins the names of the parts with other verdicts; no job books calls in them."""
_JUDGED = ("done", "flagged")
_SAID = ("status", "error", "fields", "checks", "coverage", "ends")
"""What a line takes of a result."""
_BARE: dict[str, object] = {
    "status": "pending", "error": None, "fields": {}, "checks": (), "carried": (), "behind": None,
    "coverage": None, "ends": (), "fingerprint": "", "reused_from": None, "latency": 0.0, "notice": "",
}  # fmt: skip
"""What a passage's line does not have."""
_HOPS = 5
"""Runs through which a result may have been taken over."""


class Regated(Frozen):
    """What ``regate`` prints as JSON. A paper with ``same_as`` shares the verdict of that paper."""

    run_id: str
    papers: int
    """That were judged again."""
    gate: str
    """Version of what judged them."""
    moved: dict[str, int]
    """``done->flagged`` and ``flagged->done`` → papers."""
    unchanged: int
    """The verdict is the one that stood."""
    unanswered: int
    """Left as they are, for no answer of theirs is stored under the requests of today."""
    unreadable: int
    """Left as they are, for their lines or their bytes of the corpus cannot be read."""
    unfinished: int
    """Left out, for their batches are worked on or wait."""
    dry: bool
    """Nothing was changed."""


@dataclass(frozen=True)
class _Verdict:
    """Another one than stands."""

    row: PaperRow
    line: PartLine | None
    """None where the paper stays flagged, and passages of it are let through that were not."""
    passages: tuple[PartLine, ...]
    """Lines of passages whose verdicts are others."""


class _Regate:
    """One run's. ``job`` names its parts, which are written once."""

    def __init__(self, backend: Backend, record: RunRecord, task: Task, *, dry: bool) -> None:
        self._backend, self._record, self._task, self._dry = backend, record, task, dry
        self._job = f"{JOB}-{secrets.token_hex(4)}"
        self._newest = 0
        """Generation of the batch: a retry opens its papers by the next one, whichever they had."""
        self.counts: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()

    def batch(self, message: BatchMessage) -> None:
        rows = self._backend.ledger.paper_rows(message.run_id, message.ids)
        places = self._backend.ledger.answers(message.run_id, message.batch_id)
        self._newest = max((row.generation for row in rows.values()), default=0)
        verdicts = []
        for position, paper_id in enumerate(message.ids):
            row = rows.get(paper_id)
            if row is None or row.status not in _JUDGED or row.pointer is None:
                continue
            self.counts["papers"] += row.weight
            answers = [each.pointer for each in places.get(paper_id, ())]
            verdict = self._judge(message, message.ranges[position], row, answers)
            if verdict is not None:
                verdicts.append(verdict)
        if not self._dry:
            self._move(message, verdicts)
        else:
            self._count(verdicts)

    def _judge(
        self, message: BatchMessage, place: tuple[int, int], row: PaperRow, answers: Sequence[PartPointer]
    ) -> _Verdict | None:
        """None if it is the one that stands, or there is nothing to judge by."""
        outcome = "unreadable"
        try:
            paper = self._paper(message, place, row.paper_id)
            line = self._line(row)
            stored = self._stored(line, row, answers)
            by_passage = isinstance(self._task, WholePaperTask) and self._task.is_whole(paper)
            many = by_passage or isinstance(self._task, SampledTask)  # a repair is one answer's alone
            any_repair = self._task.columns is not None and not many
            known = KnownAnswers(stored.calls, any_repair=any_repair)
            result, passages = judged_again(self._task, paper, known, stored.frame)
            outcome = "unanswered" if known.missed else "unchanged"
            if not known.missed and stored.calls:
                verdict = self._verdict(row, line, stored, result, passages)
                if verdict.line is not None or verdict.passages:
                    return verdict
        except (BadLineError, DamagedObjectError) as error:
            logger.warning("paper %s: %s", row.paper_id, error)
        except PaperfleetError as error:
            outcome = "unanswered"
            logger.warning("paper %s is left as it is: %s", row.paper_id, error)
        self.counts[outcome] += row.weight
        return None

    def _paper(self, message: BatchMessage, place: tuple[int, int], paper_id: str) -> Paper:
        return read_paper(self._backend.store.read(message.corpus, *place), paper_id)

    def _line(self, row: PaperRow) -> PartLine:
        where = row.pointer
        if where is None:
            raise DamagedObjectError(f"{row.paper_id} has no line")
        return decode(self._backend.store.read(where.key, where.offset, where.length), where)

    def _stored(self, line: PartLine, row: PaperRow, answers: Sequence[PartPointer]) -> EveryCall:
        """Of a result that was taken over, the calls of the run that made them."""
        ledger, store = self._backend.ledger, self._backend.store
        for _ in range(_HOPS):
            if line.reused_from is None or line.calls or line.carried or row.pointer is None:
                break
            run_id, _, paper_id = line.reused_from.partition("/")
            origin = ledger.paper_rows(run_id, [paper_id]).get(paper_id)
            if origin is None or origin.pointer is None:
                break
            row, line = origin, self._line(origin)
            answers = [each.pointer for each in ledger.answers(run_id, line.batch_id).get(paper_id, ())]
        mine = () if row.pointer is None else (row.pointer,)
        return every_call(store, dict.fromkeys((*answers, *mine)))

    def _verdict(
        self,
        row: PaperRow,
        line: PartLine,
        stored: EveryCall,
        result: TaskResult,
        passages: Mapping[str, PassageResult],
    ) -> _Verdict:
        moves = result.status != row.status
        new = {
            "generation": max(row.generation + 1, self._newest) if moves else row.generation,
            "at": self._backend.clock.now(),
            "gate": result.gate or self._task.gate,
            "calls": (),
        }
        said = {name: getattr(result, name) for name in _SAID} | {"reason": said_of(result) or None}
        carried = {"carried": line.carried + line.calls}  # booked where they lie, and found there again
        why = said_of(result) or "refused"
        others = [
            line.model_copy(
                update=_BARE | new | {"passage": key, "passed": passes, "reason": None if passes else why}
            )
            for key, passes in _to_note(result, passages).items()
            if "flagged" in (row.status, result.status) and stored.passed.get(key) is not passes
        ]
        if not passages and moves and result.status == "flagged":  # a retry begins with what was answered
            others = [line.model_copy(update=_BARE | new | carried | {"passed": True, "reason": None})]
        moved = line.model_copy(update=new | said | carried) if moves else None
        return _Verdict(row, moved, tuple(others))

    def _move(self, message: BatchMessage, verdicts: Sequence[_Verdict]) -> None:
        """The lines first, then the rows, each where it still is as it was read."""
        lines = list(chain.from_iterable(filter(None, (*each.passages, each.line)) for each in verdicts))
        run_id, batch_id, now = message.run_id, message.batch_id, self._backend.clock.now()
        entries: list[LedgerEntry] = []
        part_id = f"{batch_id}/{self._job}"
        if lines:
            part = Part(run_id, part_id, tuple(map(encode, lines)))
            (pointers,) = self._backend.store.write_parts(self._job, [part])
            weight = {each.row.paper_id: each.row.weight for each in verdicts}
            entries = [entry_of(line, weight[line.id], at) for line, at in zip(lines, pointers, strict=True)]
        commit = Commit(run_id, batch_id, part_id, self._job, tuple(entries), CallTotals(), now)
        before = {each.row.paper_id: each.row for each in verdicts}
        taken = self._backend.ledger.rejudge(commit, before)
        self._count([each for each in verdicts if each.row.paper_id in taken])
        self.counts["unchanged"] += sum(
            each.row.weight for each in verdicts if each.row.paper_id not in taken
        )

    def _count(self, verdicts: Sequence[_Verdict]) -> None:
        for each in verdicts:
            if each.line is None:
                self.counts["unchanged"] += each.row.weight
            else:
                self.moved[f"{each.row.status}->{each.line.status}"] += each.row.weight


def _to_note(result: TaskResult, passages: Mapping[str, PassageResult]) -> dict[str, bool]:
    """Of each passage whose verdict a retry must know of, whether it passed. One that its own checks refuse
    is judged again by the retry, which begins with its answer and pays for the repair alone; one that the
    whole paper's check refuses would pass again, and is asked anew."""
    passed = {key: True for key, each in passages.items() if each.status == "done"}
    return passed | dict.fromkeys(result.blamed, False)


def regate(backend: Backend, record: RunRecord, task: Task, *, dry: bool = False) -> Regated:
    """Judge every done and flagged paper of the run's finished batches by ``task``, which asks what the run
    asked. A paper whose verdict is another gets a line with it, and then its row; a crash in between leaves
    what stood, and the same command goes on. ``dry`` only counts."""
    work = _Regate(backend, record, task, dry=dry)
    open_now = {each.batch_id for each in backend.ledger.unfinished_batches(record.run_id)}
    unfinished = 0
    with closing(cut_batches(record.run_id, record.spec, backend.store)) as batches:
        for message in batches:
            if message.batch_id in open_now:
                unfinished += message.papers
            else:
                work.batch(message)
    counts = work.counts
    return Regated(
        run_id=record.run_id,
        papers=counts["papers"],
        gate=task.gate,
        moved=dict(sorted(work.moved.items())),
        unchanged=counts["unchanged"],
        unanswered=counts["unanswered"],
        unreadable=counts["unreadable"],
        unfinished=unfinished,
        dry=dry,
    )
