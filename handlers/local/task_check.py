"""What a task file would send of a source, and what that costs, before anything is sent."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field
from rich.console import Console

from handlers.bootstrap import wiring
from handlers.domain.money import NanoUsd, Price, usd
from handlers.domain.value import Frozen
from handlers.errors import UsageError
from handlers.llm.prices.pricing import worst_cost
from handlers.local.ingesting import SourceSpec, carried_by_none, counts_of
from handlers.local.measured_corpus import MeasuredCorpus, measure_corpus
from handlers.local.task_file import task_bundle
from handlers.planning.sample import SizedPaper
from handlers.settings import Settings
from handlers.tasks.file_task.task_bundle import TaskBundle

_LEAST, _MOST = 0.5, 2.0
"""What an answer takes, as a factor of what is guessed."""


class RequestSizes(Frozen):
    """Requests that a run would send first, in tokens as they are estimated."""

    count: int
    """One for each record that is sent, or for each of its passages; of samples, the most there can be."""
    samples: int = 1
    """Answers to each record at most; fewer where most agree before."""
    prompt_median: int
    """Tokens of half of the prompts at most; of several for one record their mean."""
    prompt_largest: int
    """Tokens of the largest prompt."""
    answer_usual: int
    """What an answer of the form usually takes."""
    max_tokens_largest: int
    """The most that one of them lets an answer take."""


class TaskReport(Frozen):
    """What ``paperfleet task check`` prints as JSON."""

    name: str
    bundle: str
    """Digest of all that the file says, with the files that it names."""
    asks: str
    """Digest of what decides the requests: another one asks, and pays, again."""
    gate: str
    """Digest of what judges the answers: another one judges again, and pays for repairs alone."""
    checks: tuple[str, ...]
    """Names of what an answer has to pass."""
    reads: dict[str, float | None]
    """Field → share of the records that have it; null without a source."""
    source: str = ""
    """Its records, in words."""
    skipped: dict[str, int] = Field(default_factory=dict)
    """Why → records that need no call."""
    requests: RequestSizes | None = None
    """Null without a source, or where nothing is asked."""
    model: str | None = None
    """That the cost is reckoned for."""
    cost_usd: tuple[float, float] | None = None
    """Least and most that all first requests will probably cost; null where no price is known."""
    worst_call_usd: float | None = None
    """What the dearest of them reserves."""
    first: tuple[tuple[str, str], ...] = ()
    """(role, text) of the messages of the first request."""
    warnings: tuple[str, ...] = ()
    """Sentences: what is allowed and rarely meant."""


def check_task(settings: Settings, source: SourceSpec | None) -> TaskReport:
    """``settings`` name the task file. UsageError has its line, or what is wrong with the source."""
    bundle = task_bundle(settings)
    if bundle is None:
        raise UsageError("no task file is named")
    report = TaskReport(
        name=bundle.tables.name,
        bundle=bundle.digest,
        asks=bundle.asks,
        gate=bundle.gate,
        checks=_checks(bundle),
        reads=dict.fromkeys(bundle.reads.fields),
        warnings=tuple(_warnings(bundle)),
    )
    if source is None:
        return report
    with tempfile.TemporaryDirectory(prefix="paperfleet-check-") as state:
        apart = settings.model_copy(update={"state": Path(state), "backend": "embedded"})
        return _with_corpus(report, measure_corpus(source, apart, Console(quiet=True)), bundle)


def _checks(bundle: TaskBundle) -> tuple[str, ...]:
    """Of an answer, by name."""
    if bundle.embeds:
        return ("vector",)
    return ("json", "finish", "schema", *(str(each.table.name) for each in bundle.checks))


def _warnings(bundle: TaskBundle) -> list[str]:
    said = []
    if not bundle.system and not bundle.embeds:
        said.append(
            "there is no system prompt: what is the same for all records belongs there, and is cached"
        )
    if bundle.text_field is None and not bundle.tables.prompt.describe:
        said.append("describe = false: an endpoint without JSON Schema is not told the form of the answer")
    return said


def _with_corpus(report: TaskReport, corpus: MeasuredCorpus, bundle: TaskBundle) -> TaskReport:
    profile, sized, model = corpus.ingest_result.profile, corpus.sized, corpus.spec.model
    price = _price(corpus.settings, model)
    return report.model_copy(
        update={
            "reads": {name: profile.filled.get(name, 0) / profile.papers for name in bundle.reads.fields},
            "source": counts_of(corpus.ingest_result, True, bundle),
            "warnings": (*report.warnings, *carried_by_none(corpus.ingest_result, bundle)),
            "skipped": {why: round(count) for why, count in corpus.workload.skipped.items()},
            "requests": _sizes(sized, bundle) if sized else None,
            "model": model,
            "cost_usd": _cost(sized, price, answered=not bundle.embeds) if price else None,
            "worst_call_usd": _worst(sized, price) if price and sized else None,
            "first": _first(corpus, bundle),
        }
    )


def _price(settings: Settings, model: str) -> Price | None:
    try:
        return wiring.price(settings, model)
    except UsageError:
        return None


def _sizes(sized: Sequence[SizedPaper], bundle: TaskBundle) -> RequestSizes:
    prompts = sorted(each.prompt / each.requests for each in sized)
    count = sum(each.requests for each in sized)
    return RequestSizes(
        count=count,
        samples=bundle.samples,
        prompt_median=round(prompts[len(prompts) // 2]),
        prompt_largest=round(prompts[-1]),
        answer_usual=0 if bundle.embeds else round(sum(each.size for each in sized) / count),
        max_tokens_largest=0 if bundle.embeds else max(each.max_tokens for each in sized),
    )


def _cost(sized: Sequence[SizedPaper], price: Price, *, answered: bool) -> tuple[float, float]:
    prompt = sum(each.prompt for each in sized) * price.prompt
    answer = sum(each.size for each in sized) * price.completion if answered else 0
    low, high = (usd(NanoUsd(round((prompt + factor * answer) / 1000))) for factor in (_LEAST, _MOST))
    return float(low), float(high)


def _worst(sized: Sequence[SizedPaper], price: Price) -> float:
    return float(usd(max(worst_cost(each.bytes, each.max_tokens, price) for each in sized)))


def _first(corpus: MeasuredCorpus, bundle: TaskBundle) -> tuple[tuple[str, str], ...]:
    from handlers.corpus.batching import read_paper

    for each in corpus.sized[:1]:
        paper = read_paper(corpus.lines([each])[0], each.id)
        request = wiring.task_of(corpus.spec, bundle=bundle).first_request(paper)
        return tuple((message.role, message.content) for message in request.messages)
    return ()
