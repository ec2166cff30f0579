"""A part's line as bytes: sealed when it is written, checked when it is read."""

from __future__ import annotations

import hashlib
import re

from pydantic import ValidationError

from handlers.errors import CorpusChangedError
from handlers.models import PartLine, PartPointer

_SEAL = re.compile(rb',"seal":"([0-9a-f]{16})"\}\n?\Z')


def sealed(line: PartLine) -> bytes:
    """JSON with a newline; its last field is a digest of all before it: a flipped bit is seen."""
    body = line.model_dump_json().encode()[:-1]
    return body + b',"seal":"' + _digest(body) + b'"}\n'


def opened(data: bytes, where: PartPointer | None = None) -> PartLine:
    """The line. CorpusChangedError if it is none, or not as it was written; ``where`` names it there."""
    place = f"{where.key}, byte {where.offset}" if where is not None else "a part"
    seal = _SEAL.search(data[-64:])
    if seal is not None and _digest(data[: len(data) - len(seal[0])]) != seal[1]:
        raise _damaged(place)
    try:
        return PartLine.model_validate_json(data)
    except ValidationError as error:
        raise _damaged(place) from error


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:16].encode()


def _damaged(place: str) -> CorpusChangedError:
    return CorpusChangedError(
        f"{place}: the result there is damaged; `paperfleet repair` keeps the others and sets its paper "
        "back to pending"
    )
