"""What a translated body must have of its source, checked by code of its own: nothing here is shared with
the task that made it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LONG_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{5}")
_FENCED = re.compile(r"^(```+|~~~+)[^\n`]*\n.*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^ {0,3}(#{1,6})(?=[ \t]|$)", re.MULTILINE)
_DISPLAY = re.compile(r"\$\$([^$]+)\$\$")
_INLINE = re.compile(r"(?<![\\$])\$([^$\n]+)\$(?!\$)")
_BRACKETED = re.compile(r"\\\[.{1,2000}?\\\]|\\\(.{1,500}?\\\)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\begin\{(equation|align|gather|array)\*?\}.{1,9000}?\\end\{\1\*?\}", re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]\n]*\]\([^\n]*?\)(?=[^)]|$)")
_CITATION = re.compile(r"\[\d{1,3}(?:\s?[-–,，~～]\s?\d{1,3})*\]")
_LINK = re.compile(r"https?://[\w./?&=%#~+-]*[\w/]", re.ASCII)
_TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_PIPES = re.compile(r"^[^\n]*\|[^\n]*\n[ \t|:-]*\|[ \t|:-]*(?:\n[^\n]*\|[^\n]*)*", re.MULTILINE)
_ENTRY = re.compile(r"\s*[\[［【]\s*\d{1,4}\s*[\]］】]")
_YEAR = re.compile(r"(?:19|20)\d\d")
_PUBLISHED = re.compile(r"[\[［]\s*(?:[JMDCNPSRBZGKA]|EB|DB|OL|CP)\s*(?:/\s*\w+)?\s*[\]］]")
_NUMBERED = re.compile(r"\s*(?:[\[［【]?\s*\d{1,4}\s*[\]］】]|\d{1,4}(?:[.．、)]|\s))")
_PAGES = re.compile(r"\d\s?[)）]\s?[:：.]\s?\d|[:：,，.]\s?[A-Z]?\d+\s?[-–—－~～+]\s?\d+")
_YEAR_ALONE = re.compile(r"(?:19|20)\d\d(?!\s?[年~～至到-])")
_FIRST_ENTRY = re.compile(r"[\[［【]\s?1\s?[\]］】]\s?[^\s\d]")
_NO_PROSE = re.compile(f"{_DISPLAY.pattern}|{_INLINE.pattern}|{_IMAGE.pattern}|`[^`]*`|{_TAG.pattern}")
_FIGURES = re.compile(r"[\d.,%±+-]+")


def complaints(source: str, result: str) -> list[str]:
    """One sentence for each kind of thing that the result lacks, or has of its own."""
    found: list[str] = []
    for name, pattern in (("heading", _HEADING), ("image", _IMAGE), ("code", _FENCED)):
        ours, theirs = _all(pattern, source), _all(pattern, result)
        if name == "heading":
            ours, theirs = _all(pattern, _FENCED.sub("", source)), _all(pattern, _FENCED.sub("", result))
        if ours != theirs:
            found.append(f"{name}: {len(ours)} in the source, {len(theirs)} in the result, or others")
    for name, before, after in (
        ("formula", formulas(source), formulas(result)),
        ("citation", Counter(_all(_CITATION, source)), Counter(_all(_CITATION, result))),
        ("link", Counter(_all(_LINK, source)), Counter(_all(_LINK, result))),
    ):
        lost = before - after
        if lost:
            found.append(f"{name}: {sum(lost.values())} lost, as {next(iter(lost))!r}")
    if entries(source) != entries(result):
        found.append("reference: an entry of the bibliography is changed, lost or moved")
    return found + _tables(source, result) + _breaks(source, result)


def formulas(text: str) -> Counter[str]:
    """Those that surely are one: no stray dollar makes prose of them."""
    prose = _FENCED.sub("", text)
    found = Counter(each for each in _all(_DISPLAY, prose) if not _HAN.search(each))
    for stanza in re.split(r"\n[ \t]*\n", _DISPLAY.sub("", prose)):
        if "\\$" not in stanza and stanza.count("$") % 2 == 0:
            found.update(each for each in _all(_INLINE, stanza) if not _LONG_HAN.search(each))
    found.update(match[0] for match in _BRACKETED.finditer(prose) if not _LONG_HAN.search(match[0]))
    found.update(match[0] for match in _ENVIRONMENT.finditer(prose) if not _LONG_HAN.search(match[0]))
    return found


def links(text: str) -> list[str]:
    return _all(_LINK, text)


def entries(text: str) -> list[str]:
    """Lines that surely are entries of a bibliography: number, mark of the publication's kind, and year."""
    return [
        line.strip()
        for line in text.splitlines()
        if _ENTRY.match(line) and _PUBLISHED.search(line) and _YEAR.search(line)
    ]


def untranslated(source: str, result: str, kept: Sequence[str] = ()) -> list[str]:
    """Lines of the result with Han in prose. Those of a bibliography may stand if they are the source's, and
    those of texts that are ``kept``."""
    known = {line.strip() for line in source.splitlines() if _may_stay(line)}
    known |= {line.strip() for text in kept for line in text.splitlines()}
    return [
        line
        for line in map(str.strip, result.splitlines())
        if line not in known and _is_chinese(line) and not _ends_in_entries(line, source)
    ]


def _is_chinese(line: str) -> bool:
    """Whether there is Han in its prose."""
    return bool(_HAN.search(_NO_PROSE.sub("", line)))


def _ends_in_entries(line: str, source: str) -> bool:
    """Whether all that is Chinese in it is a bibliography that follows in the same line, as the source's."""
    first = _FIRST_ENTRY.search(line)
    if first is None or _is_chinese(line[: first.start()]):
        return False
    return line[first.start() :] in source and bool(_PUBLISHED.search(line, first.start()))


def _may_stay(line: str) -> bool:
    if _PUBLISHED.search(line) or _PAGES.search(line):
        return True
    return bool(_YEAR_ALONE.search(line) and (_NUMBERED.match(line) or line.count("。") == 0))


def _all(pattern: re.Pattern[str], text: str) -> list[str]:
    return [
        match[1] if pattern.groups == 1 and match[1] is not None else match[0]
        for match in pattern.finditer(text)
    ]


def _tables(source: str, result: str) -> list[str]:
    ours, theirs = _TABLE.findall(source), _TABLE.findall(result)
    if len(ours) != len(theirs):
        return [f"table: {len(ours)} in the source, {len(theirs)} in the result"]
    found = []
    for before, after in zip(ours, theirs, strict=True):
        if _TAG.findall(before) != _TAG.findall(after):
            found.append(f"table: other tags than {before[:80]!r}")
        elif _numeric(before) != _numeric(after):
            found.append(f"table: other numbers than {before[:80]!r}")
    pipes = [[match[0].count("|") for match in _PIPES.finditer(text)] for text in (source, result)]
    return found if pipes[0] == pipes[1] else [*found, "table: other bars"]


def _numeric(table: str) -> list[str]:
    """Cells that hold nothing but a number, each with its place among all."""
    cells = _TAG.split(table)
    return [f"{place}: {cell}" for place, cell in enumerate(cells) if _FIGURES.fullmatch(cell.strip())]


def _breaks(source: str, result: str) -> list[str]:
    """Blank lines outside of code and mathematics: a paragraph more or less is structure."""
    counts = [len(re.findall(r"\n[ \t]*\n", text)) for text in (source, result)]
    return [] if counts[0] == counts[1] else [f"paragraphs: {counts[0]} breaks, then {counts[1]}"]
