"""A request's body, read: hostile until it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from handlers.model_server import tokens

_MOST_SEED = 2**63


@dataclass(frozen=True)
class ChatBody:
    """A request body that passed the form's checks. ``asked``: all of its JSON."""

    model: str
    messages: list[tuple[str, str]]
    max_tokens: int | None
    prompt_tokens: int
    asked: dict[str, Any]

    @property
    def seed(self) -> int:
        """The request's own: with another one the same words have another answer."""
        seed = self.asked.get("seed")
        return seed if isinstance(seed, int) and abs(seed) < _MOST_SEED else 0

    @property
    def last_user(self) -> str:
        return next((content for role, content in reversed(self.messages) if role == "user"), "")


def read_request(body: bytes) -> ChatBody | None:
    """The request; None if it is none that can be served."""
    try:
        data = json.loads(body)
        messages = [(str(m["role"]), _text(m["content"])) for m in data["messages"]]
        limit = data.get("max_completion_tokens") or data.get("max_tokens")
        if not messages or data.get("stream") or not isinstance(limit, int | None) or (limit or 1) < 1:
            return None
        model = str(data.get("model", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    prompt = tokens.count_messages(content for _, content in messages)
    return ChatBody(model, messages, limit, prompt, data)


def _text(content: object) -> str:
    """A message's content: a string, or the texts of its parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    raise ValueError("content is neither text nor parts")
