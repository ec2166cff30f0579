"""One page of an OAI-PMH answer: records out of XML that is not to be trusted.

https://www.openarchives.org/OAI/openarchivesprotocol.html; arXiv's own format:
https://info.arxiv.org/help/oa/index.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from handlers.corpus.sources.reader import BadLine, excerpt_of

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_ARXIV = "{http://arxiv.org/OAI/arXiv/}"
_ILLEGAL = bytes(code for code in range(32) if code not in b"\t\n\r")
"""Control characters that XML 1.0 forbids and repositories send all the same."""


class PageError(ValueError):
    """The answer is no OAI-PMH page that may be read."""


@dataclass(frozen=True)
class Page:
    """``records`` has None for one that was deleted. An empty ``token`` ends the list."""

    records: tuple[dict[str, Any] | BadLine | None, ...]
    token: str
    error: str = ""
    """OAI-PMH's error code, such as ``noRecordsMatch`` or ``badResumptionToken``."""
    reason: str = ""
    total: int | None = None
    """Records of the whole list, where the repository tells it."""


def parse_page(content: bytes) -> Page:
    """PageError for what is no XML, no OAI-PMH, or XML with a document type (entities come with one)."""
    try:
        root = ElementTree.fromstring(content.translate(None, _ILLEGAL), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise PageError(f"XML that is refused ({type(error).__name__}: {excerpt_of(str(error))})") from error
    if root.tag != f"{_OAI}OAI-PMH":
        raise PageError(f"no OAI-PMH answer but <{excerpt_of(str(root.tag))}>")
    said = root.find(f"{_OAI}error")
    if said is not None:
        return Page((), "", excerpt_of(said.get("code", "unknown")), excerpt_of(_text(said)))
    listed = root.find(f"{_OAI}ListRecords")
    if listed is None:
        raise PageError("no ListRecords in the answer")
    records = tuple(_record(each) for each in listed.findall(f"{_OAI}record"))
    token = listed.find(f"{_OAI}resumptionToken")
    told = "" if token is None else token.get("completeListSize", "")
    total = int(told) if told.isascii() and told.isdecimal() and len(told) < 12 else None
    return Page(records, _text(token), total=total)


def _record(record: Element) -> dict[str, Any] | BadLine | None:
    header = record.find(f"{_OAI}header")
    if header is None:
        return BadLine("a record without header")
    if header.get("status") == "deleted":
        return None
    name = _text(header.find(f"{_OAI}identifier"))
    metadata = record.find(f"{_OAI}metadata")
    content = next(iter(metadata), None) if metadata is not None else None
    if content is None:
        return BadLine(f"{excerpt_of(name)}: a record without metadata")
    if content.tag == f"{_ARXIV}arXiv":
        return _arxiv(content, name)
    fields = _dublin_core(content)
    return {"id": name, **fields} if fields else BadLine(f"{excerpt_of(name)}: metadata of an unknown format")


def _dublin_core(content: Element) -> dict[str, Any]:
    """``description`` may come several times: the abstract first, remarks after it."""
    fields: dict[str, list[str]] = {}
    for element in content:
        tag = str(element.tag)
        if tag.startswith(_DC) and (text := _text(element)):
            fields.setdefault(tag.removeprefix(_DC), []).append(text)
    links = (link for link in fields.get("identifier", ()) if link.startswith(("http://", "https://")))
    first = {name: values[0] for name, values in fields.items()}
    record: dict[str, Any] = {
        "title": first.get("title"),
        "abstract": first.get("description"),
        "keywords": fields.get("subject"),
        "language": first.get("language"),
        "license": first.get("rights"),
        "date": first.get("date"),
        "url": next(links, None),
        "authors": fields.get("creator"),
    }
    return {name: value for name, value in record.items() if value}


def _arxiv(content: Element, name: str) -> dict[str, Any]:
    """arXiv's id is what people know a paper by; its categories are kept beside the keywords' place."""
    fields = {str(element.tag).removeprefix(_ARXIV): _text(element) for element in content}
    authors = content.findall(f"{_ARXIV}authors/{_ARXIV}author")
    number = fields.get("id")
    record: dict[str, Any] = {
        "id": number or name,
        "title": fields.get("title"),
        "abstract": fields.get("abstract"),
        "license": fields.get("license"),
        "date": fields.get("created"),
        "url": f"https://arxiv.org/abs/{number}" if number else None,
        "authors": [_author(author) for author in authors],
        "categories": fields.get("categories", "").split(),
        "doi": fields.get("doi"),
    }
    return {key: value for key, value in record.items() if value}


def _author(author: Element) -> str:
    return " ".join(
        filter(None, (_text(author.find(f"{_ARXIV}{part}")) for part in ("forenames", "keyname")))
    )


def _text(element: Element | None) -> str:
    """Its text, line breaks and runs of blanks as one blank."""
    return "" if element is None else " ".join("".join(element.itertext()).split())
