"""A raw record of a source → the canonical line of a paper."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from handlers.corpus.field_names import FIELDS, FieldReader
from handlers.corpus.fields.field_text import (
    RecordError,
    abstract_of,
    body_of,
    date_of,
    every_text,
    first_text,
    plain_text,
    title_of,
)
from handlers.corpus.fields.inverted_index import INDEX_FIELDS
from handlers.corpus.fields.keyword_list import keywords_of
from handlers.corpus.fields.naming_field import naming_field
from handlers.corpus.index import EMPTY, NO_DERIVATIVES
from handlers.corpus.language import SAMPLE_CHARACTERS, detect_language, is_certain
from handlers.corpus.sources.reader import Record
from handlers.corpus.sources.source_notes import shown
from handlers.corpus.text import clean_text, clean_value
from handlers.domain.language_names import normalise_language
from handlers.domain.licenses import forbids_derivatives, normalise_license
from handlers.domain.paper import Paper
from handlers.domain.tasks.reads import RECORD
from handlers.domain.token_estimate import tokens_of_size
from handlers.errors import first_problem

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_BITS = {name: 1 << bit for bit, name in enumerate(FIELDS)}
_OWN = frozenset({*FIELDS, "same_as"})
_MAX_ID = 512
"""``Paper``'s own bound."""
_ASCII = bytes(range(0x80))
_CONTINUATIONS = bytes(range(0x80, 0xC0))
_ENOUGH_PROSE = 16
"""Characters other than ASCII that tell one text from another."""
_SHORT_TAG = 64
_PLAIN = {str, int, bool}
_known_tag = lru_cache(maxsize=1024)(normalise_language)
_DOI = re.compile(r"10\.\d{4,9}/\S{1,300}")
_URL = re.compile(r"https?://[^\s<>\"]{1,2000}", re.IGNORECASE)


class Prepared(NamedTuple):
    """A paper as far as its own record tells, before it is known whether its id and text are new."""

    number: int
    """Its line in the source."""
    id: str
    digest: bytes
    """16 bytes of sha256 over what ``Paper.text_digest`` covers."""
    twin: int
    """53 bits of sha256 over title and abstract: papers that share it may need the very same request."""
    language: str | None
    license: str | None
    characters: int
    tokens: int
    """Of title, abstract and keywords."""
    body_tokens: int
    flags: int
    """``EMPTY`` and ``NO_DERIVATIVES`` of the index."""
    filled: int
    """Bit n is set if the paper has ``FIELDS[n]``."""
    line: bytes
    """The canonical line without ``same_as``: equal papers give equal bytes."""
    refusal: str = ""
    """Why there is no line, if the paper cannot be written as one."""
    apart: bytes = b""
    """What else keeps two papers of one text apart."""

    def following(self, leader_id: str) -> bytes:
        """The canonical line of a paper whose text is another's."""
        return self.line[:-2] + b',"same_as":' + to_json(leader_id) + b"}\n"


class Normaliser:
    """Raw records → drafts. ``mapping`` is paper field → the source's name for it."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self.reader = FieldReader(mapping)

    def prepare(self, number: int, record: Record) -> Prepared:
        """RecordError if the record is no paper."""
        raw, known = self.reader.read(record)
        fields = self._fields(raw, record)
        strangers = strangers_of(record, known)
        line, refusal = line_of(fields, strangers)
        title_and_abstract = f"{fields['title']}\x1e{fields['abstract']}".encode()
        words = "\x1f".join(fields["keywords"])
        keywords = words.encode()
        body = fields.get("body", "")
        body_bytes = body.encode()
        gaps = max(0, len(fields["keywords"]) - 1)
        size = len(title_and_abstract) - 1 + len(keywords) - gaps
        characters = len(fields["title"]) + len(fields["abstract"]) + len(words) - gaps
        license_id = fields.get("license")
        empty = 0 if characters or body else EMPTY
        return Prepared(
            number,
            fields["id"],
            # The separators cannot occur in cleaned text.
            sha256(b"\x1e".join((title_and_abstract, keywords, body_bytes))).digest()[:16],
            _twin(title_and_abstract),
            fields.get("language"),
            license_id,
            characters + len(body),
            tokens_of_size(characters, size),
            tokens_of_size(len(body), len(body_bytes)) if body else 0,
            empty | (NO_DERIVATIVES if forbids_derivatives(license_id) else 0),
            _filled(fields),
            line,
            refusal,
        )

    def _fields(self, raw: Mapping[str, object], record: Record) -> dict[str, Any]:
        """In the order of the canonical line."""
        stated = stated_language(raw["language"])
        # A catalogue's own record, as Crossref's with its lists of titles, has its markup in its texts.
        marked_up = any(isinstance(raw[name], list | dict) for name in ("title", "abstract"))
        fields: dict[str, Any] = {
            "id": self._id_of(raw["id"], record),
            "title": title_of(raw["title"], stated, marked_up=marked_up),
            "abstract": abstract_of(raw["abstract"] or _by_places(record), stated, marked_up=marked_up),
        }
        if body := body_of(raw["body"], stated):
            fields["body"] = body
        fields["keywords"] = keywords_of(raw["keywords"], stated)
        if language := language_of(stated, fields):
            fields["language"] = language
        if license_id := license_of(raw["license"]):
            fields["license"] = license_id
        if url := url_of(raw["url"]):
            fields["url"] = url
        if date := date_of(raw["date"]):
            fields["date"] = date
        return fields

    def _id_of(self, value: object, record: Record) -> str:
        return self._id(value, record)

    def _id(self, value: object, record: Record) -> str:
        text = plain_text("id", value)
        if not text:
            names = ", ".join(sorted(map(clean_text, record))[:12])[:200]
            name = self.reader.stated["id"]
            mapped = shlex.quote(f"id={shown(naming_field(record) or 'FIELD')}")
            raise RecordError(f"no {name!r} (fields: {names}); map it with --map {mapped}")
        return text


def strangers_of(record: Record, known: Collection[str]) -> dict[str, Any]:
    """Fields that are only carried along, by name."""
    names = [name for name in record if name not in known]
    return {name: record[name] for name in sorted(names) if record[name] is not None} if names else {}


def _by_places(record: Record) -> object:
    return next((record[name] for name in INDEX_FIELDS if record.get(name)), None)


def stated_language(value: object) -> str | None:
    stated = first_text("language", value)
    return _known_tag(stated) if len(stated) < _SHORT_TAG else normalise_language(stated)


def language_of(tag: str | None, fields: Mapping[str, object]) -> str | None:
    if tag is not None and is_certain(tag):
        return tag
    text = " ".join(str(fields.get(name, ""))[:SAMPLE_CHARACTERS] for name in ("title", "abstract", "body"))
    return detect_language(text) or tag


def license_of(value: object) -> str | None:
    """Of several, one that forbids derivatives: it must not be lost."""
    if value is None or isinstance(value, str):
        return normalise_license(first_text("license", value))
    found = [license_id for text in every_text(value) if (license_id := normalise_license(text))]
    return next(filter(forbids_derivatives, found), found[0] if found else None)


def url_of(value: object) -> str | None:
    """Web addresses and bare DOIs; any other scheme is dropped, since reports make links of it."""
    text = first_text("url", value)
    if _DOI.fullmatch(text):
        return f"https://doi.org/{text}"
    return text if _URL.fullmatch(text) else None


def _twin(title_and_abstract: bytes) -> int:
    """Two texts that differ in their formulas alone need the same request, so where it can it looks at the
    prose only: at what is not ASCII."""
    prose = title_and_abstract.translate(None, _ASCII)
    # A character has four bytes at most, and one that is no continuation of another.
    if len(prose) >= 4 * _ENOUGH_PROSE or len(prose.translate(None, _CONTINUATIONS)) >= _ENOUGH_PROSE:
        title_and_abstract = prose
    return int.from_bytes(sha256(title_and_abstract).digest()[:7]) >> 3


def _filled(fields: Mapping[str, object]) -> int:
    bits = 0
    for name, value in fields.items():
        if value:
            bits |= _BITS[name]
    return bits


def line_of(fields: dict[str, Any], strangers: dict[str, Any]) -> tuple[bytes, str]:
    """(canonical line, "") or (nothing, why the paper cannot be written as one)."""
    whole = {**fields, **strangers}
    if len(fields["id"]) <= _MAX_ID and (not strangers or _all_texts(strangers)):
        # Then no step below can find anything: the paper's own fields are cleaned texts.
        with suppress(PydanticSerializationError, UnicodeEncodeError):
            return to_json(whole) + b"\n", ""
    try:
        line = _encoded(whole)
        Paper.model_validate_json(line)
    except ValidationError as error:
        return b"", first_problem(error)
    except (ValueError, RecursionError) as error:
        return b"", f"the record cannot be written as JSON: {error}"
    return line + b"\n", ""


def _all_texts(strangers: Mapping[str, Any]) -> bool:
    record = strangers.get(RECORD)
    if type(record) is dict and len(strangers) == 1:
        return set(map(type, record.values())) <= _PLAIN
    return set(map(type, strangers.values())) == {str}


def _encoded(fields: dict[str, Any]) -> bytes:
    try:
        return _ENCODER.encode(fields).encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate in a field that is only carried along
        cleaned: dict[str, Any] = {}
        for name, value in fields.items():
            clean = clean_text(name)
            if name == clean or clean not in _OWN:  # cleaning must not make a stranger one of ours
                cleaned[clean] = clean_value(value)
        return _ENCODER.encode(cleaned).encode("utf-8")
