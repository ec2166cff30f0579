"""One call to the API: what is asked, what it takes, and sums over many."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass as checked_dataclass

from handlers.domain.money import NanoUsd, Price, rounded_up
from handlers.domain.token_estimate import PER_MESSAGE, expected_tokens
from handlers.domain.value import Frozen, sha256_of
from handlers.own_property import own_property

CallKind = Literal["translate", "repair", "split", "ask", "embed", "hedge"]
CallOutcome = Literal["ok", "throttled", "transient", "fatal", "refused"]


COUNTED_APART = ("latency", "errors", "tiers")
"""Fields of ``CallTotals`` that are no single number."""


@checked_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Usage:
    """Tokens of one call as the API reports them; ``cached`` and ``reasoning`` are parts of the others."""

    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _parts_fit(self) -> Usage:
        if self.cached_tokens > self.prompt_tokens or self.reasoning_tokens > self.completion_tokens:
            raise ValueError("cached or reasoning tokens exceed the tokens they are part of")
        return self

    def cost(self, price: Price) -> NanoUsd:
        """Rounded up: money is integers."""
        fresh = self.prompt_tokens - self.cached_tokens
        pico = fresh * price.prompt + self.cached_tokens * price.cached
        pico += self.completion_tokens * price.completion
        return rounded_up(pico)


class Message(Frozen):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


class AnswerForm(Frozen):
    """What a request says of its answer's form beside its messages, as far as the endpoint takes it."""

    plain: bool = False
    """Text, and no JSON."""
    name: str = ""
    bounds: dict[str, Any] | None = None
    """JSON Schema with the bounds of its texts, numbers and lists; None: any JSON object."""
    shape: dict[str, Any] | None = None
    """The same without them."""


class ChatRequest(Frozen):
    """What a task asks of a model. Model name and sampling are the run's and added by the client."""

    model_config = ConfigDict(ignored_types=(own_property,))

    messages: tuple[Message, ...]
    max_tokens: int = Field(gt=0)
    kind: CallKind = "translate"
    room: int = Field(default=0, ge=0)
    """Part of ``max_tokens`` that is for thinking before the answer."""
    tier: Literal["", "flex", "standard"] = ""
    """How it is sent, no part of what is asked: ``standard`` after the flex tier had no capacity for it."""
    form: AnswerForm | None = None
    """No part of what is asked either: the messages say the form in words. None: a JSON object."""
    answer_guess: float | None = None
    """Tokens that the answer will usually take; None: by the last message, which is translated."""
    dimensions: int | None = None
    """Of the vectors that are asked for, where the kind is ``embed``: each message is a text that gets one,
    and there is no answer's text. None: as many as the model gives."""
    sample: int = Field(default=0, ge=0)
    """Of several answers to the same messages, which one is asked for; no answer stands for another."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, but what was reckoned of other messages is not taken along."""
        made = super().model_copy(update=update, deep=deep)
        if update and ("messages" in update or "sample" in update):
            for name in ("sizes", "expected_tokens", "digest"):
                vars(made).pop(name, None)
        return made

    @own_property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(characters, bytes in UTF-8) of each message; each call is reckoned with several times."""
        texts = [message.content for message in self.messages]
        return tuple((len(text), len(text.encode("utf-8", "surrogatepass"))) for text in texts)

    @own_property
    def expected_tokens(self) -> tuple[float, float]:
        """By character counts: of the whole prompt, and of what the answer grows with, which is the last
        message where it is translated, else the task's own guess."""
        last = total = 0.0
        for characters, size in self.sizes:
            last = expected_tokens(characters, size) + PER_MESSAGE
            total += last
        return total, last if self.answer_guess is None else self.answer_guess

    @own_property
    def digest(self) -> str:
        """Equal for requests that would be sent as the same text, and for the same sample of its answers; raw
        answers are replayed by it."""
        said: list[list[object]] = [[m.role, m.content] for m in self.messages]
        return sha256_of([*said, ["sample", self.sample]] if self.sample else said)


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A 2xx answer. ``usage`` is None when the API sent none, or one that cannot be true. A job
    keeps a thousand of them."""

    content: str
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str | None = None
    tier: str | None = None
    """The service tier that the API says it answered in, in its own word."""
    made_up: bool = False
    """It comes of the built-in model server."""


class CallRecord(Frozen):
    """One HTTP call, whatever became of it. Booked exactly once, in the part that holds it."""

    id: str
    kind: CallKind
    attempt: int = Field(ge=1)
    outcome: CallOutcome
    code: str | None = None
    """Class of what went wrong; None when all is well."""
    request: str
    """Digest of the request."""
    usage: Usage | None = None
    cost: Annotated[NanoUsd, Field(ge=0)]
    """Booked for it."""
    estimate: Annotated[NanoUsd, Field(ge=0)]
    """Expected before it was sent."""
    indeterminate: bool = False
    held: Annotated[NanoUsd, Field(ge=0, exclude_if=operator.not_)] = NanoUsd(0)
    """What it may be billed for beyond ``cost``, while nobody knows: the rest of its reservation."""
    started_at: float
    latency: float = Field(ge=0)
    raw: str | None = None
    """The answer's text, kept so that gates can run again for nothing."""
    finish_reason: str | None = None
    tier: Annotated[str, Field(exclude_if=operator.not_)] = ""
    """What it is booked as: ``standard``, ``flex``, ``peak``, ``offpeak``, or another tier that the answer
    names; "" where the model has one price and nobody speaks of tiers."""
    fallback: Annotated[bool, Field(exclude_if=operator.not_)] = False
    """Sent to the standard tier because the flex tier had no capacity."""
    made_up: Annotated[bool, Field(exclude_if=operator.not_)] = False
    """Answered by the built-in model server."""
    hedged: Annotated[CallKind | Literal[""], Field(exclude_if=operator.not_)] = ""
    """Of a hedge, the kind of the call that it was sent beside."""

    @property
    def asked_as(self) -> CallKind:
        """What kind of question it put."""
        return self.hedged or self.kind


class CallTotals(Frozen):
    """Sums over the calls of one part; parts of a run add up to its spend."""

    sent: int = 0
    """Calls."""
    ok: int = 0
    """Of them answered."""
    throttled: int = 0
    transient: int = 0
    fatal: int = 0
    refused: int = 0
    repairs: int = 0
    hedges: int = 0
    """Calls that were sent beside a slow one with the same request."""
    cost: NanoUsd = NanoUsd(0)
    """Nano-USD that are booked for them."""
    indeterminate: NanoUsd = NanoUsd(0)
    """Part of ``cost``."""
    held: NanoUsd = NanoUsd(0)
    """Beyond ``cost``: what calls of unknown cost may be billed for."""
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    latency: dict[int, int] = Field(default_factory=dict)
    """Histogram of answered calls: bucket (see ``latency_bucket``) → count."""
    errors: dict[str, int] = Field(default_factory=dict)
    """Class → calls that ended in it."""
    tiers: dict[str, int] = Field(default_factory=dict)
    """Tier → nano-USD of ``cost`` that was booked as it; empty where there is but one price."""

    @property
    def taken(self) -> NanoUsd:
        """What these calls take from the budget."""
        return NanoUsd(self.cost + self.held)

    def plus(self, other: CallTotals) -> CallTotals:
        numbers = {
            name: getattr(self, name) + getattr(other, name)
            for name in CallTotals.model_fields
            if name not in COUNTED_APART
        }
        return CallTotals(
            **numbers,
            latency=_added(self.latency, other.latency),
            errors=_added(self.errors, other.errors),
            tiers=_added(self.tiers, other.tiers),
        )

    @classmethod
    def of(cls, calls: tuple[CallRecord, ...] | list[CallRecord]) -> CallTotals:
        """Sums of these calls."""
        sums: dict[str, int] = dict.fromkeys(
            (name for name in cls.model_fields if name not in COUNTED_APART), 0
        )
        latency: dict[int, int] = {}
        errors: dict[str, int] = {}
        tiers: dict[str, int] = {}
        for call in calls:
            sums["sent"] += 1
            sums[call.outcome] += 1
            sums["repairs"] += call.kind == "repair"
            sums["hedges"] += call.kind == "hedge"
            sums["cost"] += call.cost
            sums["indeterminate"] += call.cost if call.indeterminate else 0
            sums["held"] += call.held
            if call.usage is not None:
                sums["prompt"] += call.usage.prompt_tokens
                sums["completion"] += call.usage.completion_tokens
                sums["cached"] += call.usage.cached_tokens
                sums["reasoning"] += call.usage.reasoning_tokens
            if call.outcome == "ok":
                bucket = latency_bucket(call.latency)
                latency[bucket] = latency.get(bucket, 0) + 1
            if call.code is not None:
                errors[call.code] = errors.get(call.code, 0) + 1
            if call.tier and call.cost:
                tiers[call.tier] = tiers.get(call.tier, 0) + call.cost
        return cls(**sums, latency=latency, errors=errors, tiers=tiers)


def latency_bucket(seconds: float) -> int:
    """Index of a geometric histogram: bucket b holds latencies up to 1 ms x 1.05**b (5% resolution)."""
    return max(0, math.ceil(math.log(max(seconds, 1e-9) / 0.001) / math.log(1.05)))


def bucket_seconds(bucket: int) -> float:
    """Upper edge of a latency bucket."""
    return 0.001 * 1.05**bucket


def quantile(histogram: dict[int, int], share: float) -> float:
    """Seconds below which that share of a latency histogram lies (upper bucket edge); 0 if empty."""
    total = sum(histogram.values())
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= share * total:
            return bucket_seconds(bucket)
    return 0.0


def _added(left: Mapping[Any, int], right: Mapping[Any, int]) -> dict[Any, int]:
    total = dict(left)
    for key, count in right.items():
        total[key] = total.get(key, 0) + count
    return total
