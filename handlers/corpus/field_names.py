"""Which name of a source stands for which field of a paper, where it is not the field's own."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from handlers.corpus.fields.inverted_index import INDEX_FIELDS
from handlers.corpus.sources.reader import Record
from handlers.corpus.sources.source_notes import SourceNotes, named, shown
from handlers.errors import UsageError
from handlers.rare_pattern import rare_pattern

FIELDS = ("id", "title", "abstract", "body", "keywords", "language", "license", "url", "date")
"""Fields of a paper that a source may fill, in the order of the canonical line."""
_OURS = (*FIELDS, *INDEX_FIELDS, "same_as")
_SYNONYMS = Path(__file__).with_name("field_names.toml")
_LONGEST = 100
"""Characters of a name that is worth a look."""
_TAGS = frozenset(["ut", "an", "di", "do", "de", "ot", "la", "lg", "ur", "dp", "py", "da"])
"""Of RIS, MEDLINE and Web of Science; elsewhere they are languages and other things."""
_TAGGED = {"ti", "t1", "ab"}
"""Tags of a title and an abstract, which tell such a table."""
_OF_LANGUAGE = re.compile(r"\[[^\[\]]{0,20}\]$")
"""What a repository's table puts behind a name: ``dc.title[zh_CN]``."""
_BETWEEN = re.compile(r"[-/|()（）\[\]【】:：\s]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character: no name of anything."""
_SHAPES = 100
"""Different records whose names are kept in mind, and names that are."""
_PROSE = ("title", "abstract", "body", "keywords")
"""What stands in two languages in some tables; the English one is rarely what is to be translated."""
_IN_ENGLISH = rare_pattern(
    r"\[en\b|\[en_|(?:^|[^a-z]|(?<=[a-z])(?=E))(?:en|eng|english|en_(?:us|gb))(?:$|[^a-z])|英[文语語]",
    re.IGNORECASE,
)
_split = str.split
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\dA-Za-z_]+|\d+")
"""Of a name, in whatever way its words are put together: ``abstract_cn``, ``titleZh``, ``摘要（中文）``."""
_LANGUAGES = frozenset(
    _split(
        "zh cn chs cht chi chn zho tw hk hans hant chinese 中文 中 汉语 漢語 简体 繁體 英文 英语 英語 en eng"
        " english us gb ja jp jpn japanese 日文 日语 日本語 ko kr kor korean 韩文 de ger deu german fr fre"
        " fra french es spa spanish ru rus russian pt por portuguese it ita italian pl pol polish tr tur"
        " turkish ar ara fa fas per uk ukr vi vie nl cs cze"
    )
)
"""Words of a name that say in which language its values are."""


class _Naming(NamedTuple):
    """Names of a source by the field of a paper that they fill."""

    stated: Mapping[str, str]
    """Of every field: its own name, or the one that was mapped, as the source spells it."""
    found: Mapping[str, tuple[str, ...]]
    """Of fields whose stated name the source does not have, best first: the first that holds something."""
    known: frozenset[str]
    """Names that are never carried along as strangers."""


class FieldReader:
    """The fields of a paper out of a record. ``mapping``: field → name, as whoever knows the source says;
    ``columns``: names of all records, if they share them; ``kept``: names that are never taken for a field's.
    UsageError for a mapping to a column that is not there."""

    def __init__(
        self, mapping: Mapping[str, str], columns: Sequence[str] = (), kept: Collection[str] = ()
    ) -> None:
        unknown = sorted(set(mapping) - set(FIELDS))
        if unknown:
            raise UsageError(
                f"--map {unknown[0]}=...: no such field of a paper; fields are {', '.join(FIELDS)}"
            )
        self.mapping = mapping
        self.stated = {field: mapping.get(field, field) for field in FIELDS}
        self.kept = kept
        self._columns, self._table = columns, _naming(mapping, columns, kept) if columns else None
        self._namings: dict[tuple[str, ...], _Naming] = {}
        self._taken: dict[str, dict[str, None]] = {}
        self._unseen = dict(mapping)
        self._names: dict[str, None] = {}
        for field, name in mapping.items() if columns else ():
            if _alike(name, columns) not in columns:
                raise UsageError(self._no_such_name(field, name))

    def read(self, record: Record) -> tuple[dict[str, Any], frozenset[str]]:
        """(field → what the record holds for it or None, names of the record that are no strangers)."""
        naming = self._table or self._naming(record)
        raw = {field: record.get(name) for field, name in naming.stated.items()}
        used = []
        for field, names in naming.found.items():
            name = next((name for name in names if _holds(field, record.get(name))), None)
            if name is not None:
                raw[field] = record[name]
                used.append(name)
                self._taken.setdefault(field, {})[name] = None
        return raw, naming.known.union(used) if used else naming.known

    @property
    def names(self) -> Sequence[str]:
        """Of the source's fields, as far as they are kept in mind."""
        return self._columns or list(self._names)

    def tell(self, notes: SourceNotes, fields: Collection[str] = FIELDS) -> None:
        """Which names there are, and which were taken for those of ``fields``."""
        notes.columns = notes.columns or list(self._names)
        taken = {field: names for field, names in self._taken.items() if field in fields}
        each = [f"{field} from {' or '.join(map(shown, names))}" for field, names in taken.items()]
        if each:
            notes.others.append(f"taken: {', '.join(each)} (else: --map FIELD=NAME)")

    def refuse_unseen(self, filled: Mapping[str, int]) -> None:
        """UsageError for a mapped name that no record had. ``filled``: field → papers that have it, for
        records that others read; a language is found out where none is given."""
        for field, name in self._unseen.items() if self._names else ():
            if field == "language" or not filled.get(field):
                raise UsageError(self._no_such_name(field, name))

    def _no_such_name(self, field: str, name: str) -> str:
        has = named(self.names)
        or_task = " (or the task file's `id`)" if field == "id" else ""
        return f"--map {field}={shown(name)}{or_task}: the source has no {shown(name)!r}; it has {has}"

    def _naming(self, record: Record) -> _Naming:
        """Records of one shape share it."""
        shape = tuple(record)
        naming = self._namings.get(shape)
        if naming is None:
            naming = _naming(self.mapping, shape, self.kept)
            self._see(shape, naming)
            if len(self._namings) < _SHAPES and len(shape) < _SHAPES:
                self._namings[shape] = naming
        return naming

    def _see(self, shape: Sequence[str], naming: _Naming) -> None:
        self._unseen = {f: name for f, name in self._unseen.items() if naming.stated[f] not in shape}
        if len(self._names) < _SHAPES:
            self._names |= dict.fromkeys(shape[:_SHAPES])


def _naming(mapping: Mapping[str, str], names: Sequence[str], kept: Collection[str] = ()) -> _Naming:
    there = set(names)
    stated = {field: field for field in FIELDS} | {f: _alike(n, there) for f, n in mapping.items()}
    free = [name for name in names if name not in FIELDS and name not in stated.values()]
    free = [name for name in free if name not in kept]
    found = _found([field for field in FIELDS if field not in mapping and field not in there], free)
    known = {*_OURS, *mapping.values(), *stated.values()} - {name for name in kept if name not in _OURS}
    return _Naming(stated, found, frozenset(known))


def _holds(field: str, value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, list):
        return field in _PROSE and any(isinstance(each, str | list | dict) for each in value)
    if isinstance(value, dict):
        return "$oid" in value if field == "id" else field in _PROSE and bool(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _alike(name: str, names: Collection[str]) -> str:
    """The name as the source spells it, should it differ in case alone."""
    if name in names:
        return name
    key = _key(name)
    return next((each for each in names if key and _key(each) == key), name)


def _found(fields: Collection[str], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    known, tagged = _known(), any(_key(name) in _TAGGED for name in names)
    ranked: dict[str, list[tuple[int, int, str]]] = {}
    for name in names:
        field, rank = _field_of(name, known, tagged=tagged)
        if field in fields:
            english = name.isascii() + bool(_IN_ENGLISH.search(name)) if field in _PROSE else 0
            ranked.setdefault(field, []).append((english, rank, name))
    best = {field: [name for _, _, name in sorted(found)] for field, found in ranked.items()}
    prose = [field for field in _PROSE if field not in fields or field in best]
    if not all(field in best and _IN_ENGLISH.search(best[field][0]) for field in prose):
        # A lone English column beside texts in another language is none of theirs.
        best = {f: each for f, each in best.items() if f not in prose or not _IN_ENGLISH.search(each[0])}
    return {
        field: tuple(best[field] if field == "id" else best[field][:1]) for field in FIELDS if field in best
    }


def field_named(name: str) -> str:
    """The field that a column of this name is read as; "" if it says nothing of a paper's fields."""
    return _field_of(name, _known(), tagged=True)[0]


def _field_of(name: str, known: Mapping[str, tuple[str, int]], *, tagged: bool) -> tuple[str, int]:
    """("", 0) for a name that says nothing of a paper's fields."""
    key = _key(name)
    if found := known.get(key):
        return ("", 0) if key in _TAGS and not tagged else found
    words = _WORD.findall(name[:_LONGEST])
    rest = [word for word in words if word.casefold() not in _LANGUAGES]
    if rest and rest != words and (found := known.get(_key("".join(rest)))):
        return found
    parts = {known.get(_key(part), ("", 0)) for part in _BETWEEN.split(name[:_LONGEST]) if part}
    of_one = {field for field, _ in parts}
    return min(parts) if len(of_one) == 1 else ("", 0)


@cache
def _known() -> dict[str, tuple[str, int]]:
    """Key of a name → (field, rank)."""
    lists: dict[str, list[str]] = tomllib.loads(_SYNONYMS.read_text(encoding="utf-8"))
    known: dict[str, tuple[str, int]] = {}
    for field, names in lists.items():
        for rank, name in enumerate(names):
            known.setdefault(_key(name), (field, rank))
    return known


def _key(name: str) -> str:
    """Without case, accents, width and all that is neither letter nor digit."""
    if len(name) > _LONGEST or _SURROGATE.search(name):
        return ""
    plain = unicodedata.normalize("NFKD", _OF_LANGUAGE.sub("", name)).casefold().replace("ı", "i")
    return "".join(char for char in plain if char.isalnum())
