"""What masking promises, checked on the unmasked text: every span as often as in the source."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from handlers.domain.result import Check
from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.masking.masking import PLACEHOLDER, Masked

CHECK = "mathematics"

_ADDED = re.compile(r"\$|\\[()\[\]]|\\[A-Za-z]{2,}+")
_CURRENCIES = {"": "USD", "US": "USD", "A": "AUD", "C": "CAD", "HK": "HKD", "NT": "TWD", "S": "SGD"}
_MONEY = rare_pattern(r"(?<![A-Za-z$\\])(US|A|C|HK|NT|S)?\$ ?(?=\d)(?![\d.,]++\$)")


def tidy(source: str, answer: str, spans: dict[str, str]) -> str:
    """An answer, still masked, in which formulas cannot run into their neighbours when unmasked.

    Where the source has no Latin letter, digit or formula directly beside a formula, a space is put
    between them: `$a$$b$` and `$x$5` are read as something else. Dollar amounts get a currency code,
    because a dollar would open a formula.
    """
    if "$" in answer and "$" not in source:
        answer = _with_currency_codes(answer)
    if "⟦" not in answer:
        return answer
    touching = _touching(source, spans)
    pieces: list[str] = []
    at = 0
    for match in PLACEHOLDER.finditer(answer):
        start, end = match.span()
        before, after = (match[1], "before"), (match[1], "after")
        formula = spans.get(match[1], "").startswith("$")
        pieces.append(answer[at:start])
        if formula and before not in touching and _touches(answer, start - 1) and answer[at:start]:
            pieces.append(" ")
        pieces.append(match[0])
        if formula and after not in touching and _touches(answer, end):
            pieces.append(" ")
        at = end
    return "".join(pieces) + answer[at:]


def added_markup(source: str, answer: str) -> str:
    """A sentence naming formulas or commands of the model's own, "" if there are none."""
    if "$" not in answer and "\\" not in answer:
        return ""
    allowed, marks = _ADDED.findall(source), _ADDED.findall(answer)
    if len(marks) <= len(allowed):
        return ""
    new = [mark for mark in dict.fromkeys(marks) if mark not in allowed] or marks
    return f"write no LaTeX or dollar signs that the source text has not: {', '.join(new[:8])}"


Exact = tuple[str, str, str, Masked]
"""Key, source, result, the source masked."""


def exactness(pairs: Iterable[Exact]) -> Check:
    """Verdict over counts of every span in source and result."""
    return exactness_check(sentence for each in pairs for sentence in inexact(each))


def exactness_check(sentences: Iterable[str]) -> Check:
    wrong = list(islice(sentences, 8))
    return Check(name=CHECK, verdict="fail" if wrong else "pass", detail="; ".join(wrong))


def inexact(each: Exact, bounded: str = "") -> Iterator[str]:
    """A sentence for each span that stands more or less often than it may. ``bounded``: what a span begins
    with that may not stand more often; "" is any. (``【2】`` is well translated as ``[2]``, whether or not
    a masked ``[2]`` stands beside it.)"""
    key, source, result, masked = each
    for span, least in Counter(masked.spans).items() if masked.spans else ():
        # A joined span can stand once more in the source by chance, over the edges of others.
        count, most = result.count(span), max(least, source.count(span))
        if count < least or (count > most and (not bounded or span[0] in bounded)):
            yield f"{key}: {span[:60]!r} stands {count} times, {most} in the source"


def _with_currency_codes(answer: str) -> str:
    if len(_MONEY.findall(answer)) != answer.count("$"):
        return answer
    return _MONEY.sub(lambda match: f"{_CURRENCIES[match[1] or '']} ", answer)


def _touching(source: str, spans: dict[str, str]) -> set[tuple[str, str]]:
    """(placeholder's number, side) where the source itself has something directly beside a formula."""
    touching: set[tuple[str, str]] = set()
    for match in PLACEHOLDER.finditer(source):
        if match[1] in spans:
            if _touches(source, match.start() - 1):
                touching.add((match[1], "before"))
            if _touches(source, match.end()):
                touching.add((match[1], "after"))
    return touching


def _touches(text: str, at: int) -> bool:
    if not 0 <= at < len(text):
        return False
    character = text[at]
    return character in "⟦⟧" or (character.isascii() and character.isalnum())
