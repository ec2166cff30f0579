"""``paperfleet ingest`` and ``paperfleet try``: a source, and one paper of it, before anything runs."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console

from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.cli.provider_hint import tell_of_provider
from handlers.corpus.ingest import IngestResult
from handlers.domain.paper import Paper
from handlers.errors import UsageError
from handlers.local import ingesting
from handlers.local.endpoint import check_endpoint, endpoint
from handlers.local.ingesting import SourceSpec
from handlers.local.task_file import task_bundle
from handlers.settings import load_settings


def register(app: typer.Typer) -> None:
    add_command(app, "ingest", ingest_source, "ingest papers.csv --map title=Title --map id=DOI")
    add_command(app, "try", try_paper, "try papers.jsonl 2024.00012 --base-url URL --model NAME")


class Ingested(BaseModel):
    """What ``ingest`` prints as JSON."""

    corpus: str
    sha256: str
    papers: int
    same_as: int
    duplicates: int
    differing: int
    """Of the duplicates, those that say something else beside their text: each has a line in the rejects."""
    rejects: int
    rejects_file: str
    index: str
    profile: str


def ingest_source(
    source: shared_options.Source,
    *,
    mapping: shared_options.Mapping = None,
    source_format: shared_options.SourceFormat = None,
    encoding: shared_options.Encoding = None,
    **flags: Any,
) -> None:
    """Make the canonical corpus of SOURCE: validated, normalised and deduplicated, with an index, a profile
    and the rejected lines. Prints their paths as JSON.
    """
    settings = load_settings(**flags)
    spec = SourceSpec(source, mapping or (), source_format, encoding)
    result = ingesting.ingest_source(spec, settings, Console(stderr=True, highlight=False))
    shown = Ingested(
        corpus=str(result.corpus),
        sha256=result.sha256,
        papers=result.papers,
        same_as=result.same_as,
        duplicates=result.duplicates,
        differing=result.differing,
        rejects=result.rejects,
        rejects_file=str(result.rejects_path),
        index=str(result.index),
        profile=str(result.profile_path),
    )
    typer.echo(shown.model_dump_json(indent=2))


def try_paper(
    source: shared_options.Source,
    paper_id: Annotated[str, typer.Argument(help="Id of the paper, as it stands in the source.")],
    *,
    mapping: shared_options.Mapping = None,
    source_format: shared_options.SourceFormat = None,
    encoding: shared_options.Encoding = None,
    passage: Annotated[
        str | None,
        typer.Option(
            "--passage", help="With --full-text: the passage to send, `head`, `terms`, `body/0` ..."
        ),
    ] = None,
    **flags: Any,
) -> None:
    """Send one paper and show the exact request, the raw answer, the gate's verdicts and the cost. With
    --full-text show each segment of its body, whether it is sent or kept and by which rule, and send one
    passage. Stores nothing: a later `run` sends the paper again.
    """
    settings = load_settings(**flags)
    check_endpoint(settings)
    console = Console(stderr=True, highlight=False)
    tell_of_provider(settings, console)
    named = SourceSpec(source, mapping or (), source_format, encoding)
    result = ingesting.ingest_source(named, settings, console, bundle=task_bundle(settings))
    paper = _find(result, paper_id)
    from handlers.local.trial import Trial  # most of the package

    with endpoint(settings, console) as ready, closing(Trial(ready, result)) as trial:
        trial.show(paper, passage)


def _find(corpus: IngestResult, paper_id: str) -> Paper:
    with corpus.corpus.open("rb") as lines:
        for line in lines:
            paper = Paper.model_validate_json(line)
            if paper.id == paper_id:
                return paper
    raise UsageError(f"no paper {paper_id!r} in the corpus; ids are in {corpus.index}")
