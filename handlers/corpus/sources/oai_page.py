"""One page of an OAI-PMH answer: records out of XML that is not to be trusted.

https://www.openarchives.org/OAI/openarchivesprotocol.html; arXiv's own format:
https://info.arxiv.org/help/oa/index.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from handlers.corpus.sources.oai_encoding import decoded
from handlers.corpus.sources.oai_record import OAI, OaiRecord, read_record, text_of
from handlers.corpus.sources.oai_repair import cut_out, mended, without_strangers
from handlers.corpus.sources.reader import BadLine, excerpt_of

_PREFIX = r"(?:[A-Za-z_][\w.-]{0,30}:)?"
_ROOT = re.compile(rf"<{_PREFIX}OAI-PMH(?=[\s>])")
_ROOT_END = re.compile(rf"</{_PREFIX}OAI-PMH\s*>")
_DOCUMENT_TYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]{0,60})")
_TOKEN = re.compile(rf"<{_PREFIX}resumptionToken(?=[\s>])([^<>]{{0,1000}})>([^<]{{0,10000}})</")
_TOTAL = re.compile(r"completeListSize\s{0,9}=\s{0,9}[\"']([0-9]{1,11})[\"']")
_ERROR = re.compile(
    rf"<{_PREFIX}error\s[^<>]{{0,200}}?code\s{{0,9}}=\s{{0,9}}[\"'](\w{{1,60}})[\"'][^<>]{{0,200}}>([^<]{{0,1000}})"
)
_LIST = re.compile(rf"<{_PREFIX}ListRecords(?=[\s/>])")
_LIST_END = re.compile(rf"</{_PREFIX}ListRecords\s*>|<{_PREFIX}(?:ListRecords|resumptionToken)\s*/>")
_IDENTIFIER = re.compile(rf"<{_PREFIX}identifier>\s{{0,99}}([^<>]{{1,500}})<")
_DATESTAMP = re.compile(rf"<{_PREFIX}datestamp>\s{{0,99}}([0-9TZ:.-]{{1,40}})\s{{0,99}}<")
_SPACE = re.compile(
    r"\sxmlns(?::[A-Za-z_][\w.-]{0,30})?\s{0,9}=\s{0,9}(?:\"[^\"<>&]{0,150}\"|'[^'<>&]{0,150}')"
)
_SPACES = {
    "xmlns": "http://www.openarchives.org/OAI/2.0/",
    "xmlns:oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
    "xmlns:dc": "http://purl.org/dc/elements/1.1/",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
}
_USED = re.compile(r"<([A-Za-z_][\w.-]{0,30}):")
_MOST_SPACES = 12
_LARGE = 16 << 20
"""Bytes of a page whose tree would take ten times as much: its records are read one by one."""
_WRONG = (ParseError, DefusedXmlException, ValueError)


class PageError(ValueError):
    """The answer is no OAI-PMH page that may be read."""


@dataclass(frozen=True)
class Page:
    """An empty ``token`` ends the list, if the page is ``whole``."""

    records: tuple[OaiRecord, ...]
    token: str
    error: str = ""
    """OAI-PMH's error code, such as ``noRecordsMatch`` or ``badResumptionToken``."""
    reason: str = ""
    total: int | None = None
    """Records of the whole list, where the repository tells it."""
    whole: bool = True
    """False if it breaks off before it has told whether another follows."""


def parse_page(content: bytes) -> Page:
    """What can be read of it; a record that cannot is a BadLine. PageError for what is no OAI-PMH, or has a
    document type (entities come with one)."""
    text = _document(decoded(content))
    if len(content) > _LARGE:
        return _by_records(mended(text), "it is too long")
    try:
        root = _tree(text)
    except _WRONG:
        text = mended(text)
        try:
            root = _tree(text)
        except _WRONG as error:
            return _by_records(text, str(error))
    return _page(root)


def _document(text: str) -> str:
    """From the root's beginning to its end: what programs say before and after it is no part of it."""
    root = _ROOT.search(text)
    before = text[: root.start()] if root else text
    if _DOCUMENT_TYPE.search(before) and not (root is None and "<html" in before[:2000].lower()):
        raise PageError("XML that is refused: it has a document type")
    if root is None:
        other = _ELEMENT.search(text)
        raise PageError(f"no OAI-PMH answer but <{other[1]}>" if other else "no OAI-PMH answer and no XML")
    end = _ROOT_END.search(text, root.end())
    return text[root.start() : end.end() if end else len(text)]


def _tree(text: str) -> Element:
    root: Element = ElementTree.fromstring(text, forbid_dtd=True)
    return root


def _page(root: Element) -> Page:
    if root.tag != f"{OAI}OAI-PMH":
        raise PageError(f"no OAI-PMH answer but <{excerpt_of(str(root.tag))}>")
    said = root.find(f"{OAI}error")
    if said is not None:
        return Page((), "", excerpt_of(said.get("code", "unknown")), excerpt_of(text_of(said)))
    listed = root.find(f"{OAI}ListRecords")
    if listed is None:
        raise PageError("no ListRecords in the answer")
    records = tuple(read_record(each) for each in root.findall(f"{OAI}ListRecords/{OAI}record"))
    tokens = list(root.iter(f"{OAI}resumptionToken"))
    full = [each for each in tokens if (each.text or "").strip()]
    token = next(reversed(full or tokens), None)
    told = "" if token is None else token.get("completeListSize", "")
    total = int(told) if told.isascii() and told.isdecimal() and len(told) < 12 else None
    name = "" if token is None else (token.text or "").strip()
    return Page(records, name, total=total)


def _by_records(text: str, problem: str) -> Page:
    """Each record by itself, so that one that is broken costs no other."""
    pieces, around = cut_out(text)
    if not pieces and (said := _ERROR.search(around)):
        return Page((), "", said[1], excerpt_of(said[2]))
    if not pieces and not _LIST.search(around):
        raise PageError(f"XML that cannot be read and has no records ({excerpt_of(problem)})")
    spaces = _spaces(around[:5000] + (pieces[0][:500] if pieces else ""))
    records = tuple(_record(piece, spaces) for piece in pieces)
    token = _TOKEN.search(around)
    total = _TOTAL.search(token[1]) if token else None
    name = text_of(_tree(f"<a>{token[2]}</a>")) if token else ""
    whole = bool(name or _LIST_END.search(around))
    return Page(records, name, total=int(total[1]) if total else None, whole=whole)


def _spaces(text: str) -> str:
    """The namespaces that records may need: what the page declares, and what it forgot."""
    found = dict(_SPACES)
    for declaration in _SPACE.findall(text)[:_MOST_SPACES]:
        name, _, value = declaration.partition("=")
        found[name.strip()] = value.strip().strip("\"'")
    return "".join(f' {name}="{value}"' for name, value in found.items() if '"' not in value)


def _record(piece: str, spaces: str) -> OaiRecord:
    problem = "no header"
    if "header" in piece:
        used = dict.fromkeys(_USED.findall(piece))
        spaces += "".join(f' xmlns:{name}="{name}"' for name in used if f"xmlns:{name}=" not in spaces)
        for text in (piece, without_strangers(piece)):
            try:
                return read_record(_tree(f"<OAI-PMH{spaces}>{text}</OAI-PMH>")[0])
            except _WRONG as error:
                problem = str(error).partition(":")[0]
    name, datestamp = _IDENTIFIER.search(piece), _DATESTAMP.search(piece)
    known = name[1].strip() if name else ""
    reason = f"{excerpt_of(known) or 'a record'}: XML that cannot be read ({excerpt_of(problem)})"
    return OaiRecord(known, datestamp[1] if datestamp else "", BadLine(reason, excerpt_of(piece)))
