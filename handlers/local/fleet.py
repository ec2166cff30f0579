"""The parent of a machine's jobs: starts them, watches them, replaces those that die."""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from handlers.bootstrap import wiring
from handlers.bootstrap.host import SIGNALS, is_alive, new_id
from handlers.bootstrap.notifications import Notifications
from handlers.bootstrap.state import State, SystemClock, connect, open_state
from handlers.domain.run import DEAR_HOURS, SessionRecord
from handlers.errors import PaperfleetError
from handlers.local.early_results import EarlyResults
from handlers.local.job_process import FAILED, job_main
from handlers.reporting.progress import Progress
from handlers.runs.submit import queue_entry
from handlers.runs.watch import DEAD_AFTER, close_dead_jobs
from handlers.setting_sources import to_environment
from handlers.settings import Settings
from handlers.state_paths import job_log
from handlers.tasks.translation.gate.units import units

_TICK = 0.2
_SHOWN_EVERY = {"embedded": 0.0, "aws": 5.0}
"""Seconds between two looks at the ledger for the progress display."""
_RESTARTS_PER_JOB = 5


def reap_dead_jobs(state: State, run_id: str) -> None:
    """Close the jobs whose process is gone: free their leases, emit their batches again, book as
    indeterminate what they held. In a stack they are other machines', and their heartbeats' age alone tells:
    after an outage they may live, so that their leases are left to run out, as they have."""
    if state.by_itself:
        close_dead_jobs(state, run_id)
    for job in () if state.by_itself else state.ledger.jobs(run_id):
        silent = state.clock.now() - job.heartbeat_at > DEAD_AFTER  # another machine's, or frozen for good
        if job.ended_at is None and (silent or not is_alive(job.owner)):
            _free_dead_job(state, run_id, job.job_id)


def _later(earlier: list[str], last: list[str]) -> list[str]:
    """Of ``last``, the lines that came after ``earlier``: both are windows of one list that grows."""
    for shared in range(min(len(earlier), len(last)), 0, -1):
        if earlier[-shared:] == last[:shared]:
            return last[shared:]
    return last


def _free_dead_job(state: State, run_id: str, job_id: str) -> None:
    freed = state.ledger.free_leases(run_id, job_id)
    state.ledger.end_job(run_id, job_id, at=state.clock.now(), outcome="killed", stats=None)
    state.queue.send(map(queue_entry, freed))


class Fleet:
    """A session of local jobs. SQLite is closed whenever a process is forked."""

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        *,
        cut_off_after: float = math.inf,
        early: EarlyResults | None = None,
    ) -> None:
        """``cut_off_after``: seconds between the first signal and the end of calls in flight, where the
        platform leaves no time for a drain. ``early``: who makes results while the last papers land."""
        self._early = early
        self._cut_off_after = cut_off_after
        self._signalled_at = math.inf
        self._settings = settings
        self._progress = progress
        self._run_id = settings.run_id
        self._jobs, self._workers = settings.shape
        self._session_id = settings.session_id or new_id("session")
        self._processes: dict[str, BaseProcess] = {}
        self._restarts = self._jobs * _RESTARTS_PER_JOB
        self._signals = 0
        self._notes: dict[str, list[str]] = {}
        self._failure = ""
        self._context = multiprocessing.get_context(
            "fork"
        )  # a warm import: first call in a third of the time
        self._parent_end, self._own_end = os.pipe()

    def run(self) -> str:
        """Work until nothing is left, or something stops it; returns why results could not be kept,
        "" if they could."""
        self._open_session()
        notifications = Notifications(self._settings, self._session_id, lifeline=self._own_end)
        outcome = "failed"
        try:
            # What every job needs is made once, and not in each fork.
            if not self._settings.task:
                units()
            wiring.read_certificates(self._settings)
            if self._settings.full_text:
                import_module("handlers.tasks.translation.whole.paper_result")
            gc.freeze()  # the forks share these pages as long as no collection touches them
            with self._signals_handled():
                for _ in range(self._jobs):
                    if not self._signals:
                        self._start()
                self._watch(notifications)
                if self._early is not None:
                    self._early.wait(lambda: bool(self._signals or self._failure))
            outcome = self._close_session()
        finally:
            notifications.end(outcome)
        return self._failure

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended it."""
        return self._signals > 0

    def _close_session(self) -> str:
        """How the session ended."""
        try:
            with open_state(self._run_id, self._settings) as state:
                reap_dead_jobs(state, self._run_id)
                outcome = self._outcome(state)
                state.ledger.close_session(self._session_id, at=state.clock.now(), outcome=outcome)
        except (sqlite3.Error, PaperfleetError) as error:
            self._could_not_write(error)
            return self._failure or "failed"
        return outcome

    def _could_not_write(self, error: Exception) -> None:
        """Nobody else writes a machine's own ledger; in a fleet's, others close what is left open."""
        problem = f"the ledger cannot be written: {error}"
        if self._settings.backend == "embedded":
            self._failure = self._failure or problem
        else:
            self._progress.say(
                f"{problem}; what is left open here is closed by the fleet's report or the next job"
            )

    def _open_session(self) -> None:
        with open_state(self._run_id, self._settings) as state:
            now = state.clock.now()
            limit = self._settings.limit
            state.ledger.open_session(
                SessionRecord(self._session_id, self._run_id, self._jobs, self._workers, now, None, "", limit)
            )
            if self._settings.deadline is not None:
                self._settings = self._settings.model_copy(update={"ends_at": now + self._settings.deadline})

    def _start(self) -> None:
        job_id = new_id("job")
        workers = "auto" if self._settings.workers == "auto" else self._workers
        changed = {"session_id": self._session_id, "job_id": job_id, "workers": workers}
        environment = to_environment(self._settings.model_copy(update=changed))
        log = job_log(self._settings.state, self._run_id, job_id)
        process = self._context.Process(target=self._job, args=(environment, log), name=job_id)
        # A signal between fork and the child's own handlers would reach the parent's, in the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            if self._signals:  # heard since the caller looked: this job would miss the drain
                return
            process.start()
            self._processes[job_id] = process
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _job(self, environment: dict[str, str], log: Path) -> None:
        """Runs in the child. Only the parent may hold the writing end: its death closes the pipe."""
        os.close(self._own_end)
        job_main(environment, log, self._parent_end)

    def _watch(self, notifications: Notifications) -> None:
        state: State | None = None
        shown = -math.inf
        every = _SHOWN_EVERY[self._settings.backend]
        while self._processes:
            ended = self._ended()
            if ended and state is not None:
                state.close()
                state = None
            for job_id in ended:
                self._end(job_id)
            self._cut_off_in_time()
            state = state or connect(self._settings, self._run_id)
            if state.clock.monotonic() - shown >= every:
                shown = state.clock.monotonic()
                with suppress(PaperfleetError):  # a ledger that is away for a while; the jobs wait for it
                    self._progress.update(state.ledger, self._run_id, now=state.clock.now())
                    self._say_changes(state)
                notifications.look(state.ledger)
            if self._early is not None and self._early.is_due(state.ledger):
                state.close()
                state = None
                self._early.begin(self._parent_end, self._own_end)
            self._wait()
        if state is not None:
            state.close()

    def _wait(self) -> None:
        """For a tick, or until a job ends."""
        if self._processes:
            connection.wait([each.sentinel for each in self._processes.values()], _TICK)

    def _ended(self) -> list[str]:
        """Jobs whose process is gone, or about to be."""
        closed = connection.wait([each.sentinel for each in self._processes.values()], 0)
        return [
            job_id
            for job_id, process in self._processes.items()
            if process.sentinel in closed or not process.is_alive()
        ]

    def _cut_off_in_time(self) -> None:
        now = SystemClock().monotonic()
        if self._signals == 1 and self._cut_off_after < math.inf:
            self._signalled_at = min(self._signalled_at, now)
            if now - self._signalled_at >= self._cut_off_after:
                self._signals += 1
                self._drain()

    def _say_changes(self, state: State) -> None:
        """Changes that the jobs made by themselves are said once each."""
        if self._settings.workers != "auto":
            return
        for job in state.ledger.jobs(self._run_id):
            if job.session_id != self._session_id:
                continue
            notes = job.stats.note.splitlines()
            for note in _later(self._notes.get(job.job_id, []), notes):
                self._progress.say(f"{job.job_id}: {note}")
            self._notes[job.job_id] = notes

    def _end(self, job_id: str) -> None:
        process = self._processes.pop(job_id)
        process.join()
        if process.exitcode == 0:
            return
        self._declare_dead(job_id)
        log = job_log(self._settings.state, self._run_id, job_id)
        if process.exitcode == FAILED:
            self._failure = f"job {job_id} could not keep its results: make room, then run again; see {log}"
            self._drain()
        elif self._restarts and not self._signals:
            self._restarts -= 1
            self._progress.say(
                f"{job_id} died (exit {process.exitcode}); another takes its place; log: {log}"
            )
            self._start()

    def _declare_dead(self, job_id: str) -> None:
        try:
            with open_state(self._run_id, self._settings) as state:
                _free_dead_job(state, self._run_id, job_id)
        except (sqlite3.Error, PaperfleetError) as error:  # the next session reaps it
            self._could_not_write(error)

    @contextmanager
    def _signals_handled(self) -> Iterator[None]:
        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self._signals += 1
            self._progress.say(
                "draining: calls in flight finish, nothing new starts; once more to cut them off"
                if self._signals == 1
                else "cutting off: calls in flight are booked at their estimate"
            )
            self._drain()

        before = {number: signal.signal(number, on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _drain(self) -> None:
        for process in self._processes.values():
            if process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGTERM)

    def _outcome(self, state: State) -> str:
        if self._failure:
            return self._failure
        if self._signals:
            return "interrupted"
        ends = {job.outcome for job in state.ledger.jobs(self._run_id) if job.session_id == self._session_id}
        if dear := max((end for end in ends if end.startswith(DEAR_HOURS)), default=""):
            return dear
        return next((word for word in ("limit", "deadline") if word in ends), "finished")
