"""What is wrong with a value that somebody typed, and what is allowed in its place, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from handlers.errors import problem_of

_SHOWN = 80
"""Characters of a value that are shown."""
_KINDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    Decimal: "an amount in USD such as 45 or 0.15",
    bool: "true or false",
    str: "text",
    Path: "a path",
    dict: "a JSON object",
    list: "a list",
}
_BY_ERROR = {"int": int, "float": float, "decimal": Decimal, "finite": float, "bool": bool, "string": str}
"""First word of an error's type → what was wanted."""
_OF_TEXT = {
    "string_pattern_mismatch": "text that matches `{pattern}`",
    "string_too_short": "text of at least {min_length} character(s)",
    "string_too_long": "text of at most {max_length} character(s)",
}
_OWN_WORDS = ("value_error", "assertion_error", "extra_forbidden", "missing")


def wrong_value(error: ValidationError, model: type[BaseModel] | None = None) -> tuple[str, str]:
    """(field, ``'0' is not allowed: give a whole number from 1 to 9``) of the first thing that is wrong; the
    field is "" where the whole is. A value that is not to be seen is not shown."""
    place, message = problem_of(error)
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    field = model.model_fields.get(name) if model is not None else None
    if first["type"] in _OWN_WORDS or (field is None and model is not None):
        return place, message
    allowed = _of_field(field) if field is not None else _of_error(first)
    if not allowed:
        return place, message
    shown = "this value" if field is not None and _is_secret(field) else _shown(first["input"])
    return name, f"{shown} is not allowed: give {allowed}"


def _is_secret(field: FieldInfo) -> bool:
    return not field.repr or "Secret" in str(field.annotation)


def _shown(value: object) -> str:
    text = repr(value if isinstance(value, str) else str(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...{text[0]}"


def _of_field(field: FieldInfo) -> str:
    words = _any_of(_kind_words(each, field.metadata) for each in _members(field.annotation))
    seconds = (field.description or "").lower().startswith("seconds")
    return words.replace("number", "number of seconds", 1) if seconds else words


def _members(annotation: Any) -> list[Any]:
    """Of a union, None left out; else the thing itself."""
    if get_origin(annotation) in (None, Literal) or hasattr(annotation, "__metadata__"):
        return [annotation]
    inner = get_args(annotation)
    is_union = NoneType in inner or (len(inner) > 1 and get_origin(annotation) not in (dict, list))
    return [each for each in inner if each is not NoneType] if is_union else [annotation]


def _kind_words(kind: Any, metadata: Iterable[object]) -> str:
    if get_origin(kind) is Literal:
        return _any_of(f"`{each}`" for each in get_args(kind))
    own = [*metadata, *getattr(kind, "__metadata__", ())]
    own += [each for info in own if isinstance(info, FieldInfo) for each in info.metadata]
    base = get_args(kind)[0] if hasattr(kind, "__metadata__") else get_origin(kind) or kind
    if any(isinstance(each, StringConstraints) for each in own):
        return "up to 64 letters, digits, dots, dashes and underscores, the first a letter or digit"
    bounds: dict[str, Any] = {}
    for each in own:
        if isinstance(each, Ge | Gt | Le | Lt):
            name = type(each).__name__.lower()
            bounds[name] = getattr(each, name)
    return _KINDS.get(base, "") + "," * (base is Decimal and bool(bounds)) + _range(bounds)


def _of_error(first: Mapping[str, Any]) -> str:
    bounds = first.get("ctx", {})
    if first["type"] == "literal_error":
        return str(bounds["expected"]).replace("'", "`")
    if first["type"].startswith(("greater_than", "less_than")):
        return "a number" + _range(bounds)
    if first["type"] in _OF_TEXT:
        plural = "" if 1 in (bounds.get("min_length"), bounds.get("max_length")) else "s"
        return _OF_TEXT[first["type"]].format(**bounds).replace("(s)", plural)
    return _KINDS.get(_BY_ERROR.get(first["type"].partition("_")[0]), "")


def _range(bounds: Mapping[str, Any]) -> str:
    """`` from 1 to 1,000`` by the bounds ge, gt, le and lt."""
    low, high = bounds.get("ge"), bounds.get("le")
    above, below = bounds.get("gt"), bounds.get("lt")
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    words = (
        [f" of {low:,} or more"] if low is not None else [f" above {above:,}"] if above is not None else []
    )
    if high is not None or below is not None:
        words.append(f" up to {high:,}" if high is not None else f" below {below:,}")
    return " and".join(words)


def _any_of(words: Iterable[str]) -> str:
    *first, last = [each for each in words if each] or [""]
    return f"{', '.join(first)} or {last}" if first else last
