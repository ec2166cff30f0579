"""What of a prompt a provider has read before: the longest beginning it shares with an earlier one."""

from __future__ import annotations

from hashlib import blake2b

from handlers.model_server import tokens

_STEP = 64
"""Tokens, of what is said to be cached; characters, of what is compared."""
_MOST = 200_000
"""Beginnings that are remembered, the latest ones: some 20 MB."""


class PromptCache:
    """Remembers beginnings by eight bytes each."""

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
        count = tokens.count_messages(texts) if end else 0
        return count - count % _STEP

    def _remember(self, key: bytes) -> None:
        self._seen.pop(key, None)
        self._seen[key] = None
        if len(self._seen) > _MOST:
            del self._seen[next(iter(self._seen))]
