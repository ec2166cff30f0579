"""The process that makes a run's results while its last papers land."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType

from handlers.bootstrap.host import SIGNALS
from handlers.bootstrap.state import State, open_state
from handlers.errors import PaperfleetError
from handlers.ports import Ledger
from handlers.results.early_export import Ahead, complete, write_ahead
from handlers.settings import Settings
from handlers.state_paths import AHEAD, run_folder

logger = logging.getLogger(__name__)

_LEAST = 1_000
"""Papers of a run below which its export takes no time."""
_LAST = 20
"""It begins when a paper of so many is pending, at most one for each worker: nothing else waits by then."""
_TICK = 0.2


class EarlyResults:
    """Results of a session that are there when it ends. What goes wrong is logged and costs time alone: they
    are made at the end then, as without it. A command that changes papers which have ended takes the file
    away."""

    def __init__(self, settings: Settings) -> None:
        jobs, workers = settings.shape
        self._settings, self._workers = settings, jobs * workers
        self._folder = run_folder(settings.state, settings.run_id)
        self._scratch = self._folder / AHEAD
        self._may_begin = settings.backend == "embedded"
        self._process: multiprocessing.process.BaseProcess | None = None
        self._answer: Connection | None = None
        self._ahead: Ahead | None = None

    def __enter__(self) -> EarlyResults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._scratch.unlink(missing_ok=True)

    def is_due(self, ledger: Ledger) -> bool:
        """Whether few papers are pending, and it has not begun."""
        if not self._may_begin:
            return False
        counts = ledger.totals(self._settings.run_id).counts
        papers = sum(counts.values())
        self._may_begin = papers >= _LEAST and counts["pending"] > 0
        return self._may_begin and counts["pending"] <= min(self._workers, papers // _LAST)

    def begin(self, parent: int, own: int) -> None:
        """Fork the process, while no SQLite is open. ``parent`` is a pipe's end that closes when this process
        dies, ``own`` the other end of it."""
        self._may_begin = False
        context = multiprocessing.get_context("fork")
        self._answer, theirs = context.Pipe(duplex=False)
        process = context.Process(target=self._write, args=(theirs, parent, own), name="results")
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child has its own handlers
        try:
            process.start()
            self._process = process
        except OSError as error:
            logger.warning("results are made at the end: %s", error)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            theirs.close()

    def wait(self, give_up: Callable[[], bool]) -> None:
        """Until the process has ended, or is ended as nobody wants what it makes."""
        if self._process is None or self._answer is None:
            return
        with suppress(EOFError, OSError):  # it died
            while not give_up():
                if self._answer.poll(_TICK):
                    self._ahead = self._answer.recv()
                    break
        self._end()

    def finish(self, state: State) -> bool:
        """Write the results of a run that has finished. False if none were written ahead that fit it."""
        if self._ahead is None:
            return False
        run_id, target = self._settings.run_id, self._folder / "results.jsonl"
        with suppress(EOFError, FileNotFoundError):  # somebody has taken the file away
            counts = complete(state, run_id, target, self._scratch, self._ahead)
            return counts == state.ledger.totals(run_id).counts
        return False

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _write(self, answer: Connection, parent: int, own: int) -> None:
        """Runs in the child."""
        for number in SIGNALS:  # heard by the parent, which decides
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(own)
        threading.Thread(target=self._end_with, args=(parent,), name="parent", daemon=True).start()
        ahead = None
        try:
            with open_state(self._settings.run_id, self._settings) as state:
                ahead = write_ahead(state, self._settings.run_id, self._scratch)
        except (OSError, sqlite3.Error, PaperfleetError) as error:  # no room, a damaged part: met again
            logger.warning("results are made at the end: %s", error)
        answer.send(ahead)

    def _end_with(self, parent: int) -> None:
        os.read(parent, 1)
        self._scratch.unlink(missing_ok=True)
        os._exit(1)
