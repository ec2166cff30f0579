"""Whether a translation has the numbers of its source: none dropped, none changed, none invented.

Every mention of digits in the source must be accounted for by digits or words of the answer; every
mention of digits in the answer by digits or numerals of the source. What no value accounts for, an
amount may: both sides in base units (``18 ka`` is ``1.8万年``). Numerals that are words (``一些``,
``四川``) are never demanded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.gate.amounts import tokens_in, tokens_of
from handlers.tasks.translation.gate.changed_words import (
    changed_names,
    changed_romans,
    changed_shares,
    value_of,
    words_to_explain,
)
from handlers.tasks.translation.gate.chinese_numerals import implied_in, in_chinese
from handlers.tasks.translation.gate.contradictions import contradictions, turned_powers
from handlers.tasks.translation.gate.directions import turned_directions
from handlers.tasks.translation.gate.english_numerals import in_english, numeral
from handlers.tasks.translation.gate.first_look import first_look
from handlers.tasks.translation.gate.implied_numbers import IN_FORMULA, implied_in_english, names_substance
from handlers.tasks.translation.gate.mentions import Mention, Reading, found_in, mentions, plain_readings
from handlers.tasks.translation.gate.written_digits import flat, with_origin

_LINE_NUMBER = re.compile(r"\n\s?[0-9]{1,3}號? +")
"""A manuscript's numbers of lines, that text recognition took along: never demanded."""
_INVERSE = rare_pattern(r"(?:⁻\^|(?:(?<=[·•][a-zμµ])|(?<=[·•][a-z]{2}))[-−–])1(?![0-9.])")
"""The exponent of a unit, ``mg·L⁻¹``: not demanded where the answer says ``/`` or ``per``."""
_SHORT_POWER = re.compile(r"[0-9]e[-−][0-9]{1,3}(?![0-9a-z])")
"""``3e-5``, which implies a 10."""
# The context is looked up behind the first digit, not before it: so the search runs from digit to digit.
_WHOLE_DIGITS = re.compile(
    r"[0-9](?<![0-9.,].)(?:[0-9]{1,14}|[0-9]{0,14}\.[0-9]{1,15})(?![0-9.,]*[0-9])", re.DOTALL
)
"""Numbers of two digits or more, whole: no pieces of lists and versions."""
_LONG_DIGITS = re.compile(r"[0-9](?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
"""All of these and others."""
_DIGIT = re.compile("[0-9]")
_SHORT = 6
"""Characters of a source without digits up to which number words are not compared: keywords."""
_FAR = 24
"""Characters after a number in which its scale and unit stand."""
_QUOTED_DATE = rare_pattern(r"[“\"‘'「]\s?(1[0-2]|0?[1-9])[.·・•∙](3[01]|[12][0-9]|0?[1-9])(?![0-9.])")


@dataclass(frozen=True)
class Comparison:
    """Mentions as they are written, in lower case."""

    missing: tuple[str, ...]
    """In the source, not in the answer."""
    invented: tuple[str, ...]
    """In the answer, not explained by the source."""
    doubtful: tuple[str, ...]
    """Not explained, and no reason to refuse: digits in names and units, numbering of a list."""
    contradicted: tuple[str, ...] = ()
    """Sentences: what can only be damage, of numbers that both texts have."""
    uncertain: tuple[str, ...] = ()
    """Sentences: what a good translation may have, and is asked about."""


_SAME = Comparison((), (), ())


class _Texts(NamedTuple):
    """Both texts with plain digits, in lower case and as they are written; both are of one length."""

    source: str
    answer: str
    cased_source: str
    cased_answer: str

    @classmethod
    def of(cls, source: str, answer: str) -> _Texts:
        cased_one, cased_other = flat(source), flat(answer)
        one, other = cased_one.lower(), cased_other.lower()
        same = len(one) == len(cased_one), len(other) == len(cased_other)
        return cls(one, other, cased_one if same[0] else one, cased_other if same[1] else other)


def compare(source: str, answer: str) -> Comparison:
    """Compare two texts without placeholders. Linear in their length."""
    if len(source) <= _SHORT and source.isalpha() and answer.isascii() and not _DIGIT.search(answer):
        return _SAME
    texts = _Texts.of(source, answer)
    in_source, in_answer = mentions(texts.source), mentions(texts.answer)
    if not in_source and not in_answer:
        unsaid = _unsaid(texts, in_source) if len(source) > _SHORT else []
        return Comparison((), (), (), (), tuple(unsaid)) if unsaid else _SAME
    demanded = _demanded(texts, in_source)
    in_source |= demanded
    lost, new = demanded - in_answer, in_answer - in_source
    missing = _unaccounted(lost, in_answer, texts.cased_source, texts.cased_answer) if lost else []
    unexplained = _unaccounted(new, in_source, texts.cased_answer, texts.cased_source) if new else []
    look = first_look(texts.cased_source, texts.cased_answer) if in_source and in_answer else None
    against = contradictions(texts.cased_source, texts.cased_answer, look) if look else []
    changed = _renamed(texts) if look and look.named else []
    if in_source or len(source) > _SHORT:
        changed += _unsaid(texts, in_source)
    if look and not against:
        changed += turned_directions(texts.source, texts.answer)
    turned = turned_powers(texts.source, texts.answer) if look else []
    if not missing and not unexplained and not against and not changed and not turned:
        return _SAME
    known = _known(texts.source, in_source) if unexplained else set()
    invented = [mention for mention in unexplained if not _holds(mention.rest, known)]
    doubtful = [mention for mention in unexplained if mention not in invented]
    certain = (*sorted(found.sentence for found in against if found.certain), *turned)
    uncertain = (*sorted(found.sentence for found in against if not found.certain), *changed)
    return Comparison(_texts(missing), _texts(invented), _texts(doubtful), certain, uncertain)


def _demanded(texts: _Texts, in_source: set[Mention]) -> set[Mention]:
    """The mentions of the source that the answer must account for."""
    text = _LINE_NUMBER.sub("\n", texts.source) if "\n" in texts.source else texts.source
    inverse = "⁻" in text or "·" in text or "•" in text
    if inverse and ("/" in texts.answer or "per" in texts.answer):
        text = _INVERSE.sub("", text)
    return in_source if text == texts.source else mentions(text)


def _renamed(texts: _Texts) -> list[str]:
    """Doubts about names that have digits."""
    names = changed_names(texts.cased_source, texts.cased_answer)
    return [f"{new} seems to stand for {old}" for old, new in names]


def _unsaid(texts: _Texts, in_source: set[Mention]) -> list[str]:
    """A doubt about numbers in words."""
    changed = [f"{new} seems to stand for {old}" for old, new in changed_romans(texts.source, texts.answer)]
    if shares := changed_shares(texts.source, texts.answer):
        return [*changed, *shares]
    unsaid, new = words_to_explain(texts.source, texts.answer)
    if not unsaid or not new:
        return changed
    known = _values(in_source)
    for read in (_spelled, _implied):
        known |= read(texts.source)
        new = [word for word in new if known.isdisjoint(value_of(word))]
        if not new:
            return changed
    return [*changed, f"{unsaid[0]} is not said, and {new[0]} is not in the source"]


def _known(text: str, numbers: set[Mention]) -> set[str]:
    return _values(numbers) | _spelled(text) | _implied(text)


def places(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and mention of every number of digits in a text, the mention as ``compare`` writes it."""
    plain, origin = with_origin(text)
    for match, mention in found_in(plain):
        yield origin[match.start()], origin[match.end() - 1] + 1, mention.text


def rarer(source: str, answer: str) -> tuple[str, ...]:
    """Numbers of two digits or more that both texts have in digits, the answer fewer times. A good
    translation may say "10% each": a reviewer should look, no more."""
    numbers = _LONG_DIGITS.findall(source)
    if len(set(numbers)) == len(numbers):
        return ()
    numbers = _WHOLE_DIGITS.findall(source)
    if len(set(numbers)) == len(numbers):
        return ()  # one that stands once cannot stand less often and still be there
    in_answer = Counter(_WHOLE_DIGITS.findall(answer))
    times = Counter(numbers)
    return tuple(sorted(number for number in times if 0 < in_answer[number] < times[number]))


def _spelled(text: str) -> set[str]:
    values = in_english(text)
    return values if text.isascii() else values | in_chinese(text)


def _implied(text: str) -> set[str]:
    values = implied_in_english(text, numeral)
    if ("e-" in text or "e−" in text) and _SHORT_POWER.search(text):
        values.add("10")
    return values if text.isascii() else values | implied_in(text) | _dates(text)


def _dates(text: str) -> set[str]:
    """Month and day of ``“5.12”``."""
    return {str(int(part)) for date in _QUOTED_DATE.findall(text) for part in date}


def _unaccounted(wanted: set[Mention], others: set[Mention], own: str, other: str) -> list[Mention]:
    """Words of the other text are read only when its digits do not suffice, and amounts when its words do
    not: mostly they do."""
    known = _values(others)
    left = [mention for mention in wanted if not _holds(mention.readings, known)]
    if not left:
        return left
    lower = other.lower()
    for read in (_spelled, _implied):
        known |= read(lower)
        left = [mention for mention in left if not _holds(mention.readings, known)]
        if not left:
            return left
    if names_substance(lower):
        left = [mention for mention in left if (IN_FORMULA,) not in mention.readings]
    if not left:
        return left
    explained = _by_amount(set(left), known, own, other)
    return [mention for mention in left if mention not in explained]


def _by_amount(left: set[Mention], known: set[str], own: str, other: str) -> set[Mention]:
    """Those that everywhere stand in amounts, or dates in quotes, that the other text has as well."""
    written = [way for found, _ in found_in(other.lower()) for ways in _ways(other, found) for way in ways]
    tokens = tokens_of(other, written)
    dated = {match.start(1) for match in _QUOTED_DATE.finditer(own) if known.issuperset(_dates(match[0]))}
    explained: set[Mention] = set()
    unexplained: set[Mention] = set()
    for found, mention in found_in(own.lower()):
        if mention in left:
            good = found.start() in dated or all(
                (known.issuperset(plain_readings(ways[0][1])[0]) and not any(found.group(5, 7, 10, 12)))
                or any(not tokens.isdisjoint(tokens_in(*way)) for way in ways)
                for ways in _ways(own, found)
            )
            (explained if good else unexplained).add(mention)
    return explained - unexplained


def _ways(text: str, found: re.Match[str]) -> Iterator[list[tuple[str, str]]]:
    """For each number of a mention the number with what may belong to it: for the first of a range
    (``2~3万年``) also what follows the second."""
    first, second = found[1], found[9]
    after = text[found.end(1) : found.end(1) + _FAR]
    if not second:
        yield [(after, first)]
        return
    rest = text[found.end(9) : found.end(9) + _FAR]
    yield [(after, first), (rest, first)]
    yield [(rest, second)]


def _holds(readings: tuple[Reading, ...], known: set[str]) -> bool:
    for reading in readings:  # noqa: SIM110 (any() costs three times as much here)
        if known.issuperset(reading):
            return True
    return False


def _values(numbers: set[Mention]) -> set[str]:
    return set().union(*(mention.values for mention in numbers))


def _texts(numbers: list[Mention]) -> tuple[str, ...]:
    return tuple(sorted(mention.text for mention in numbers))
