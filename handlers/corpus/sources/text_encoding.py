"""The encoding of a source, said or found out, and its bytes as UTF-8.

Bytes that are UTF-8 pass unchanged. Otherwise chardet's models rank the encodings that a library's or a
spreadsheet's export may have (of the libraries measured on titles and abstracts it is wrong least often), and
a reading must be plausible: a wrong one garbles silently, an undecided one is seen in the rejects.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from encodings.aliases import aliases

from handlers.errors import UsageError

SAMPLE_BYTES = 64 * 1024
"""From the first byte on that is not ASCII."""
_MULTIBYTE = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
_SINGLE_BYTE = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "koi8_r"),
    *("cp1255", "cp1256", "cp1257", "cp874"),
)
_NAMES = {
    "utf_8": "UTF-8", "gb18030": "GB18030", "big5hkscs": "Big5", "cp932": "Shift-JIS", "euc_jp": "EUC-JP",
    "cp949": "EUC-KR (cp949)", "cp874": "Windows-874", "koi8_r": "KOI8-R",
    "utf_16_le": "UTF-16 LE", "utf_16_be": "UTF-16 BE", "utf_32": "UTF-32", "iso2022_jp": "ISO-2022-JP",
}  # fmt: skip
_SUPERSETS = {
    "utf_8_sig": "utf_8", "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932",
    "euc_kr": "cp949", "iso8859_1": "cp1252", "ascii": "utf_8",
}  # fmt: skip
"""As the WHATWG Encoding Standard has it: files under the narrower label hold characters of the wider."""
_NO_TEXT = {
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs",
}  # fmt: skip
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf_32"),
    (b"\x00\x00\xfe\xff", "utf_32"),
    (b"\xff\xfe", "utf_16_le"),
    (b"\xfe\xff", "utf_16_be"),
)
_ESCAPED = re.compile(rb"\x1b\$[@B]")
_NO_BYTE_OF_TWO = re.compile(rb"[\n\r\"]")
"""In none of the encodings is one of these the second byte of a character."""
_FEW = 4
"""Bytes beyond ASCII that tell nothing: one character of two bytes is one in all of the encodings."""
_COVERED = 0.5
"""Of a source, what an encoding must read for the rest to be damage."""
_HIGH = re.compile("[^\x00-\x7f]")
_SYMBOLS = "°±µ×÷²³¹·–—…‘’“”€£§©®™«»¿¡•"
_TWO_ALPHABETS = re.compile("[A-Za-z][\u0370-\u04ff]|[\u0370-\u04ff][A-Za-z]")


def encoding_named(name: str) -> str:
    """Python's name of an encoding that a user names. UsageError for an unknown one, with the nearest."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    known = {*aliases, *aliases.values(), *map(_plain, _NAMES)} - _NO_TEXT
    found = aliases.get(plain, plain)
    if found not in known or found in _NO_TEXT:
        near = get_close_matches(plain, sorted(known), 1, cutoff=0.5)
        hint = f"did you mean {near[0].replace('_', '-')}?" if near else "e.g. gb18030, big5, utf-16"
        raise UsageError(f"--encoding {name}: no such encoding is known; {hint}")
    return _SUPERSETS.get(found, found)


def _plain(name: str) -> str:
    return name.replace("-", "_")


def shown(encoding: str) -> str:
    """An encoding's name as people write it."""
    return _NAMES.get(encoding) or encoding.replace("cp125", "Windows-125").replace("_", "-")


def marked(head: bytes) -> str | None:
    """The encoding that the first bytes tell by a mark, or UTF-16 without one by its zeros; None: by none."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if _ESCAPED.search(head) and head.isascii():
        return "iso2022_jp"
    return _utf_16(head) if b"\x00" in head else None


def _utf_16(head: bytes) -> str | None:
    """Commas, digits and line ends are zero in one of two bytes; which one tells the order."""
    head = head[: len(head) // 2 * 2]
    if not head or (head.count(0) < 0.3 * len(head) and _is_utf_8(head)):
        return None
    plain = {each: _ascii_share(head.decode(each, "replace")) for each in ("utf_16_le", "utf_16_be")}
    best = max(plain, key=plain.__getitem__)
    return best if plain[best] > max(0.04, 4 * min(plain.values())) else None


def _ascii_share(text: str) -> float:
    return sum("\t" <= char <= "~" for char in text) / max(1, len(text))


def _is_utf_8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def encoding_of(sample: bytes) -> str | None:
    """The encoding of text that begins with a byte beyond ASCII's line. None if nothing explains it.

    UTF-8 if half of what lies beyond ASCII is: then a line that is none is damaged, and no reason to read
    the others as something else.
    """
    text = sample.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if len(_HIGH.findall(text)) >= 2 * bad:
        return "utf_8"
    pieces = [piece for piece in _NO_BYTE_OF_TWO.split(sample) if not piece.isascii()]
    pieces = pieces[:-1] if len(pieces) > 1 and len(sample) >= SAMPLE_BYTES else pieces
    if sum(len(piece) for piece in pieces) and (found := _best(pieces)):
        return found
    return None


def _best(pieces: list[bytes]) -> str | None:
    """Damage in a few pieces must not rule an encoding out, so each is also tried on what it can read."""
    ranked = _ranked(pieces)
    whole = sum(map(len, pieces))
    for encoding in _MULTIBYTE:
        readable = [piece for piece in pieces if _decodes(piece, encoding)]
        if len(readable) < len(pieces) and sum(map(len, readable)) >= _COVERED * whole:
            ranked += [each for each in _ranked(readable) if each[1] == encoding]
    for _, encoding in sorted(ranked, reverse=True):
        if _is_plausible(b"\n".join(pieces), encoding):
            return encoding
    return None


def _ranked(pieces: Iterable[bytes]) -> list[tuple[float, str]]:
    import chardet  # takes as long as reading a thousand papers, and most sources are UTF-8

    found = chardet.detect_all(
        b"\n".join(pieces),
        include_encodings=[name.replace("_", "-") for name in (*_MULTIBYTE, *_SINGLE_BYTE)],
        prefer_superset=True,
        compat_names=False,
        no_match_encoding="cp1252",
        empty_input_encoding="cp1252",
    )
    known = {each["encoding"]: each["confidence"] for each in found if each["encoding"]}
    plain = {str(name).lower().replace("-", "_"): rank for name, rank in known.items()}
    return [(plain[name], name) for name in (*_MULTIBYTE, *_SINGLE_BYTE) if name in plain]


def _decodes(piece: bytes, encoding: str) -> bool:
    try:
        piece.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_plausible(sample: bytes, encoding: str) -> bool:
    if encoding in _MULTIBYTE:
        return sum(byte > 0x7F for byte in sample) >= _FEW
    text = sample.decode(encoding, "replace")
    high = list(_HIGH.finditer(text))
    in_words = sum(_stands_in_a_word(text, match.start()) for match in high)
    mixed = len(_TWO_ALPHABETS.findall(text))
    return in_words >= 0.8 * len(high) and mixed * 10 <= len(high)


def _stands_in_a_word(text: str, at: int) -> bool:
    """A symbol of prose, or a letter beside another."""
    if text[at] in _SYMBOLS:
        return True
    beside = text[max(0, at - 1) : at] + text[at + 1 : at + 2]
    return unicodedata.category(text[at]).startswith("L") and any(char.isalpha() for char in beside)
