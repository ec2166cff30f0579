"""What a source has under a field's name → its text: a text, a list of texts, an object that holds one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from handlers.corpus.fields.html_text import entities_as_characters, html_as_text
from handlers.corpus.fields.inverted_index import is_inverted_index, text_of_index
from handlers.corpus.fields.listed_text import quoted_items
from handlers.corpus.language import is_certain
from handlers.corpus.text import clean_prose, clean_text
from handlers.domain.language_names import normalise_language

_HOLDS_TEXT = (
    "text", "value", "#text", "_", "content", "title", "abstract", "description", "display_name", "name",
    "main", "body", "p", "paragraphs",
)  # fmt: skip
"""Names under which an object has its text, as XML turned to JSON and the APIs of catalogues write them."""
_LANGUAGES = ("lang", "language", "@lang", "xml:lang", "@xml:lang")
_LABELS = ("label", "Label", "@Label", "heading")
_NOTHING = frozenset(("nan", "NaN", "NaT", "None", "null", "NULL", "<NA>", "#N/A", "N/A", "\\N"))
"""How programs write that there is no value."""
_DEEPEST = 6
_EXACT = 2**53
"""From here on not every whole number is a float."""


class RecordError(ValueError):
    """The record is no paper; the message is the reason for the rejects file."""


def plain_text(field: str, value: object) -> str:
    """A text or whole number as it stands; "" for none. RecordError for anything else."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))  # how a table keeps whole numbers where some are missing
    if isinstance(value, dict) and len(value) == 1 and isinstance(inner := value.get("$oid"), str):
        return clean_text(inner)  # as MongoDB exports ids
    raise RecordError(f"{field} is {_kind(value)}, not text")


def is_nothing(text: str) -> bool:
    """Whether it is how a program writes that there is no value."""
    return text in _NOTHING


def title_of(value: object, language: str | None, *, marked_up: bool = False) -> str:
    """One line. Of several titles the first that says anything. ``marked_up``: tags are read, not kept."""
    if isinstance(value, str) and value.startswith(("[", "(", "{")):
        value = _unpacked(value, language) if value[0] == "{" else quoted_items(value) or value
    if not isinstance(value, str):
        value = next((text for text in _texts("title", value, language) if text), "")
    text = clean_prose(html_as_text(value) if marked_up else entities_as_characters(value))
    return _on_one_line(text) if "\n" in text else text


def abstract_of(value: object, language: str | None, *, marked_up: bool = False) -> str:
    """A line a paragraph. ``marked_up``: tags are read, not kept."""
    if isinstance(value, str):
        if value[:1] in "{[":
            value = _unpacked(value, language)
        elif is_nothing(value):
            return ""
    if not isinstance(value, str):
        value = "\n".join(filter(None, _texts("abstract", value, language)))
    return clean_prose(html_as_text(value) if marked_up else entities_as_characters(value))


def body_of(value: object, language: str | None) -> str:
    """As it stands, for it may be Markdown or LaTeX; a line a paragraph where it comes in several."""
    if isinstance(value, str):
        return clean_prose(value)
    return clean_prose("\n\n".join(filter(None, _texts("body", value, language))))


def first_text(field: str, value: object) -> str:
    """Of a field that is not read but kept, the first text that is in it; "" if there is none."""
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        text = "" if isinstance(value, bool) else plain_text(field, value)
        return "" if is_nothing(text) else text
    return next((text for text in every_text(value) if text), "")


def every_text(value: object, depth: int = 0) -> Iterator[str]:
    """All texts in a value, as they stand."""
    if isinstance(value, str):
        yield clean_text(value)
    elif isinstance(value, list | dict) and depth < _DEEPEST:
        for each in value if isinstance(value, list) else value.values():
            yield from every_text(each, depth + 1)


def date_of(value: object) -> str:
    """Also ``{"date-parts": [[2020, 1, 2]]}``, as Crossref has it."""
    if isinstance(value, dict) and "date-parts" in value:
        parts = value["date-parts"]
        while isinstance(parts, list) and parts and isinstance(parts[0], list):
            parts = parts[0]
        numbers = [part for part in parts if isinstance(part, int)] if isinstance(parts, list) else []
        return "-".join(f"{number:02}" for number in numbers[:3])
    return first_text("date", value)


def chosen(value: Mapping[str, Any], language: str | None) -> object:
    """Of an object with a value a language, the one to read: that of the paper's language, or else the first
    that is not English, since it is others that add an English one. The object itself if it is none such."""
    tags = {name: normalise_language(name) for name in value}
    if not tags or not all(tag is not None and is_certain(tag) for tag in tags.values()):
        return value
    filled = [name for name in value if value[name]] or list(value)
    ranked = sorted(filled, key=lambda name: (tags[name] != language, tags[name] == "en"))
    return value[ranked[0]]


def _of_one_language(values: list[Any], language: str | None) -> list[Any]:
    """Of objects that each tell their language, those of the one to read."""
    told: dict[str, list[Any]] = {}
    for each in values:
        name = next((each[key] for key in _LANGUAGES if each.get(key)), "") if isinstance(each, dict) else ""
        told.setdefault(name if isinstance(name, str) else "", []).append(each)
    one = chosen(told, language)
    return one if isinstance(one, list) else values


def _texts(field: str, value: object, language: str | None, depth: int = 0) -> Iterator[str]:
    """RecordError for what is no text and holds none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < _DEEPEST:
        for each in _of_one_language(value, language):
            yield from _texts(field, each, language, depth + 1)
    elif isinstance(value, dict) and depth < _DEEPEST:
        yield from _texts_of_object(field, value, language, depth)
    else:
        yield plain_text(field, value)


def _texts_of_object(field: str, value: dict[str, Any], language: str | None, depth: int) -> Iterator[str]:
    if is_inverted_index(value):
        yield text_of_index(value)
        return
    held = next((value[name] for name in _HOLDS_TEXT if value.get(name)), None)
    if held is None and not any(name in value for name in _HOLDS_TEXT):
        held = chosen(value, language)
    if held is value:
        if list(value) == ["base64"]:
            plain_text(field, value)
        names = ", ".join(clean_text(name)[:40] for name in list(value)[:8])
        raise RecordError(f"{field} is an object that holds no text (its fields: {names})")
    label = next((value[name] for name in _LABELS if isinstance(value.get(name), str)), "")
    texts = list(_texts(field, held, language, depth + 1))
    if label and texts:
        texts[0] = f"{label.strip().rstrip(':：')}: {texts[0]}"
    yield from texts


def _unpacked(text: str, language: str | None) -> object:
    """JSON in a text, as a table's cell has it: a list, an inverted index, a text a language; the text itself
    if it is none that is known."""
    if text[:1] == "[":
        return quoted_items(text) or text
    if text[:2] != '{"':
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(value, dict):
        return text
    return value if is_inverted_index(value) or chosen(value, language) is not value else text


def _on_one_line(text: str) -> str:
    return " ".join(filter(None, map(str.strip, text.split("\n"))))


def _kind(value: object) -> str:
    if isinstance(value, float):
        return f"the number {value!r}, which may have been another"
    if isinstance(value, dict) and list(value) == ["base64"]:
        return "bytes that are no UTF-8"
    return f"a {type(value).__name__}"
