"""From the last user message to the content of the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from handlers.model_server import faults
from handlers.model_server.reply import encoded
from handlers.model_server.server_settings import Fault


class Translator(Protocol):
    """One mode of the server. Placeholders, digits and Latin come back as they were."""

    def translate(self, text: str, glossary: Mapping[str, str]) -> str: ...


@dataclass(frozen=True)
class Content:
    """``fault`` is None where the fault drawn found nothing to damage."""

    text: str
    finish_reason: str = "stop"
    fault: Fault | None = None


def compose(user: str, translator: Translator, fault: Fault | None, chance: float) -> Content:
    """One JSON object of translated segments; plain text for a message that is no such JSON."""
    request = _asked(user)
    if request is None:
        text = translator.translate(user, {})
        return spoiled(text, fault, chance) or Content(text)
    segments, glossary = request
    answer = {key: translator.translate(text, glossary) for key, text in segments.items()}
    if fault is None:
        return Content(encoded(answer))
    damaged = faults.damage(fault, segments, answer, chance)
    if damaged is not None:
        return Content(encoded(damaged), fault=fault)
    text = encoded(answer)
    return spoiled(text, fault, chance) or Content(text)


def spoiled(text: str, fault: Fault | None, chance: float) -> Content | None:
    """Faults of the answer as a whole."""
    if fault == "malformed":
        return Content(faults.not_the_json_asked(text, chance), fault=fault)
    if fault == "refusal":
        return Content(faults.REFUSAL, fault=fault)
    if fault == "length_cut":
        return Content(text[: len(text) // 2], "length", fault)
    if fault in ("reset", "stall", "truncated", "no_usage"):
        return Content(text, fault=fault)
    return None


def _asked(user: str) -> tuple[dict[str, str], dict[str, str]] | None:
    """Segments and glossary of the message, None if it is not what Paperfleet sends. Instructions may stand
    before the JSON, where an endpoint takes no message of the system's."""
    begin = 0 if user.startswith("{") else user.find("\n\n{") + 1
    try:
        message = json.loads(user[begin:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not isinstance(message.get("segments"), dict):
        return None
    glossary = message.get("glossary")
    return _strings(message["segments"]), _strings(glossary) if isinstance(glossary, dict) else {}


def _strings(mapping: dict[str, object]) -> dict[str, str]:
    return {key: value for key, value in mapping.items() if isinstance(value, str)}
