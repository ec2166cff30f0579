"""``paperfleet ingest`` and ``paperfleet try``: a source, and one paper of it, before anything runs."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console

from handlers.bootstrap.state import SystemClock
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.cli.provider_hint import tell_of_provider
from handlers.corpus.ingest import IngestResult
from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import AdaptedError, ModelCallError, RejectedError
from handlers.domain.money import usd
from handlers.domain.paper import Paper
from handlers.errors import UsageError
from handlers.local import ingesting
from handlers.local.endpoint import check_endpoint, endpoint
from handlers.local.ingesting import SourceSpec
from handlers.runs.specification import specification
from handlers.settings import Settings, load_settings


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
    **flags: Any,
) -> None:
    """Send one paper and show the exact request, the raw answer, the gate's verdicts and the cost.
    Stores nothing: a later `run` sends the paper again.
    """
    settings = load_settings(**flags)
    check_endpoint(settings)
    console = Console(stderr=True, highlight=False)
    tell_of_provider(settings, console)
    result = ingesting.ingest_source(
        SourceSpec(source, mapping or (), source_format, encoding), settings, console
    )
    paper = _find(result, paper_id)
    with endpoint(settings, console) as ready:
        _Trial(ready, result).show(paper)


def _find(corpus: IngestResult, paper_id: str) -> Paper:
    with corpus.corpus.open("rb") as lines:
        for line in lines:
            paper = Paper.model_validate_json(line)
            if paper.id == paper_id:
                return paper
    raise UsageError(f"no paper {paper_id!r} in the corpus; ids are in {corpus.index}")


class _Trial:
    """One paper's calls, printed as they happen."""

    def __init__(self, settings: Settings, corpus: IngestResult) -> None:
        from handlers.bootstrap import wiring  # most of the package
        from handlers.llm.reasoning_room import ReasoningRoom
        from handlers.pipeline.calls.thinking import RoomyAsk

        spec = specification(settings, corpus)
        self._price = wiring.price(settings, spec.model)
        self._model = wiring.chat_model(settings, spec, SystemClock())
        self._task = wiring.task_of(spec)
        self._timeout = settings.call_timeout
        self._roomy_ask = RoomyAsk(ReasoningRoom(settings.reasoning_room), spec.max_tokens, self._ask)
        self._cost = 0

    def show(self, paper: Paper) -> None:
        if (reason := self._task.skip_reason(paper)) is not None:
            typer.echo(f"skipped: {reason}; no call is made for it")
            return
        try:
            result = self._task.run(paper, self._roomy_ask)
        except RejectedError as error:
            raise UsageError(f"the call failed ({error.code}): {error}") from error
        typer.echo(f"status: {result.status}" + (f" ({result.error})" if result.error else ""))
        for check in result.checks:
            typer.echo(f"  {check.verdict:4}  {check.name}  {check.detail}")
        for fault in result.faults:
            typer.echo(f"  in its calls: {fault.name}  {fault.detail}")
        typer.echo(json.dumps(result.fields, ensure_ascii=False, indent=2))
        typer.echo(f"cost: ${usd(self._cost):.6f}")

    def _ask(self, request: ChatRequest) -> ChatAnswer:
        body = self._model.body(request)
        typer.echo(f"request ({request.kind}):")
        typer.echo(json.dumps(json.loads(body), ensure_ascii=False, indent=2))
        try:
            answer = self._model.complete(request, timeout=self._timeout)
        except AdaptedError as error:
            typer.echo(f"refused ({error.code}), at no cost: asked again in the form that is taken")
            return self._ask(request)
        except ModelCallError as error:
            raise UsageError(f"the call failed ({error.code}): {error}") from error
        cost = answer.usage.cost(self._price) if answer.usage else 0
        self._cost += cost
        usage = answer.usage.model_dump_json() if answer.usage else "not told"
        typer.echo(f"answer (finish_reason {answer.finish_reason}, usage {usage}, ${usd(cost):.6f}):")
        typer.echo(answer.content)
        return answer
