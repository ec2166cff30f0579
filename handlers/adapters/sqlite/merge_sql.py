"""The statements of a merge: ``main`` is the ledger merged into, ``src`` the source.

Each picks the further of two rows by an order that is total, so that neither the order of the sources nor
their number changes what comes out.
"""

from __future__ import annotations

DEAREST_BUDGET = (
    "UPDATE main.run SET budget = CASE WHEN run.budget IS NULL OR s.budget IS NULL THEN NULL"
    " ELSE MAX(run.budget, s.budget) END, created_at = MIN(run.created_at, s.created_at)"
    " FROM src.run s WHERE run.run_id = :run AND s.run_id = :run"
)
"""For ledgers that do not record who set the budget: a job's has its share, the run's own has all of it."""
_WORD = "({0}.at, {0}.budget IS NULL, COALESCE({0}.budget, 0))"
LAST_WORD = (
    "INSERT INTO main.budget_word SELECT * FROM src.budget_word WHERE run_id = :run"
    " ON CONFLICT (run_id) DO UPDATE SET budget = excluded.budget, at = excluded.at"
    f" WHERE {_WORD.format('excluded')} > {_WORD.format('budget_word')}",
    "UPDATE main.run SET budget = w.budget FROM main.budget_word w"
    " WHERE run.run_id = :run AND w.run_id = :run",
)
"""The budget that was set last counts, also if it is lower."""

_STATE = "CASE {0}.control WHEN 'cancelled' THEN 3 WHEN 'parked' THEN 2 WHEN 'paused' THEN 1 ELSE 0 END"
LATEST_CONTROL = (
    "UPDATE main.run SET control = s.control, reason = s.reason, control_at = s.control_at FROM src.run s"
    " WHERE run.run_id = :run AND s.run_id = :run AND"
    f" (s.control_at, {_STATE.format('s')}, s.reason) >"
    f" (run.control_at, {_STATE.format('run')}, run.reason)"
)

OTHER_CUT = (
    "SELECT m.batch_id FROM main.batch m JOIN src.batch s USING (run_id, batch_id)"
    " WHERE m.run_id = :run AND m.message <> s.message LIMIT 1"
)
_PARTS = "SELECT 1 FROM {0}.part WHERE run_id = :run"
_REPAIR = "SELECT cost, at FROM {0}.part WHERE run_id = :run AND part_id = :repair"
OTHER_REPAIR = (
    f"SELECT 1 WHERE EXISTS ({_PARTS.format('main')}) AND EXISTS ({_PARTS.format('src')})"
    f" AND EXISTS (SELECT * FROM ({_REPAIR.format('main')}) UNION SELECT * FROM ({_REPAIR.format('src')})"
    f" EXCEPT SELECT * FROM ({_REPAIR.format('main')} INTERSECT {_REPAIR.format('src')}))"
)
"""Two ledgers of which one was repaired, or both and not as one."""
ADD_BATCHES = (
    "INSERT OR IGNORE INTO main.batch (run_id, batch_id, message, papers, generation, tokens, sent)"
    " SELECT run_id, batch_id, message, papers, generation, tokens, sent FROM src.batch WHERE run_id = :run"
    " ORDER BY position"
)
GROW_BATCHES = (
    "UPDATE main.batch SET generation = MAX(batch.generation, s.generation),"
    " epoch = MAX(batch.epoch, s.epoch)"
    " FROM src.batch s WHERE batch.run_id = :run AND s.run_id = :run AND s.batch_id = batch.batch_id"
)

_RANK = (
    "CASE {0}.status WHEN 'done' THEN 4 WHEN 'skipped' THEN 3 WHEN 'flagged' THEN 2 WHEN 'failed' THEN 1"
    " ELSE 0 END"
)
_ORDER = "({0}.generation, " + _RANK + ", {0}.cost, COALESCE({0}.key, ''), COALESCE({0}.offset, 0))"
TAKE_PAPERS = (
    "INSERT INTO main.paper SELECT p.* FROM src.paper p WHERE p.run_id = :run AND (p.key IS NULL OR EXISTS"
    " (SELECT 1 FROM temp.object o WHERE o.key = p.key AND p.offset + p.length <= o.size))"
    " ON CONFLICT (run_id, paper_id) DO UPDATE SET batch_id = excluded.batch_id, generation ="
    " excluded.generation, status = excluded.status, error = excluded.error, key = excluded.key,"
    " offset = excluded.offset, length = excluded.length, weight = excluded.weight,"
    " reused = excluded.reused, cost = excluded.cost, flags = excluded.flags, calls = excluded.calls,"
    " busy_ms = excluded.busy_ms, segments = excluded.segments"
    f" WHERE {_ORDER.format('excluded')} > {_ORDER.format('paper')}"
)
"""A later generation goes before an earlier one, then an end before none, then the better end, then the
row with more behind it."""

TAKE_ANSWERS = (
    "INSERT OR IGNORE INTO main.answer SELECT a.* FROM src.answer a WHERE a.run_id = :run AND EXISTS"
    " (SELECT 1 FROM temp.object o WHERE o.key = a.key AND a.offset + a.length <= o.size)"
)
"""A union: each is put once."""
LOST_ANSWERS = (
    "SELECT COUNT(DISTINCT a.paper_id) FROM src.answer a JOIN temp.object o USING (key)"
    " WHERE a.run_id = :run AND a.offset + a.length > o.size AND NOT EXISTS (SELECT 1 FROM main.answer m"
    " WHERE m.run_id = a.run_id AND m.batch_id = a.batch_id AND m.paper_id = a.paper_id"
    " AND m.generation = a.generation AND m.key = a.key AND m.offset = a.offset)"
)

_PLACE = "(-{0}.followed, {0}.run_id, {0}.paper_id, {0}.key, {0}.offset)"
TAKE_FINGERPRINTS = (
    "INSERT INTO main.fingerprint SELECT f.* FROM src.fingerprint f WHERE f.run_id = :run AND EXISTS"
    " (SELECT 1 FROM temp.object o WHERE o.key = f.key AND f.offset + f.length <= o.size)"
    " ON CONFLICT (fingerprint) DO UPDATE SET run_id = excluded.run_id, paper_id = excluded.paper_id,"
    " key = excluded.key, offset = excluded.offset, length = excluded.length, followed = excluded.followed"
    f" WHERE {_PLACE.format('excluded')} < {_PLACE.format('fingerprint')}"
)
"""The result that goes on from most others has the most answers; of equals the order of places decides."""

TAKE_NOTES = (
    "INSERT INTO main.endpoint_note SELECT * FROM src.endpoint_note WHERE true"
    " ON CONFLICT (key) DO UPDATE SET text = excluded.text WHERE excluded.text > endpoint_note.text"
)
"""The greater text is the later note."""

ADD_PARTS = (
    "INSERT OR IGNORE INTO main.part SELECT * FROM src.part WHERE run_id = :run"
    " AND part_id NOT LIKE 'lost/%'",
    "INSERT OR IGNORE INTO main.part_calls SELECT * FROM src.part_calls WHERE run_id = :run"
    " AND part_id NOT LIKE 'lost/%'",
)

LET_GO = (
    "UPDATE main.part SET released = MAX(part.released, s.released) FROM src.part s"
    " WHERE part.run_id = :run AND s.run_id = :run AND s.part_id = part.part_id"
)
"""What was let go once is let go, whichever ledger heard of it."""
STILL_HELD = "SELECT COALESCE(SUM(held - released), 0) FROM main.part WHERE run_id = :run"

WEIGHED = (
    "CREATE TEMP TABLE IF NOT EXISTS weighed (batch_id TEXT PRIMARY KEY, done INTEGER, flagged INTEGER,"
    " failed INTEGER, skipped INTEGER, at REAL, settled INTEGER, cost INTEGER, calls INTEGER,"
    " busy_ms INTEGER)"
)
WEIGH_PAPERS = (
    "INSERT INTO temp.weighed SELECT batch_id, SUM(weight * (status = 'done')),"
    " SUM(weight * (status = 'flagged')), SUM(weight * (status = 'failed')),"
    " SUM(weight * (status = 'skipped')), 0, SUM(status <> 'pending'), SUM(cost * (status <> 'pending')),"
    " SUM(calls * (status <> 'pending')), SUM(busy_ms * (status <> 'pending')) FROM main.paper"
    " WHERE run_id = :run GROUP BY batch_id"
)
DATE_BATCHES = (
    "UPDATE temp.weighed SET at = p.at FROM (SELECT SUBSTR(part_id, 1, INSTR(part_id, '/') - 1) AS batch_id,"
    " MAX(at) AS at FROM main.part WHERE run_id = :run GROUP BY 1) p WHERE p.batch_id = weighed.batch_id"
)
"""A batch has ended with its last part."""
FREE_LEASES = "UPDATE main.batch SET owner = NULL, lease_until = 0, finished_at = NULL WHERE run_id = :run"
COUNT_BATCHES = (
    "UPDATE main.batch SET done = w.done, flagged = w.flagged, failed = w.failed, skipped = w.skipped,"
    " settled = w.settled, cost = w.cost, calls = w.calls, busy_ms = w.busy_ms,"
    " finished_at = CASE WHEN w.done + w.flagged + w.failed + w.skipped = batch.papers THEN w.at END"
    " FROM temp.weighed w WHERE batch.run_id = :run AND w.batch_id = batch.batch_id"
)
COUNT_REUSED = (
    "UPDATE main.run SET reused = (SELECT COALESCE(SUM(weight), 0) FROM main.paper p WHERE p.run_id ="
    " run.run_id AND p.reused AND p.status <> 'pending') WHERE run_id = :run"
)
