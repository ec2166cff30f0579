"""Vectors as they are stored: base64 of float32, little-endian."""

from __future__ import annotations

import base64
import math
import sys
from array import array


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


def stored_vector(numbers: array[float]) -> str:
    """Of an ``array("f")``."""
    if sys.byteorder == "big":
        numbers = array("f", numbers)
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")
