"""Licences by one spelling each: SPDX identifiers where there is one (https://spdx.org/licenses)."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_CHARACTERS = 200

_CC_URL = re.compile(r"creativecommons\.org/licen[sc]es/([a-z-]{2,12})(?:/(\d\.\d))?")
_VERSION = re.compile(r"(?<![\d.])([1-4]\.0|2\.5)(?![\d.])")
_SHORT = re.compile(r"cc[\s_-]*by((?:[\s_-]*(?:nc|nd|sa))*)(?![a-z])")
_ELEMENTS = (
    ("NC", re.compile(r"non-?\s?commercial|非商业")),
    ("ND", re.compile(r"no-?\s?deriv|禁止演绎")),
    ("SA", re.compile(r"share-?\s?alike|相同方式共享")),
)
_WORDS = re.compile(r"creative\s?commons|attribution|知识共享|署名")
_ORDER = ("NC", "ND", "SA")
_OTHERS = {
    "mit": "MIT", "mit license": "MIT", "apache 2.0": "Apache-2.0", "apache-2.0": "Apache-2.0",
    "public domain": "Public-Domain",
}  # fmt: skip


@lru_cache(maxsize=1024)
def normalise_license(given: str) -> str | None:
    """``CC BY 4.0``, ``https://creativecommons.org/licenses/by/4.0/`` and the like → ``CC-BY-4.0``.

    A version that is not given is not made up (``CC-BY``). Unknown licences stay as they are, cut to
    200 characters; None if there is nothing.
    """
    text = given.strip()[:MAX_CHARACTERS]
    low = text.lower()
    if not low:
        return None
    if "publicdomain/zero" in low or re.match(r"cc[\s_-]?(0|zero)\b", low):
        return "CC0-1.0"
    if "publicdomain/mark" in low:
        return "PDM-1.0"
    return _creative_commons(low) or _OTHERS.get(low, text)


def forbids_derivatives(license_id: str | None) -> bool:
    """Whether a normalised licence has the no-derivatives element: a translation is a derivative."""
    return license_id is not None and license_id.startswith("CC-BY") and "-ND" in license_id


def _creative_commons(low: str) -> str | None:
    if match := _CC_URL.search(low):
        return _spelled({part.upper() for part in match[1].split("-")}, match[2])
    version = _VERSION.search(low)
    if match := _SHORT.match(low):
        return _spelled(set(re.findall("NC|ND|SA", match[1].upper())), version and version[1])
    if _WORDS.search(low) and not low.startswith("http"):
        elements = {name for name, pattern in _ELEMENTS if pattern.search(low)}
        return _spelled(elements, version and version[1])
    return None


def _spelled(elements: set[str], version: str | None) -> str:
    return "-".join(
        ["CC-BY", *(name for name in _ORDER if name in elements), *([version] if version else [])]
    )
