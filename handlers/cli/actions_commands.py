"""``paperfleet actions``: the steps of ``.github/workflows/backfill.yml``, and its queue."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handlers.actions.begin import begin
from handlers.actions.collect import collect
from handlers.actions.environment import github_environment
from handlers.actions.inputs import SessionInputs, session_inputs
from handlers.actions.plan_folder import matrix_of
from handlers.actions.plan_session import plan_session
from handlers.actions.session_plan import JobState
from handlers.actions.step import step
from handlers.actions.summary import job_sentence, plan_summary, session_summary
from handlers.actions.workflow_status import status_lines, statuses
from handlers.cli.flags import shared_options
from handlers.cli.flags.help_words import WordedGroup
from handlers.cli.flags.setting_flags import add_command
from handlers.errors import UsageError
from handlers.local.session import print_report
from handlers.settings import load_settings

PARKED, INTERRUPTED = 4, 130
app = typer.Typer(
    name="actions",
    cls=WordedGroup,
    invoke_without_command=True,
    help="Sessions on GitHub Actions: plan, begin, work, collect, status.",
    epilog="Example: `paperfleet actions plan --corpus papers.jsonl --output plan`",
)
PlanFolder = Annotated[Path, typer.Option("--plan", help="Folder that `actions plan` wrote.")]


def register(root: typer.Typer) -> None:
    plan_example = "actions plan --corpus papers.jsonl --tier parallel --output plan --no-history"
    add_command(app, "plan", plan, plan_example, SessionInputs)
    add_command(app, "begin", begin_job, "actions begin --plan plan --job 3 --state job")
    add_command(app, "work", work, "actions work --state job")
    add_command(app, "collect", collect_jobs, "actions collect --plan plan --state state --output results")
    add_command(app, "next", next_session, "actions next")
    add_command(app, "status", status, "actions status --repository owner/name")
    root.add_typer(app)


@app.callback()
def _shows_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def plan(
    *,
    output: Annotated[Path, typer.Option(help="Folder to write the plan to; replaced if it is there.")],
    **flags: Any,
) -> None:
    """Plan what the jobs of the next session have to do: merge what earlier ones left, split pending papers,
    budget and rates over the jobs, and say which limit binds. Sets the step's outputs and summary.
    """
    github = github_environment()
    inputs = session_inputs(**{name: flags.pop(name) for name in SessionInputs.model_fields})
    settings = load_settings(run_id=inputs.run_id, **flags)
    planned = plan_session(settings, inputs, github, output, Console(stderr=True, highlight=False))
    session = planned.plan
    summary = plan_summary(session, planned.parked)
    github.add_summary(summary)
    github.set_outputs(
        matrix=matrix_of(session),
        jobs=len(session.jobs),
        at_once=max(1, session.at_once),
        session=session.session,
        run_id=session.run_id,
        workers=session.workers,
        runs_on=json.dumps(inputs.runs_on or ["ubuntu-latest"]),
    )
    typer.echo(summary)
    if planned.parked:
        raise typer.Exit(PARKED)


def begin_job(
    plan_folder: PlanFolder,
    job: Annotated[int, typer.Option(help="Number of the job in the matrix.", min=1)],
    **flags: Any,
) -> None:
    """Make a job's state out of the plan, or in a re-run out of the job's newest checkpoint."""
    github = github_environment()
    console = Console(stderr=True, highlight=False)
    github.provide_step()
    begun = begin(plan_folder, job, load_settings(**flags), github, console)
    github.set_outputs(more=str(not begun.stopped).lower())
    _tell_job(begun)


def work(**flags: Any) -> None:
    """Work one step of a job: until the next checkpoint is due or nothing is left. Reads the API key from
    PAPERFLEET_API_KEY and the endpoint from PAPERFLEET_BASE_URL.
    """
    github = github_environment()
    job, trouble = step(load_settings(**flags), Console(stderr=True, highlight=False))
    github.set_outputs(more=str(not job.stopped and not trouble).lower())
    _tell_job(job)
    if trouble:
        raise typer.Exit(PARKED if trouble == "fatal" else INTERRUPTED)


def collect_jobs(
    plan_folder: PlanFolder,
    output: Annotated[Path, typer.Option(help="Folder for report and results.")],
    *,
    job_states: Annotated[
        list[Path] | None,
        typer.Option(
            "--job-state",
            help="State folder of a job, again for each: a rehearsal with what lies here, without GitHub.",
        ),
    ] = None,
    go_on: Annotated[
        str, typer.Option("--continue", help="true: the next session is to start by itself.")
    ] = "false",
    **flags: Any,
) -> None:
    """Merge what the session's jobs saved, check that the counts add up, and write report and results. Exits
    with 4 if the run is parked: its budget is spent, or an error needs your action."""
    github = github_environment()
    console = Console(stderr=True, highlight=False)
    done = collect(load_settings(**flags), plan_folder, job_states or github, output, console)
    github.add_summary(session_summary(done.plan, done.report, done.queue, done.verdict))
    pending = done.report.counts["pending"]
    github.set_outputs(
        go_on=str(done.go_on and go_on == "true").lower(),
        pending=pending,
        state=done.report.state,
        papers=done.progress,
    )
    print_report(done.report, as_json=not sys.stdout.isatty())
    console.print(done.verdict, markup=False, soft_wrap=True)
    if done.wrong:
        raise typer.Exit(1)
    if done.parked:
        raise typer.Exit(PARKED)


def next_session(
    inputs: Annotated[str, typer.Option(help="Inputs of this session, as JSON.")] = "{}",
    tier: Annotated[str, typer.Option(help="Tier, if the inputs have none (on a schedule).")] = "auto",
) -> None:
    """Start the workflow again with the same inputs. Needs `actions: write`."""
    github = github_environment()
    with github.api() as api:
        given = _inputs(inputs) or {"tier": tier, "continue": "true"}
        given.pop("retry", None)  # what was tried again once is not tried for ever
        api.dispatch(github.workflow, github.ref_name, given)
    typer.echo(f"{github.workflow} is started again on {github.ref_name}")


def status(
    repository: Annotated[str | None, typer.Option(help="owner/name [default: GITHUB_REPOSITORY].")] = None,
    last: Annotated[int, typer.Option(help="Number of runs, newest first.", min=1, max=100)] = 3,
    as_json: shared_options.AsJson = False,
) -> None:
    """Show the workflow's runs: which jobs are queued or running, how long each waited, and how many ran at
    once. Reads GitHub's REST API with GITHUB_TOKEN (`actions: read`).
    """
    runs = statuses(github_environment(repository=repository), last)
    for each in runs:
        typer.echo(each.model_dump_json() if as_json else "\n".join(status_lines(each)) + "\n")
    if not runs and not as_json:
        typer.echo("no runs yet")


def _tell_job(job: JobState) -> None:
    """A sentence on a terminal; JSON for the workflow, which reads it."""
    typer.echo(job_sentence(job) if sys.stdout.isatty() else job.model_dump_json())


def _inputs(text: str) -> dict[str, str]:
    try:
        parsed = json.loads(text or "{}")
    except ValueError as error:
        raise UsageError(f"--inputs: no JSON: {error}") from error
    if parsed is None:  # a schedule has none
        return {}
    if not isinstance(parsed, dict):
        raise UsageError("--inputs: a JSON object wanted")
    return {str(name): _text(value) for name, value in parsed.items() if value not in (None, "")}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
