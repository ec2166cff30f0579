"""What a machine that cannot keep its results does to a run: its own, and one that others work on too."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.bootstrap.state import connect
from handlers.local.session import final_report
from handlers.settings import Settings
from tests.builders.values import RUN, run_record


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
