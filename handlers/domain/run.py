"""A run: what is fixed for its life, how it is steered, and its sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints

from handlers.domain.call import CallTotals
from handlers.domain.money import NanoUsd
from handlers.domain.paper import PaperStatus
from handlers.domain.value import Frozen, canonical_json, sha256_of_text

RunState = Literal["running", "finished", "parked", "paused", "cancelled"]
DEAR_HOURS = "dear hours"
"""Begins the outcome of a job or session that starts no more calls until they cost less."""
EMBEDS = "embed-"
"""Begins the prompt version of a run whose answers are vectors."""
READY = "ready: "
"""Begins the reason of a run, paused by its state, whose batches only wait for a worker."""
ControlState = Literal["active", "paused", "parked", "cancelled"]
RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A run's id is part of paths and keys: letters, digits, dot, dash and underscore only."""


def _is_none(value: object) -> bool:
    return value is None


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
    body_version: str | None = Field(default=None, exclude_if=_is_none)
    """With ``full_text``: of how bodies are cut and asked. Left out of JSON and digests where there is none:
    those of runs without bodies stay as they are."""
    task_bundle: str | None = Field(default=None, exclude_if=_is_none)
    """Digest of what a task file was resolved into; None for ``translate``, whose JSON stays as it is."""
    task_asks: str | None = Field(default=None, exclude_if=_is_none)
    """Digest of what of it decides the requests."""
    task_gate: str | None = Field(default=None, exclude_if=_is_none)
    """Digest of what of it judges the answers."""
    batch_papers: int = Field(default=20, ge=1)
    batch_tokens: int = Field(default=200_000, ge=1)

    @property
    def embeds(self) -> bool:
        """Whether its answers are vectors, which another API gives."""
        return self.task == "file" and self.prompt_version.startswith(EMBEDS)

    def diff(self, other: RunSpec) -> dict[str, tuple[object, object]]:
        """Settings that differ: name → (mine, other's)."""
        mine, theirs = self.model_dump(), other.model_dump()
        keys = dict.fromkeys((*mine, *theirs))
        return {key: (mine.get(key), theirs.get(key)) for key in keys if mine.get(key) != theirs.get(key)}

    def fingerprint(self, text_digest: str) -> str:
        """sha256 over a paper's text and all that is fixed but the corpus and the batch cut. Earlier releases
        looked results up by it; now ``Task.fingerprint`` names them."""
        return self.fingerprints()(text_digest)

    def fingerprints(self) -> Callable[[str], str]:
        """``fingerprint`` for many papers: the settings, a glossary of thousands of terms among them, are
        put into JSON once."""
        free = {"corpus", "corpus_sha256", "batch_papers", "batch_tokens"}
        fixed = canonical_json(self.model_dump(exclude=free))
        return lambda text_digest: sha256_of_text(f"[{canonical_json(text_digest)},{fixed}]")


@dataclass(frozen=True)
class RunRecord:
    run_id: str
    spec: RunSpec
    papers: int
    """All papers of the corpus, ``same_as`` followers included."""
    same_as: int
    created_at: float
    budget: NanoUsd | None
    """Cumulative over sessions; None is no limit."""


class OpenRun(NamedTuple):
    """A run that the schedule looks at."""

    run_id: str
    mark: str
    """Another one each time that the run is re-armed."""
    looked_at: float
    """When a look was noted last; Unix seconds, 0 if never since it was armed."""


@dataclass(frozen=True)
class Control:
    """What people and jobs have said to all jobs of a run. The last three are what a ledger adds that they
    share from afar; nobody sets them with a state."""

    state: ControlState
    reason: str
    at: float
    short: bool = False
    """True once less was left of the budget than somebody asked for, until it is raised."""
    overrun: int = 0
    """The most of ``JobStats.overrun`` that a job has told; and of ``room``."""
    room: int = 0


@dataclass(frozen=True)
class SessionRecord:
    session_id: str
    run_id: str
    jobs: int
    workers: int
    started_at: float
    ended_at: float | None
    outcome: str
    limit: int | None = None
    """Papers that may be started in this session."""
    started: int = 0


@dataclass(frozen=True)
class RunTotals:
    """Sums over batches and parts, never over papers."""

    counts: dict[PaperStatus, int]
    reused: int
    calls: CallTotals
    batches: int
