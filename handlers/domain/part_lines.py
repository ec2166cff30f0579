"""A part's line as bytes: written with a checksum, checked when it is read."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json

from handlers.domain.result import PartLine, PartPointer
from handlers.errors import DamagedObjectError, damage_error

_CHECKSUM = re.compile(rb',"seal":"([0-9a-f]{16})"\}\n?\Z')


def encode(line: PartLine) -> bytes:
    """JSON with a newline. Its last field, ``seal``, is a checksum of the rest: a flipped bit is seen."""
    body = _json(line)[:-1]
    return body + b',"seal":"' + _digest(body) + b'"}\n'


def decode(data: bytes, where: PartPointer) -> PartLine:
    """The line. DamagedObjectError if it is none, or not as it was written; ``where`` names it there."""
    _check(data, where.key, where.offset)
    try:
        return PartLine.model_validate_json(data)
    except ValidationError as error:
        raise _damaged(where.key, where.offset) from error


def decode_unvalidated(data: bytes, key: str, offset: int) -> dict[str, Any]:
    """The line's JSON, not validated again: it was when it was written, and a million are exported at once.
    DamagedObjectError if it is no object with an id, or not as it was written."""
    _check(data, key, offset)
    try:
        line: dict[str, Any] = from_json(data, cache_strings="keys")
        if isinstance(line["id"], str):
            return line
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(key, offset) from error
    raise _damaged(key, offset)


def _json(line: PartLine) -> bytes:
    try:
        return line.model_dump_json().encode()
    except PydanticSerializationError:
        # Half a surrogate pair in some text: one paper's letter must not keep the others' results from disk.
        text = json.dumps(line.model_dump(), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _check(data: bytes, key: str, offset: int) -> None:
    """Lines of the first version have no checksum."""
    checksum = _CHECKSUM.search(data, max(0, len(data) - 64))
    if checksum is not None and _digest(data[: checksum.start()]) != checksum[1]:
        raise _damaged(key, offset)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:16].encode()


def _damaged(key: str, offset: int) -> DamagedObjectError:
    return damage_error(key, f"{key}, byte {offset}: the result there is damaged")
