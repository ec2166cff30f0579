"""Values of numbers as canonical decimal strings (``30.5``) or fractions (``3/4``)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal


def canonical(number: str) -> str:
    """``0030.50`` → ``30.5``."""
    whole, _, rest = number.partition(".")
    whole, rest = whole.lstrip("0") or "0", rest.rstrip("0")
    return f"{whole}.{rest}" if rest else whole


def plain(number: Decimal) -> str:
    """The canonical string of a number."""
    return canonical(f"{number:f}")


def fraction(part: int | Decimal, whole: int) -> Iterator[str]:
    """``3/4`` as it may be written: 3 and 4, 0.75, ``%75``, rounded to several places. Not bare
    3 and 1000: that is a per mille taken for a percentage; of a million parts nobody takes it so."""
    yield f"{part}/{whole}"
    if whole < 1000:
        yield str(whole)
    if whole != 1000:
        yield str(part)
    share = Decimal(part) / Decimal(whole)
    for places in (1, 2, 3, 4):
        yield canonical(f"{share:.{places}f}")
    for places in (0, 1, 2):
        yield "%" + canonical(f"{share * 100:.{places}f}")


def with_tail(value: str, tail: str) -> Iterator[str]:
    """What a number may become with the word after it: ``80年代`` → 1980, ``3成`` → 30."""
    if len(value) > 9:
        return
    number = Decimal(value) if "/" not in value else Decimal(0)
    if tail in ("年代", "后", "年") and len(value) <= 2:
        yield from (str(century + int(number)) for century in (1900, 2000, 1800))
    elif tail == "世纪" and "." not in value:
        yield str(100 * (int(number) - 1))
    elif tail == "‰" or tail.startswith(" per"):
        yield from (share := canonical(f"{number / 10:f}"), f"%{share}")
    elif tail == "成":
        yield canonical(f"{number * 10:f}")
    elif tail == "倍":
        yield from (canonical(f"{x:f}") for x in (number + 1, number * 100, number * 100 + 100))
    elif tail.endswith("半"):
        yield canonical(f"{number + Decimal('0.5'):f}")


def decades(century: str) -> Iterator[str]:
    """The years that the decades of a century begin with: ``20`` → 1900, 1910 ... 1990."""
    if century.isdigit() and 0 < len(century) <= 2:
        yield from (str(100 * (int(century) - 1) + decade) for decade in range(0, 100, 10))
