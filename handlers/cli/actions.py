"""``paperfleet actions``: what ``.github/workflows/backfill.yml`` runs, and how its queue stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from handlers.actions.begin import begin
from handlers.actions.collect import collect
from handlers.actions.environment import github_environment
from handlers.actions.plan import plan_session
from handlers.actions.plan_folder import matrix_of
from handlers.actions.planner import Wish
from handlers.actions.status import status_lines, statuses
from handlers.actions.step import step
from handlers.actions.summary import plan_summary, session_summary
from handlers.actions.tiers import Account
from handlers.bootstrap.state import SystemClock
from handlers.cli import options
from handlers.errors import UsageError
from handlers.settings import load_settings

PARKED, INTERRUPTED = 4, 130
app = typer.Typer(
    name="actions",
    no_args_is_help=True,
    help="Sessions on GitHub Actions: plan, begin, work, collect, status.",
)
PlanFolder = Annotated[Path, typer.Option("--plan", help="Folder that `actions plan` wrote.")]


def register(root: typer.Typer) -> None:
    for name, command, example in (
        ("plan", plan, "plan --corpus papers.jsonl --tier parallel --output plan --no-history"),
        ("begin", begin_job, "begin --plan plan --job 3 --state job"),
        ("work", work, "work --state job"),
        ("collect", collect_jobs, "collect --plan plan --state state --output results"),
        ("next", next_session, "next"),
        ("status", status, "status --repository owner/name"),
    ):
        app.command(name, epilog=f"Example: `paperfleet actions {example}`")(command)
    root.add_typer(app)


def plan(
    corpus: Annotated[str, typer.Option(help="Source of the papers: a file of the repository.")],
    output: Annotated[Path, typer.Option(help="Folder to write the plan to; replaced if it is there.")],
    tier: Annotated[
        str, typer.Option(help="standard, parallel, ultra, extreme, custom or auto.")
    ] = "parallel",
    parallel_jobs: Annotated[str, typer.Option(help="Jobs, in place of the tier's.")] = "",
    workers_per_job: Annotated[str, typer.Option(help="Workers of each, in place of the tier's.")] = "",
    total_papers: Annotated[
        str, typer.Option(help="Papers of the run to be ended, all sessions counted.")
    ] = "",
    state: options.State = None,
    run_id: options.RunId = None,
    model: options.Model = None,
    budget: options.Budget = None,
    rpm: options.Rpm = None,
    tpm: options.Tpm = None,
    account: Annotated[str, typer.Option(help="free, pro, team or enterprise.")] = "free",
    repository_private: Annotated[
        str, typer.Option(help="true: minutes of the repository's runners are paid for.")
    ] = "false",
    runs_on: Annotated[str, typer.Option(help="Label of the runners, or a JSON list of labels.")] = "",
    job_minutes: Annotated[str, typer.Option(help="Minutes of a job until it stops [default: 345].")] = "",
    checkpoint_minutes: Annotated[
        str, typer.Option(help="Minutes between two checkpoints [default: 15].")
    ] = "",
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Begin with what earlier sessions saved on GitHub.")
    ] = True,
) -> None:
    """What the jobs of the next session have to do: merges what earlier ones left, splits what is pending,
    the budget and the rates over jobs, and says what binds. Sets the step's outputs and summary.
    """
    github = github_environment()
    settings = load_settings(state=state, run_id=run_id or None, model=model, budget=budget, rpm=rpm, tpm=tpm)
    labels = _labels(runs_on)
    wish = Wish(
        corpus=corpus,
        tier=tier or "parallel",
        jobs=_number(parallel_jobs, "parallel_jobs"),
        workers=_number(workers_per_job, "workers_per_job"),
        total_papers=_number(total_papers, "total_papers"),
        run_id=run_id or None,
        account=Account(account or "free", repository_private == "true", self_hosted="self-hosted" in labels),
        job_minutes=_minutes(job_minutes, "job_minutes", 345.0),
        checkpoint_minutes=_minutes(checkpoint_minutes, "checkpoint_minutes", 15.0, least=0.1),
    )
    planned = plan_session(
        settings, wish, github, output, Console(stderr=True, highlight=False), history=history
    )
    made = planned.plan
    summary = plan_summary(made, planned.parked)
    github.summarise(summary)
    github.tell(
        matrix=matrix_of(made),
        jobs=len(made.jobs),
        at_once=max(1, made.at_once),
        session=made.session,
        run_id=made.run_id,
        workers=made.workers,
        runs_on=json.dumps(labels or ["ubuntu-latest"]),
    )
    typer.echo(summary)
    if planned.parked:
        raise typer.Exit(PARKED)


def begin_job(
    plan_folder: PlanFolder,
    job: Annotated[int, typer.Option(help="Number of the job in the matrix.", min=1)],
    state: options.State = None,
) -> None:
    """Make a job's state out of the plan; in a re-run out of the newest checkpoint that it saved."""
    github = github_environment()
    console = Console(stderr=True, highlight=False)
    made = begin(plan_folder, job, load_settings(state=state), github, console)
    github.tell(more=str(not made.stopped).lower())
    typer.echo(made.model_dump_json())


def work(state: options.State = None) -> None:
    """One step of a job: until the next checkpoint is due or nothing is left. The API key is read from
    PAPERFLEET_API_KEY, the endpoint from PAPERFLEET_BASE_URL.
    """
    github = github_environment()
    made, trouble = step(load_settings(state=state), Console(stderr=True, highlight=False))
    github.tell(more=str(not made.stopped and not trouble).lower())
    typer.echo(made.model_dump_json())
    if trouble:
        raise typer.Exit(PARKED if trouble == "fatal" else INTERRUPTED)


def collect_jobs(
    plan_folder: PlanFolder,
    output: Annotated[Path, typer.Option(help="Folder for report and results.")],
    state: options.State = None,
    go_on: Annotated[
        str, typer.Option("--continue", help="true: the next session is to start by itself.")
    ] = "false",
) -> None:
    """Merge what the session's jobs saved, check that the counts add up, and write report and results. Exit 4
    when the run is parked: the budget is spent, or an error that only you can mend."""
    github = github_environment()
    console = Console(stderr=True, highlight=False)
    done = collect(load_settings(state=state), plan_folder, github, output, console)
    github.summarise(session_summary(done.plan, done.report, done.queue, done.verdict))
    pending = done.report.counts["pending"]
    github.tell(
        go_on=str(done.go_on and go_on == "true").lower(),
        pending=pending,
        state=done.report.state,
        papers=done.progress,
    )
    typer.echo(done.report.model_dump_json())
    console.print(done.verdict, markup=False, soft_wrap=True)
    if done.wrong:
        raise typer.Exit(1)
    if done.parked:
        raise typer.Exit(PARKED)


def next_session(
    inputs: Annotated[str, typer.Option(help="Inputs of this session, as JSON.")] = "{}",
    tier: Annotated[str, typer.Option(help="Tier, if the inputs have none (on a schedule).")] = "auto",
) -> None:
    """Start the workflow again, with the same inputs. Needs `actions: write`."""
    github = github_environment()
    api = github.api(SystemClock())
    try:
        api.dispatch(github.workflow, github.ref_name, {"tier": tier, "continue": "true"} | _inputs(inputs))
    finally:
        api.close()
    typer.echo(f"{github.workflow} is started again on {github.ref_name}")


def status(
    repository: Annotated[str | None, typer.Option(help="owner/name [default: GITHUB_REPOSITORY].")] = None,
    last: Annotated[int, typer.Option(help="So many runs, newest first.", min=1, max=100)] = 3,
    as_json: options.AsJson = False,
) -> None:
    """Runs and jobs of the workflow: queued, running, how long each job waited, and how many ran at the same
    time. Reads GitHub's REST API with GITHUB_TOKEN (`actions: read`).
    """
    found = statuses(github_environment(repository=repository), last)
    for each in found:
        typer.echo(each.model_dump_json() if as_json else "\n".join(status_lines(each)) + "\n")
    if not found and not as_json:
        typer.echo("no runs yet")


def _number(given: str, name: str) -> int | None:
    """An input of a workflow is text; empty or 0 is not given."""
    if given.strip() in ("", "0"):
        return None
    if not given.strip().isdecimal() or len(given.strip()) > 9:
        raise UsageError(f"{name} {given!r}: a whole number wanted")
    return int(given)


def _minutes(given: str, name: str, default: float, *, least: float = 0.2) -> float:
    if not given.strip():
        return default
    try:
        minutes = float(given)
    except ValueError:
        minutes = 0.0
    if not least <= minutes <= 7 * 24 * 60:
        raise UsageError(f"{name} {given!r}: minutes wanted, {least:g} or more")
    return minutes


def _labels(given: str) -> list[str]:
    if not given.strip().startswith("["):
        return [given.strip()] if given.strip() else []
    try:
        labels = json.loads(given)
    except ValueError as error:
        raise UsageError(f"runs_on {given!r}: a label or a JSON list of labels wanted") from error
    if not all(isinstance(label, str) for label in labels):
        raise UsageError(f"runs_on {given!r}: labels are text")
    return list(labels)


def _inputs(given: str) -> dict[str, str]:
    try:
        parsed = json.loads(given or "{}")
    except ValueError as error:
        raise UsageError(f"--inputs: no JSON: {error}") from error
    if parsed is None:  # a schedule has none
        return {}
    if not isinstance(parsed, dict):
        raise UsageError("--inputs: a JSON object wanted")
    return {str(name): _text(value) for name, value in parsed.items() if value not in (None, "")}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
