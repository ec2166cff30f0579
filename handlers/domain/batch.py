"""A batch as a message on the queue: where its papers are, never their text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, model_validator

from handlers.domain.run import RunId
from handlers.domain.value import Frozen


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


@dataclass(frozen=True)
class QueueMessage:
    """A delivery. ``receives`` counts this one; ``receipt`` is void once another delivery was made."""

    id: str
    receipt: str
    body: str
    receives: int


@dataclass(frozen=True)
class DeadLetter:
    """A message that was received too often, with the last reason given for returning it."""

    id: str
    body: str
    receives: int
    reason: str


@dataclass(frozen=True)
class QueueCounts:
    visible: int
    in_flight: int
    dead: int
    shared: bool = field(default=False, compare=False)
    """Whether several runs use the queue, so that the counts are of all of them together."""
