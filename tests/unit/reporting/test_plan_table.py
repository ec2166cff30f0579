"""A plan in words: complete on a narrow terminal and in Markdown, and deaf to hostile names."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from handlers.domain.plan import Plan
from handlers.errors import UsageError
from handlers.planning.plan_request import PlanRequest
from handlers.reporting.plan_table import plan_markdown, plan_renderable
from handlers.reporting.sim_charts import check_charts, write_charts
from tests.builders.plans import planned
from tests.builders.reports import HOSTILE


def plan(**changes: Any) -> Plan:
    return planned(PlanRequest(platform="actions", shape=(3, 7))).model_copy(update=changes)


def terminal(plan: Plan, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(plan_renderable(plan))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_every_fleet_and_what_binds_it_is_on_the_terminal(width: int) -> None:
    shown = terminal(plan(), width)
    for fleet in ("standard 1x10", "parallel 5x20", "ultra 10x50", "extreme 20x100", "custom 3x7"):
        assert fleet in shown
    assert shown.count("workers") >= 5
    assert "recommended" in shown


def test_markdown_has_a_row_a_fleet_and_the_reason_of_the_recommendation() -> None:
    page = plan_markdown(plan())
    assert page.count("| custom 3x7") == 1
    assert "**Recommended: " in page
    assert "First steps" in page


def test_a_models_name_is_no_markup() -> None:
    hostile = plan(model=HOSTILE, warnings=(HOSTILE,))
    page = plan_markdown(hostile)
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "\x1b" not in terminal(hostile, 100)


def test_limits_by_the_apis_headers_are_in_the_head_of_the_plan() -> None:
    limited = planned(PlanRequest(), rpm=3_000)
    limited.origins["rpm"] = "the API's headers, 2026-11-24"
    assert "At most 3,000 requests a minute: the API's headers, 2026-11-24. What" in terminal(limited, 120)
    assert "3,000 requests a minute" in plan_markdown(limited)


def test_a_folder_that_cannot_hold_charts_is_refused_before_anything_is_simulated(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match=r"cannot be written .*: give another folder"):
        check_charts(file)
    check_charts(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.slow
def test_charts_of_a_course_of_one_moment_are_drawn(tmp_path: Any) -> None:
    moment = {"at": 0.0, "done": 0, "throttled": 0, "slots": 1, "in_flight": 0, "jobs": 1}
    assert len(write_charts([moment], tmp_path)) == 6
