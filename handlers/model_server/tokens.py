"""How the model server counts tokens: one for each Han character, one for every four others begun.

A message costs four more. No real tokenizer counts like this; it is integer, fast and the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from handlers.domain.writing_systems import HAN_AND_MARKS

PER_MESSAGE = 4
_STEP = 64
"""Tokens, of what is said to be cached; characters, of what is compared."""
_MOST = 200_000
"""Beginnings that are remembered, the latest ones: some 20 MB."""
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


class PromptCache:
    """What of a prompt a provider has read before: the longest beginning that it shares with an earlier one.
    Remembers beginnings by eight bytes each."""

    def __init__(self) -> None:
        self._seen: dict[bytes, None] = {}

    def seen(self, model: str, messages: list[tuple[str, str]]) -> int:
        """Tokens of the prompt's longest known beginning, in steps of 64; from now on all of it is known."""
        number = end = 0
        known, digest = True, blake2b(model.encode("utf-8", "replace"), digest_size=8)
        for index, (role, content) in enumerate(messages):
            digest.update(f"\0{role}\0".encode("utf-8", "replace"))
            data = content.encode("utf-32-le", "surrogatepass")
            for start in range(0, len(data), 4 * _STEP):
                digest.update(data[start : start + 4 * _STEP])
                key = digest.digest()
                known = known and key in self._seen
                if known:
                    number, end = index, start // 4 + _STEP
                self._remember(key)
        texts = [content for _, content in messages[:number]] + [messages[number][1][:end]]
        count = count_messages(texts) if end else 0
        return count - count % _STEP

    def _remember(self, key: bytes) -> None:
        self._seen.pop(key, None)
        self._seen[key] = None
        if len(self._seen) > _MOST:
            del self._seen[next(iter(self._seen))]
