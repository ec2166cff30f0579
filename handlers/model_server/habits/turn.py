"""One call in the making, and a habit as what changes it at one of four moments."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from handlers.model_server.reply import ServerReply, json_reply
from handlers.model_server.tokens import Tokens

Moment = Literal["request", "answer", "body", "wire"]
"""Before anything is generated (a refusal costs nothing); the answer's text; the completion's JSON with its
usage, before it is billed; the bytes, after that."""


@dataclass
class Line:
    """The line before an API that serves one call at a time. ``free_at``: monotonic seconds."""

    free_at: float = 0.0


@dataclass
class Turn:
    """``asked`` is the request's JSON; ``chance`` is uniform in [0, 1), anew for each habit."""

    asked: Mapping[str, Any]
    max_tokens: int | None
    drawn: list[tuple[Habit, float]]
    now: float
    line: Line
    chance: float = 0.0
    text: str = ""
    reasoning: int = 0
    """Tokens of thinking before the answer: within max_tokens, and billed."""
    message: dict[str, object] = field(default_factory=dict)
    """What stands in the answer's message beside its content."""
    silent: bool = False
    """True of a message without ``content``."""
    used: Tokens = field(default_factory=lambda: Tokens(0, 0))
    """What is billed."""
    completion: dict[str, Any] = field(default_factory=dict)
    reply: ServerReply | None = None
    refused_by: str = ""

    def pass_moment(self, moment: Moment) -> None:
        """Let each habit that was drawn for it act; after a refusal no other does."""
        for habit, chance in self.drawn:
            if habit.moment == moment and not self.refused_by:
                self.chance = chance
                habit.act(self)
                if moment == "request" and self.reply is not None:
                    self.refused_by = habit.name

    @property
    def choice(self) -> dict[str, Any]:
        first: dict[str, Any] = self.completion["choices"][0]
        return first

    def refuse(self, status: int, body: object, headers: str = "") -> None:
        """Answer with an error; nothing is generated and nothing billed."""
        self.reply = json_reply(status, body, headers=headers)

    def texts(self) -> dict[str, str] | None:
        """The answer's texts by key; None of an answer that is not the plain JSON any more."""
        try:
            data = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        whole = isinstance(data, dict) and all(isinstance(each, str) for each in data.values())
        return data if whole else None


@dataclass(frozen=True)
class Habit:
    """``endpoint``: it is of the endpoint as a whole, or ends a run, and makes no sense for a share of the
    calls."""

    name: str
    description: str
    moment: Moment
    act: Callable[[Turn], None]
    endpoint: bool = False
