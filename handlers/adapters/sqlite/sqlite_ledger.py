"""The embedded ``Ledger``: one SQLite file in WAL mode, shared by every job of the machine."""

from __future__ import annotations

from pathlib import Path

from handlers.adapters.sqlite.answer_tables import ANSWER, KNOWN_ANSWERS, AnswerTables
from handlers.adapters.sqlite.batch_tables import BatchTables, add_attempts, add_figures
from handlers.adapters.sqlite.database import Database
from handlers.adapters.sqlite.endpoint_tables import ENDPOINT_NOTE, EndpointTables
from handlers.adapters.sqlite.job_tables import JobTables
from handlers.adapters.sqlite.open_runs import KNOWN_RUNS, OPEN_RUN, OpenRunTable
from handlers.adapters.sqlite.paper_tables import PaperTables
from handlers.adapters.sqlite.rejudging import Rejudging
from handlers.adapters.sqlite.result_tables import ResultTables
from handlers.adapters.sqlite.run_tables import BUDGET_WORD, RunTables

PART_CALLS = """
CREATE TABLE IF NOT EXISTS part_calls (
    run_id TEXT NOT NULL,
    part_id TEXT NOT NULL,
    calls TEXT NOT NULL,
    PRIMARY KEY (run_id, part_id)
) WITHOUT ROWID
"""
"""Sums of each part's calls (``CallTotals`` as JSON, zeros left out), so that ledgers can be merged part by
part. A table of its own: older files stay usable."""
HELD = ("held INTEGER NOT NULL DEFAULT 0", "released INTEGER NOT NULL DEFAULT 0")
"""Of each part: what its calls may be billed for beyond what is booked, and how much of that was let go. Both
only grow, so that merged ledgers take the larger. (``held`` of a run or a job, an older name, is what is
drawn and not given back; a job's ``spent`` is what its parts take of it: cost and held.)"""
SEGMENTS = "segments TEXT"
"""Of a paper: what became of its body, as JSON. Always the last column, so that ledgers copy rows whole."""
FOLLOWED = "followed INTEGER NOT NULL DEFAULT 0"
"""Of a result under a fingerprint: how many went before it, whose answers it has beside its own. A merge has
the one stay that follows most. Always the last column."""
_SCHEMA = """
CREATE TABLE run (
    run_id TEXT PRIMARY KEY,
    spec TEXT NOT NULL,
    papers INTEGER NOT NULL,
    same_as INTEGER NOT NULL,
    created_at REAL NOT NULL,
    budget INTEGER,
    held INTEGER NOT NULL DEFAULT 0,
    reused INTEGER NOT NULL DEFAULT 0,
    control TEXT NOT NULL DEFAULT 'active',
    reason TEXT NOT NULL DEFAULT '',
    control_at REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE batch (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    message TEXT NOT NULL,
    papers INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    lease_until REAL NOT NULL DEFAULT 0,
    finished_at REAL,
    done INTEGER NOT NULL DEFAULT 0,
    flagged INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER,
    sent INTEGER,
    settled INTEGER NOT NULL DEFAULT 0,
    cost INTEGER NOT NULL DEFAULT 0,
    calls INTEGER NOT NULL DEFAULT 0,
    busy_ms INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    pardons INTEGER NOT NULL DEFAULT 0,
    holder TEXT NOT NULL DEFAULT '',
    UNIQUE (run_id, batch_id)
);
CREATE TABLE paper (
    run_id TEXT NOT NULL,
    paper_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    key TEXT,
    offset INTEGER,
    length INTEGER,
    weight INTEGER NOT NULL,
    reused INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    flags TEXT NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,
    busy_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, paper_id)
) WITHOUT ROWID;
CREATE TABLE part (
    run_id TEXT NOT NULL,
    part_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    at REAL NOT NULL,
    cost INTEGER NOT NULL,
    indeterminate INTEGER NOT NULL,
    PRIMARY KEY (run_id, part_id)
) WITHOUT ROWID;
CREATE TABLE tally (
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (run_id, kind, name)
) WITHOUT ROWID;
CREATE TABLE fingerprint (
    fingerprint TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    paper_id TEXT NOT NULL,
    key TEXT NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE job (
    run_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    workers INTEGER NOT NULL,
    started_at REAL NOT NULL,
    heartbeat_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT NOT NULL DEFAULT '',
    stats TEXT NOT NULL DEFAULT '{}',
    seq INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    spent INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, job_id)
) WITHOUT ROWID;
CREATE TABLE session (
    session_id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    workers INTEGER NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT NOT NULL DEFAULT '',
    max_papers INTEGER,
    started INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID
"""


class SqliteLedger(
    RunTables,
    BatchTables,
    PaperTables,
    ResultTables,
    AnswerTables,
    Rejudging,
    JobTables,
    EndpointTables,
    OpenRunTable,
):
    """Sums (``tally``, batch counts, ``run.held``) are kept in the transaction that changes them,
    so that status reads a few rows however many papers there are."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _SCHEMA)
        self._db.ensure(PART_CALLS)
        self._db.ensure(BUDGET_WORD)
        self._db.ensure(ENDPOINT_NOTE)
        self._db.ensure(ANSWER, KNOWN_ANSWERS)
        self._db.ensure(OPEN_RUN, KNOWN_RUNS)
        for column in HELD:
            self._db.add_column("part", column)
        add_figures(self._db)
        add_attempts(self._db)
        self._db.add_column("paper", SEGMENTS)
        self._db.add_column("fingerprint", FOLLOWED)

    def away_for(self) -> float:
        """A disk that takes no write says so at once, and not only for a while."""
        return 0.0

    def close(self) -> None:
        self._db.close()
