"""How the model server counts tokens: one for each Han character, one for every four others begun.

A message costs four more. No real tokenizer counts like this; it is integer, fast and the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from handlers.domain.writing_systems import HAN_AND_MARKS

PER_MESSAGE = 4
_HAN_RUN = re.compile(f"[{HAN_AND_MARKS}]+")


@dataclass(frozen=True)
class Tokens:
    """One answer's usage; ``cached`` and ``reasoning`` are parts of prompt and completion."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    def as_usage(self) -> dict[str, object]:
        """The ``usage`` object of the chat completions API."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


def count(text: str) -> int:
    """Tokens of a text."""
    others = len(text) if text.isascii() else len(_HAN_RUN.sub("", text))
    return len(text) - others + -(-others // 4)


def count_messages(contents: Iterable[str]) -> int:
    """Tokens of a prompt made of these messages."""
    return sum(PER_MESSAGE + count(content) for content in contents)


def cut(text: str, limit: int) -> str:
    """The longest beginning that counts at most ``limit`` tokens."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[:middle]) <= limit else (low, middle - 1)
    return text[:low]
