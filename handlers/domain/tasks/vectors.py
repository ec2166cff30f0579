"""Vectors as they are stored: base64 of float32, little-endian."""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Mapping
from typing import Any

from handlers.domain.tasks.answer_types import VECTOR, Schema, kinds_of

_SHOWN = 8


def floats_of(content: str) -> array[float]:
    """The numbers of a vector. ValueError if it is none."""
    data = base64.b64decode(content, validate=True)
    if not data or len(data) % 4:
        raise ValueError("no whole number of float32")
    numbers = array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def numbers_of(content: str, *, normalise: bool) -> list[float]:
    """The same, in the fewest digits that are read back as the same float32; at length 1 if asked for."""
    numbers = floats_of(content)
    if normalise and (length := math.hypot(*numbers)):
        numbers = array("f", (each / length for each in numbers))
    return [float(f"{each:.9g}") for each in numbers]


def shown_vector(content: str) -> str:
    """A vector as people read it: how many numbers, and the first of them."""
    try:
        numbers = floats_of(content)
    except ValueError:
        return content
    first = ", ".join(f"{each:.4g}" for each in numbers[:_SHOWN])
    return f"{len(numbers):,} numbers: {first}{', …' if len(numbers) > _SHOWN else ''}"


def with_shown_vectors(fields: Mapping[str, Any], schemas: Mapping[str, Schema] | None) -> dict[str, Any]:
    """An answer's fields by the types that they have, for people."""
    types = schemas or {}
    return {
        name: shown_vector(value)
        if isinstance(value, str) and name in types and kinds_of(types[name]) == {VECTOR}
        else value
        for name, value in fields.items()
    }


def stored_vector(numbers: array[float]) -> str:
    """Of an ``array("f")``."""
    if sys.byteorder == "big":
        numbers = array("f", numbers)
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")
