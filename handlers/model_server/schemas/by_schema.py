"""Answers of the form that a request's JSON Schema describes, in the request's own words.

They show how a run goes and mean nothing: each value is drawn by a hash of the request, texts are stretches
of the record, so that what is quoted does stand there.
"""

from __future__ import annotations

import math
import re
import struct
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from handlers.model_server.chat_body import ChatBody

_MOST_SYSTEMS = 64
_DEEPEST = 12
_WHOLE = 20_000
"""Characters of a text without a bound."""
_USUAL_TEXT, _USUAL_ITEMS = 60, 3
_SPACED = re.compile(r"\S+")
_REFUSED = re.compile(r".{0,40}\brefused\b", re.IGNORECASE | re.DOTALL)
_AT_MOST = re.compile(r"at most (\d{1,5}) (words|characters)")


class KnownSchemas:
    """The schema of a request: the first that its system prompt came with, which has the bounds that later
    ones may lack."""

    def __init__(self) -> None:
        self._by_system: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def of(self, body: ChatBody) -> Mapping[str, Any] | None:
        """None where text is wanted, or a translation."""
        system = next((content for role, content in body.messages if role == "system"), "")
        asked = body.asked.get("response_format")
        given = asked.get("json_schema") if isinstance(asked, dict) else None
        schema = given.get("schema") if isinstance(given, dict) else None
        if system in self._by_system or not isinstance(schema, dict):
            return self._by_system.get(system)
        self._by_system[system] = schema
        while len(self._by_system) > _MOST_SYSTEMS:
            self._by_system.popitem(last=False)
        return schema


def record_of(body: ChatBody) -> str:
    """The user's message that the answer is about: of a repair the one before the answer that it refuses."""
    said = [content for role, content in body.messages if role == "user"]
    if len(said) > 1 and _REFUSED.match(said[-1]):
        return said[-2]
    return said[-1] if said else ""


def shortened(text: str, told: str) -> str:
    """The text within the bound that a repair names."""
    match = _AT_MOST.search(told) if _REFUSED.match(told) else None
    if match is None:
        return text
    most = int(match[1])
    if match[2] == "characters":
        return text[:most]
    return " ".join(text.split()[: max(1, most * 2 // 3)])  # some words count as two


def answer_by(schema: Mapping[str, Any], body: ChatBody, digest: bytes) -> Any:
    """A value of the schema."""
    return _Maker(record_of(body), digest).value(schema, 0)


class _Maker:
    def __init__(self, source: str, digest: bytes) -> None:
        self._source = source.strip()
        self._words = [match.span() for match in _SPACED.finditer(self._source)]
        self._digest = digest
        self._drawn = 0

    def _draw(self) -> float:
        """Uniform in [0, 1)."""
        self._drawn += 1
        raw = blake2b(self._digest + self._drawn.to_bytes(4, "little"), digest_size=8).digest()
        return float(struct.unpack("<Q", raw)[0] >> 11) / 2**53

    def value(self, schema: Mapping[str, Any], depth: int) -> Any:
        types = schema.get("type", "object" if "properties" in schema else "string")
        kinds = [types] if isinstance(types, str) else list(types)
        if "null" in kinds and (len(kinds) == 1 or self._draw() < 0.1):
            return None
        kind = next((each for each in kinds if each != "null"), "null")
        values = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
        if values:
            return values[int(self._draw() * len(values))]
        if depth > _DEEPEST:
            return None
        match kind:
            case "object":
                members = schema.get("properties", {}).items()
                return {name: self.value(inner, depth + 1) for name, inner in members}
            case "array":
                least, most = schema.get("minItems", 0), schema.get("maxItems", _USUAL_ITEMS)
                count = least + int(self._draw() * (max(least, min(most, _USUAL_ITEMS)) - least + 1))
                return [self.value(schema.get("items", {}), depth + 1) for _ in range(min(count, 1_000))]
            case "boolean":
                return self._draw() < 0.5
            case "number" | "integer":
                return self._number(schema, kind)
        return self._text(schema, depth)

    def _number(self, schema: Mapping[str, Any], kind: str) -> float:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        low = (0 if high is None or high > 0 else high - 10) if low is None else low
        high = low + 10 if high is None else high
        if kind == "integer":
            first = math.floor(low) + 1 if "exclusiveMinimum" in schema else math.ceil(low)
            last = math.ceil(high) - 1 if "exclusiveMaximum" in schema else math.floor(high)
            return first + int(self._draw() * max(1, last - first + 1))
        share = 0.05 + 0.9 * self._draw()
        return min(high, max(low, round(low + share * (high - low), 3)))

    def _text(self, schema: Mapping[str, Any], depth: int) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        if most is None and depth <= 1:
            return self._source[:_WHOLE]
        most = max(least, min(most or _USUAL_TEXT, max(least, _USUAL_TEXT)))
        text = self._stretch(most)
        while text and len(text) < least:
            text += " " + self._source
        return text[: max(most, least)].strip() or self._source[:most]

    def _stretch(self, most: int) -> str:
        """Words of the record in a row, or characters where there are no spaces."""
        if not self._words:
            return ""
        start, end = self._words[int(self._draw() * len(self._words))]
        if end - start > most:  # no spaces between words
            start += int(self._draw() * (end - start - most))
            return self._source[start : start + most]
        last = end
        for begin, each in self._words[self._words.index((start, end)) + 1 :]:
            if each - start > most or "\n" in self._source[last:begin]:
                break  # a line is another field's, mostly
            last = each
        return self._source[start:last]
