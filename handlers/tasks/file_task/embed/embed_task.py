"""The task of a file whose answers are vectors: fill in the text, ask, look at what comes."""

from __future__ import annotations

import math
from functools import cached_property

from handlers.domain.call import CallKind, ChatRequest, Message
from handlers.domain.call_errors import ContentFilteredError, RejectedError, TooLongError
from handlers.domain.paper import Paper
from handlers.domain.result import Check, TaskResult
from handlers.domain.tasks.vectors import floats_of
from handlers.domain.value import canonical_json
from handlers.ports import Ask
from handlers.tasks.file_task.embed.vector_form import VECTOR_FIELD
from handlers.tasks.file_task.file_task import FileTask


class EmbedTask(FileTask):
    """``ports.Task``: one request a record, and one vector. What is refused once is not asked for again: the
    same text has the same vector."""

    notice = "Made by an embedding model."

    def run(self, paper: Paper, ask: Ask) -> TaskResult:
        work = self._work(paper)
        if work.characters > self._rules.most_characters:
            most = f"the text has {work.characters:,} characters, over {self._rules.most_characters:,}"
            return self._flagged("too_long", most)
        try:
            content = ask(work.request).content
        except (TooLongError, ContentFilteredError) as error:
            too_long = isinstance(error, TooLongError)
            return self._flagged("too_long" if too_long else "content_filter", str(error))
        except RejectedError as error:
            return self._flagged(error.code, str(error))
        problem = vector_problem(content, self._bundle.tables.embed.dimensions)
        check = Check(name="vector", verdict="fail" if problem else "pass", detail=problem)
        return TaskResult(
            status="flagged" if problem else "done",
            fields={} if problem else {VECTOR_FIELD: content},
            checks=(check,),
            error="vector" if problem else None,
            gate=self.gate,
        )

    @cached_property
    def _fixed(self) -> str:
        """Temperature and the like are not sent."""
        return canonical_json([self._bundle.asks, self._spec.extra_body, self._spec.model])

    def _request(
        self,
        messages: tuple[Message, ...],
        kind: CallKind,
        source: str,
        *,
        twice: bool = False,
        capped_too: bool = True,
    ) -> ChatRequest:
        del kind, source, twice, capped_too  # of a text that is answered
        dimensions = self._bundle.tables.embed.dimensions
        return ChatRequest(
            messages=messages, max_tokens=1, kind="embed", answer_guess=0.0, dimensions=dimensions
        )


def vector_problem(content: str, dimensions: int | None) -> str:
    """What is wrong with one vector in base64 of float32; "" if nothing is."""
    try:
        numbers = floats_of(content)
    except ValueError:
        return "It is no vector of float32."
    if dimensions is not None and len(numbers) != dimensions:
        return f"It has {len(numbers)} dimensions, and {dimensions} were asked for."
    if not all(map(math.isfinite, numbers)):
        return "It has numbers that are not finite."
    return "" if any(numbers) else "All its numbers are 0."
