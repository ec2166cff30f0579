"""What a task reads of a record: by it records are the same, empty, or large."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from handlers.domain.paper import Paper
from handlers.domain.token_estimate import expected_tokens
from handlers.domain.value import Frozen, canonical_json, sha256_of

BY_DIGEST = "#digest"
"""In place of an id's field: a record is named by what is read of it."""
RECORD = "record"
"""Field of a corpus line that has all of its source's fields, where the shape is that."""


class Reads(Frozen):
    """Names are those of a source's fields, ``a`` or ``a.b`` within an object; dicts are looked up by them,
    never attributes."""

    shape: Literal["paper", "record"] = "paper"
    """``paper``: fields are known and normalised as papers' are. ``record``: they stay as they came."""
    fields: tuple[str, ...] = Field(min_length=1)
    required: tuple[str, ...] = ()
    """Of ``fields``, those without which a record is not asked about."""
    id: str = "id"
    title: str | None = None
    """The field that lists show; None: the one that sounds so."""

    @property
    def mark(self) -> bytes:
        """Another one where identities of records are others."""
        return canonical_json([self.shape, sorted(self.fields)]).encode("utf-8", "surrogatepass")

    def value(self, paper: Paper, name: str) -> object:
        """A field by its name, read or not: of a record its source's first. None if there is none."""
        return self.value_of(_as_line(paper), name)

    def value_of(self, line: Mapping[str, Any], name: str) -> object:
        """The same of a line of the corpus."""
        return _found(name, self._places(line))

    def values(self, paper: Paper) -> dict[str, object]:
        """What is read of a paper, None for what it does not have."""
        return self.values_of(_as_line(paper))

    def values_of(self, line: Mapping[str, Any]) -> dict[str, object]:
        """The same of a line of the corpus."""
        places = self._places(line)
        return {name: _found(name, places) for name in self.fields}

    def _places(self, line: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        record = line.get(RECORD) if self.shape == "record" else None
        return (record, line) if isinstance(record, dict) else (line,)

    def digest(self, paper: Paper) -> str:
        """sha256 in hex: equal for papers of which the same is read."""
        return digest_of(self.values(paper))

    def size(self, paper: Paper) -> float:
        """What is read, in tokens of no vocabulary in particular."""
        text = "".join(text for value in self.values(paper).values() for text in texts_of(value))
        return expected_tokens(len(text), len(text.encode("utf-8", "surrogatepass")))


def digest_of(values: Mapping[str, object]) -> str:
    """Of values by name, whatever their order."""
    return sha256_of([[name, values[name]] for name in sorted(values)])


def texts_of(value: object) -> Iterator[str]:
    """The words of a value, names of objects left out; numbers are words, nothing is none."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, list | tuple):
            waiting.extend(reversed(each))
        elif isinstance(each, dict):
            waiting.extend(reversed(each.values()))
        elif each is not None:
            yield str(each).lower() if isinstance(each, bool) else str(each)


def is_filled(value: object) -> bool:
    """Whether there is a word in it."""
    return any(text.strip() for text in texts_of(value))


def _as_line(paper: Paper) -> dict[str, Any]:
    return {**paper.__dict__, **(paper.model_extra or {})}


def _found(name: str, places: tuple[Mapping[str, Any], ...]) -> object:
    for place in places:
        if place.get(name) is not None:
            return place[name]
    for place in places if "." in name else ():
        value: object = place
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None
