"""``paperfleet pilot``: sends a stratified sample, and estimates the rest from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handlers.atomic_file import replacing
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State, open_state
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.counted import counted
from handlers.domain.ledger import StoredAnswer
from handlers.domain.money import NANO
from handlers.domain.plan import CorpusCounts, PilotFigures
from handlers.domain.result import PartLine, PartPointer
from handlers.domain.run_report import RunReport
from handlers.domain.value import Frozen
from handlers.errors import DamagedObjectError
from handlers.local.endpoint import endpoint
from handlers.local.ingesting import SourceSpec
from handlers.local.measured_corpus import MeasuredCorpus, measure_corpus, pilot_prefix
from handlers.local.preflight import refuse_damaged
from handlers.local.session import exit_code, run_corpus
from handlers.local.state_lock import only_parent
from handlers.local.task_file import task_reads
from handlers.planning.make_plan import PILOT_PAPERS
from handlers.planning.pilot_figures import PilotPaper, PilotWork, pilot_figures
from handlers.planning.pilot_limits import limits_text
from handlers.planning.plan_rows import PILOT_WORKERS
from handlers.planning.sample import stratified
from handlers.settings import load_settings
from handlers.state_paths import PILOT

_MOST = 100
_GOOD_ENOUGH = 0.08
"""Half of the 90% interval of a paper's time, as a share of it, up to which 20 papers are enough."""
_SHORT = 0.1
"""Seconds of a paper below which its spread says little of a run's time."""


class PilotReport(Frozen):
    """What ``pilot`` prints as JSON."""

    state: str
    corpus: CorpusCounts
    """As the pilot found it."""
    runs: tuple[str, ...]
    """Ids of the pilot's runs in this state."""
    figures: PilotFigures | None
    """None if no call was answered."""
    kept: str
    """File of the figures, which ``plan`` reads."""


def register(app: typer.Typer) -> None:
    add_command(app, "pilot", pilot, "pilot papers.jsonl --base-url URL --model NAME --budget 1")


def pilot(
    source: shared_options.Source,
    papers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Exactly this many papers [default: {PILOT_PAPERS}, and up to {_MOST} where times vary so"
            " much that fewer do not predict the run's to 8%].",
        ),
    ] = None,
    *,
    mapping: shared_options.Mapping = None,
    source_format: shared_options.SourceFormat = None,
    encoding: shared_options.Encoding = None,
    as_json: shared_options.AsJson = False,
    **flags: Any,
) -> None:
    """Send a sample of SOURCE, spread evenly from its smallest papers to its largest, and measure time,
    tokens, verdicts and cost against size. The pilot also reads the API's limits from its x-ratelimit-limit
    headers. `plan` uses the figures, `run` reuses the results at no cost, and another pilot with more
    --papers extends this one.
    """
    settings = load_settings(**flags)
    console = Console(stderr=True, highlight=False)
    with only_parent(settings.state), endpoint(settings, console) as ready:
        refuse_damaged(settings.state)
        spec = SourceSpec(source, mapping or (), source_format, encoding)
        corpus = measure_corpus(spec, ready, console, again=True)
        if not corpus.sized:
            counts = corpus.workload.counts
            none = PilotReport(state="finished", corpus=counts, runs=(), figures=None, kept="")
            typer.echo(none.model_dump_json() if as_json else f"{counts}: nothing is left to pilot")
            return
        wiring.tariff(ready, corpus.spec.model)
        report, figures, runs = _sampled(corpus, papers, console)
    kept = str(corpus.figures_path) if figures else ""
    counts = corpus.workload.counts
    pilot_report = PilotReport(
        state=report.state, corpus=counts, runs=tuple(runs), figures=figures, kept=kept
    )
    typer.echo(pilot_report.model_dump_json() if as_json else f"{counts}\n{_text(figures, report)}")
    raise typer.Exit(exit_code(report))


def _sampled(
    corpus: MeasuredCorpus, papers: int | None, console: Console
) -> tuple[RunReport, PilotFigures | None, list[str]]:
    """The last run's report, and figures and ids of all runs of the pilot."""
    sample_size = papers or PILOT_PAPERS
    while True:
        report = _run(corpus, sample_size, console)
        measured, runs = _measured(corpus)
        if measured is not None:
            _write(corpus.figures_path, measured)
        enough = measured is None or report.state != "finished" or _is_enough(measured)
        reachable = min(_MOST, len(corpus.sized))
        if papers is not None or enough or measured is None or sample_size >= reachable:
            return report, measured, runs
        needed = math.ceil(sample_size * (measured.time_error / _GOOD_ENOUGH) ** 2 * 1.1)
        console.print(
            f"{counted(sample_size, 'paper tells', 'papers tell')} the time to"
            f" {measured.time_error:.0%} only:"
            f" going on to {min(needed, reachable)} (--papers {sample_size} would stop here)"
        )
        sample_size = min(needed, reachable)


def _is_enough(measured: PilotFigures) -> bool:
    """Whether the time is known well enough, or calls are so short that the worker's own time decides."""
    return measured.time_error <= _GOOD_ENOUGH or measured.seconds_per_paper < _SHORT


def _run(corpus: MeasuredCorpus, papers: int, console: Console) -> RunReport:
    """Run the sample. Results of smaller samples are reused at no cost."""
    settings = corpus.settings
    chosen = stratified(corpus.sized, papers)
    sample = corpus.sample_path(len(chosen))
    sample.parent.mkdir(parents=True, exist_ok=True)
    sample.write_bytes(b"".join(corpus.lines(chosen)))
    result = ingest(open_source(str(sample)), settings.state, reads=task_reads(settings), of_corpus=True)
    run_id = f"{PILOT}{sample.stem}"
    ready = settings.model_copy(
        update={
            "run_id": run_id,
            "budget": _left(corpus, run_id),
            "jobs": 1,
            "workers": settings.workers or min(PILOT_WORKERS, len(chosen)),
            "batch_papers": min(settings.batch_papers, PILOT_WORKERS),
        }
    )
    return run_corpus(ready, result, console)


def _left(corpus: MeasuredCorpus, run_id: str) -> Decimal | None:
    """USD of the budget that the pilot's other runs have not spent: all its runs share one budget."""
    if corpus.settings.budget is None:
        return None
    with open_state(None, corpus.settings) as adapters:
        runs = [each for each in adapters.ledger.run_ids() if each.startswith(pilot_prefix(corpus.key))]
        spent = sum(adapters.ledger.totals(each).calls.cost for each in runs if each != run_id)
    return max(Decimal(0), corpus.settings.budget - Decimal(spent) / NANO)


def _measured(corpus: MeasuredCorpus) -> tuple[PilotFigures | None, list[str]]:
    """Figures over all runs of this pilot, and their ids."""
    sized = {each.id: each for each in corpus.sized}
    with open_state(None, corpus.settings) as adapters:
        runs = [each for each in adapters.ledger.run_ids() if each.startswith(pilot_prefix(corpus.key))]
        papers = [paper for run_id in runs for paper in _papers(adapters, run_id)]
        jobs = [job for run_id in runs for job in adapters.ledger.jobs(run_id)]
    return pilot_figures(papers, sized, corpus.workload, jobs), runs


def _papers(adapters: State, run_id: str) -> Iterator[PilotPaper]:
    """The papers of a run that were sent in it, with all that was noted of their calls."""
    answers: dict[str, dict[str, list[StoredAnswer]]] = {}
    for row in adapters.ledger.entries(run_id):
        if row.pointer is None or row.reused or (last := _line(adapters, row.pointer)) is None:
            continue
        if last.batch_id not in answers:
            answers[last.batch_id] = adapters.ledger.answers(run_id, last.batch_id)
        stored = [_line(adapters, each.pointer) for each in answers[last.batch_id].get(row.paper_id, ())]
        yield PilotPaper(row.paper_id, row.status, tuple(_work([*stored, last])))


def _line(adapters: State, where: PartPointer) -> PartLine | None:
    try:
        return PartLine.model_validate_json(adapters.store.read(where.key, where.offset, where.length))
    except (DamagedObjectError, ValueError):
        return None


def _work(lines: Iterable[PartLine | None]) -> Iterator[PilotWork]:
    """Each call once: the last line of a paper may carry those of lines before it."""
    seen: set[str] = set()
    for line in lines:
        calls = [call for call in (*line.carried, *line.calls) if call.id not in seen] if line else []
        if line and calls:
            seen.update(call.id for call in calls)
            yield PilotWork(tuple(calls), line.latency, line.passage)


def _write(path: Path, measured: PilotFigures) -> None:
    with replacing(path, durable=False) as scratch:
        scratch.write_text(measured.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _unmeasured(report: RunReport) -> str:
    ended = ", ".join(f"{count:,} {name}" for name, count in report.counts.items() if count)
    if report.reason or report.calls.sent or report.counts.get("pending"):
        return f"{report.state}: no call was answered. {report.reason}".rstrip()
    return (
        f"{report.state}: no call was needed, so nothing is measured ({ended}, by answers of earlier runs or"
        " before a call)"
    )


def _text(figures: PilotFigures | None, report: RunReport) -> str:
    if figures is None:
        return _unmeasured(report)
    a_paper = figures.spend_usd / max(1, figures.papers)
    lines = (
        f"{counted(figures.papers, 'paper')}"
        f" ({', '.join(f'{n:,} {name}' for name, n in figures.counts.items())}),"
        f" {counted(figures.calls, 'call')}, ${figures.spend_usd:.6f}, ${a_paper:.6f} a paper",
        f"time of a paper: {figures.seconds.per_request:.2f} s + {1000 * figures.seconds.per_token:.2f} s for"
        f" 1,000 tokens; longest call {figures.longest_call_s:.2f} s",
        f"known to (90%): cost {figures.cost_error:.1%}, time {figures.time_error:.1%}",
        f"repairs {figures.repair_share:.1%}, transient {figures.retry_share:.1%}, throttled"
        f" {figures.throttled_share:.1%}, flagged {figures.flag_share:.1%}, cached"
        f" {figures.cached_share:.0%} of the prompt, reasoning {figures.reasoning_share:.0%} of the answer",
        f"the API's limits by its headers: {limits_text(figures.limits) or 'it states none'}",
        "next: `paperfleet plan` with the same SOURCE, --state and settings",
    )
    return "\n".join(lines)
