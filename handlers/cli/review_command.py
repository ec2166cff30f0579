"""``paperfleet review`` and the HTML page of ``paperfleet report``."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from handlers.atomic_file import replacing
from handlers.bootstrap.state import State, open_state
from handlers.cli.existing.opened_run import with_run
from handlers.cli.flags.setting_flags import add_command
from handlers.counted import counted
from handlers.domain.plan import PlanOutline
from handlers.domain.run_report import RunReport
from handlers.errors import UsageError, first_problem
from handlers.local.named_outputs import keep_apart
from handlers.reporting.page.html import Beside, to_html
from handlers.reporting.page.run_settings import run_settings
from handlers.reporting.page.survey import Survey, survey
from handlers.reporting.review.answer_rows import TaskView
from handlers.reporting.review.links import MARKER, review_links
from handlers.reporting.review.selection import Selection
from handlers.reporting.review.site import PAPERS_PER_PAGE, write_site
from handlers.results.answer_records import AnswerColumns
from handlers.settings import load_settings
from handlers.state_paths import REVIEW_SITE, run_folder

_SHOW_EVERY = 5.0


def register(app: typer.Typer) -> None:
    add_command(app, "review", review, "review --run-id june --output site --drafts")


def review(
    output: Annotated[Path, typer.Option(help="Folder of the site; an earlier site in it is replaced.")],
    *,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Show flagged papers too; such a site is not for publication.")
    ] = False,
    page_papers: Annotated[
        int, typer.Option("--page-papers", min=1, max=500, help="Papers on a page.")
    ] = PAPERS_PER_PAGE,
    **flags: Any,
) -> None:
    """Write a static site with each paper beside its translation: formulas drawn, the gate's remarks marked,
    and a search. It never shows papers whose licence forbids derivatives. Needs the extra `report`.
    """
    settings = with_run(load_settings(**flags))
    keep_apart(settings, [("--output", output)])
    console = Console(stderr=True, highlight=False)
    with open_state(settings.run_id, settings) as adapters:
        columns = AnswerColumns.of_run(adapters.ledger.run(settings.run_id).spec, adapters.store)
        view = None if columns is None else TaskView(columns.task, columns.fields, columns.reads)
        selection = Selection(settings.run_id, adapters.ledger, adapters.store, drafts, view)
        progress = _SiteProgress(console, adapters)
        site = write_site(selection, output.absolute(), per_page=page_papers, on_page=progress)
        _remember(adapters, settings.run_id, output)
    for reason, count in site.left_out.items():
        console.print(f"not shown: {count:,} {reason}")
    console.print(f"{counted(site.papers, 'paper')} on {counted(site.pages, 'page')}", soft_wrap=True)
    typer.echo(output / "index.html")


class _SiteProgress:
    """Prints every few seconds how many papers are written."""

    def __init__(self, console: Console, adapters: State) -> None:
        self._console = console
        self._clock = adapters.clock
        self._at = self._clock.monotonic()

    def __call__(self, papers: int) -> None:
        if self._clock.monotonic() - self._at >= _SHOW_EVERY:
            self._at = self._clock.monotonic()
            self._console.print(f"{counted(papers, 'paper')} written", soft_wrap=True)


def _remember(adapters: State, run_id: str, site: Path) -> None:
    """So that the run's page links to the reviews. A folder that cannot be written is no reason to fail."""
    with suppress(OSError):
        run_folder(adapters.directory, run_id).mkdir(parents=True, exist_ok=True)
        _last_site(adapters, run_id).write_text(f"{site.absolute()}\n", encoding="utf-8")


def _last_site(adapters: State, run_id: str) -> Path:
    return run_folder(adapters.directory, run_id) / REVIEW_SITE


def _reviews(adapters: State, found: Survey, run_id: str, page: Path, site: Path | None) -> dict[str, str]:
    if site is None:
        try:
            site = Path(_last_site(adapters, run_id).read_text(encoding="utf-8").strip())
        except (OSError, ValueError):
            return {}
    elif not (site / MARKER).is_file():
        raise UsageError(f"--review {site}: no review site is there; `paperfleet review` writes one")
    return review_links(site, run_id, found.named(), page=page)


@dataclass(frozen=True)
class PageSources:
    """What a run's page is set against: JSON of a plan, and the review site that its papers link to (by
    default the one that was written last)."""

    plan: Path | None = None
    review: Path | None = None


def write_page(adapters: State, report: RunReport, path: Path, sources: PageSources) -> None:
    """The run's page, whole or not at all; ``-`` is standard output. UsageError if a file cannot be read or
    written."""
    run_id, ledger = report.run_id, adapters.ledger
    found = survey(run_id, ledger=ledger, store=adapters.store)
    beside = Beside(
        plan=read_plan(sources.plan) if sources.plan is not None else None,
        settings=run_settings(ledger.run(run_id), ledger.sessions(run_id)),
        reviews=_reviews(adapters, found, run_id, path, sources.review),
    )
    page = to_html(report, found, beside)
    if str(path) == "-":
        sys.stdout.write(page)
        return
    try:
        with replacing(path, durable=False) as scratch:
            scratch.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html {path}: cannot be written ({error.strerror})") from error


def read_plan(path: Path) -> PlanOutline:
    """The JSON of ``paperfleet plan --json``."""
    try:
        return PlanOutline.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"--plan {path}: cannot be read as JSON: {error}") from error
    except ValidationError as error:
        raise UsageError(
            f"--plan {path}: a JSON object wanted, as `paperfleet plan --json` prints it:"
            f" {first_problem(error)}"
        ) from error
