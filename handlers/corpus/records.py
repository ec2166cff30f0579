"""A raw record of a source → the canonical line of a paper."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from handlers.corpus.json_lines import Record
from handlers.corpus.language import SAMPLE_CHARACTERS, detect_language, normalise_language
from handlers.corpus.licenses import normalise_license
from handlers.corpus.text import clean_text, clean_value
from handlers.errors import UsageError
from handlers.models import Paper

KEYWORD_SEPARATORS = ";,；，、"
FIELDS = ("id", "title", "abstract", "body", "keywords", "language", "license", "url", "date")
"""Fields of a paper that a source may fill, in the order of the canonical line."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_ASCII = re.compile(r"[\x00-\x7f]+")
_ENOUGH_PROSE = 16
"""Characters other than ASCII that tell one text from another."""
_DOI = re.compile(r"10\.\d{4,9}/\S{1,300}")
_URL = re.compile(r"https?://[^\s<>\"]{1,2000}", re.IGNORECASE)


class RecordError(ValueError):
    """The record is no paper; the message is the reason for the rejects file."""


@dataclass(frozen=True)
class Draft:
    """A paper's fields after normalisation, before it is known whether its text is new."""

    fields: dict[str, object]

    @property
    def id(self) -> str:
        return str(self.fields["id"])

    def text(self, name: str) -> str:
        return str(self.fields.get(name) or "")

    def keywords(self) -> tuple[str, ...]:
        words = self.fields.get("keywords", ())
        return words if isinstance(words, tuple) else ()

    def digest(self) -> bytes:
        """16 bytes of sha256 over what ``Paper.text_digest`` covers. The separators cannot occur in
        cleaned text."""
        keywords = "\x1f".join(self.keywords())
        joined = "\x1e".join((self.text("title"), self.text("abstract"), keywords, self.text("body")))
        return hashlib.sha256(joined.encode()).digest()[:16]

    def twin(self) -> int:
        """53 bits of sha256 over title and abstract: papers that share it may need the very same request.
        Two texts that differ in their formulas alone do, so where it can it looks at the prose only."""
        joined = "\x1e".join((self.text("title"), self.text("abstract")))
        prose = _ASCII.sub("", joined)
        joined = prose if len(prose) >= _ENOUGH_PROSE else joined
        return int.from_bytes(hashlib.sha256(joined.encode()).digest()[:7]) >> 3

    def line(self, *, same_as: str | None) -> bytes:
        """The canonical line: equal papers give equal bytes. Read back and validated before it is given."""
        fields = self.fields if same_as is None else self.fields | {"same_as": same_as}
        try:
            line = _encoded(fields)
            Paper.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise RecordError(f"{'.'.join(map(str, first['loc'])) or 'record'}: {first['msg']}") from error
        except (ValueError, RecursionError) as error:
            raise RecordError(f"the record cannot be written as JSON: {error}") from error
        return line + b"\n"


class Normaliser:
    """Raw records → drafts. ``mapping`` is paper field → the source's name for it."""

    def __init__(self, mapping: Mapping[str, str], *, separators: str = KEYWORD_SEPARATORS) -> None:
        unknown = sorted(set(mapping) - set(FIELDS))
        if unknown:
            raise UsageError(
                f"--map {unknown[0]}=...: no such field of a paper; fields are {', '.join(FIELDS)}"
            )
        if not separators:
            raise UsageError("the keyword separators are empty: give at least one character")
        self._names = {field: mapping.get(field, field) for field in FIELDS}
        self._known = {*FIELDS, *mapping.values(), "same_as"}
        self._separators = re.compile("[" + re.escape(separators) + "]")

    def draft(self, record: Record) -> Draft:
        """RecordError if the record is no paper."""
        get = {field: record.get(name) for field, name in self._names.items()}
        fields: dict[str, object] = {
            "id": self._id(get["id"], record),
            "title": _text("title", get["title"]),
            "abstract": _text("abstract", get["abstract"]),
        }
        if body := _text("body", get["body"]):
            fields["body"] = body
        fields["keywords"] = self._keywords(get["keywords"])
        optional = {
            "language": _language(get["language"], fields),
            "license": normalise_license(_text("license", get["license"])),
            "url": _url(get["url"]),
            "date": _text("date", get["date"]) or None,
        }
        fields.update((name, value) for name, value in optional.items() if value is not None)
        strangers = record.keys() - self._known
        fields.update((name, record[name]) for name in sorted(strangers) if record[name] is not None)
        return Draft(fields)

    def _id(self, value: object, record: Record) -> str:
        given = _text("id", value)
        if not given:
            names = ", ".join(sorted(map(clean_text, record))[:12])[:200]
            raise RecordError(f"no {self._names['id']!r} (fields: {names}); map it with --map id=FIELD")
        return given

    def _keywords(self, value: object) -> tuple[str, ...]:
        if isinstance(value, list):
            words = [_text("keywords", word) for word in value]
        else:
            words = [word.strip() for word in self._separators.split(_text("keywords", value))]
        return tuple(word for word in words if word)


def _text(field: str, value: object) -> str:
    if isinstance(value, str):
        return clean_text(value)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RecordError(f"{field} is a {type(value).__name__}, not text")


def _language(value: object, fields: Mapping[str, object]) -> str | None:
    given = normalise_language(_text("language", value))
    if given is not None:
        return given
    text = " ".join(str(fields.get(name, ""))[:SAMPLE_CHARACTERS] for name in ("title", "abstract", "body"))
    return detect_language(text)


def _url(value: object) -> str | None:
    """Web addresses and bare DOIs; any other scheme is dropped, since reports make links of it."""
    given = _text("url", value)
    if _DOI.fullmatch(given):
        return f"https://doi.org/{given}"
    return given if _URL.fullmatch(given) else None


def _encoded(fields: Mapping[str, object]) -> bytes:
    try:
        return _ENCODER.encode(fields).encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate in a field that is only carried along
        return _ENCODER.encode(clean_value(dict(fields))).encode("utf-8")
