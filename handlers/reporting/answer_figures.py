"""What the answers of a run come to, field by field: how often each value, how large, how many."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from handlers.domain.part_lines import decode_unvalidated
from handlers.domain.run_report import AnswerFigures
from handlers.domain.tasks.answer_types import VECTOR, Schema, choices_of, kinds_of
from handlers.domain.tasks.vectors import floats_of
from handlers.errors import DamagedObjectError
from handlers.ports import Ledger, ObjectStore

BINS = 20
_BEFORE_BINS = 1_000
"""Answers whose spread decides the bins where the schema has no bounds."""
_MOST_LENGTHS, _MOST_FIELDS = 50, 100
_WIDEST = 1e15
"""Between bounds that say more than that they are there."""
OTHER = "other"
"""Values that are none of those allowed, and lengths from the fiftieth on."""


def answer_figures(
    run_id: str, columns: Mapping[str, Schema], *, ledger: Ledger, store: ObjectStore
) -> dict[str, AnswerFigures]:
    """Of the done papers, equal texts counted as often as they stand in the corpus. Reads each line once; a
    field of texts alone says nothing that could be counted."""
    tallies = {name: made for name, schema in columns.items() if (made := _tally(schema)) is not None}
    tallies = dict(list(tallies.items())[:_MOST_FIELDS])
    for row in ledger.entries(run_id) if tallies else ():
        where = row.pointer
        if row.status != "done" or where is None:
            continue
        try:
            data = store.read(where.key, where.offset, where.length)
            fields = decode_unvalidated(data, where.key, where.offset).get("fields") or {}
        except DamagedObjectError:
            continue
        for name, tally in tallies.items():
            if fields.get(name) is not None:
                tally.add(fields[name], row.weight)
    return {name: tally.figures() for name, tally in tallies.items()}


def _tally(schema: Schema) -> _Choices | _Numbers | _Lengths | None:
    kinds, choices = kinds_of(schema), choices_of(schema)
    if choices or kinds == {"boolean"}:
        return _Choices(choices or [True, False], kinds)
    if kinds and kinds <= {"integer", "number"}:
        return _Numbers(schema, whole=kinds == {"integer"})
    if kinds == {VECTOR}:
        return _Dimensions([], kinds)
    return _Lengths() if kinds == {"array"} else None


class _Choices:
    def __init__(self, choices: list[Any], kinds: set[str]) -> None:
        self._type: Any = "boolean" if kinds == {"boolean"} else "enum"
        self._counts = {_shown(value): 0 for value in choices}

    def add(self, value: object, weight: int) -> None:
        name = _shown(value)
        name = name if name in self._counts else OTHER
        self._counts[name] = self._counts.get(name, 0) + weight

    def figures(self) -> AnswerFigures:
        return AnswerFigures(type=self._type, answered=sum(self._counts.values()), counts=self._counts)


class _Dimensions(_Choices):
    """How many numbers the vectors have: all the same, if one model made them."""

    def add(self, value: object, weight: int) -> None:
        with suppress(ValueError):
            name = f"{len(floats_of(str(value)))} dimensions"
            if len(self._counts) < _MOST_LENGTHS or name in self._counts:
                self._counts[name] = self._counts.get(name, 0) + weight


class _Lengths:
    def __init__(self) -> None:
        self._lengths: Counter[int] = Counter()

    def add(self, value: object, weight: int) -> None:
        if isinstance(value, list):
            self._lengths[min(len(value), _MOST_LENGTHS)] += weight

    def figures(self) -> AnswerFigures:
        lengths = {
            f"{n}+" if n == _MOST_LENGTHS else str(n): count for n, count in sorted(self._lengths.items())
        }
        return AnswerFigures(type="list", answered=self._lengths.total(), lengths=lengths)


class _Numbers:
    """Bins by the schema's bounds, or else by the first thousand answers; what is beyond is in the last."""

    def __init__(self, schema: Schema, *, whole: bool) -> None:
        self._whole = whole
        self._edges: tuple[float, float] | None = None
        self._bins: list[int] = []
        self._first: list[tuple[float, int]] = []
        self._sum = self._n = 0.0
        self._least, self._most = math.inf, -math.inf
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(low, int | float) and isinstance(high, int | float) and high - low < _WIDEST:
            self._begin(float(low), float(high))

    def add(self, value: object, weight: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
            return
        number = float(value)
        self._sum, self._n = self._sum + number * weight, self._n + weight
        self._least, self._most = min(self._least, number), max(self._most, number)
        if self._edges is not None:
            self._count(number, weight)
            return
        self._first.append((number, weight))
        if len(self._first) >= _BEFORE_BINS:
            self._begin_with_first()

    def _begin(self, low: float, high: float) -> None:
        """Whole numbers have a bin each where they are few."""
        each = self._whole and high - low < BINS
        self._edges = (low, high + 1 if each else high)
        self._bins = [0] * (int(high - low) + 1 if each else BINS)

    def _begin_with_first(self) -> None:
        self._begin(self._least, self._most)
        for number, weight in self._first:
            self._count(number, weight)
        self._first.clear()

    def _count(self, number: float, weight: int) -> None:
        low, high = self._edges or (0.0, 0.0)
        share = (number - low) / (high - low) if high > low else 0.0
        self._bins[min(len(self._bins) - 1, max(0, int(share * len(self._bins))))] += weight

    def figures(self) -> AnswerFigures:
        if self._edges is None and self._first:
            self._begin_with_first()
        if not self._n or self._edges is None:
            return AnswerFigures(type="number", answered=0)
        return AnswerFigures(
            type="number",
            answered=int(self._n),
            min=self._least,
            max=self._most,
            mean=self._sum / self._n,
            bins=tuple(self._bins),
            edges=self._edges,
        )


def _shown(value: object) -> str:
    """A value that is allowed, as a name."""
    return str(value).lower() if isinstance(value, bool) else str(value)
