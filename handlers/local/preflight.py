"""States on which nothing may be started: to go on would be to pay again."""

from __future__ import annotations

from pathlib import Path

from handlers.adapters.sqlite.salvage import damage
from handlers.bootstrap.state import State
from handlers.domain.result import MADE_UP
from handlers.errors import UsageError
from handlers.llm.built_in import is_built_in
from handlers.ports import Backend
from handlers.reporting.page.survey import read_line
from handlers.state_paths import LEDGER, QUEUE, SEGMENTS, run_key


def refuse_damaged(state: Path) -> None:
    """UsageError if the ledger or the queue is damaged, or if there are results and no ledger. It is raised
    before the first call, not in the middle of a run."""
    if not (state / LEDGER).exists() and (results := _results(state)) is not None:
        raise UsageError(
            f"{state / LEDGER} is gone, and {results} holds results that were paid for; `paperfleet repair"
            f" --state {state}` makes it again. To pay for all of it anew, give another --state"
        )
    for name in (LEDGER, QUEUE):
        if (fault := damage(state / name)) is not None:
            raise UsageError(
                f"{state / name} is damaged ({fault}); `paperfleet repair --state {state}` makes it again"
            )


def refuse_forgotten(state: State, run_id: str) -> None:
    """UsageError if a run has results and the ledger does not know it: the old ledger is gone, and this one
    was made anew."""
    if run_id not in state.ledger.run_ids() and (results := _results(state.directory, run_id)) is not None:
        raise UsageError(
            f"the ledger in {state.directory} does not know run {run_id!r}, and {results} holds results of it"
            f" that were paid for; `paperfleet repair --state {state.directory}` finds them. To pay for all"
            " of it anew, give another --run-id"
        )


def refuse_made_up(state: Backend, run_id: str, base_url: str) -> None:
    """UsageError if a run has results of the built-in model server, and this is another endpoint: made-up
    texts would stand among translations."""
    if run_id not in state.ledger.run_ids():
        return
    done = next((row for row in state.ledger.entries(run_id) if row.status == "done" and row.pointer), None)
    line = read_line(state.store, done) if done is not None else None
    if line is not None and line.fingerprint.startswith(MADE_UP) and not is_built_in(base_url):
        raise UsageError(
            f"run {run_id!r} has results of the built-in model server, which are no translations: give"
            " another --run-id for this endpoint"
        )


def _results(state: Path, run_id: str = "*") -> Path | None:
    """A segment that is not empty, if there is one."""
    segments = state.glob(run_key(run_id, SEGMENTS, "*.jsonl"))
    return next((path for path in segments if path.stat().st_size), None)
