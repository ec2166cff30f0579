"""From a 2xx body of an embeddings API to vectors. The body is hostile until it is read.

OpenAI's: ``{"data": [{"index": 0, "embedding": "<base64 of float32, little-endian>" or [0.1, ...]}],
"usage": {"prompt_tokens": 8, "total_tokens": 8}}``.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from typing import Any

from handlers.domain.call import ChatAnswer, Usage
from handlers.domain.call_errors import RejectedError, TransientError
from handlers.domain.tasks.vectors import stored_vector
from handlers.llm.answers import Expected
from handlers.llm.built_in import MARK
from handlers.llm.classify import Refusal
from handlers.llm.error_body import is_page, stated_error
from handlers.llm.error_text import error_text
from handlers.llm.reply_body import read_body
from handlers.llm.stated_usage import stated_usage

BAD_VECTORS = "bad_vectors"
"""Code of an answer that is paid for and has no vector for each text."""
MOST_DIMENSIONS = 65_536


def read_vectors(body: bytes, texts: int, expected: Expected) -> ChatAnswer | Refusal:
    """The vectors of so many texts in their order, a line each, in base64 of float32; or the error that a
    200 has inside. They are priced by the prompt alone.

    Raises TransientError ``bad_body`` or ``truncated`` if it is no such answer, RejectedError ``bad_vectors``
    if vectors are missing, doubled or no vectors.
    """
    reply = read_body(body)
    usage = _usage(reply.data, expected)
    found = reply.data.get("data") if isinstance(reply.data, dict) else None
    if not isinstance(found, list):
        if (error := stated_error(reply.data)) is not None:
            return Refusal(error.status, error, inside=True, usage=usage)
        raise _no_vectors(body, expected, whole=reply.whole).stating(usage)
    if not reply.whole:
        raise TransientError("the answer broke off", code="truncated", indeterminate=True).stating(usage)
    try:
        lines = [_encoded(each.get("embedding")) for each in _in_order(found, texts)]
    except ValueError as error:
        said = f"the endpoint's vectors cannot be used: {error}"
        raise RejectedError(said, code=BAD_VECTORS, indeterminate=True).stating(usage) from None
    model = reply.data.get("model")
    return ChatAnswer(
        content="\n".join(lines),
        finish_reason="stop",
        usage=usage,
        model=model[:200] if isinstance(model, str) else None,
        made_up=reply.data.get("system_fingerprint") == MARK,
    )


def _usage(data: Any, expected: Expected) -> Usage | None:
    stated = stated_usage(
        data, request_bytes=expected.request_bytes, max_tokens=expected.max_tokens, answered=False
    )
    if stated is None:
        return None
    return Usage(prompt_tokens=stated.prompt_tokens, completion_tokens=0, cached_tokens=stated.cached_tokens)


def _in_order(found: list[Any], texts: int) -> list[dict[str, Any]]:
    """By their indices, where they have any. ValueError unless there is one for each text."""
    if len(found) != texts:
        raise ValueError(f"there are {len(found)} of {texts}")
    rows = [each for each in found if isinstance(each, dict)]
    indices = [each.get("index") for each in rows]
    if len(rows) != texts:
        raise ValueError("one is no object")
    if all(index is None for index in indices):
        return rows
    if sorted(index for index in indices if type(index) is int) != list(range(texts)):
        raise ValueError("their indices are not those of the texts")
    return sorted(rows, key=lambda each: int(each["index"]))


def _encoded(vector: object) -> str:
    """Base64 of float32, little-endian. ValueError if it is no vector."""
    if isinstance(vector, str):
        try:
            data = base64.b64decode(vector, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("one is no base64") from None
        if not data or len(data) % 4 or len(data) > 4 * MOST_DIMENSIONS:
            raise ValueError("one has no whole number of float32")
        return base64.b64encode(data).decode("ascii")
    if not isinstance(vector, list) or not 0 < len(vector) <= MOST_DIMENSIONS:
        raise ValueError("one is no list of numbers")
    if not all(type(each) in (int, float) for each in vector):
        raise ValueError("one has something else than numbers")
    try:
        numbers = array("f", vector)
    except OverflowError:
        raise ValueError("one has numbers beyond float32") from None
    return stored_vector(numbers)


def _no_vectors(body: bytes, expected: Expected, *, whole: bool) -> TransientError:
    text = body[:1000].decode("utf-8", "replace")
    page = is_page(text, expected.content_type)
    if not whole:
        return TransientError("the answer broke off", code="truncated", indeterminate=True)
    shown = error_text(text, expected.key) or "(empty)"
    return TransientError(
        f"HTTP {expected.status} with a body that has no vectors: {shown}",
        code="web_page" if page else "bad_body",
        indeterminate=not page,
    )
