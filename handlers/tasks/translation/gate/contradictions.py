"""Where both texts have a number and say different things of it: another sign, comparison or unit, or two
numbers that have changed places.

What can only be damage is *certain*; the rest is a *doubt*, for a good translation may put it so.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.gate.claims import Claim, claims, sentences
from handlers.tasks.translation.gate.first_look import FirstLook
from handlers.tasks.translation.gate.units import AMBIGUOUS

_FALLING = rare_pattern(
    r"decreas|declin|reduc|drop|fell|fall|lower|loss|lost|negativ|minus|below|down|cool|deficit|shr[iau]nk|less"
    r"|zero|降|减|负|零下|低|跌|缩|亏|below"
)
_TO = re.compile(r"(?:\bto|至|到)\s?$")
"""What falls *to* a number does not say its sign; in ``3 to 5`` it joins."""
_PER_MILLE = re.compile("‰|千分|per ?mil|per thousand", re.IGNORECASE)
_NEAR = 48
_SIGNS = "-−–﹣－⁻"
_POWER = re.compile(
    rf"10(?<![0-9]..)(?:\^|\*\*|\x00|(?=⁻))[{{(]?(?P<sign>[{_SIGNS}]?)\+?\^?(?P<power>[0-9]{{1,3}})(?![0-9.])"
    rf"|(?P<loose>[×*·⋅] ?10[{_SIGNS}])(?P<after>[0-9]{{1,2}})(?![0-9.])"
    rf"|[0-9]e(?P<minus>[{_SIGNS}]?)\+?(?P<short>[0-9]{{1,3}})(?![0-9a-z.])"
)
"""``10^-5``, ``10⁻⁵`` as it is once flat, with a masked tag, with a lost superscript, and ``3e-5``."""
_SOME = ("0^", "0⁻", "0\x00", "0**", "×10", "× 10", "·10", "e-", "e−", "e+")
"""One of these stands in a text with a power that is told, but for ``3e5``."""
_SHARE = ("/", " in", "per", "每", "分之")
"""With one of these before it a power is a divisor."""
_YEAR = re.compile("1[5-9][0-9]{2}|20[0-9]{2}")
_BETWEEN = re.compile(r"(?:to|and|or|per)\b")
_JOINING = frozenset(("", *"和与及或至到"))
_TIME = frozenset({"s", "month"})
_COMPARED = rare_pattern(r"\b(?:from|than|versus|vs|compared|against|relative|respectively)\b|由|从|比|较")


class Contradiction(NamedTuple):
    sentence: str
    certain: bool


_Claims = Mapping[str, list[Claim]]


def contradictions(source: str, answer: str, look: FirstLook) -> list[Contradiction]:
    """Of two flat texts that keep their case, after a first look; linear in their length."""
    found: list[Contradiction] = []
    if "‰" in answer and not _PER_MILLE.search(source):
        found.append(Contradiction("‰ stands where the source has none", certain=True))
    if look.disputed:
        in_source, in_answer = claims(source, look.disputed), claims(answer, look.disputed)
        one, other = _by_value(in_source), _by_value(in_answer)
        found += [
            *_signs(one, other, source, answer),
            *_directions(one, other),
            *_units(in_source, in_answer),
        ]
    if look.exchanged and not found:
        both = frozenset(look.exchanged)
        found += _exchanged(claims(source, both), claims(answer, both), source, answer)
    return found


def _by_value(found: list[Claim]) -> _Claims:
    by_value: defaultdict[str, list[Claim]] = defaultdict(list)
    for claim in found:
        by_value[claim.value].append(claim)
    return by_value


def _signs(one: _Claims, other: _Claims, source: str, answer: str) -> Iterator[Contradiction]:
    for value, said in one.items():
        there = other.get(value)
        if not there or value == "0":
            continue
        mine, theirs = {claim.sign for claim in said}, {claim.sign for claim in there}
        if mine == {-1} and theirs == {1} and not any(_is_falling(answer, claim) for claim in there):
            yield Contradiction(f"the minus sign of {value} is missing", certain=True)
        elif theirs == {-1} and mine == {1} and not any(_is_falling(source, claim) for claim in said):
            yield Contradiction(f"{value} is negative and in the source it is not", certain=False)


def _is_falling(text: str, claim: Claim) -> bool:
    """``下降了3.2%`` for -3.2%; not so where the number is what a symbol equals."""
    before = text[max(0, claim.start - _NEAR) : claim.start]
    if (joint := _TO.search(before)) and not re.search("[0-9]", before[max(0, joint.start() - 8) :]):
        return False
    return not before.rstrip().endswith(("=", "＝")) and bool(
        _FALLING.search(before.lower())
        or _FALLING.search(text[claim.start : claim.start + _NEAR // 2].lower())
    )


def _directions(one: _Claims, other: _Claims) -> Iterator[Contradiction]:
    for value, said in one.items():
        mine = Counter(claim.direction for claim in said)
        theirs = Counter(claim.direction for claim in other.get(value, ()))
        for way in (-1, 1):
            if theirs[way] > mine[way] and theirs[-way] < mine[-way]:
                symbols = all(claim.symbol for claim in (*said, *other[value]) if claim.direction)
                sentence = f"“{'less' if way < 0 else 'more'} than {value}” is the opposite of the source's"
                yield Contradiction(sentence, certain=symbols and mine[way] == 0)


def _units(in_source: list[Claim], in_answer: list[Claim]) -> Iterator[Contradiction]:
    """One number with one unit here and another there, and neither amount has its like on the other side."""
    mine, theirs = _only_here(in_source, in_answer), _only_here(in_answer, in_source)
    for number in mine.keys() & theirs.keys():
        (left, left_symbol), (right, right_symbol) = mine[number], theirs[number]
        kinds = {left, right}
        same = left == right or kinds == _TIME
        if same or not ({left_symbol, right_symbol} & AMBIGUOUS):
            sentence = f"{number} {right_symbol} stands for {number} {left_symbol}"
            yield Contradiction(sentence, certain=same)


def _only_here(here: list[Claim], there: list[Claim]) -> dict[str, tuple[str, str]]:
    """Dimension and unit by number (without scale), of the amounts that the other text has not."""
    known = {(claim.amount.unit[0], claim.amount.base) for claim in there if claim.amount.unit}
    bare = {claim.value for claim in there if not claim.amount.unit}
    return {
        claim.amount.number: (claim.amount.unit[0], claim.amount.symbol)
        for claim in here
        if claim.amount.unit
        and (claim.amount.unit[0], claim.amount.base) not in known
        and claim.value not in bare
    }


def _exchanged(
    in_source: list[Claim], in_answer: list[Claim], source: str, answer: str
) -> Iterator[Contradiction]:
    """Two numbers of one unit in one sentence that stand in the other order."""
    if len(in_source) != 2 or len(in_answer) != 2:
        return
    (first, second), (right, left) = in_source, in_answer
    parts = list(sentences(source, [first.start, second.start]))
    if parts[0] != parts[1] or not _are_alike(first, second, source):
        return
    if not _COMPARED.search(answer[right.start : left.start].lower()):
        yield Contradiction(f"{second.value} and {first.value} seem to have changed places", certain=False)


def _are_alike(first: Claim, second: Claim, text: str) -> bool:
    """Of one unit; without one, both whole numbers or both decimals, no years, and of the same things."""
    if first.amount.unit or second.amount.unit:
        return first.amount.unit == second.amount.unit
    counted = {mark for claim in (first, second) if (mark := _counted(text, claim)) not in _JOINING}
    numbers = first.amount.number, second.amount.number
    return (
        len(counted) < 2
        and ("." in numbers[0]) == ("." in numbers[1])
        and not any(map(_YEAR.fullmatch, numbers))
    )


def _counted(text: str, claim: Claim) -> str:
    """The letter after a number: ``例`` of ``30例``; "" for ``20 to``."""
    after = text[claim.start : claim.start + 40].lstrip("0123456789., ")
    return after[:1] if after[:1].isalpha() and not _BETWEEN.match(after) else ""


def turned_powers(source: str, answer: str) -> list[str]:
    """Sentences about powers of ten of two flat, lower-case texts whose sign is another. Linear in them."""
    some = ("10" in source or "e" in source) and any(map(source.__contains__, _SOME))
    mine = _powers(source) if some else set()
    theirs = _powers(answer) if mine else set()
    return [
        f"10 to the power of {'' if negative else '-'}{power} stands for {'-' if negative else ''}{power}"
        for negative, power in sorted(mine - theirs)
        if (not negative, power) in theirs - mine
    ]


def _powers(text: str) -> set[tuple[bool, str]]:
    """Whether each is negative, and the power."""
    return set(_powers_in(text))


def _powers_in(text: str) -> Iterator[tuple[bool, str]]:
    for match in _POWER.finditer(text):
        negative = bool(match["sign"] or match["loose"] or match["minus"])
        power = (match["power"] or match["after"] or match["short"]).lstrip("0")
        if power and not text[max(0, match.start() - 4) : match.start()].rstrip().endswith(_SHARE):
            yield negative, power
