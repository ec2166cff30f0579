"""A part's line as bytes: sealed when it is written, checked when it is read."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Protocol

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json

from handlers.domain.result import PartLine, PartPointer
from handlers.errors import CorpusChangedError

_SEAL = re.compile(rb',"seal":"([0-9a-f]{16})"\}\n?\Z')


def sealed(line: PartLine) -> bytes:
    """JSON with a newline; its last field is a digest of all before it: a flipped bit is seen."""
    body = _json(line)[:-1]
    return body + b',"seal":"' + _digest(body) + b'"}\n'


def opened(data: bytes, where: PartPointer | None = None) -> PartLine:
    """The line. CorpusChangedError if it is none, or not as it was written; ``where`` names it there."""
    _check_seal(data, where)
    try:
        return PartLine.model_validate_json(data)
    except ValidationError as error:
        raise _damaged(where) from error


class Place(Protocol):
    """Where a line lies, for the error's sentence."""

    @property
    def key(self) -> str: ...

    @property
    def offset(self) -> int: ...


def parsed(data: bytes, where: Place) -> dict[str, Any]:
    """The line's JSON, not validated again: it was when it was written, and a million are exported at once.
    CorpusChangedError if it is no object with an id, or not as it was written."""
    _check_seal(data, where)
    try:
        line: dict[str, Any] = from_json(data, cache_strings="keys")
        if isinstance(line["id"], str):
            return line
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(where) from error
    raise _damaged(where)


def _json(line: PartLine) -> bytes:
    try:
        return line.model_dump_json().encode()
    except PydanticSerializationError:
        # Half a surrogate pair in some text: one paper's letter must not keep the others' results from disk.
        text = json.dumps(line.model_dump(), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _check_seal(data: bytes, where: Place | None) -> None:
    seal = _SEAL.search(data, max(0, len(data) - 64))
    if seal is not None and _digest(data[: seal.start()]) != seal[1]:
        raise _damaged(where)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:16].encode()


def _damaged(where: Place | None) -> CorpusChangedError:
    place = f"{where.key}, byte {where.offset}" if where is not None else "a part"
    return CorpusChangedError(
        f"{place}: the result there is damaged; `paperfleet repair` keeps the others and sets its paper "
        "back to pending"
    )
