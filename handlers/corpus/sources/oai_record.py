"""A record of OAI-PMH as a paper's fields: Dublin Core and arXiv's own format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from handlers.corpus.fields.html_text import html_as_text
from handlers.corpus.language import detect_language
from handlers.corpus.sources.reader import BadLine, excerpt_of
from handlers.domain.language_names import normalise_language

OAI = "{http://www.openarchives.org/OAI/2.0/}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_ARXIV = "{http://arxiv.org/OAI/arXiv/}"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DEEPEST = 50


class OaiRecord(NamedTuple):
    """``paper`` is None for one that was deleted."""

    name: str
    """Its identifier in the repository."""
    datestamp: str
    paper: dict[str, Any] | BadLine | None


class _Value(NamedTuple):
    text: str
    language: str | None
    """Primary subtag, as the element says or its text tells."""


def read_record(record: Element) -> OaiRecord:
    header = record.find(f"{OAI}header")
    if header is None:
        return OaiRecord("", "", BadLine("a record without header"))
    name = text_of(header.find(f"{OAI}identifier"))
    datestamp = text_of(header.find(f"{OAI}datestamp"))
    paper = None if header.get("status") == "deleted" else _paper(record.find(f"{OAI}metadata"), name)
    return OaiRecord(name, datestamp, paper)


def _paper(metadata: Element | None, name: str) -> dict[str, Any] | BadLine:
    content = next(iter(metadata), None) if metadata is not None else None
    if content is None:
        return BadLine(f"{excerpt_of(name)}: a record without metadata")
    if content.tag == f"{_ARXIV}arXiv":
        return _arxiv(content, name)
    fields = _dublin_core(content)
    return {"id": name, **fields} if fields else BadLine(f"{excerpt_of(name)}: metadata of an unknown format")


def _dublin_core(content: Element) -> dict[str, Any]:
    """``description`` may come several times: the abstract first, remarks after it. Titles, abstracts and
    subjects in several languages: those of the language that the paper is in."""
    fields: dict[str, list[_Value]] = {}
    for element in content:
        tag = str(element.tag)
        if tag.startswith(_DC) and (text := text_of(element)):
            stated = normalise_language(element.get(_XML_LANG, ""))
            fields.setdefault(tag.removeprefix(_DC), []).append(_Value(text, stated))
    language = _language(fields)
    first = {name: values[0].text for name, values in fields.items()}
    links = (
        link.text for link in fields.get("identifier", ()) if link.text.startswith(("http://", "https://"))
    )
    record: dict[str, Any] = {
        "title": next(iter(_in(language, fields.get("title", ()))), None),
        "abstract": next(iter(_in(language, fields.get("description", ()))), None),
        "keywords": _in(language, fields.get("subject", ())),
        "language": language or first.get("language"),
        "license": first.get("rights"),
        "date": first.get("date"),
        "url": next(links, None),
        "authors": [author.text for author in fields.get("creator", ())],
    }
    return {name: value for name, value in record.items() if value}


def _language(fields: dict[str, list[_Value]]) -> str | None:
    """The language to read a record of several in: one that both a title and an abstract are in, the stated
    one first, then the first that is not English, since it is others that add an English abstract. None for
    a record of one language."""
    found: dict[str, set[str | None]] = {}
    for name in ("title", "description"):
        values = fields.get(name, [])
        if len(values) > 1:
            values = fields[name] = [
                value._replace(language=value.language or detect_language(value.text)) for value in values
            ]
        found[name] = {value.language for value in values}
    offered = [value.language for name in found for value in fields.get(name, ()) if value.language]
    if len(set(offered)) < 2:
        return None
    stated = [normalise_language(value.text) for value in fields.get("language", ())]
    ranked = sorted(dict.fromkeys(offered), key=lambda language: (len(stated) != 1 or language not in stated,
                                                                  language == "en"))  # fmt: skip
    return next((each for each in ranked if all(each in of for of in found.values() if of)), ranked[0])


def _in(language: str | None, values: Iterable[_Value]) -> list[str]:
    """The texts in the language, or all if there are none."""
    texts = list(values)
    chosen: Sequence[_Value] = [value for value in texts if value.language == language] if language else ()
    return [value.text for value in chosen or texts]


def _arxiv(content: Element, name: str) -> dict[str, Any]:
    """arXiv's id is what people know a paper by; its categories are kept beside the keywords' place."""
    fields = {str(element.tag).removeprefix(_ARXIV): text_of(element) for element in content}
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
    names = (text_of(author.find(f"{_ARXIV}{part}")) for part in ("forenames", "keyname"))
    return " ".join(filter(None, names))


def text_of(element: Element | None) -> str:
    """Its text without markup, line breaks and runs of blanks as one blank."""
    if element is None:
        return ""
    text = html_as_text(_inner(element) if len(element) else element.text or "")
    return " ".join(text.split())


def _inner(element: Element) -> str:
    """Its content with the tags of elements in it, which tell a power from a factor; without them where it
    is nested too deep for any text."""
    parts: list[str] = [element.text or ""]
    stack = [("", iter(element), "")]
    while stack:
        _, children, _ = stack[-1]
        child = next(children, None)
        if child is None:
            name, _, tail = stack.pop()
            parts.append(f"</{name}>{tail}" if name else tail)
        elif len(stack) > _DEEPEST:
            return " ".join(element.itertext())
        else:
            name = str(child.tag).rpartition("}")[2]
            parts.append(f"<{name}>{child.text or ''}")
            stack.append((name, iter(child), child.tail or ""))
    return "".join(parts)
