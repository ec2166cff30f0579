"""The bytes of a page as text, whatever encoding they are in and whatever they say they are in."""

from __future__ import annotations

import re

from handlers.corpus.sources.text_encoding import SAMPLE_BYTES, encoding_of

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"),
)  # fmt: skip
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([A-Za-z0-9._-]{1,40})[\"']")
_CODECS = {
    "gb18030": r"(x-)?(gbk?|gb-?2312(-80)?|gb-?18030|cp-?936|ms936|euc-?cn|hz-gb-2312|chinese)",
    "big5hkscs": r"(x-)?(big-?5(-?hkscs)?|cp-?950|ms950|csbig5)",
    "cp932": r"(x-)?(s(hift)?-?jis|cp-?932|ms932|windows-31j)",
    "euc_jp": r"(x-)?euc-?jp",
    "cp949": r"(x-)?(euc-?kr|cp-?949|ks-?c-?5601(-1987)?|uhc)",
    "cp1252": r"(iso-?8859-?1|latin-?1|l1|(us-)?ascii|(windows-|cp-?)1252)",
}
"""What pages are read with, by the names that they declare: the widest of each family, as browsers do."""
_NAMED = {codec: re.compile(names) for codec, names in _CODECS.items()}
_OTHERS = re.compile(r"iso-?8859-?([2-9]|1[0-6])|(?:windows-|cp)125[0-8]|koi8-[ru]")
_LEADS = bytes(range(0xC2, 0xF5))
_NOT_LEADS = bytes(code for code in range(256) if code not in _LEADS)
_HAN_OF_UTF_8 = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")
_RECORDS = re.compile(rb"(?<=record>)")
_FEW = 10
"""A text has few errors if this many times as many of its characters are sound."""


def decoded(content: bytes) -> str:
    """Every byte that cannot be read is U+FFFD. A byte order mark decides, then what is sound UTF-8, then
    what the page declares, then what its bytes are like; each record by itself, since some repositories mix
    encodings."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    declared = _declared(content)
    if (whole := _sound(content, declared)) is not None:
        return whole
    pieces = _RECORDS.split(content)
    texts = [_sound(piece, declared) for piece in pieces]
    if declared == "utf-8":
        texts = [_nearly(piece) if text is None else text for piece, text in zip(pieces, texts, strict=True)]
    rest = b"".join(piece for piece, text in zip(pieces, texts, strict=True) if text is None)
    encoding = _likely(rest, declared)
    return "".join(
        piece.decode(encoding, "replace") if text is None else text
        for piece, text in zip(pieces, texts, strict=True)
    )


def _declared(content: bytes) -> str:
    """The codec of the encoding that an XML declaration names; UTF-8 for none and for unknown ones."""
    found = _DECLARED.search(content[:1000])
    name = found[1].decode().lower().replace("_", "-") if found else ""
    for codec, names in _NAMED.items():
        if names.fullmatch(name):
            return codec
    return name if _OTHERS.fullmatch(name) else "utf-8"


def _sound(content: bytes, declared: str) -> str | None:
    """UTF-8, whatever is declared: no text of length in another encoding is sound UTF-8 by accident."""
    if content.isascii():
        return content.decode()
    doubtful = declared in ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
    if doubtful and not _HAN_OF_UTF_8.search(content):
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _nearly(content: bytes) -> str | None:
    """UTF-8 with few bytes that are none."""
    text = content.decode("utf-8", "replace")
    return text if text.count("�") * _FEW <= len(content.translate(None, _NOT_LEADS)) else None


def _likely(content: bytes, declared: str) -> str:
    known = declared not in ("utf-8", "cp1252")  # those two are declared by what knows of no others
    if not content or (known and _errors(content, declared) * _FEW <= len(content) // 2):
        return declared
    return encoding_of(content[:SAMPLE_BYTES]) or "cp1252"


def _errors(content: bytes, encoding: str) -> int:
    return content.decode(encoding, "replace").count("\ufffd")
