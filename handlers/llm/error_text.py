"""What an API says of an error, made fit for a log: short, one line, without the key."""

from __future__ import annotations

import re

from handlers.rare_pattern import rare_pattern

_MAX_CHARACTERS = 200
_MAX_READ = 65_536
_CONTROLS = rare_pattern(r"[\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_SURROGATE = rare_pattern(r"[\ud800-\udfff]")
"""Half a pair, of a text that an API cut in the middle of a character: no file can hold it."""
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|gsk|xai|AIza|Bearer )[-_A-Za-z0-9*.]{8,}")
_SHORTEST_KEY = 4


def error_text(text: str, key: str) -> str:
    """At most 200 characters of ``text``: control and direction characters gone, keys replaced.

    Providers repeat the key in their 401 messages, sometimes with stars in its middle.
    """
    text = text[:_MAX_READ]
    if len(key) >= _SHORTEST_KEY:
        text = text.replace(key, "[key]")
    text = _SURROGATE.sub("\ufffd", _CONTROLS.sub(" ", text)).strip()
    if len(key) >= _SHORTEST_KEY:
        text = text.replace(key, "[key]")
    text = _KEY_LIKE.sub("[key]", text)
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"
