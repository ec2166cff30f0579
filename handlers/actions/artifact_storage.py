"""What a session's artifacts take of GitHub's storage, which is accounted by the hour."""

from __future__ import annotations

from handlers.actions.session_plan import SessionPlan

CHECKPOINT_DAYS, RESULT_DAYS, STATE_DAYS = 3, 30, 90
"""``retention-days`` of backfill.yml: plan and checkpoints, results, collected states."""
_COPIES = 4
"""Of a job's state: at its beginning, two checkpoints in turns, at its end."""
_GB = 1e9
FREE_GB = 0.5
"""That a free account may keep in private repositories at any time; public ones pay nothing.
https://docs.github.com/en/billing/concepts/product-billing/github-actions"""


def gb_hours(plan: SessionPlan) -> float:
    """At most, until the last of them expires: before they are packed, with every pending paper done, and
    results as long as their papers. Deleting one sooner takes no hour back that has passed."""
    if not plan.papers:
        return 0.0
    session = plan.corpus_bytes * min(1.0, plan.pending / plan.papers)
    checkpoints = plan.corpus_bytes + plan.ledger_bytes * (1 + _COPIES) + session * _COPIES
    state = 2 * plan.corpus_bytes + plan.ledger_bytes
    byte_days = checkpoints * CHECKPOINT_DAYS + plan.corpus_bytes * RESULT_DAYS + state * STATE_DAYS
    return byte_days * 24 / _GB
