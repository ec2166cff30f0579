"""Which dollars open and close formulas, in text where OCR lost, escaped or doubled some of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.masking.money_signs import (
    are_two_prices,
    follow_prices,
    may_be_money,
    money,
)

Span = tuple[int, int]

PROSE_RUN = re.compile(
    r"[\u0400-\u04ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
"""Letters of scripts in which no mathematics is written, as runs."""

_RUN = re.compile(r"\$+")
_TEXT_ARGUMENT = re.compile(
    r"\\(?:text|mathrm|mathit|mathbf|mathsf|mathtt|mathcal|mbox|hbox|fbox|operatorname|boldsymbol|bf|rm|it)"
    r"[a-z]{0,8}+\s{0,4}+\{[^{}$]*+(?:\{[^{}$]*+\}[^{}$]*+)*+\}"
)
_BLANK_LINE = re.compile(r"\n[ \t\r]*+\n")
_WORD = re.compile(r"(?<![A-Za-z\\{])[A-Za-z]?[a-z]{3,}+(?![A-Za-z])")
_FORMULA_SIGN = re.compile(r"[A-Za-z0-9\\=<>+±×÷~∼^_|∞∑∫≤≥≈→←↑↓°%Α-ω]")
_NO_BEGINNING, _NO_END = frozenset("，。；：、！？）】》,;)"), frozenset("，。；：、（【《(")
_PRICE = re.compile(r"\A\s?\d[\d,.]*+\s+[A-Za-z]")
_OF_UNIT = re.compile(r"/[A-Za-z]")
"""Of `$/kg`."""

_NEVER = 1e9
_STRAY = 3.0
_MONEY = 0.5
_ESCAPED_CLOSER = 1.0
_LEFT_ESCAPED = 0.5
_PROSE_AFTER_ESCAPED = 2.0
_LONGEST_RUN = 4
"""More dollars in a row than `$a$$$b$$` has are nobody's formula."""
_MOST_DOLLARS = 50_000
"""Beyond it the cheapest pairing is not sought, and unpaired ones stay text: no paper has as many."""
_LOOKAHEAD = 4
"""Dollars that an opener looks at for its closer: escaped ones, and the first that is not."""
_LONGEST_GAP = 40
_QUICK = rare_pattern(r"\$[^$\n\u0400-\u04ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,2000}+\$")


class _Money(NamedTuple):
    """Places of dollars that are a price's unless they fit a formula, and of those that may be."""

    likely: frozenset[int]
    maybe: frozenset[int]


def dollar_spans(text: str, *, prices: bool = True) -> list[Span]:
    """Disjoint (start, end) of formulas, of dollars that belong to none, and of escaped dollars; those of
    ``prices`` are text.

    The pairing with the least total badness is taken, so a stray dollar costs its own reading and
    does not shift those after it. Linear in the text.
    """
    if text.count("$") > _MOST_DOLLARS:
        return [match.span() for match in _QUICK.finditer(text)]
    places, escaped, opaque = _dollars(text)
    if prices and follow_prices(text, places):
        return opaque
    paid = frozenset[int]()
    maybe = may_be_money(text) if prices else paid
    if maybe:
        places, escaped, paid = _without_money(text, places, escaped, maybe)
    spans = list(_cheapest(text, places, escaped, _Money(paid, maybe)))
    if paid:
        places, escaped = _but(places, escaped, {start for start, end in spans if start == end})
        spans = [(start, end) for start, end in spans if start < end]
    return sorted(_seen_by_counting(text, places, escaped, spans) + opaque)


def _without_money(
    text: str, places: list[int], escaped: list[bool], maybe: frozenset[int]
) -> tuple[list[int], list[bool], frozenset[int]]:
    """What is left without dollars that are surely money, and those of it that likely are."""
    alone = [
        place
        for place, slashed in zip(places, escaped, strict=True)
        if place in maybe
        and not slashed
        and "$" not in (text[place - 1 : place], text[place + 1 : place + 2])
    ]
    sure, likely = money(text, alone)
    if sure:
        places, escaped = _but(places, escaped, sure)
    return places, escaped, likely


def _but(places: list[int], escaped: list[bool], prices: Collection[int]) -> tuple[list[int], list[bool]]:
    left = [each for each in zip(places, escaped, strict=True) if each[0] not in prices]
    return [place for place, _ in left], [slashed for _, slashed in left]


def is_formula(body: str) -> bool:
    """True unless the text reads as prose: a long run of letters no mathematics is written in."""
    return _badness(body, display=True) < _NEVER


def _dollars(text: str) -> tuple[list[int], list[bool], list[Span]]:
    """Positions of single dollars, whether a backslash escapes each, and runs too long to be any."""
    places: list[int] = []
    escaped: list[bool] = []
    opaque: list[Span] = []
    for match in _RUN.finditer(text):
        start, end = match.span()
        if end - start == 1 and text[start - 1 : start] != "\\":  # mostly
            places.append(start)
            escaped.append(False)
            continue
        if end - start > _LONGEST_RUN:
            opaque.append((start, end))
            continue
        slash = start
        while slash and text[slash - 1] == "\\":
            slash -= 1
        places.extend(range(start, end))
        escaped.extend([bool((start - slash) % 2)] + [False] * (end - start - 1))
    return places, escaped, opaque


def _cheapest(text: str, places: list[int], escaped: list[bool], money: _Money) -> Iterator[Span]:
    """Viterbi from the end: each dollar is escaped, stray, the opener of a formula, or a price's: an empty
    span."""
    paid = money.likely
    count = len(places)
    best = [0.0] * (count + 1)
    choice = [0] * count
    """Index of the dollar at which the reading of this one ends."""
    for at in range(count - 1, -1, -1):
        if escaped[at]:
            best[at], choice[at] = _LEFT_ESCAPED + best[at + 1], at
            continue
        best[at], choice[at] = (_MONEY if paid and places[at] in paid else _STRAY) + best[at + 1], at
        for last, cost in _closers(text, places, escaped, at, money.maybe):
            if cost + best[last + 1] < best[at]:
                best[at], choice[at] = cost + best[last + 1], last
    at = 0
    while at < count:
        start = places[at] - escaped[at]
        is_price = paid and choice[at] == at and places[at] in paid
        yield start, start if is_price else places[choice[at]] + 1
        at = choice[at] + 1


def _closers(
    text: str, places: list[int], escaped: list[bool], at: int, maybe: frozenset[int]
) -> Iterator[tuple[int, float]]:
    """(index of the last dollar, badness) of each formula that could open here."""
    count = len(places)
    double = at + 1 < count and places[at + 1] == places[at] + 1
    first = at + 1 + double
    start = places[first - 1] + 1
    for last in range(first, min(count, first + _LOOKAHEAD)):
        body = text[start : places[last]]
        if escaped[last]:
            if not double:
                yield last, _badness(body[:-1], display=False) + _ESCAPED_CLOSER
            continue
        if not double:
            bad = _badness(body, display=False) + _priced(text, body, places[last])
            if places[at] in maybe and _is_between_prices(body, text[places[last] + 1 : places[last] + 3]):
                bad = _NEVER
            yield last, bad + _PROSE_AFTER_ESCAPED * (last > first and _prose_after(text, places, last))
        elif last + 1 < count and places[last + 1] == places[last] + 1:
            yield last + 1, _badness(body, display=True)
        return


def _badness(body: str, *, display: bool) -> float:
    """0 for what is surely a formula, up to _NEVER for prose."""
    inner = body.strip()
    if not inner or (not display and "\n" in body and _BLANK_LINE.search(body)):
        return _NEVER
    bare = _TEXT_ARGUMENT.sub("", body) if "{" in body else body
    bad = 0.0
    if not bare.isascii():
        runs = [len(run) for run in PROSE_RUN.findall(bare)]
        if runs and (max(runs) > 6 or sum(runs) > 12 or not _FORMULA_SIGN.search(bare)):
            return _NEVER
        bad += min(5.0, 1.5 * sum(runs))
    words = len(_WORD.findall(bare))
    if words > 4 and not display:
        return _NEVER
    bad += 1.0 * max(0, words - 1)
    if not _FORMULA_SIGN.search(body):
        bad += 2.5
    if inner[0] in _NO_BEGINNING or inner[-1] in _NO_END:
        bad += 1.0
    if body.count("{") != body.count("}"):
        bad += 1.0
    return bad


def _priced(text: str, body: str, closer: int) -> float:
    """`$5 and $10` are two prices."""
    follows = text[closer + 1 : closer + 2]
    return _NEVER if follows.isdecimal() and _PRICE.match(body) else 0.0


def _is_between_prices(body: str, after: str) -> bool:
    """So are `$25至$50` and `30 $/t to 40 $/t`, which the first masking did not know."""
    return _OF_UNIT.match(body) is not None or are_two_prices(body, after)


def _prose_after(text: str, places: list[int], last: int) -> bool:
    return PROSE_RUN.search(text, places[last - 1], places[last]) is not None


def _seen_by_counting(text: str, places: list[int], escaped: list[bool], spans: list[Span]) -> list[Span]:
    """The spans, joined where a reader who pairs unescaped dollars by counting would see a formula.

    Both readings' formulas survive then. Only text with a stray or escaped dollar is concerned.
    """
    plain = [place for place, slashed in zip(places, escaped, strict=True) if not slashed]
    ours = dict(spans)
    gaps = [
        (start, end + 1)
        for start, end in zip(plain[::2], plain[1::2], strict=False)
        if ours.get(start, 0) <= end and _is_short_gap(text, max(start + 1, ours.get(start, 0)), end)
    ]
    return _union(text, sorted(spans + gaps))


def _is_short_gap(text: str, start: int, end: int) -> bool:
    if not 0 < end - start <= _LONGEST_GAP:
        return False
    gap = text[start:end]
    return not (PROSE_RUN.search(gap) or _WORD.search(gap) or _BLANK_LINE.search(gap))


def _union(text: str, spans: list[Span]) -> list[Span]:
    """Overlapping spans joined, and stray dollars side by side."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and (start < merged[-1][1] or _two_strays(text, merged[-1], start, end)):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _two_strays(text: str, before: Span, start: int, end: int) -> bool:
    return before[1] == start and end - start == 1 and not text[before[0] : start].strip("$")
