"""A small task that works on whole papers: each paragraph of a body is a passage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.domain.coverage import Coverage
from handlers.domain.paper import Paper
from handlers.domain.result import Check, PassageResult, TaskResult
from handlers.domain.run import RunSpec
from handlers.domain.value import sha256_of
from handlers.task_ports import Ask
from handlers.tasks.translation.exchange import Exchange
from handlers.tasks.translation.glossary import Glossary
from handlers.tasks.translation.masking.masking import Masked, mask, unmask
from handlers.tasks.translation.prompt import Prompter
from handlers.tasks.translation.translate import TranslateTask

BLAMED = "Zed"
"""A word that no gate minds and the paper as a whole does."""


@dataclass(frozen=True)
class Texts:
    """A passage: some texts by key, masked and asked together."""

    key: str
    texts: Mapping[str, str]
    prompter: Prompter

    @property
    def weight(self) -> int:
        return sum(map(len, self.texts.values()))

    def run(self, ask: Ask) -> PassageResult:
        number, masked = 1, {}
        for key, text in self.texts.items():
            masked[key] = (mask(text, number, "1"), number)
            number += len(masked[key][0].spans)
        spans = {str(at + n): span for each, at in masked.values() for n, span in enumerate(each.spans)}
        sources = {key: each.text for key, (each, _) in masked.items()}
        reading = Exchange(self.prompter, spans, ask).translate(sources)
        return PassageResult(
            key=self.key,
            status="flagged" if reading.error else "done",
            texts={
                key: unmask(text, masked[key][0].spans, masked[key][1])
                for key, text in reading.fields.items()
            },
            flagged=tuple(sorted(reading.bad)),
            checks=reading.checks,
            error=reading.error,
        )


def _bare(text: str, masked: Masked, first: int) -> str:
    return unmask(text, masked.spans, first)


@dataclass(frozen=True)
class Head:
    """What a run without bodies asks."""

    task: TranslateTask
    paper: Paper
    key: str = "head"
    weight: int = 100

    def run(self, ask: Ask) -> PassageResult:
        result = self.task.run(self.paper, ask)
        texts = {name: text for name, text in result.fields.items() if isinstance(text, str)}
        return PassageResult(
            key=self.key, status=result.status, texts=texts, checks=result.checks, error=result.error
        )


class ParagraphTask(TranslateTask):
    """``ports.WholePaperTask``, with real masking, prompts and gate."""

    def __init__(self, spec: RunSpec) -> None:
        bare = spec.model_copy(update={"full_text": False})
        super().__init__(bare)
        self._whole = spec

    def fingerprint(self, paper: Paper) -> str:
        name = super().fingerprint(paper)
        return sha256_of([name, paper.body]) if self.is_whole(paper) else name

    def is_whole(self, paper: Paper) -> bool:
        return self._whole.full_text and bool(paper.body)

    def first(self, paper: Paper) -> Sequence[Head | Texts]:
        return Head(TranslateTask(self._spec), paper), self._passage(
            "terms", {"terms/0": paper.keywords[0]}, {}
        )

    def frame(self, paper: Paper, results: Mapping[str, PassageResult]) -> dict[str, str]:
        terms = results["terms"]
        return {paper.keywords[0]: terms.texts["terms/0"]} if terms.status == "done" else {}

    def rest(self, paper: Paper, frame: Mapping[str, str]) -> Sequence[Texts]:
        paragraphs = (paper.body or "").split("\n\n")
        return [
            self._passage(f"body/{n}", {f"body/{n}": text}, frame)
            for n, text in enumerate(paragraphs)
            if text
        ]

    def _passage(self, key: str, texts: Mapping[str, str], frame: Mapping[str, str]) -> Texts:
        return Texts(key, texts, Prompter(self._spec, Glossary(frame), "zh"))

    def result(self, paper: Paper, results: Mapping[str, PassageResult]) -> TaskResult:
        body = {key: each for key, each in results.items() if key.startswith("body/")}
        blamed = tuple(key for key, each in body.items() if BLAMED in each.texts.get(key, ""))
        bad = [each for each in (results["head"], *body.values()) if each.status != "done"]
        checks = tuple(check for each in bad for check in each.checks)
        if blamed:
            checks += (Check(name="structure", verdict="fail", detail="A word is odd."),)
        texts = [each.texts.get(key, "") for key, each in body.items()]
        return TaskResult(
            status="flagged" if bad or blamed else "done",
            fields={**results["head"].texts, "body": "\n\n".join(texts)},
            checks=checks,
            error=bad[0].error if bad else "structure" if blamed else None,
            coverage=Coverage(
                translated=len(body),
                flagged=tuple(key for key, each in body.items() if each.status == "flagged"),
                failed=tuple(key for key, each in body.items() if each.status == "failed"),
            ),
            ends=tuple(map(len, texts)),
            blamed=blamed,
        )
