"""XML that is not well-formed: mended where only one reading is possible, cut into its records otherwise.

A parser that recovers by itself is no help here: libxml2 drops the sign of ``p < 0.05`` and says nothing.
"""

from __future__ import annotations

import re
from html.entities import html5

_CDATA = re.compile(r"(<!\[CDATA\[|\]\]>)")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_AMPERSAND = re.compile(r"&(?:#(?:[xX]([0-9A-Fa-f]{1,8})|([0-9]{1,10}));|([A-Za-z][A-Za-z0-9]{1,31});)?")
_HALVES = re.compile(r"&#(5[56][0-9]{3});&#(5[67][0-9]{3});")
_BARE = re.compile(r"<(?![A-Za-z_/!?])|</(?![A-Za-z_])")
_PREDEFINED = frozenset(["amp", "lt", "gt", "quot", "apos"])
_PREFIX = r"(?:[A-Za-z_][\w.-]{0,30}:)?"
_RECORD = re.compile(rf"<(/?){_PREFIX}record(?=[\s/>])[^<>]{{0,500}}>")
_END = re.compile(rf"<{_PREFIX}resumptionToken(?=[\s/>])|</{_PREFIX}ListRecords\s*>")
_NAMES = (
    "record|header|identifier|datestamp|setSpec|metadata|about|dc|title|creator|subject|description|publisher"
    "|contributor|date|type|format|source|language|relation|coverage|rights|arXiv|id|created|updated|authors"
    "|author|keyname|forenames|suffix|affiliation|categories|comments|msc-class|acm-class|report-no"
    "|journal-ref|doi|license|abstract|proxy"
)
_STRANGER = re.compile(
    rf"<(?!/?(?:[A-Za-z_][\w.-]{{0,30}}:[A-Za-z_][\w.-]{{0,60}}|{_NAMES})(?=[\s/>])|!\[CDATA\[)"
)
"""A tag that has no place in a record of the formats that are read: HTML within a text."""


def mended(text: str) -> str:
    """Without characters that XML forbids; every ampersand and every ``<`` that begins nothing escaped;
    HTML's named entities as characters. What is in CDATA sections stays as it is."""
    inside, parts = False, []
    text = _HALVES.sub(_joined, text) if "&#5" in text else text
    for part in _CDATA.split(_ILLEGAL.sub("", text)):
        if part in ("<![CDATA[", "]]>"):
            opens = part != "]]>"
            # A second opener is text of the first, and an end without a beginning is text as well.
            parts.append(part if opens != inside else part if opens else "]]&gt;")
            inside = opens
        else:
            parts.append(part if inside else _BARE.sub(_escaped, _AMPERSAND.sub(_entity, part)))
    return "".join(parts)


def _escaped(found: re.Match[str]) -> str:
    return "&lt;" + found[0][1:]


def _joined(found: re.Match[str]) -> str:
    """Two halves of a surrogate pair, which some writers reference one by one."""
    high, low = int(found[1]) - 0xD800, int(found[2]) - 0xDC00
    pair = 0 <= high < 0x400 and 0 <= low < 0x400
    return _reference(chr(0x10000 + (high << 10) + low)) if pair else found[0]


def _entity(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    if name is not None:
        if name in _PREDEFINED:
            return found[0]
        return "".join(map(_reference, html5.get(f"{name};", ""))) or f"&amp;{name};"
    if hexadecimal is None and decimal is None:
        return "&amp;"
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if code > 0x10FFFF:
        return "\ufffd"
    return "" if _ILLEGAL.match(chr(code)) else _reference(chr(code))


def _reference(char: str) -> str:
    return f"&#{ord(char)};"


def cut_out(text: str) -> tuple[list[str], str]:
    """(each record, whole or not; what stands around them)."""
    records: list[str] = []
    around: list[str] = []
    begin, done = -1, 0
    for found in _RECORD.finditer(text):
        ends, empty = bool(found[1]), found[0].endswith("/>")
        if begin >= 0 and not ends:  # it never ends, since another begins
            records.append(text[begin : found.start()])
            begin, done = -1, found.start()
        if begin < 0 and not ends:
            begin = found.start()
            around.append(text[done:begin])
        if begin >= 0 and (ends or empty):
            records.append(text[begin : found.end()])
            begin, done = -1, found.end()
    if begin >= 0:
        end = _END.search(text, begin)
        done = end.start() if end else len(text)
        records.append(text[begin:done])
    return records, "".join([*around, text[done:]])


def without_strangers(record: str) -> str:
    """The record with every tag escaped that belongs to none of the formats."""
    return _STRANGER.sub(_escaped, record)
