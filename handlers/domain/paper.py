"""A paper of the corpus, and the states in which it ends."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.domain.token_estimate import expected_tokens
from handlers.domain.value import sha256_of

PaperStatus = Literal["pending", "done", "flagged", "failed", "skipped"]
TERMINAL: tuple[PaperStatus, ...] = ("done", "flagged", "failed", "skipped")


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

    def text_digest(self, full_text: bool = True) -> str:
        """sha256 of what would be translated, with ``full_text`` the body too: equal texts have equal
        digests."""
        body = self.body if full_text else None
        return sha256_of([self.title, self.abstract, list(self.keywords), body or ""])

    def text_size(self, *, full_text: bool) -> float:
        """What would be translated, in tokens of no vocabulary in particular."""
        body = self.body if full_text and self.body else ""
        text = "".join((self.title, self.abstract, *self.keywords, body))
        return expected_tokens(len(text), len(text.encode("utf-8", "surrogatepass")))
