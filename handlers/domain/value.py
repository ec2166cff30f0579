"""What all values of the domain share: they are frozen, and equal ones have equal digests."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Frozen(BaseModel):
    """Base of the values: immutable, and strangers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def sha256_of(value: object) -> str:
    """Hex digest of a JSON value, keys sorted."""
    return sha256_of_text(canonical_json(value))


def canonical_json(value: object) -> str:
    """Equal values give equal texts: keys sorted, no white space."""
    return _ENCODER.encode(value)


def sha256_of_text(text: str) -> str:
    """Hex digest; halves of surrogate pairs, which UTF-8 has no bytes for, pass as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
