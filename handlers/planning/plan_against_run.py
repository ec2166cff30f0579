"""What was planned beside what it took."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.domain.run_report import ForecastFigure, RunForecast, RunReport
from handlers.errors import UsageError
from handlers.state_paths import RUN_PLAN

if TYPE_CHECKING:  # a run without a plan needs none of them
    from handlers.domain.plan import PlanFile


def keep(plan: PlanFile, folder: Path) -> None:
    """Let the run's reports know of the plan."""
    from handlers.planning import plan_file

    plan_file.write(plan, folder / RUN_PLAN)


def with_forecast(report: RunReport, folder: Path) -> RunReport:
    """The report with the plan of its run, if it was started with one."""
    path = folder / RUN_PLAN
    if not path.is_file():
        return report
    from handlers.planning import plan_file

    try:
        plan = plan_file.read(path)
    except UsageError as error:
        return report.model_copy(update={"warnings": (*report.warnings, f"no forecast: {error}")})
    return report.model_copy(update={"forecast": compare(plan, report)})


def compare(plan: PlanFile, report: RunReport) -> RunForecast:
    """Each figure of the chosen row beside the run's. Of an unfinished run, what is there so far is
    projected to the whole."""
    row = plan.row_chosen
    return RunForecast(
        plan=plan.hash,
        tier=row.tier,
        jobs=row.jobs,
        workers=row.workers,
        binding=row.binding,
        complete=report.state == "finished",
        figures=tuple(_figures(plan, report)),
    )


def _figures(plan: PlanFile, report: RunReport) -> Iterator[ForecastFigure]:
    row, corpus, tokens = plan.row_chosen, plan.corpus, report.tokens
    expected, spend = report.expected, report.spend_usd
    cost = spend if expected is None else expected.cost_usd
    up = cost / spend if spend else 1.0
    hours = report.wall_s / 3600 * report.whole_over_so_far
    spread = (row.cost_high_usd - row.cost_low_usd) / 2 / row.cost_usd if row.cost_usd else 0.0
    to_do = max(0, corpus.papers - corpus.done - sum(corpus.skipped.values()))
    slow, quick = (to_do / each if each else None for each in (row.hours_high, row.hours_low))
    made = max(0, report.finished - report.reused - report.counts["skipped"]) / max(1, report.finished)
    yield _figure("hours", row.hours, row.hours_low, row.hours_high, hours)
    yield _figure("papers_per_hour", row.papers_per_hour, slow, quick, report.papers_per_hour * made)
    yield _figure("cost_usd", row.cost_usd, row.cost_low_usd, row.cost_high_usd, cost)
    calls_up = 1.0 if expected is None else 1 + expected.calls / max(1, report.calls.sent)
    fixed = min(tokens.prompt, report.calls.sent * _fixed(plan))
    for name, planned, actual in (
        # What each prompt begins with goes with the calls, which grow cheaper; the rest goes with the cost.
        ("tokens_prompt", corpus.tokens_prompt, fixed * calls_up + (tokens.prompt - fixed) * up),
        ("tokens_completion", corpus.tokens_completion, tokens.completion * up),
    ):
        yield _figure(name, planned, planned * (1 - spread), planned * (1 + spread), actual)
    calls = report.calls.sent + (0 if expected is None else expected.calls)
    yield _figure("calls", corpus.calls, None, None, calls)


def _fixed(plan: PlanFile) -> float:
    """Tokens that every prompt begins with."""
    told = plan.assumptions.get("prompt_tokens_per_request")
    return float(told) if isinstance(told, int | float) else 0.0


def _figure(
    name: str, predicted: float, low: float | None, high: float | None, actual: float
) -> ForecastFigure:
    return ForecastFigure(
        name=name,
        predicted=predicted,
        low=low,
        high=high,
        actual=round(actual, 9),
        error=round(actual / predicted - 1, 6) if predicted else None,
    )
