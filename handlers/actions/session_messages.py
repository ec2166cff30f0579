"""A session's words to the webhook: its plan tells of the start, and what collects its jobs of the rest.

The jobs, each with a state of its own, would tell all of it once each.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from handlers.actions.planner import PlannedSession
from handlers.actions.session_plan import SessionPlan
from handlers.bootstrap.notifications import Notifications
from handlers.bootstrap.state import State
from handlers.settings import Settings
from handlers.state_paths import TOLD, run_folder


def tell_start(settings: Settings, planned: PlannedSession, adapters: State, folder: Path) -> None:
    """Tell of a session that has work or is parked, and leave word of it in the plan's folder. The jobs of a
    queue tell of themselves."""
    plan = planned.plan
    if settings.backend != "embedded" or not (plan.jobs or planned.parked):
        return
    messages = Notifications(settings, plan.session)
    messages.look(adapters.ledger)
    messages.close()
    told = run_folder(adapters.directory, plan.run_id) / TOLD
    if told.is_dir():
        shutil.copytree(told, run_folder(folder, plan.run_id) / TOLD, dirs_exist_ok=True)


def tell_end(settings: Settings, plan: SessionPlan, outcome: str) -> None:
    """Tell how a session ended, and what else its jobs came to."""
    if plan.jobs:
        Notifications(settings, plan.session).end(outcome)
