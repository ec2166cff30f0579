"""Vectors of texts, made up: equal texts have equal ones, and those that share words are near each other."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from array import array
from typing import Any

from handlers.llm.built_in import MARK
from handlers.model_server import tokens
from handlers.model_server.chat_body import ChatBody
from handlers.model_server.tokens import Tokens

DIMENSIONS = 256
"""Unless the request says otherwise."""
_MOST_DIMENSIONS, _MOST_INPUTS = 4_096, 2_048
_WORD = re.compile(r"[\u3400-\u9fff]|\w+")
_MOST_WORDS = 2_000


def read_inputs(body: bytes) -> ChatBody | None:
    """The request, its texts as messages; None if it is none that can be served."""
    try:
        data = json.loads(body)
        given = data["input"]
        texts = [given] if isinstance(given, str) else list(given)
        if not 0 < len(texts) <= _MOST_INPUTS or not all(isinstance(each, str) and each for each in texts):
            return None
        if data.get("encoding_format", "float") not in ("float", "base64"):
            return None
        dimensions = data.get("dimensions", DIMENSIONS)
        if type(dimensions) is not int or not 1 <= dimensions <= _MOST_DIMENSIONS:
            return None
        model = str(data.get("model", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    prompt = sum(map(tokens.count, texts))
    return ChatBody(model, [("user", text) for text in texts], None, max(1, prompt), data)


def embeddings_of(body: ChatBody, model: str, used: Tokens | None) -> dict[str, Any]:
    """The answer; without ``used`` it says nothing of tokens."""
    dimensions = body.asked.get("dimensions", DIMENSIONS)
    in_base64 = body.asked.get("encoding_format") == "base64"
    rows = []
    for index, (_, text) in enumerate(body.messages):
        vector = vector_of(text, dimensions)
        shown = base64.b64encode(vector.tobytes()).decode() if in_base64 else vector.tolist()
        rows.append({"object": "embedding", "index": index, "embedding": shown})
    answer: dict[str, Any] = {"object": "list", "model": model, "system_fingerprint": MARK, "data": rows}
    if used is not None:
        answer["usage"] = {"prompt_tokens": used.prompt, "total_tokens": used.prompt}
    return answer


def vector_of(text: str, dimensions: int) -> array[float]:
    """Of length 1: each word adds to some places, by its digest."""
    sums = [0.0] * dimensions
    for word in _WORD.findall(text.lower())[:_MOST_WORDS] or [text[:100]]:
        digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
        for at in range(0, 32, 4):
            place = int.from_bytes(digest[at : at + 3], "big") % dimensions
            sums[place] += 1.0 if digest[at + 3] & 1 else -1.0
    if not any(sums):
        sums[len(text) % dimensions] = 1.0
    length = math.hypot(*sums)
    return array("f", (each / length for each in sums))
