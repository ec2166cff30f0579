"""A record beside what a task answered of it, as a table of names and texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from handlers.domain.paper import Paper
from handlers.domain.result import PartLine
from handlers.domain.tasks.answer_types import VECTOR, Schema, choices_of, kinds_of
from handlers.domain.tasks.reads import Reads, texts_of
from handlers.domain.tasks.vectors import with_shown_vectors
from handlers.reporting.review.findings import Mark
from handlers.reporting.review.highlighting import to_marked_html

FACETS = 3
"""Fields of few values that a search offers as filters."""
_QUOTE = "quote"
_SHORTEST, _MOST = 4, 40
"""Characters of a text that is looked for in the source, and how many such texts."""
_DEEPEST = 3
_FACET = 80


@dataclass(frozen=True)
class TaskView:
    """What a review shows of a task's run."""

    name: str
    fields: Mapping[str, Schema]
    reads: Reads

    @cached_property
    def facets(self) -> tuple[str, ...]:
        """The first fields that are an enum or a truth value."""
        few = [
            name for name, each in self.fields.items() if choices_of(each) or kinds_of(each) == {"boolean"}
        ]
        return tuple(few[:FACETS])

    def facets_of(self, line: PartLine) -> tuple[str, ...]:
        return tuple(told(line.fields.get(name))[:_FACET] for name in self.facets)


@dataclass(frozen=True)
class AnswerTable:
    """Rows of a name, which is text to be escaped, and HTML that is safe to put into a page."""

    record: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...]


def answer_table(paper: Paper, line: PartLine, view: TaskView) -> AnswerTable:
    """Fields that the task read, with what its answers quote of them marked, and the answers."""
    values = {name: told(value) for name, value in view.reads.values(paper).items()}
    marks = [Mark(text, _QUOTE) for text in _quoted(line, view, "\n".join(values.values()).lower())]
    record = tuple((name, to_marked_html(text, marks)) for name, text in values.items() if text)
    fields = with_shown_vectors(line.fields, view.fields)
    answers = {name: told(fields.get(name)) for name in view.fields}
    return AnswerTable(record, tuple((name, to_marked_html(text)) for name, text in answers.items()))


def searched(paper: Paper, line: PartLine, view: TaskView) -> tuple[str, ...]:
    """What the search looks into: both sides, and the id."""
    said = (line.fields.get(name) for name, each in view.fields.items() if kinds_of(each) != {VECTOR})
    sides = (*view.reads.values(paper).values(), *said)
    return (paper.id, paper.title, *(text for side in sides for text in texts_of(side)))


def told(value: object, depth: int = 0) -> str:
    """A value as people read it: an object's ``name: value`` between semicolons, a list's objects a line
    each."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if depth >= _DEEPEST or not isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {told(each, depth + 1)}" for name, each in value.items())
    nested = any(isinstance(each, dict) for each in value)
    return ("\n" if nested and not depth else "; ").join(told(each, depth + 1) for each in value)


def _quoted(line: PartLine, view: TaskView, source: str) -> Sequence[str]:
    """The longest texts of the answers that stand in the source."""
    fields = (line.fields.get(name) for name, each in view.fields.items() if not choices_of(each))
    found = {text for text in _long_texts(fields) if text.lower() in source}
    return sorted(found, key=len, reverse=True)[:_MOST]


def _long_texts(values: Iterator[object]) -> Iterator[str]:
    for value in values:
        for number, text in enumerate(texts_of(value)):
            if number < 10 * _MOST and len(text) >= _SHORTEST and not text.isdigit():
                yield text
