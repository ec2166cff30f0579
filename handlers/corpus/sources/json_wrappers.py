"""Objects that are no papers but hold them: answers of APIs, tables of columns, hits of a search."""

from __future__ import annotations

import re
from typing import Any

from handlers.corpus.sources.reader import Record
from handlers.rare_pattern import rare_pattern

BRACKET = rare_pattern(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]"]', re.DOTALL)
"""A whole text, a bracket, or the quote of a text that does not end."""
_KEY = re.compile(r'[\s,]*"([^"\\]{1,60})"\s*:\s*')
_PLAIN = re.compile(r"[^\s,{}\[\]\"]+")
_LIST_OF_OBJECTS = re.compile(r"\[\s*\{")
_WRAPPERS = frozenset((
    "items", "results", "result", "data", "records", "papers", "docs", "works", "articles", "entries",
    "entry", "documents", "hits", "message", "response", "list", "rows", "publications", "edges", "search",
    "search-results", "resultList", "feed",
))  # fmt: skip
_OF_A_PAPER = re.compile(r"title|abstract|题|標題|标题|摘要", re.IGNORECASE)
_INNER = ("_source", "node")
_DEEPEST = 4


def list_within(text: str, at: int) -> tuple[int, int]:
    """(place after the bracket that begins the list an object wraps, how many objects do): as far as the text
    from the object's begin on tells; (0, 0) if it wraps none. One pass."""
    depth = 1
    at += 1
    while depth <= _DEEPEST and (key := _KEY.match(text, at)) and not _is_of_a_paper(key[1]):
        at = key.end()
        wraps = key[1] in _WRAPPERS
        if wraps and _LIST_OF_OBJECTS.match(text, at):
            return at + 1, depth
        if wraps and text[at : at + 1] == "{":
            depth, at = depth + 1, at + 1
        elif not (at := _end(text, at)):
            break
    return 0, 0


def _end(text: str, at: int) -> int:
    """Where a value ends, and the objects that end with it do not; 0 if not in the text."""
    if plain := _PLAIN.match(text, at):
        return plain.end()
    depth = 0
    for match in BRACKET.finditer(text, at):
        sign = match[0]
        if sign == '"' or (depth == 0 and match.start() != at):
            return 0
        depth += 1 if sign in "{[" else -1 if sign in "}]" else 0
        if depth <= 0:
            return match.end() if depth == 0 else 0
    return 0


def rows_within(value: Any, depth: int = _DEEPEST) -> list[Record] | None:
    """The list that an object wraps, if it is the one of a usual name, or the rows of a table of columns."""
    if not isinstance(value, dict) or not depth:
        return None
    if depth == _DEEPEST and (rows := _rows_of_table(value)):
        return rows
    if any(map(_is_of_a_paper, value)):
        return None
    found = [name for name in value if name in _WRAPPERS]
    if sum(isinstance(value[name], list) for name in found) > 1:
        return None
    for name in found:
        inner = value[name]
        if isinstance(inner, list) and inner and all(isinstance(each, dict) for each in inner):
            rows = list(map(row_of, inner))
            return None if "id" in value and not _are_papers(rows) else rows
        if rows := rows_within(inner, depth - 1):
            return rows
    return None


def row_of(record: Record) -> Record:
    """The document of a search's hit, with its id, or the node of a graph's edge."""
    for name in _INNER:
        inner = record.get(name)
        if isinstance(inner, dict):
            return {"_id": record["_id"], **inner} if "_id" in record else inner
    return record


def _rows_of_table(value: dict[str, Any]) -> list[Record] | None:
    """As pandas writes one: ``{"id": {"0": "1"}, "title": {"0": "A"}}``, by rows that have names, with its
    columns apart, or as lists."""
    cells = list(value.values())
    first = cells[0] if cells else None
    names, rows = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        return [dict(zip(map(str, names), row, strict=False)) for row in rows]
    if isinstance(first, dict) and all(isinstance(each, dict) for each in cells):
        if not any(map(_is_of_a_paper, value)):
            return [{"id": name, **row} for name, row in value.items()] if _are_papers(cells) else None
        if all(each.keys() == first.keys() for each in cells):
            return [{name: value[name][row] for name in value} for row in first]
    lists = isinstance(first, list) and all(isinstance(e, list) and len(e) == len(first) for e in cells)
    if lists and len(cells) > 1 and any(map(_is_of_a_paper, value)):
        return [dict(zip(value, row, strict=True)) for row in zip(*cells, strict=True)]
    return None


def _is_of_a_paper(name: str) -> bool:
    return _OF_A_PAPER.search(name) is not None


def _are_papers(records: list[dict[str, Any]]) -> bool:
    return all(any(map(_is_of_a_paper, record)) for record in records)
