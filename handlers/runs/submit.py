"""From a canonical corpus to a run: create it, cut its batches once, emit those that are unfinished."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from pydantic import Field

from handlers.corpus.batching import cut
from handlers.corpus.index import IndexEntry, parse_index
from handlers.domain.batch import BatchMessage
from handlers.domain.language_names import primary_subtag
from handlers.domain.money import NanoUsd, usd
from handlers.domain.run import Control, RunId, RunRecord, RunSpec
from handlers.domain.value import Frozen
from handlers.errors import (
    CorpusChangedError,
    DamagedObjectError,
    RunChangedError,
    UnknownRunError,
    UsageError,
)
from handlers.ports import Backend, Ledger, ObjectStore
from handlers.runs.run_record import store_record
from handlers.state_paths import index_key
from handlers.tasks.translation.masking.masking import MASKINGS

_MOST_SETTINGS = 64 * 1024
"""Bytes."""
_MOST_PAPERS = 10**12


class RunRequest(Frozen):
    """The shard handler's input: a new run needs ``spec`` and the counts, a known one only its id."""

    run_id: RunId
    spec: RunSpec | None = None
    papers: int = Field(default=0, ge=0, le=_MOST_PAPERS)
    """Number of papers; 0: what the corpus has."""
    same_as: int = Field(default=0, ge=0, le=_MOST_PAPERS)
    budget: NanoUsd | None = None
    """Cumulative for the run; None keeps what the run has (a new one: no limit)."""


class Submitted(Frozen):
    """The result of a run request."""

    run_id: str
    papers: int
    batches: int
    """Batches of the run, cut once."""
    emitted: int
    """Messages sent now: one for each unfinished batch."""


def submit_run(backend: Backend, request: RunRequest) -> Submitted:
    """Create the run if it is new, re-arm it if not, and emit its unfinished batches.

    RunChangedError if a fixed setting differs; UnknownRunError for an unknown id without a spec; UsageError
    for a budget that is lowered below what is spent.
    """
    ledger, clock, run_id = backend.ledger, backend.clock, request.run_id
    record = _known(ledger, request) or _create(backend, request)
    if request.spec is not None and (diff := record.spec.diff(_as_begun(request.spec, record.spec))):
        raise RunChangedError(run_id, diff)
    record = _with_bundle(backend, record, request.spec)
    store_record(record, backend.store)  # also of a run that a version without it made
    if request.budget is not None:
        _refuse_spent(backend.ledger, record, request.budget)
        ledger.set_budget(run_id, request.budget, at=clock.now())
    if ledger.control(run_id).state == "cancelled":
        raise UsageError(
            f"run {run_id!r} was cancelled; `paperfleet resume` re-arms it, or give another --run-id"
        )
    ledger.set_control(run_id, Control("active", "", clock.now()))
    emitted = emit(backend, run_id)
    batches = ledger.totals(run_id).batches
    return Submitted(run_id=run_id, papers=record.papers, batches=batches, emitted=emitted)


def _refuse_spent(ledger: Ledger, record: RunRecord, budget: NanoUsd) -> None:
    """A budget that stands goes on, whatever was booked beyond it since."""
    spend = ledger.budget_state(record.run_id).spend
    if budget < spend and budget != record.budget:
        raise UsageError(
            f"--budget {usd(budget):g}: ${usd(spend):.6f} of this run are spent already, and a budget is for"
            " all of it: give more, or leave it out to go on with the one it has"
        )


def emit(backend: Backend, run_id: str) -> int:
    """Send a message for every unfinished batch, whatever became of earlier ones; returns how many."""
    backend.ledger.forgive(run_id)
    return backend.queue.send(map(queue_entry, backend.ledger.unfinished_batches(run_id)))


def queue_entry(message: BatchMessage) -> tuple[str, str]:
    """(deduplication key, body): one message a batch and generation."""
    return f"{message.run_id}/{message.batch_id}/{message.generation}", message.model_dump_json()


def _as_begun(spec: RunSpec, begun: RunSpec) -> RunSpec:
    """With the masking that the run was begun with: it stays the run's to its end. So does a task file's
    bundle where the file says another name or description alone."""
    if spec.task == "file" and spec.task_bundle == begun.task_bundle:  # another version judges by it
        return spec.model_copy(update={"task_gate": begun.task_gate})
    if spec.task == "file":
        return spec.model_copy(update={"task_bundle": begun.task_bundle}) if _is_same(spec, begun) else spec
    if begun.masking_version not in MASKINGS:
        return spec
    return spec.model_copy(update={"masking_version": begun.masking_version})


def _is_same(spec: RunSpec, begun: RunSpec) -> bool:
    return (spec.task_asks, spec.task_gate) == (begun.task_asks, begun.task_gate)


def _with_bundle(backend: Backend, record: RunRecord, asked: RunSpec | None) -> RunRecord:
    """The run with the bundle that is given now, which asks and judges the same: its name, its description
    and the fields beside the answers are another's, and cost nothing."""
    begun = record.spec
    if asked is None or asked.task_bundle in (None, begun.task_bundle) or not _is_same(asked, begun):
        return record
    _refuse_unknown_task(asked, backend.store)
    changed = begun.model_copy(update={"task_bundle": asked.task_bundle})
    backend.ledger.judge_by(record.run_id, changed, known=begun)
    return replace(record, spec=changed)


def _known(ledger: Ledger, request: RunRequest) -> RunRecord | None:
    try:
        return ledger.run(request.run_id)
    except UnknownRunError:
        if request.spec is None:
            raise
        return None


def _create(backend: Backend, request: RunRequest) -> RunRecord:
    """Batches first, the run last: a crash in between leaves no run, and the next try cuts the same."""
    spec = request.spec
    if spec is None:
        raise UsageError("a new run needs its settings")
    _refuse_large(spec)
    if not backend.store.exists(spec.corpus):
        raise CorpusChangedError(f"corpus {spec.corpus} is not in the store: ingest the source first")
    _refuse_unknown_task(spec, backend.store)
    with closing(cut_batches(request.run_id, spec, backend.store)) as batches:
        papers = Counter[str]()
        backend.ledger.add_batches(_adding_up(batches, papers))
    total = papers.total()
    if request.papers not in (0, total) or request.same_as > total:
        given = f"{request.papers:,} papers, {request.same_as:,} of them same_as"
        raise UsageError(f"{given}: the corpus {spec.corpus} has {total:,}")
    now = backend.clock.now()
    return backend.ledger.create_run(
        RunRecord(request.run_id, spec, total, request.same_as, now, request.budget)
    )


def _adding_up(batches: Iterable[BatchMessage], papers: Counter[str]) -> Iterator[BatchMessage]:
    for batch in batches:
        papers[batch.run_id] += batch.papers
        yield batch


def _refuse_unknown_task(spec: RunSpec, store: ObjectStore) -> None:
    """Before a batch is cut, not in each worker. A request may come from anywhere."""
    if spec.task_bundle is None:
        if spec.task == "file":
            raise UsageError("task: one of a file has a task_bundle, which `paperfleet task push` prints")
        return
    from handlers.tasks.file_task.stored_bundle import stored_bundle  # for such runs alone

    try:
        bundle = stored_bundle(spec.task_bundle, store)
    except DamagedObjectError as error:
        raise UsageError(str(error)) from error
    if spec.task == "file" and (bundle.asks, bundle.gate) != (spec.task_asks, spec.task_gate):
        raise UsageError(
            f"task_asks and task_gate are not those of task_bundle {spec.task_bundle[:12]}: in this version"
            f" they are {bundle.asks} and {bundle.gate}"
        )


def _refuse_large(spec: RunSpec) -> None:
    """Settings are read by each job and fit into an item of any ledger; a glossary has a place of its own."""
    settings = spec.model_dump(mode="json", exclude={"glossary"})
    sizes = {name: len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
             for name, value in settings.items()}  # fmt: skip
    if sum(sizes.values()) > _MOST_SETTINGS:
        name = max(sizes, key=lambda each: sizes[each])
        raise UsageError(
            f"{name} has {sizes[name]:,} bytes: the settings of a run may have {_MOST_SETTINGS:,} in all, "
            "without its glossary"
        )


def cut_batches(run_id: str, spec: RunSpec, store: ObjectStore) -> Generator[BatchMessage, None, None]:
    """A run's batches: the same ones whenever they are cut."""
    index = store.lines(index_key(spec.corpus))
    entries = parse_index(index, corpus_sha256=spec.corpus_sha256)
    return cut(
        entries,
        run_id=run_id,
        corpus_key=spec.corpus,
        corpus_sha256=spec.corpus_sha256,
        max_papers=spec.batch_papers,
        max_tokens=spec.batch_tokens,
        full_text=spec.full_text,
        costs_nothing=costs_nothing(spec),
    )


def costs_nothing(spec: RunSpec) -> Callable[[IndexEntry], bool]:
    """Whether a paper needs no call, as far as the index tells."""
    return lambda entry: why_nothing(spec, entry) is not None


def why_nothing(spec: RunSpec, entry: IndexEntry) -> str | None:
    """Why a paper needs no call, as far as the index tells; None if it may need one."""
    if entry.empty:
        return "no title and no abstract" if spec.task == "translate" else "no text"
    if entry.no_derivatives and spec.skip_no_derivatives:
        return "the licence forbids derivatives"
    if spec.task != "translate":
        return None
    known = entry.language is not None and primary_subtag(entry.language)
    return f"already in {spec.target_language}" if known == primary_subtag(spec.target_language) else None
