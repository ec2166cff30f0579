"""``paperfleet pilot``: a stratified sample for real, and what it says of the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handlers.atomic_file import replacing
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State, open_state
from handlers.cli import options
from handlers.cli.flags import ASKED, CONNECTION, PRICES, takes
from handlers.cli.sized_corpus import Planned, sized_corpus
from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.money import NANO
from handlers.domain.plan import PilotFigures
from handlers.domain.result import PartLine
from handlers.domain.run_report import RunReport
from handlers.domain.value import Frozen
from handlers.errors import DamagedObjectError, UsageError
from handlers.local.endpoint import endpoint
from handlers.local.preflight import refuse_damaged
from handlers.local.session import exit_code, run_corpus
from handlers.local.state_lock import only_parent
from handlers.planning.pilot_figures import PilotPaper, pilot_figures
from handlers.planning.pilot_limits import limits_text
from handlers.planning.workload import stratified
from handlers.settings import load_settings

PAPERS = 20
_MOST = 100
_GOOD_ENOUGH = 0.08
"""Half of the 90% interval of a paper's time, as a share of it, up to which 20 papers are enough."""
_SHORT = 0.1
"""Seconds of a paper below which its spread says little of a run's time."""
_WORKERS = 10


class PilotReport(Frozen):
    """What ``pilot`` prints as JSON."""

    state: str
    runs: tuple[str, ...]
    """Ids of the pilot's runs in this state."""
    figures: PilotFigures | None
    """None if no call was answered."""
    kept: str
    """File of the figures, which ``plan`` reads."""


def register(app: typer.Typer) -> None:
    app.command(
        "pilot",
        epilog="Example: `paperfleet pilot papers.jsonl --base-url URL --model NAME --budget 1`",
    )(pilot)


@takes("state", "workers", "budget", "rpm", "tpm", "batch_papers", *CONNECTION, *PRICES, *ASKED)
def pilot(
    source: options.Source,
    papers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Exactly so many papers [default: {PAPERS}; up to {_MOST} only where times vary so much"
            " that fewer do not tell the run's to 8%].",
        ),
    ] = None,
    *,
    mapping: options.Mapping = None,
    source_format: options.SourceFormat = None,
    as_json: options.AsJson = False,
    **flags: Any,
) -> None:
    """Run a sample of SOURCE for real, evenly from its smallest papers to its largest, and measure time,
    tokens, verdicts and cost against size, and hear what the API's x-ratelimit-limit headers state of its
    limits. `plan` uses what it finds, `run` takes its results over at no cost. Run again with more --papers,
    it goes on from what is there.
    """
    settings = load_settings(**flags)
    console = Console(stderr=True, highlight=False)
    with only_parent(settings.state), endpoint(settings, console) as ready:
        refuse_damaged(settings.state)
        planned = sized_corpus(source, ready, mapping or [], source_format, console)
        if not planned.sized:
            raise UsageError("no paper of this corpus needs a call: there is nothing to pilot")
        wiring.price(ready, planned.spec.model)
        report, found = _piloted(planned, papers, console)
    shown = PilotReport(
        state=report.state,
        runs=tuple(found[1]),
        figures=found[0],
        kept=str(planned.figures_path) if found[0] else "",
    )
    _print(shown, report, as_json=as_json)
    raise typer.Exit(exit_code(report))


def _piloted(
    planned: Planned, papers: int | None, console: Console
) -> tuple[RunReport, tuple[PilotFigures | None, list[str]]]:
    """The last run's report, and what all runs of the pilot say."""
    wanted = papers or PAPERS
    while True:
        report = _run(planned, wanted, console)
        measured, runs = _measured(planned)
        if measured is not None:
            _keep(planned.figures_path, measured)
        enough = measured is None or report.state != "finished" or _is_enough(measured)
        reachable = min(_MOST, len(planned.sized))
        if papers is not None or enough or measured is None or wanted >= reachable:
            return report, (measured, runs)
        needed = math.ceil(wanted * (measured.time_error / _GOOD_ENOUGH) ** 2 * 1.1)
        console.print(
            f"{wanted} papers tell the time to {measured.time_error:.0%} only:"
            f" going on to {min(needed, reachable)} (--papers {wanted} would stop here)"
        )
        wanted = min(needed, reachable)


def _is_enough(measured: PilotFigures) -> bool:
    """Known well enough; or so short that a worker's own work decides, and not the API's."""
    return measured.time_error <= _GOOD_ENOUGH or measured.seconds_per_paper < _SHORT


def _run(planned: Planned, papers: int, console: Console) -> RunReport:
    """A run over the sample. Results of smaller samples are taken over at no cost."""
    settings = planned.settings
    chosen = stratified(planned.sized, papers)
    sample = planned.figures_path.with_name(f"{planned.key}-{len(chosen)}.jsonl")
    sample.parent.mkdir(parents=True, exist_ok=True)
    sample.write_bytes(b"".join(planned.lines(chosen)))
    found = ingest(open_source(str(sample)), settings.state)
    run_id = f"{_prefix(planned)}{len(chosen)}"
    ready = settings.model_copy(
        update={
            "run_id": run_id,
            "budget": _left(planned, run_id),
            "jobs": 1,
            "workers": settings.workers or min(_WORKERS, len(chosen)),
            "batch_papers": min(settings.batch_papers, _WORKERS),
        }
    )
    return run_corpus(ready, found, console)


def _left(planned: Planned, run_id: str) -> Decimal | None:
    """USD of the budget that the pilot's other runs have not spent: it is for all of them together."""
    if planned.settings.budget is None:
        return None
    with open_state(None, planned.settings) as adapters:
        runs = [each for each in adapters.ledger.run_ids() if each.startswith(_prefix(planned))]
        spent = sum(adapters.ledger.totals(each).calls.cost for each in runs if each != run_id)
    return max(Decimal(0), planned.settings.budget - Decimal(spent) / NANO)


def _prefix(planned: Planned) -> str:
    return f"pilot-{planned.key}-"


def _measured(planned: Planned) -> tuple[PilotFigures | None, list[str]]:
    """Figures over all runs of this pilot, and their ids."""
    sized = {each.id: each for each in planned.sized}
    with open_state(None, planned.settings) as adapters:
        runs = [each for each in adapters.ledger.run_ids() if each.startswith(_prefix(planned))]
        papers = [paper for run_id in runs for paper in _papers(adapters, run_id)]
        jobs = [job for run_id in runs for job in adapters.ledger.jobs(run_id)]
    return pilot_figures(papers, sized, planned.workload, jobs), runs


def _papers(adapters: State, run_id: str) -> Iterator[PilotPaper]:
    """The papers of a run that were sent in it."""
    for row in adapters.ledger.entries(run_id):
        if row.pointer is None or row.reused:
            continue
        where = row.pointer
        try:
            line = PartLine.model_validate_json(adapters.store.read(where.key, where.offset, where.length))
        except (DamagedObjectError, ValueError):
            continue
        yield PilotPaper(row.paper_id, row.status, (*line.carried, *line.calls), line.latency)


def _keep(path: Path, measured: PilotFigures) -> None:
    with replacing(path, durable=False) as scratch:
        scratch.write_text(measured.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _print(shown: PilotReport, report: RunReport, *, as_json: bool) -> None:
    if as_json:
        typer.echo(shown.model_dump_json())
        return
    found = shown.figures
    if found is None:
        typer.echo(f"{report.state}: no call was answered. {report.reason}")
        return
    a_paper = found.spend_usd / max(1, found.papers)
    lines = (
        f"{found.papers} papers ({', '.join(f'{n} {name}' for name, n in found.counts.items())}),"
        f" {found.calls} calls, ${found.spend_usd:.6f}, ${a_paper:.6f} a paper",
        f"time of a paper: {found.seconds.per_request:.2f} s + {1000 * found.seconds.per_token:.2f} s for"
        f" 1,000 tokens; longest call {found.longest_call_s:.2f} s",
        f"known to (90%): cost {found.cost_error:.1%}, time {found.time_error:.1%}",
        f"repairs {found.repair_share:.1%}, transient {found.retry_share:.1%}, throttled"
        f" {found.throttled_share:.1%}, flagged {found.flag_share:.1%}, cached {found.cached_share:.0%} of"
        f" the prompt, reasoning {found.reasoning_share:.0%} of the answer",
        f"the API's limits by its headers: {limits_text(found.limits) or 'it states none'}",
        "next: `paperfleet plan` with the same SOURCE, --state and settings",
    )
    typer.echo("\n".join(lines))
