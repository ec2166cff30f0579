"""The faults that answers of a schema meet: off the schema, or with a quotation that nobody wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from handlers.model_server.content import Content, spoiled
from handlers.model_server.reply import encoded
from handlers.model_server.server_settings import Fault

_INVENTED = "A sentence that stands in no record at all."


def formed(answer: Any, fault: Fault | None, chance: float) -> Content:
    """The answer as it is sent."""
    if (wrong := damaged(fault, answer, chance)) is not None:
        return Content(encoded(wrong), fault=fault)
    text = encoded(answer)
    return spoiled(text, fault, chance) or Content(text)


def damaged(fault: Fault | None, answer: Any, chance: float) -> Any | None:
    """The answer with the fault; None if it has nothing of the kind to damage."""
    if fault == "off_schema":
        return _off_schema(answer, chance)
    if fault == "invented_quote":
        return _invented(answer, chance)
    return None


def _off_schema(answer: Any, chance: float) -> Any | None:
    """A key is gone, or its value is of a type that nothing can be put right to."""
    if not isinstance(answer, dict) or not answer:
        return None
    kept = [name for name, value in answer.items() if value is not None]  # null may be put right
    if not kept:
        return None
    place = chance * len(kept)
    name = kept[int(place)]
    if place % 1 < 0.5:
        return {key: value for key, value in answer.items() if key != name}
    return answer | {name: {"unasked": [answer[name]]}}


def _invented(answer: Any, chance: float) -> Any | None:
    quotes = list(_quotes(answer))
    if not quotes:
        return None
    holder, key = quotes[int(chance * len(quotes))]
    holder[key] = _INVENTED
    return answer


def _quotes(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Where texts stand whose name says that they are quoted."""
    if isinstance(value, list):
        for each in value:
            yield from _quotes(each)
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str) and "quot" in key.lower():
                yield value, key
            yield from _quotes(inner)
