"""Frozen values that travel between the parts.

Money is integer nano-USD (1 USD = 1_000_000_000). Times are Unix seconds, durations are seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

NANO = 1_000_000_000
MESSAGE_VERSION = 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))

PaperStatus = Literal["pending", "done", "flagged", "failed", "skipped"]
TERMINAL: tuple[PaperStatus, ...] = ("done", "flagged", "failed", "skipped")
CallKind = Literal["translate", "repair", "split"]
CallOutcome = Literal["ok", "throttled", "transient", "fatal", "refused"]
RunState = Literal["running", "finished", "parked", "paused", "cancelled"]
ControlState = Literal["active", "paused", "parked", "cancelled"]

RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A run's id is part of paths and keys: letters, digits, dot, dash and underscore only."""


class Frozen(BaseModel):
    """Base of the values: immutable, and strangers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Paper(BaseModel):
    """One record of the corpus. Fields that Paperfleet does not know are carried along unread."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str = Field(min_length=1, max_length=512)
    title: str = ""
    abstract: str = ""
    body: str | None = None
    keywords: tuple[str, ...] = ()
    language: str | None = None
    license: str | None = None
    url: str | None = None
    date: str | None = None
    same_as: str | None = None
    """Id of the paper with equal text that is sent in its place (set by ingest)."""

    def text_digest(self) -> str:
        """sha256 of what would be translated: equal texts have equal digests."""
        fields = [self.title, self.abstract, list(self.keywords), self.body or ""]
        return sha256_of(fields)


class Usage(Frozen):
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

    def cost(self, price: Price) -> int:
        """nano-USD, rounded up: money is integers."""
        fresh = self.prompt_tokens - self.cached_tokens
        pico = fresh * price.prompt + self.cached_tokens * price.cached
        pico += self.completion_tokens * price.completion
        return -(-pico // 1000)


class Price(Frozen):
    """pico-USD per token (1 USD per million tokens is 1_000_000)."""

    prompt: int = Field(ge=0)
    completion: int = Field(ge=0)
    cached: int = Field(ge=0)


class Message(Frozen):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(Frozen):
    """What a task asks of a model. Model name and sampling are the run's and added by the client."""

    messages: tuple[Message, ...]
    max_tokens: int = Field(gt=0)
    kind: CallKind = "translate"

    @cached_property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(characters, bytes in UTF-8) of each message; each call is reckoned with several times."""
        texts = [message.content for message in self.messages]
        return tuple((len(text), len(text.encode("utf-8", "surrogatepass"))) for text in texts)

    def digest(self) -> str:
        """Equal for requests that would be sent as the same text; raw answers are replayed by it."""
        return sha256_of([[m.role, m.content] for m in self.messages])


class ChatAnswer(Frozen):
    """A 2xx answer. ``usage`` is None when the API sent none, or one that cannot be true."""

    content: str
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str | None = None


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
    cost: int = Field(ge=0)
    """nano-USD booked for it."""
    estimate: int = Field(ge=0)
    """nano-USD that were expected before it was sent."""
    indeterminate: bool = False
    started_at: float
    latency: float = Field(ge=0)
    raw: str | None = None
    """The answer's text, kept so that gates can run again for nothing."""
    finish_reason: str | None = None


class Check(Frozen):
    """One gate check's verdict. ``warn`` is seen by reviewers and stops nothing."""

    name: str
    verdict: Literal["pass", "warn", "fail"]
    detail: str = ""


class TaskResult(Frozen):
    """What a task made of one paper. ``fields`` has the translated ones: title, abstract, keywords."""

    status: Literal["done", "flagged"]
    fields: dict[str, Any]
    checks: tuple[Check, ...]
    error: str | None = None
    """Class of the refusal when flagged: the first failed check's name, ``content_filter``, ``too_long``."""


class PartLine(BaseModel):
    """One line of a part: a paper's outcome, or (status ``pending``) the calls of an unfinished one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Literal[1] = 1
    id: str
    run_id: str
    batch_id: str
    generation: int
    status: PaperStatus
    error: str | None = None
    reason: str | None = None
    """One sentence for people: why it was skipped, flagged or failed."""
    fields: dict[str, Any] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    calls: tuple[CallRecord, ...] = ()
    carried: tuple[CallRecord, ...] = ()
    """Calls of earlier, interrupted attempts, booked in their own parts and not counted here."""
    model: str = ""
    prompt_version: str = ""
    fingerprint: str = ""
    reused_from: str | None = None
    latency: float = 0.0
    """Seconds that a worker held the paper."""
    at: float = 0.0
    url: str | None = None
    license: str | None = None
    notice: str = ""


class RunSpec(Frozen):
    """What is fixed for the life of a run."""

    corpus_sha256: str
    corpus: str
    """Key of the canonical corpus in the object store."""
    task: str = "translate"
    prompt_version: str
    masking_version: str
    model: str
    temperature: float | None = 0.0
    max_tokens: int | None = None
    """Cap on the answer's tokens; None: computed from the text."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    json_mode: Literal["auto", "on", "off"] = "auto"
    extra_body: dict[str, Any] = Field(default_factory=dict)
    target_language: str = "en"
    glossary: dict[str, str] = Field(default_factory=dict)
    skip_no_derivatives: bool = True
    full_text: bool = False
    batch_papers: int = Field(default=20, ge=1)
    batch_tokens: int = Field(default=200_000, ge=1)

    def diff(self, other: RunSpec) -> dict[str, tuple[object, object]]:
        """Settings that differ: name → (mine, other's)."""
        mine, theirs = self.model_dump(), other.model_dump()
        return {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}

    def fingerprint(self, text_digest: str) -> str:
        """sha256 over a paper's text and all that is fixed but the corpus and the batch cut."""
        return self.fingerprints()(text_digest)

    def fingerprints(self) -> Callable[[str], str]:
        """``fingerprint`` for many papers: the settings, a glossary of thousands of terms among them, are
        put into JSON once."""
        fixed = _json(self.model_dump(exclude={"corpus", "corpus_sha256", "batch_papers", "batch_tokens"}))
        return lambda text_digest: _sha256(f"[{_json(text_digest)},{fixed}]")


class BatchMessage(Frozen):
    """The claim check that travels on the queue: where the papers are, never their text."""

    v: Literal[1] = 1
    run_id: RunId
    batch_id: str = Field(min_length=1, max_length=128)
    generation: int = Field(ge=1)
    corpus: str
    corpus_sha256: str
    ranges: tuple[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0, le=1 << 28)]], ...]
    ids: tuple[str, ...]
    """The id expected in each range."""
    weights: tuple[int, ...] = ()
    """Papers that each range stands for (itself and its ``same_as`` followers); empty: one each."""
    papers: int = Field(ge=1)
    """Sum of the weights."""
    tokens: int = Field(ge=0)

    @model_validator(mode="after")
    def _adds_up(self) -> BatchMessage:
        if len(self.ids) != len(self.ranges) or (self.weights and len(self.weights) != len(self.ranges)):
            raise ValueError("ranges, ids and weights differ in length")
        if self.papers != (sum(self.weights) if self.weights else len(self.ids)):
            raise ValueError("papers is not the sum of the weights")
        return self

    def weight(self, position: int) -> int:
        return self.weights[position] if self.weights else 1


class PartPointer(Frozen):
    """Where one line of a part lies: an object's key and a byte range of its (unpacked) content."""

    key: str
    offset: int
    length: int


class LedgerEntry(Frozen):
    """What a commit says of one paper."""

    paper_id: str
    generation: int
    status: PaperStatus
    weight: int = 1
    error: str | None = None
    fingerprint: str = ""
    reused: bool = False
    pointer: PartPointer
    cost: int = 0
    flags: tuple[str, ...] = ()
    """Names of failed checks, for reports."""


def sha256_of(value: object) -> str:
    """Hex digest of a JSON value, keys sorted."""
    return _sha256(_json(value))


def _json(value: object) -> str:
    return _ENCODER.encode(value)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
