"""From a raw answer to a value: thoughts, fences, prose and a wrapper around it, and slips of its JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from handlers.tasks.file_task.answer_schema import AnswerSchema
from handlers.tasks.file_task.answers.put_right import put_right
from handlers.tasks.file_task.schema_subset import kind_of
from handlers.tasks.translation.raw_answer import MAX_CHARACTERS
from handlers.tasks.translation.reading.json_objects import (
    RepeatedKeyError,
    all_decoded,
    repaired,
    unrepeated,
)
from handlers.tasks.translation.reading.thoughts import spoken

_SPACE = "\ufeff \t\r\n"
_LONGEST_NUMBER = 18
"""Digits; a longer number is read as a text."""
_FENCED = re.compile(r"\A`{3,}[\w-]{0,12}[ \t]*\n(.*?)\n?[ \t]*`{3,}\Z", re.DOTALL)
_BRACE = re.compile(r"\{")


@dataclass(frozen=True)
class ReadAnswer:
    """``value`` is None where nothing could be read; ``problem`` says why."""

    value: dict[str, Any] | None
    problem: str = ""
    cut: bool = False
    """It ends in the middle of thoughts, or of its object."""
    dropped: tuple[str, ...] = ()
    """Keys that were not asked for."""


def read_answer_object(content: str, schema: AnswerSchema) -> ReadAnswer:
    """The object that an answer holds, put right where it is not of the schema as it came. Never raises."""
    if len(content) > MAX_CHARACTERS:
        return ReadAnswer(None, "The answer is far longer than anything that was asked for.")
    try:
        plain = _plain(content.strip(_SPACE))
        if plain is not None and schema.is_valid(plain):
            return ReadAnswer(plain)
        said = spoken(content)
        if said.unfinished:
            return ReadAnswer(None, "The answer ends in the middle of thoughts.", cut=True)
        found = _objects(said.text)
    except RepeatedKeyError as error:
        return ReadAnswer(None, f"The JSON object has the key {str(error)[:80]!r} more than once.")
    except RecursionError:
        return ReadAnswer(None, "The answer is nested far deeper than what was asked for.")
    if not found:
        return _bare(said.text, schema)
    return _best(found, schema)


def read_answer_text(content: str, name: str) -> ReadAnswer:
    """The text that an answer is, as the one field ``name``."""
    if len(content) > MAX_CHARACTERS:
        return ReadAnswer(None, "The answer is far longer than anything that was asked for.")
    said = spoken(content)
    if said.unfinished:
        return ReadAnswer(None, "The answer ends in the middle of thoughts.", cut=True)
    text = said.text.strip(_SPACE)
    if fenced := _FENCED.match(text):
        text = fenced[1].strip(_SPACE)
    if text.startswith("{"):
        try:
            value = _plain(text)
        except (RepeatedKeyError, RecursionError):
            value = None
        if value is not None and list(value) == [name] and isinstance(value[name], str):
            text = value[name].strip(_SPACE)
    return ReadAnswer({name: text}) if text else ReadAnswer(None, "The answer is empty.")


def _plain(text: str) -> dict[str, Any] | None:
    """The object, if the text is nothing else. Raises ``RepeatedKeyError``."""
    if not text.startswith("{"):
        return None
    try:
        value = _DECODER.decode(text)
    except RepeatedKeyError:
        raise
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _objects(text: str) -> list[dict[str, Any]]:
    """The outermost objects, in their order."""
    found = _dicts(text)
    if not found and (brace := _BRACE.search(text)):
        found = _dicts(repaired(text[brace.start() :]))
    return found


def _dicts(text: str) -> list[dict[str, Any]]:
    return [each.value for each in all_decoded(text, _DECODER) if isinstance(each.value, dict)]


def _best(found: list[dict[str, Any]], schema: AnswerSchema) -> ReadAnswer:
    """The one that is of the schema, however often it stands there; else the last that has most of its keys,
    put right. Of two that differ nobody knows which is meant."""
    candidates = [each for value in found for each in (value, *_unwrapped(value, schema))]
    if valid := [ReadAnswer(each) for each in candidates if schema.is_valid(each)]:
        return _only(valid)
    right: list[ReadAnswer] = []
    for value in candidates:
        dropped: list[str] = []
        made = put_right(schema.schema, value, dropped)
        if isinstance(made, dict):
            right.append(ReadAnswer(made, dropped=tuple(dropped)))
    if valid := [each for each in right if schema.is_valid(each.value)]:
        return _only(valid)
    return max(reversed(right), key=lambda each: len(each.value or ()))


def _only(valid: list[ReadAnswer]) -> ReadAnswer:
    first, *others = valid
    if any(not _is_equal(each.value, first.value) for each in others):
        return ReadAnswer(None, f"The answer has {len(valid)} objects that differ: give the one that counts.")
    return valid[-1]


def _is_equal(one: object, other: object) -> bool:
    """As JSON: ``true`` is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _unwrapped(value: dict[str, Any], schema: AnswerSchema) -> list[dict[str, Any]]:
    """What stands in one object around the answer, such as ``{"result": {...}}``."""
    if len(value) != 1:
        return []
    (name, inner), *_ = value.items()
    return [inner] if name not in schema.schema["properties"] and isinstance(inner, dict) else []


def _bare(text: str, schema: AnswerSchema) -> ReadAnswer:
    """An answer that is no JSON is the one field that was asked for."""
    properties = schema.schema["properties"]
    plain = text.strip(_SPACE)
    if len(properties) == 1 and plain and "{" not in plain:
        (name, inner), *_ = properties.items()
        if kind_of(inner) not in ("object", "array"):
            made = {name: put_right(inner, plain, [])}
            if schema.is_valid(made):
                return ReadAnswer(made)
    if "{" not in text:
        return ReadAnswer(None, "The answer is not a JSON object.")
    cut = not plain.endswith(("}", "```"))
    return ReadAnswer(None, "The answer is not a valid JSON object.", cut=cut)


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _LONGEST_NUMBER else text


def _decimal(text: str) -> float | str:
    number = float(text) if len(text) <= 40 else float("inf")
    return number if abs(number) < float("inf") else text


_DECODER = json.JSONDecoder(
    object_pairs_hook=unrepeated, parse_int=_whole, parse_float=_decimal, parse_constant=str, strict=False
)
"""Numbers that are none here, such as NaN and a million digits, are texts."""
