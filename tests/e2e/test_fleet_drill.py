"""One run on the deployed stack through everything that goes wrong: the ledger equals the bill."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.fleet_drill import check, play, prepared

pytestmark = [pytest.mark.slow, pytest.mark.alone]
AWAY = 45.0


def test_a_run_through_poison_rotation_returns_outage_and_a_lowered_budget(
    built: Path, tmp_path: Path
) -> None:
    with prepared(built, tmp_path) as drill:
        check(play(drill, AWAY))
