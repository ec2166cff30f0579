"""What a machine that cannot keep its results does to a run: its own, and one that others work on too."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.bootstrap.state import connect
from handlers.domain.run import Control
from handlers.local.session import final_report
from handlers.runs.summarise import summarise
from handlers.settings import Settings, load_settings
from tests.builders.values import RUN, batch, run_record


@pytest.mark.parametrize(("backend", "control"), [("embedded", "parked"), ("aws", "active")])
def test_a_machine_that_cannot_keep_results_parks_its_own_run_and_no_fleets(
    tmp_path: Path, backend: str, control: str
) -> None:
    settings = Settings(state=tmp_path, run_id=RUN)
    adapters = connect(settings, RUN)
    adapters.ledger.create_run(run_record())
    report = final_report(settings.model_copy(update={"backend": backend}), adapters, "the disk is full")
    assert (report.state, report.reason) == ("parked", "the disk is full")
    assert adapters.ledger.control(RUN).state == control
    adapters.close()


def test_the_budget_that_was_guessed_for_a_run_that_spent_nothing_is_told_later_too(tmp_path: Path) -> None:
    """By commands that know no price."""
    reason = "budget_spent: too little is left; run again with a larger --budget to go on"
    settings = load_settings(state=tmp_path, run_id=RUN, price_in="1", price_out="2")
    adapters = connect(settings, RUN)
    adapters.ledger.add_batches([batch("b1", ("p1", "p2"))])
    adapters.ledger.create_run(run_record(papers=2, budget=0))
    adapters.ledger.park(RUN, Control("parked", reason, 1.0))
    told = final_report(settings, adapters, "").reason
    assert "to finish it" in told
    assert summarise(adapters, RUN, is_alive=lambda _owner: False).reason == told
    adapters.close()
