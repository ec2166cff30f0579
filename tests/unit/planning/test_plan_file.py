"""A plan file is executed exactly, or refused; the report sets it against the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handlers.domain.plan import PlanFile
from handlers.domain.run_report import RunExpectation
from handlers.domain.value import sha256_of
from handlers.errors import UsageError
from handlers.planning import plan_against_run as forecast
from handlers.planning import plan_file
from handlers.planning.plan_request import PlanRequest
from handlers.reporting.markdown import to_markdown
from handlers.settings import load_settings
from handlers.state_paths import RUN_PLAN
from tests.builders.plans import TEN_THOUSAND, planned
from tests.builders.reports import report, terminal


@pytest.fixture
def sealed() -> PlanFile:
    settings = load_settings(model="m", base_url="http://127.0.0.1:1/v1", rpm=600, budget="45")
    return plan_file.seal(planned(PlanRequest(shape=(4, 25), budget=45.0), rpm=600), settings)


def test_a_plan_survives_the_file(sealed: PlanFile, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "plan.json"
    plan_file.write(sealed, path)
    assert plan_file.read(path) == sealed


def test_a_plan_of_another_corpus_is_kept_beside_the_new_one(sealed: PlanFile, tmp_path: Path) -> None:
    path = tmp_path / "default.json"
    of_other = {"corpus": sealed.corpus.model_copy(update={"sha256": "ab" * 32})}
    settings = load_settings(model="m", base_url="http://127.0.0.1:1/v1", rpm=600, budget="45")
    other = plan_file.seal(
        planned(PlanRequest(shape=(4, 25), budget=45.0), rpm=600).model_copy(update=of_other), settings
    )
    assert plan_file.set_apart(path, sealed) is None, "there is none"
    plan_file.write(other, path)
    kept = plan_file.set_apart(path, sealed)
    assert (kept, kept and plan_file.read(kept)) == (tmp_path / "default-abababab.json", other)
    plan_file.write(sealed, path)
    assert plan_file.set_apart(path, sealed) is None, "one of this corpus is made anew"


def test_papers_that_have_a_result_are_no_pace() -> None:
    some = TEN_THOUSAND.model_copy(update={"papers": 12_000, "reused": 2_000})
    none = TEN_THOUSAND.model_copy(
        update={"sent": 0, "requests": 0.0, "size": 0.0, "prompt": 0.0, "reused": 10_000, "sizes": ()}
    )
    all_new = planned(PlanRequest()).rows
    assert [row.papers_per_hour for row in planned(PlanRequest(), some).rows] == pytest.approx(
        [row.papers_per_hour for row in all_new], rel=0.01
    )
    assert {row.papers_per_hour for row in planned(PlanRequest(), none).rows} == {0.0}


def test_prompts_begin_alike_so_lighter_papers_take_more_of_it(sealed: PlanFile) -> None:
    """A hundred calls of 500 tokens and 1,000 more each; a hundred are left, at a quarter of the cost."""
    half = {"done": 100, "flagged": 0, "failed": 0, "skipped": 0, "pending": 100}
    rest = RunExpectation(
        cost_usd=1.25, papers=100, calls=100, wall_s=None, worked=0.8, covered=None, enough_usd=9.0
    )
    calls = report().calls.model_copy(update={"sent": 100})
    tokens = report().tokens.model_copy(update={"prompt": 150_000, "completion": 50_000})
    run = report(counts=half, expected=rest, spend_usd=1.0, calls=calls, tokens=tokens)
    figures = sealed.model_copy(update={"assumptions": {"prompt_tokens_per_request": 500}})
    actual = {each.name: each.actual for each in forecast.compare(figures, run).figures}
    assert actual["tokens_prompt"] == pytest.approx(100_000 + 1.25 * 100_000)
    assert actual["tokens_completion"] == pytest.approx(1.25 * 50_000)


def test_a_plan_changed_by_hand_is_refused(sealed: PlanFile, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    plan_file.write(sealed, path)
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["run"]["workers"] = 1000
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(UsageError, match="hash does not fit"):
        plan_file.read(path)


@pytest.mark.parametrize("name", ["state", "api_key", "webhook", "ca_file", "proxy", "backend", "max_failed"])
def test_a_plan_that_sets_what_no_plan_fixes_is_refused(sealed: PlanFile, tmp_path: Path, name: str) -> None:
    whole = sealed.model_dump(mode="json", exclude={"hash"})
    whole["run"][name] = "elsewhere"
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**whole, "hash": sha256_of(whole)}), encoding="utf-8")
    with pytest.raises(UsageError, match=f"{name} is nothing that a plan fixes"):
        plan_file.read(path)


def test_workers_that_find_their_own_number_stay_so_in_the_file() -> None:
    settings = load_settings(model="m", workers="auto")
    auto = plan_file.seal(planned(PlanRequest(shape=settings.shape, auto=True)), settings)
    assert auto.run["workers"] == "auto"
    assert load_settings(**plan_file.run_flags(auto, {"workers": "auto"})).workers == "auto"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"v": 1}'])
def test_what_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read as a plan"):
        plan_file.read(path)


def test_the_run_has_the_plans_fleet_limits_and_model(sealed: PlanFile) -> None:
    settings = load_settings(**plan_file.run_flags(sealed, {"state": Path("s"), "run_id": "june"}))
    assert settings.shape == (4, 25)
    assert (settings.rpm, settings.model, settings.run_id) == (600, "m", "june")
    assert settings.budget_nano == 45 * 10**9


@pytest.mark.parametrize(
    ("name", "value"), [("jobs", 5), ("tier", "ultra"), ("model", "other"), ("budget", "50"), ("limit", 10)]
)
def test_a_flag_that_says_otherwise_is_refused(sealed: PlanFile, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"--{name} {value} is not what was planned"):
        plan_file.run_flags(sealed, {name: value})


def test_a_flag_that_says_the_same_is_not(sealed: PlanFile) -> None:
    assert plan_file.run_flags(sealed, {"jobs": 4, "budget": "45.00"})["jobs"] == 4


def test_what_the_environment_adds_to_a_plan_is_refused(
    sealed: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERFLEET_JOBS", "9")
    monkeypatch.setenv("PAPERFLEET_LIMIT", "5")
    settings = load_settings(**plan_file.run_flags(sealed, {}))
    assert settings.shape == (4, 25), "the plan goes before the environment"
    with pytest.raises(UsageError, match="PAPERFLEET_LIMIT"):
        plan_file.check_settings(sealed, settings)


def test_a_plan_of_another_corpus_is_refused(sealed: PlanFile) -> None:
    other = sealed.model_copy(update={"corpus": sealed.corpus.model_copy(update={"sha256": "a" * 64})})
    with pytest.raises(UsageError, match="another corpus"):
        plan_file.check_corpus(other, "b" * 64)


def test_a_plan_that_recommends_nothing_is_not_executed() -> None:
    none = plan_file.seal(planned(PlanRequest(deadline=40.0)), load_settings(model="m"))
    with pytest.raises(UsageError, match="no fleet makes the deadline"):
        plan_file.run_flags(none, {})


def test_predicted_stands_beside_actual(sealed: PlanFile) -> None:
    row = sealed.row_chosen
    took = row.hours * 3600 * 1.1
    finished = {"done": 10, "flagged": 0, "failed": 0, "skipped": 0, "pending": 0}
    run = report(wall_s=took, spend_usd=row.cost_usd * 0.98, counts=finished)
    found = forecast.compare(sealed, run)
    by_name = {each.name: each for each in found.figures}
    assert by_name["hours"].error == pytest.approx(0.1, abs=1e-4)
    assert by_name["cost_usd"].error == pytest.approx(-0.02, abs=1e-4)
    assert (found.plan, found.complete, found.jobs, found.workers) == (sealed.hash, True, 4, 25)
    assert list(by_name) == [
        "hours", "papers_per_hour", "cost_usd", "tokens_prompt", "tokens_completion", "calls"
    ]  # fmt: skip


def test_half_a_run_is_projected_to_the_whole(sealed: PlanFile) -> None:
    row = sealed.row_chosen
    half = {"done": 5, "flagged": 0, "failed": 0, "skipped": 0, "pending": 5}
    lighter = RunExpectation(
        cost_usd=row.cost_usd * 0.8,
        papers=4,
        calls=5,
        wall_s=None,
        worked=0.625,
        covered=0.5,
        enough_usd=99.0,
    )
    run = report(
        state="parked", wall_s=row.hours * 1800, spend_usd=row.cost_usd / 2, counts=half, expected=lighter
    )
    found = forecast.compare(sealed, run)
    assert not found.complete
    errors = {each.name: each.error for each in found.figures}
    calls = next(each.actual for each in found.figures if each.name == "calls")
    assert calls == run.calls.sent + 5, "light papers cost less, and take a call each all the same"
    assert (errors["hours"], errors["cost_usd"]) == (pytest.approx(-0.2), pytest.approx(-0.2))


def test_the_forecast_is_part_of_terminal_and_markdown(sealed: PlanFile) -> None:
    run = report(forecast=forecast.compare(sealed, report()))
    assert "Forecast" in terminal(run)
    assert "| cost\\_usd | $" in to_markdown(run).replace("\\$", "$")


def test_a_run_without_a_plan_has_no_forecast_and_a_damaged_one_is_a_warning(
    sealed: PlanFile, tmp_path: Path
) -> None:
    assert forecast.with_forecast(report(), tmp_path).forecast is None
    forecast.keep(sealed, tmp_path)
    assert forecast.with_forecast(report(), tmp_path).forecast is not None
    (tmp_path / RUN_PLAN).write_text("{", encoding="utf-8")
    assert "no forecast" in forecast.with_forecast(report(), tmp_path).warnings[-1]
