"""A whole paper through its stages in memory, and the answers of the model server without a server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import ModelCallError, TransientError
from handlers.domain.paper import Paper
from handlers.domain.result import PassageResult, TaskResult
from handlers.domain.run import RunSpec
from handlers.model_server import chance, dictionary, faults
from handlers.model_server.content import compose
from handlers.model_server.gloss import Glossator
from handlers.model_server.server_settings import Fault
from handlers.ports import Ask, PassageWork, WholePaperTask
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.prompt import PROMPT_VERSION
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.bodies import samples


def whole_spec(**settings: object) -> RunSpec:
    """Of a run with bodies."""
    fixed = {
        "corpus_sha256": "0" * 64, "corpus": "c", "prompt_version": PROMPT_VERSION, "model": "m",
        "masking_version": MASKING_VERSION, "full_text": True, "body_version": BODY_VERSION,
    }  # fmt: skip
    return RunSpec.model_validate(fixed | settings)


@cache
def _glossator() -> Glossator:
    return Glossator(dictionary.load())


@dataclass
class GlossAnswers:
    """An ``Ask``: the model server's gloss, each fault at its rate, the same for the same request and try.

    ``seconds``: CPU that the answers took, which is the server's and not the task's."""

    rates: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 1
    asked: list[ChatRequest] = field(default_factory=list)
    seconds: float = 0.0

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        begun = time.thread_time()
        digest = chance.text_digest(self.seed, [(each.role, each.content) for each in request.messages])
        drawn, _, damage = chance.draws(digest, 0)
        fault = faults.pick({name: self.rates.get(name, 0.0) for name in faults.FAULTS}, drawn)
        content = compose(request.messages[-1].content, _glossator(), fault, damage)
        self.asked.append(request)
        self.seconds += time.thread_time() - begun
        return ChatAnswer(content=content.text, finish_reason=content.finish_reason)


@dataclass
class WholeRun:
    """What a paper came to: each passage's result in the order of asking, the frame, the paper's result."""

    results: dict[str, PassageResult]
    frame: dict[str, str]
    result: TaskResult


def run_whole(task: WholePaperTask, paper: Paper, ask: Ask) -> WholeRun:
    """Its passages one after the other; one whose call fails is ``failed`` and stops no other."""
    results = {work.key: passage_result(work, ask) for work in task.first(paper)}
    frame = task.frame(paper, results)
    results |= {work.key: passage_result(work, ask) for work in task.rest(paper, frame)}
    return WholeRun(results, frame, task.result(paper, results))


def passage_result(work: PassageWork, ask: Ask) -> PassageResult:
    try:
        return work.run(ask)
    except ModelCallError as error:
        return PassageResult(key=work.key, status="failed", texts={}, error=error.code)


def sample_papers() -> list[Paper]:
    """A paper for each sample body."""
    heads = {
        "zh": {"title": "河岸植被与水温 $T$", "abstract": "本文研究水温。", "keywords": ("水温", "郁闭度")},
        "en": {"title": "Films $d$", "abstract": "We measured films.", "keywords": ("films", "heat")},
    }
    return [
        Paper.model_validate({"id": name, "body": text, "language": language, **heads[language]})
        for name, (text, language) in samples().items()
    ]


def request_digests() -> list[str]:
    """Of all that the samples ask, under a glossary and a frame."""
    found = []
    for paper in sample_papers():
        task = TranslateTask(whole_spec(glossary={"水温": "water temperature"}, target_language="de"))
        works = [*task.first(paper), *task.rest(paper, {"郁闭度": "canopy density", "水": "never"})]
        found += [request.digest for work in works for request in first_requests(work)]
    return found


def first_requests(work: PassageWork) -> list[ChatRequest]:
    """What it asks if no answer comes."""
    asked: list[ChatRequest] = []

    def ask(request: ChatRequest) -> ChatAnswer:
        asked.append(request)
        raise TransientError("none", code="read_timeout")

    with suppress(TransientError):
        work.run(ask)
    return asked
