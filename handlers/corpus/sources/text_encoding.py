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

from handlers.errors import SourceError, UsageError
from handlers.rare_pattern import rare_pattern

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
    "utf_16_le": "UTF-16 LE", "utf_16_be": "UTF-16 BE", "utf_32": "UTF-32",
    "utf_32_le": "UTF-32", "utf_32_be": "UTF-32",
    "iso2022_jp": "ISO-2022-JP", "iso2022_kr": "ISO-2022-KR", "hz": "HZ",
}  # fmt: skip
_SUPERSETS = {
    "utf_8_sig": "utf_8", "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932",
    "euc_kr": "cp949", "iso8859_1": "cp1252", "ascii": "utf_8", "euc_jis_2004": "euc_jp",
    "shift_jis_2004": "cp932",
}  # fmt: skip
"""As the WHATWG Encoding Standard has it: files under the narrower label hold characters of the wider."""
_PEOPLES_NAMES = {
    "windows936": "gb18030", "windows949": "cp949", "windows950": "big5hkscs", "windows31j": "cp932",
    "utf8sig": "utf_8", "utf8bom": "utf_8", "unicode": "utf_16", "ucs2": "utf_16", "ucs4": "utf_32",
}  # fmt: skip
_REFUSED = {"utf_7": "UTF-7", "iso2022_cn": "ISO-2022-CN", "euc_tw": "EUC-TW"}
"""What no kept library reads, or what turns plain text into other text."""
_NO_TEXT = {
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs",
}  # fmt: skip
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf_32"),
    (b"\x00\x00\xfe\xff", "utf_32"),
    (b"\xff\xfe", "utf_16_le"),
    (b"\xfe\xff", "utf_16_be"),
)
_ESCAPED = ((re.compile(rb"\x1b\$[@B]"), "iso2022_jp"), (re.compile(rb"\x1b\$\)C"), "iso2022_kr"))
_HZ = re.compile(rb"~\{(?:[!-}][!-~]){2,200}~\}")
_UTF_7 = re.compile(rb"\+([A-Za-z0-9+/]{8,400})(?![A-Za-z0-9+/])")
_CHINESE_ESCAPE = re.compile(rb"\x1b\$\)[AG]")
_OTHER_ALPHABETS = rare_pattern("[\u3000-\u9fff\uac00-\ud7a3\uff00-\uffef]+")
_NO_BYTE_OF_TWO = re.compile(rb"[\n\r\"]")
"""In none of the encodings is one of these the second byte of a character."""
_FEW = 4
"""Bytes beyond ASCII that tell nothing: one character of two bytes is one in all of the encodings."""
_COVERED = 0.5
"""Of a source, what an encoding must read for the rest to be damage."""
_LOW = 0.1
_ENOUGH = 100
"""Bytes of words from which on a rank says something."""
_HIGH = re.compile("[^\x00-\x7f]")
_PRIVATE = rare_pattern("[\ue000-\uf8ff]")
"""What GB18030 has for bytes that are nothing."""
_SYMBOLS = "°±µ×÷²³¹·–—…‘’“”€£§©®™«»¿¡•"
_TWO_ALPHABETS = re.compile("[A-Za-z][\u0370-\u04ff]|[\u0370-\u04ff][A-Za-z]")


def encoding_named(name: str) -> str:
    """Python's name of an encoding that a user names. UsageError for an unknown one, with the nearest."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    known = {*aliases, *aliases.values(), *map(_plain, _NAMES)} - _NO_TEXT
    found = aliases.get(plain, plain)
    if found not in known:
        found = _by_letters(plain, known)
    if found in _REFUSED:
        raise UsageError(f"--encoding {name}: {_REFUSED[found]} is not read; save the source as UTF-8")
    if found not in known or found in _NO_TEXT:
        near = get_close_matches(plain, sorted(known), 1, cutoff=0.5)
        hint = f"did you mean {near[0].replace('_', '-')}?" if near else "e.g. gb18030, big5, utf-16"
        raise UsageError(f"--encoding {name}: no such encoding is known; {hint}")
    return _SUPERSETS.get(found, found)


def _by_letters(plain: str, known: Iterable[str]) -> str:
    """Of names that differ in signs between letters, or begin with x for being no registered ones."""
    letters = plain.removeprefix("x_").replace("_", "")
    same = (each for each in (*known, *_REFUSED) if each.replace("_", "") == letters)
    found = _PEOPLES_NAMES.get(letters) or next(same, plain)
    return aliases.get(found, found)


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
    if head.isascii() and b"\x00" not in head:
        return _in_seven_bits(head)
    return _utf_32(head) or _utf_16(head) if b"\x00" in head else None


def _in_seven_bits(head: bytes) -> str | None:
    """SourceError for what would pass as plain text and is none."""
    if _CHINESE_ESCAPE.search(head) or sum(map(_is_utf_7, _UTF_7.findall(head)[:50])) >= _FEW:
        raise SourceError("the source is UTF-7 or ISO-2022-CN, which are not read: save it as UTF-8")
    if len(words := _HZ.findall(head)[:50]) > 1 and all(map(_is_hz, words)):
        return "hz"
    return next((encoding for sign, encoding in _ESCAPED if sign.search(head)), None)


def _is_utf_7(found: bytes) -> bool:
    """Whether what may be base64 by accident is a text of another alphabet."""
    text = (b"+" + found + b"-").decode("utf-7", "replace")
    return _OTHER_ALPHABETS.fullmatch(text) is not None


def _is_hz(found: bytes) -> bool:
    return _OTHER_ALPHABETS.fullmatch(found.decode("hz", "replace")) is not None


def _utf_32(head: bytes) -> str | None:
    """Of each four bytes the highest is zero, and the next to it mostly."""
    head = head[: len(head) // 4 * 4]
    for encoding, high, next_to_it in (("utf_32_le", 3, 2), ("utf_32_be", 0, 1)):
        if head and not any(head[high::4]) and head[next_to_it::4].count(0) * 8 > len(head):
            return encoding
    return None


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
    for rank, encoding in sorted(ranked, reverse=True):
        if encoding in _MULTIBYTE and rank < _LOW and whole >= _ENOUGH:
            return None  # it is one that is not known: EUC-TW, Johab
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
    names = {name: str(name).lower().replace("-", "_") for name in known}
    plain = {_SUPERSETS.get(names[name], names[name]): rank for name, rank in known.items()}
    return [(plain[name], name) for name in (*_MULTIBYTE, *_SINGLE_BYTE) if name in plain]


def _decodes(piece: bytes, encoding: str) -> bool:
    try:
        piece.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_plausible(sample: bytes, encoding: str) -> bool:
    text = sample.decode(encoding, "replace")
    if encoding in _MULTIBYTE:
        private = len(_PRIVATE.findall(text))
        return sum(byte > 0x7F for byte in sample) >= _FEW and private * 50 <= len(_HIGH.findall(text))
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
