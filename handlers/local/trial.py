"""One paper's calls, printed as they happen; nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import typer

from handlers.bootstrap import wiring
from handlers.bootstrap.state import SystemClock
from handlers.corpus.ingest import IngestResult
from handlers.counted import counted
from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import AdaptedError, ModelCallError, RejectedError
from handlers.domain.money import usd
from handlers.domain.paper import Paper
from handlers.domain.result import Check
from handlers.domain.tasks.vectors import shown_vector, with_shown_vectors
from handlers.errors import UsageError
from handlers.llm.reasoning_room import ReasoningRoom
from handlers.local.task_file import task_bundle
from handlers.pipeline.calls.thinking import RoomyAsk
from handlers.ports import PassageWork, WholePaperTask
from handlers.reporting.segment_list import segment_lines
from handlers.runs.specification import specification
from handlers.settings import Settings
from handlers.tasks.translation.passages.body_segments import plan_body
from handlers.tasks.translation.policy import source_language

FIRST = "head"
"""The passage that is asked of a whole paper unless another is named."""


class Trial:
    """Asks for one paper, or one passage of it."""

    def __init__(self, settings: Settings, corpus: IngestResult) -> None:
        bundle = task_bundle(settings)
        spec = specification(settings, corpus, bundle)
        self._price = wiring.price(settings, spec.model)
        self._model = wiring.chat_model(settings, spec, SystemClock())
        self._task = wiring.task_of(spec, bundle=bundle)
        self._masking = spec.masking_version
        self._timeout = settings.call_timeout
        self._roomy_ask = RoomyAsk(ReasoningRoom(settings.reasoning_room), spec.max_tokens, self._ask)
        self._cost = 0
        self._is_silent = False

    def close(self) -> None:
        self._model.close()

    def show(self, paper: Paper, passage: str | None = None) -> None:
        """``passage``: key of the one to ask for, of a whole paper. UsageError if it has none such."""
        if (reason := self._task.skip_reason(paper)) is not None:
            typer.echo(f"skipped: {reason}; no call is made for it")
            return
        task = self._task
        whole = task if isinstance(task, WholePaperTask) and task.is_whole(paper) else None
        if passage is not None and whole is None:
            raise UsageError("--passage: the paper has no body that is asked by passages (see --full-text)")
        try:
            if whole is None:
                self._show_paper(paper)
            else:
                self._show_passage(whole, paper, passage)
        except RejectedError as error:
            raise UsageError(f"the call failed ({error.code}): {error}") from error
        typer.echo(f"cost: ${usd(self._cost):.6f}")

    def _show_paper(self, paper: Paper) -> None:
        result = self._task.run(paper, self._roomy_ask)
        _tell(result.status, result.error, result.checks, result.faults)
        shown = with_shown_vectors(result.fields, self._task.columns)
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))

    def _show_passage(self, task: WholePaperTask, paper: Paper, key: str | None) -> None:
        """What becomes of each piece of the body, and one passage. The terms that stand in a passage of the
        body are those of its paper, which are asked for first."""
        body = paper.body or ""
        plan = plan_body(body, source_language(paper), self._masking) if task.columns is None else None
        for line in segment_lines(body, plan) if plan is not None else ():
            typer.echo(line)
        first = list(task.first(paper))
        known = [*first, *task.rest(paper, {})]
        if not known:
            refused = task.result(paper, {})
            _tell(refused.status, refused.error, refused.checks, refused.faults)
            return
        key = key or (FIRST if task.columns is None else known[0].key)
        work = _named(key, known)
        if task.columns is None and work not in first:
            work = _named(key, task.rest(paper, self._frame(task, paper, first)))
        typer.echo(f"passage {key}, one of {len(known):,} (--passage NAME asks another):")
        result = work.run(self._roomy_ask)
        _tell(result.status, result.error, result.checks, result.faults)
        for name in result.flagged:
            typer.echo(f"  refused: {name}")
        texts: object = result.texts if task.columns is None else [*map(json.loads, result.texts.values())]
        typer.echo(json.dumps(texts, ensure_ascii=False, indent=2))

    def _frame(self, task: WholePaperTask, paper: Paper, first: Sequence[PassageWork]) -> Mapping[str, str]:
        self._is_silent = True
        results = {work.key: work.run(self._roomy_ask) for work in first}
        self._is_silent = False
        frame = task.frame(paper, results)
        keys = " and ".join(results)
        typer.echo(f"frame: {counted(len(frame), 'term')}, of {keys}, which were asked first")
        return frame

    def _ask(self, request: ChatRequest) -> ChatAnswer:
        body = self._model.body(request)
        self._say(f"request ({request.kind}):", json.dumps(json.loads(body), ensure_ascii=False, indent=2))
        try:
            answer = self._model.complete(request, timeout=self._timeout)
        except AdaptedError as error:
            typer.echo(f"refused ({error.code}), at no cost: asked again in the form that is taken")
            return self._ask(request)
        except ModelCallError as error:
            raise UsageError(f"the call failed ({error.code}): {error}") from error
        cost = answer.usage.cost(self._price) if answer.usage else 0
        self._cost += cost
        usage = json.dumps(asdict(answer.usage), separators=(",", ":")) if answer.usage else "not told"
        told = f"answer (finish_reason {answer.finish_reason}, usage {usage}, ${usd(cost):.6f}):"
        self._say(told, shown_vector(answer.content) if request.kind == "embed" else answer.content)
        return answer

    def _say(self, *lines: str) -> None:
        for line in () if self._is_silent else lines:
            typer.echo(line)


def _named(key: str, works: Sequence[PassageWork]) -> PassageWork:
    found = {work.key: work for work in works}
    if key not in found:
        last = f" ... {works[-1].key}" if len(works) > 3 else ""
        some = ", ".join([work.key for work in works[:3]])
        raise UsageError(f"--passage {key}: the paper has {some}{last}")
    return found[key]


def _tell(status: str, error: str | None, checks: Sequence[Check], faults: Sequence[Check]) -> None:
    typer.echo(f"status: {status}" + (f" ({error})" if error else ""))
    for check in checks:
        typer.echo(f"  {check.verdict:4}  {check.name}  {check.detail}")
    for fault in faults:
        typer.echo(f"  in its calls: {fault.name}  {fault.detail}")
