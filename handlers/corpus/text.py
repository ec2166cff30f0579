"""Text as every later step may rely on it: NFC, no control characters, no direction overrides."""

from __future__ import annotations

import re
import unicodedata

from handlers.rare_pattern import rare_pattern

# NUL and the other controls but tab and newline, C1, direction marks and isolates, BOM, interlinear
# and tag characters (invisible, yet a model reads them), non-characters, lone surrogates.
_UNWANTED = rare_pattern(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f\ud800-\udfff]"
)
_CARRIAGE_RETURN = re.compile("\r\n?")
_MAX_MARKS = 30
# Scripts in which no character has a combining class are left out, so that a long run is rare.
_MAYBE_MARKS = rare_pattern(
    "[^\x00-\u02ff\u2e00-\u3029\u3030-\u3098\u309b-\ua66e\uac00-\ufb1d\uff00-\uffff]{31,}"
)

# Most texts are made of these alone: none of them is unwanted, combines with what stands before it or
# is changed by NFC, so one scan tells that nothing is to be done.
_AS_IT_IS = re.compile(
    "[\t\n -~\u00a1-\u00ac\u00ae-\u02ff\u0391-\u03a1\u03a3-\u03a9\u03b1-\u03c9\u0410-\u044f\u2010-\u2027"
    "\u2030-\u205e\u2160-\u22ff\u2460-\u27bf\u3000-\u3029\u3030-\u3098\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uff01-\uffee]*"
)

_BREAK = rare_pattern("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_JOINED = (
    "\x00-\u02af\u0370-\u052f\u2000-\u200b\u2010-\u206f\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"
)
"""Of scripts whose letters stand beside each other whatever is between them."""
_UNSEEN = rare_pattern(
    "(?<![0-9,.])[\xad\u180e\u200b\u2060-\u2064]|[\xad\u180e\u200b\u2060-\u2064](?![0-9,.])"
    f"|(?<=[{_JOINED}])[\u200c\u200d]{{1,9}}|[\u200c\u200d]{{1,9}}(?=[{_JOINED}])"
)
"""Places where a word may be broken or not; joiners too, but those that make one emoji or word of several.
Those inside of a number stay, for whoever checks numbers reads across them."""
_DISGUISED = rare_pattern("[\x0b\x0c\x1c-\x1e\x85\xad\u180e\u200b-\u200d\u2028\u2029\u2060-\u2064]")


def clean_text(text: str) -> str:
    """NFC without control characters, direction overrides and lone surrogates, stripped at both ends.

    Linear on any input: normalisation sorts runs of combining marks in quadratic time, so runs are
    first cut to 30 marks, the bound of Unicode's stream-safe text (UAX #15, section 13).
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    if _AS_IT_IS.fullmatch(text):
        return text.strip()
    if "\r" in text:
        text = _CARRIAGE_RETURN.sub("\n", text)
    if _UNWANTED.search(text):
        text = _UNWANTED.sub("", text)
    if _MAYBE_MARKS.search(text):
        text = _MAYBE_MARKS.sub(lambda run: _short_runs(run[0]), text)
    return unicodedata.normalize("NFC", text).strip()


def clean_prose(text: str) -> str:
    """``clean_text`` of what is read and translated, with the line breaks that Unicode knows as newlines, and
    without characters that look like nothing."""
    if (text.isascii() and text.isprintable()) or _AS_IT_IS.fullmatch(text):
        return text.strip()
    if _DISGUISED.search(text):
        text = _BREAK.sub("\n", text)
        text = _UNSEEN.sub("", text)
    return clean_text(text)


def _short_runs(text: str) -> str:
    characters: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= _MAX_MARKS:
            characters.append(char)
    return "".join(characters)


def clean_value(value: object) -> object:
    """A JSON value with every string in it cleaned."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean_value(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_value(item) for key, item in value.items()}
    return value
