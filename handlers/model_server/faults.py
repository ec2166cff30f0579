"""Which fault a request meets, and the damage that the content faults do to a good answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from handlers.domain.writing_systems import HAN_AND_MARKS
from handlers.model_server.server_settings import FAULTS, Fault

REFUSAL = "I'm sorry, but I can't help with translating this text."

_PLACEHOLDER = re.compile(r"⟦[^⟦⟧]{0,32}⟧")
_NUMBER = re.compile(r"(?<![\w⟦.])\d++(?!⟧)")
_HAN = re.compile(f"[{HAN_AND_MARKS}]")

Segments = dict[str, str]
_Change = Callable[[str], str]


def pick(rates: Mapping[Fault, float], uniform: float) -> Fault | None:
    """The fault whose stretch of [0, 1) holds ``uniform``; the rest of it is no fault."""
    edge = 0.0
    for fault in FAULTS:
        edge += rates[fault]
        if uniform < edge:
            return fault
    return None


def damage(fault: Fault, source: Segments, answer: Segments, chance: float) -> Segments | None:
    """The answer's segments, damaged; None if this answer has nothing of the kind to damage."""
    if fault == "dropped_placeholder":
        return _changed(answer, _PLACEHOLDER, chance, lambda _: "")
    if fault == "wrong_numbers":
        return _changed(answer, _NUMBER, chance, lambda number: str(int(number[-9:]) + 3))
    if fault == "source_left":
        return _left(source, answer)
    if fault == "dropped_segment":
        return _without_one(answer, chance)
    if fault == "added_structure":
        return _structured(answer, chance)
    return None


def not_the_json_asked(content: str, chance: float) -> str:
    """Prose in place of JSON, or JSON that breaks off inside a string."""
    if chance < 0.5:
        return "Certainly, this is what the text says. " + re.sub(r'[{}"\[\]]', " ", content)
    return content[: max(1, len(content) - 4)] if len(content) < 40 else content[: len(content) * 3 // 4]


def _changed(answer: Segments, pattern: re.Pattern[str], chance: float, change: _Change) -> Segments | None:
    """One match of ``pattern``, chosen by chance, changed."""
    places = [(key, match) for key, text in answer.items() for match in pattern.finditer(text)]
    if not places:
        return None
    key, match = places[int(chance * len(places))]
    text = answer[key]
    return {**answer, key: text[: match.start()] + change(match.group()) + text[match.end() :]}


def _left(source: Segments, answer: Segments) -> Segments | None:
    """The segment with the most Han characters, untranslated."""
    han = {key: len(_HAN.findall(text)) for key, text in source.items()}
    key = max(han, key=han.__getitem__, default=None)
    return {**answer, key: source[key]} if key is not None and han[key] else None


def _without_one(answer: Segments, chance: float) -> Segments | None:
    dropped = list(answer)[int(chance * len(answer))] if answer else None
    return None if dropped is None else {key: text for key, text in answer.items() if key != dropped}


def _structured(answer: Segments, chance: float) -> Segments | None:
    """A text of a body as a heading, or with a blank line after a word before it. An abstract's is left: it
    may have paragraphs of its own."""
    keys = [key for key in answer if key.startswith("body/")]
    if not keys:
        return None
    place = chance * len(keys)
    key = keys[int(place)]
    before = "## " if place % 1 < 0.5 else "Translation\n\n"
    return {**answer, key: before + answer[key]}
