"""The fields at the head of a Markdown file: YAML, also as people write it, or TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from handlers.corpus.sources.reader import BadLine, excerpt_of

_LONGEST = 64 * 1024
"""Characters, for parsers that take seconds for a megabyte."""
_DEEPEST = 20
_FENCES = {"---": ("---", "..."), "+++": ("+++",)}
_NOTHING = ("~", "null", "Null", "NULL")
_PLAIN = re.compile(r"([^\s#\[\]{}\"'|>&*!%@`-][^:\[\]{}\"'#]{0,99}:[ \t]+|\s{0,40}-[ \t]+)(\S.*?)\s*")
_WHOLE = re.compile(
    r"(?:\"(?:[^\"\\]|\\.)*+\"|'(?:[^']|'')*+'|[|>][+-]?\d?|\[[^\[\]]*+\]|\{[^{}]*+\})(?:\s+#.*)?"
)


def end_of_front_matter(lines: Sequence[str]) -> int:
    """Index of the line that closes it; 0 if there is none."""
    ends = _FENCES.get(lines[0].rstrip(), ())
    return next((at for at, line in enumerate(lines) if at and line.rstrip() in ends), 0)


def read_front_matter(lines: Sequence[str], name: str) -> dict[str, Any] | BadLine:
    """``lines`` begin with the one that opens it. YAML's values are texts as they are written, since an id is
    no number; where it is none, values are taken to the ends of their lines."""
    text = "\n".join(lines[1:])
    if len(text) > _LONGEST:
        return BadLine(
            f"{excerpt_of(name)}: front matter of more than {_LONGEST} characters", excerpt_of(text)
        )
    try:
        value = _toml(text) if lines[0].startswith("+") else _as_people_write_it(lines[1:])
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 2}" if mark else ""
        return BadLine(f"{excerpt_of(name)}{place}: {_problem(error)}", excerpt_of(text))
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        return BadLine(f"{excerpt_of(name)}, line 2: no `key: value`", excerpt_of(text))
    return value


def _as_people_write_it(lines: Sequence[str]) -> Any:
    try:
        return _yaml("\n".join(lines))
    except yaml.YAMLError:
        return _yaml("\n".join(map(_quoted, lines)))


def _quoted(line: str) -> str:
    """Its value in quotes, should YAML take a colon or a sign in it for its own."""
    found = _PLAIN.fullmatch(line)
    if found is None or _WHOLE.fullmatch(found[2]):
        return line.replace("\t", "  ") if line[:1] == "\t" else line
    return f"{found[1]}'{found[2].replace(chr(39), 2 * chr(39))}'"


def _yaml(text: str) -> Any:
    """From the parser's events, so that tags mean nothing, and no value is what it was not written as."""
    events = yaml.parse(text, Loader=yaml.SafeLoader)
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            value = _value(event, events, 0)
            for _ in events:  # what follows must be YAML too
                pass
            return value
    return None


def _value(event: Any, events: Iterator[Any], depth: int) -> Any:
    if isinstance(event, yaml.ScalarEvent):
        return None if event.style is None and event.value in _NOTHING else event.value.strip()
    if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
        problem = "an alias" if isinstance(event, yaml.AliasEvent) else "nested too deep"
        raise yaml.MarkedYAMLError(None, None, problem, event.start_mark)
    items = []
    for inner in events:
        if isinstance(inner, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            break
        items.append(_value(inner, events, depth + 1))
    if isinstance(event, yaml.SequenceStartEvent):
        return items
    return {str(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _toml(text: str) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return value if isinstance(value, (str, int, float)) else str(value)

    return {key: plain(value) for key, value in tomllib.loads(text).items()}


def _problem(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error) or "nested too deep"
    return f"the front matter cannot be read ({excerpt_of(problem)})"
