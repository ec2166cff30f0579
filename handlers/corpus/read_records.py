"""A raw record → the line of a task's corpus: what the task reads is its identity, size and emptiness."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from handlers.corpus.field_names import FIELDS, FieldReader
from handlers.corpus.fields.field_text import RecordError
from handlers.corpus.fields.naming_field import naming_field
from handlers.corpus.index import EMPTY, NO_DERIVATIVES
from handlers.corpus.language import SAMPLE_CHARACTERS
from handlers.corpus.normalise import (
    Normaliser,
    Prepared,
    language_of,
    license_of,
    line_of,
    stated_language,
    strangers_of,
    url_of,
)
from handlers.corpus.sources.reader import Record
from handlers.corpus.sources.source_notes import named, shown
from handlers.corpus.text import clean_value
from handlers.domain.licenses import forbids_derivatives
from handlers.domain.tasks.reads import BY_DIGEST, RECORD, Reads, digest_of, is_filled, texts_of
from handlers.domain.token_estimate import tokens_of_size
from handlers.errors import UsageError

_OF_A_RECORD = ("id", "title", "language", "license", "url")
"""Fields of a paper that a record has beside its own."""
_ID_DIGITS = 32
_HALF = 0.5
_Parts = tuple[dict[str, Any], dict[str, Any]]
"""A paper's own fields of a line, and the others."""


class RecordNormaliser(Normaliser):
    """``Normaliser`` for what a task reads. ``mapping`` is paper field → the source's name for it."""

    def __init__(self, mapping: Mapping[str, str], reads: Reads, *, of_corpus: bool = False) -> None:
        """``of_corpus``: the records are lines that this one wrote."""
        own = {} if of_corpus or reads.id in ("id", BY_DIGEST) else {"id": reads.id}
        self._of_corpus = of_corpus
        super().__init__({**own, **mapping})
        self._reads = reads
        self._names = names_of(reads)
        self._roots = {name.partition(".")[0] for name in reads.fields} | set(reads.fields)
        if reads.shape == "paper":
            self.reader = FieldReader(self.reader.mapping, kept=self._roots)

    def prepare(self, number: int, record: Record) -> Prepared:
        try:
            of_record = self._reads.shape == "record"
            fields, more = self._record(record) if of_record else self._paper(record)
        except RecursionError as error:
            raise RecordError("its values are nested too deep") from error
        values = self._reads.values_of({**fields, **more})
        digest = digest_of(values)
        fields["id"] = fields["id"] or digest[:_ID_DIGITS]
        return self._prepared(number, (fields, more), values, digest)

    def _prepared(self, number: int, parts: _Parts, values: Mapping[str, object], digest: str) -> Prepared:
        line, _ = parts
        text = "".join(each for value in values.values() for each in texts_of(value))
        read = {name: is_filled(value) for name, value in values.items()}
        language, license_id = line.get("language"), line.get("license")
        encoded, refusal = line_of(*parts)
        forbidden = NO_DERIVATIVES if forbids_derivatives(license_id) else 0
        return Prepared(
            number,
            line["id"],
            bytes.fromhex(digest[:32]),
            int(digest[:14], 16) >> 3,
            language,
            license_id,
            len(text),
            tokens_of_size(len(text), len(text.encode("utf-8", "surrogatepass"))),
            0,
            (0 if any(read.values()) else EMPTY) | forbidden,
            sum(1 << bit for bit, name in enumerate(self._names) if read.get(name, bool(line.get(name)))),
            encoded,
            refusal,
            (language or "").encode(),
        )

    def _id_of(self, value: object, record: Record) -> str:
        """ "" where the digest names the record."""
        if self._reads.id == BY_DIGEST and not self._of_corpus:
            return ""
        try:
            return self._id(value, record)
        except RecordError as error:
            meant = naming_field(record)
            named_so = f"`id = {json.dumps(shown(meant), ensure_ascii=False)}` or " if meant else ""
            said = f'{named_so}`id = "{BY_DIGEST}"`'
            raise RecordError(f"{error}; or the task file says {said} in [input]") from error

    def _paper(self, record: Record) -> _Parts:
        raw, known = self.reader.read(record)
        more = strangers_of(record, known)
        cleaned = {name: clean_value(each) if name in self._roots else each for name, each in more.items()}
        return self._fields(raw, record), cleaned

    def _record(self, record: Record) -> _Parts:
        raw, _ = self.reader.read(record)
        fields = record.get(RECORD, {}) if self._of_corpus else record
        source = clean_value({name: value for name, value in fields.items() if value is not None})
        whole = {RECORD: source}
        title = self._reads.value_of(whole, self._reads.title) if self._reads.title else raw["title"]
        known: dict[str, Any] = {
            "id": self._id_of(raw["id"], record),
            "title": " ".join(" ".join(texts_of(clean_value(title))).split()),
        }
        with suppress(RecordError):
            known["language"] = stated_language(raw["language"])
        text = " ".join(_first_texts(self._reads.values_of(whole)))
        known["language"] = language_of(known.get("language"), {"title": text})
        known |= _links(raw)
        return {name: value for name, value in known.items() if value is not None}, whole


def _first_texts(values: Mapping[str, object]) -> list[str]:
    """As much of each as tells its language."""
    return ["".join(texts_of(value))[:SAMPLE_CHARACTERS] for value in values.values()]


def _links(raw: Mapping[str, object]) -> dict[str, str | None]:
    """Licence and address, where the source's fields of these names hold such."""
    found: dict[str, str | None] = {}
    with suppress(RecordError):
        found["license"] = license_of(raw["license"])
    with suppress(RecordError):
        found["url"] = url_of(raw["url"])
    return found


def names_of(reads: Reads | None) -> tuple[str, ...]:
    """Fields of which a profile counts how many records have them."""
    more = () if reads is None else tuple(name for name in reads.fields if name not in FIELDS)
    return (*FIELDS, *more)


def fields_of(reads: Reads) -> tuple[str, ...]:
    """Fields of a paper that are taken from a source."""
    return FIELDS if reads.shape == "paper" else _OF_A_RECORD


def refuse_missing(reads: Reads, filled: Mapping[str, int], there: Sequence[str]) -> None:
    """UsageError for a field read that no record has, unless it is a paper's own and may be missing.
    ``there``: names of the source's fields."""
    for name in reads.fields:
        may_miss = reads.shape == "paper" and name in FIELDS and name not in reads.required
        if filled.get(name) or may_miss:
            continue
        if name in there:
            raise UsageError(f"no record has anything in {shown(name)!r}")
        of_ours = [field for field in FIELDS if field != name and reads.shape == "paper"]
        near = get_close_matches(name, [*there, *of_ours], n=1)
        nearest = f"; nearest: {shown(near[0])}" if near else ""
        raise UsageError(f"no record has {shown(name)!r}{nearest}; the source has {named(there)}")


def rarely_filled(reads: Reads, filled: Mapping[str, int], records: int) -> list[str]:
    """A sentence for each field read that under half of the records have."""
    return [
        f"{shown(name)} is in {filled.get(name, 0):,} of {records:,}"
        for name in reads.fields
        if filled.get(name, 0) < _HALF * records
    ]
