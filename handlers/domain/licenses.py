"""Licences: one spelling each (SPDX identifiers where there is one, https://spdx.org/licenses), and the one
rule on what may be translated.

A translation is a derivative work. The rule is read by ingest (what may follow what), by the worker, by
``plan``, by every export and by the review site.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from handlers.rare_pattern import rare_pattern

MAX_CHARACTERS = 200
"""Of an unknown licence that are kept."""
_READ = 4_000
"""Characters in which a licence may say what it forbids."""

_CC_URL = re.compile(r"creativecommons\.org/licen[sc]es/([a-z-]{2,12})(?:/(\d\.\d))?")
_VERSION = re.compile(r"(?<![\d.])([1-4]\.0|2\.5)(?![\d.])")
_SHORT = re.compile(r"cc[\s_-]*by((?:[\s_-]*(?:nc|nd|sa))*)(?![a-z])")
_ELEMENTS = (
    ("NC", re.compile(r"non-?\s?commercial|非商业")),
    ("SA", re.compile(r"share-?\s?alike|相同方式共享")),
)
_CHANGES = r"(?:adapt|chang|modif|translat|alter|deriv|remix|transform)[a-z]{0,8}"
_CHANGES_HAN = r"(?:演[绎繹]|改作|改[编編変變]|修改|翻[译譯訳案]|[变変變]更)"
_REFUSING = r"(?:no|not|never|without|cannot|don't)"
_FILLERS = r"(?:(?:any|be|to|the|work|is|are)\s){0,3}"
_FORBIDDING = re.compile(
    "|".join(
        (
            # The element's own name, as a word or run together; never "2nd edition".
            r"(?<![a-z0-9])nd(?![a-z])",
            r"by[\s_-]?(?:nc[\s_-]?)?nd(?![a-z])",
            # English: "NoDerivs", "no derivative works", "may not be translated", "adaptations not allowed".
            r"(?<![a-z])non?[\s_-]?deriv",
            rf"(?<![a-z]){_REFUSING}[\s_-]{_FILLERS}{_CHANGES}",
            rf"{_CHANGES}\s(?:works?\s)?(?:is\s|are\s)?(?:not|never|prohibited|forbidden|disallowed)",
            r"verbatim (?:copying|copies|redistribution) only",
            # As Creative Commons names the element in other languages.
            rf"(?:禁止|不得|不可|不能|不允[许許]|不准|不[许許])(?:进行|進行)?{_CHANGES_HAN}",
            rf"{_CHANGES_HAN}(?:禁止|不可)",
            r"변경\s?금지|keine\s?bearbeitung|pas\s?de\s?modification",
            r"(?:pas de|sin|sem|sense|non?|sans|geen|bez|без)\s?(?:(?:obras?|opere|[oœ]e?uvres?|travaux)\s?)?"
            r"(?:d[eé]riv|afgeleide|(?:utwor[oó]w )?zale[zż]n|производн)",
        )
    ),
)
_WORDS = rare_pattern(r"creative\s?commons|attribution|知识共享|署名")
_ORDER = ("NC", "ND", "SA")
_OTHERS = {
    "mit": "MIT", "mit license": "MIT", "apache 2.0": "Apache-2.0", "apache-2.0": "Apache-2.0",
    "public domain": "Public-Domain",
}  # fmt: skip


def normalise_license(given: str) -> str | None:
    """``CC BY 4.0``, ``https://creativecommons.org/licenses/by/4.0/`` and the like → ``CC-BY-4.0``.

    A version that is not given is not made up (``CC-BY``). Unknown licences stay as they are, cut to
    200 characters, but keep what they forbid; None if there is nothing.
    """
    return _normalised(given.strip()[:_READ])


@lru_cache(maxsize=1024)
def _normalised(text: str) -> str | None:
    if not text:
        return None
    forbidden = forbids_derivatives(text)
    named = _named(text[:MAX_CHARACTERS], forbidden=forbidden)
    return f"{named} (no derivatives)" if forbidden and not forbids_derivatives(named) else named


def _named(text: str, *, forbidden: bool) -> str:
    low = text.lower()
    if "publicdomain/zero" in low or re.match(r"cc[\s_-]?(0|zero)\b", low):
        return "CC0-1.0"
    if "publicdomain/mark" in low:
        return "PDM-1.0"
    return _creative_commons(low, forbidden=forbidden) or _OTHERS.get(low, text)


def forbids_derivatives(given: str | None) -> bool:
    """Whether a licence's name, URL or sentence says that nothing may be made of the work: then it is neither
    translated nor is a translation of it given out. What is in doubt forbids."""
    return given is not None and _forbids(given[:_READ])


@lru_cache(maxsize=1024)
def _forbids(text: str) -> bool:
    return _FORBIDDING.search(unicodedata.normalize("NFKC", text).lower()) is not None


def refusal_to_derive(given: str | None) -> str | None:
    """One sentence why a paper under this licence is not translated, or None."""
    return f"licence {given} forbids derivatives" if forbids_derivatives(given) else None


def _creative_commons(low: str, *, forbidden: bool) -> str | None:
    own = {"ND"} if forbidden else set()
    if match := _CC_URL.search(low):
        return _spelled(own | {part.upper() for part in match[1].split("-")}, match[2])
    version = _VERSION.search(low)
    if match := _SHORT.match(low):
        return _spelled(own | set(re.findall("NC|ND|SA", match[1].upper())), version and version[1])
    if _WORDS.search(low) and not low.startswith("http"):
        elements = {name for name, pattern in _ELEMENTS if pattern.search(low)}
        return _spelled(own | elements, version and version[1])
    return None


def _spelled(elements: set[str], version: str | None) -> str:
    return "-".join(
        ["CC-BY", *(name for name in _ORDER if name in elements), *([version] if version else [])]
    )
