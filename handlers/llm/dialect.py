"""The request's body in the dialect that an endpoint speaks, learned from its refusals."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from handlers.domain.call import ChatRequest
from handlers.llm.classify import ErrorBody

logger = logging.getLogger(__name__)

TokensField = Literal["max_tokens", "max_completion_tokens"]
_UNSUPPORTED = (
    "unsupported",
    "not supported",
    "not support",
    "unrecognized",
    "unknown",
    "unexpected",
    "not permitted",
    "not allowed",
    "only the default",
    "extra inputs",
)


@dataclass(frozen=True)
class RequestBody:
    """One request's body, and which of the doubtful fields are in it."""

    content: bytes
    json_mode: bool
    tokens_field: TokensField
    temperature: bool


class Dialect:
    """What to send, for the life of the process. Each doubtful field is given up at most once."""

    def __init__(
        self,
        model: str,
        *,
        json_mode: bool,
        tokens_field: TokensField,
        temperature: float | None,
        extra_body: Mapping[str, Any],
    ) -> None:
        self._model = model
        self._json_mode = json_mode
        self._tokens_field: TokensField = tokens_field
        self._first_tokens_field = tokens_field
        self._temperature = temperature
        self._extra_body = extra_body

    def body(self, request: ChatRequest) -> RequestBody:
        """The bytes to send for a request."""
        json_mode, field, temperature = self._json_mode, self._tokens_field, self._temperature
        data: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": one.role, "content": one.content} for one in request.messages],
            field: request.max_tokens,
        }
        if temperature is not None:
            data["temperature"] = temperature
        if json_mode:
            data["response_format"] = {"type": "json_object"}
        data.update(self._extra_body)
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return RequestBody(text.encode("utf-8", "replace"), json_mode, field, temperature is not None)

    def adapt(self, sent: RequestBody, error: ErrorBody) -> str | None:
        """Give up the field that the API refused; returns a code for the wasted call, None if the
        refusal is about something else."""
        text = error.message.lower()
        if sent.json_mode and ("response_format" in text or "response_format" in error.words):
            self._note("response_format", json_mode=False)
            return "json_mode_unsupported"
        if sent.tokens_field == self._first_tokens_field and self._names_tokens_field(sent, error):
            self._note(sent.tokens_field, swap=True)
            return "max_tokens_field_unsupported"
        about = "temperature" in text or "temperature" in error.words
        if sent.temperature and about and error.says(_UNSUPPORTED):
            self._note("temperature", temperature=False)
            return "temperature_unsupported"
        return None

    def _names_tokens_field(self, sent: RequestBody, error: ErrorBody) -> bool:
        if sent.tokens_field == "max_tokens":
            return "max_completion_tokens" in error.message
        named = "max_completion_tokens" in error.message or "max_completion_tokens" in error.words
        return named and error.says(_UNSUPPORTED)

    def _note(
        self, field: str, *, json_mode: bool = True, swap: bool = False, temperature: bool = True
    ) -> None:
        before = (self._json_mode, self._tokens_field, self._temperature)
        self._json_mode = self._json_mode and json_mode
        if swap:
            other: TokensField = "max_completion_tokens" if field == "max_tokens" else "max_tokens"
            self._tokens_field = other
        self._temperature = self._temperature if temperature else None
        if before != (self._json_mode, self._tokens_field, self._temperature):
            logger.warning("model %s does not take %s: it is left out from now on", self._model, field)
