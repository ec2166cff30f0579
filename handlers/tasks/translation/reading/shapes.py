"""From what a JSON value holds to the texts asked for, whatever frame a model has put around them.

The question's frame, other keys beside, capitals and separators, texts in objects, pairs in a list: each
is read only if it has one meaning. Where two texts of a key differ, neither is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_split = str.split
_DEEPEST = 6
_MOST_NODES = 2_000
_SEPARATORS = re.compile(r"[\s_./\\:|#()\[\]<>'\"*-]+")
_COUNTED = re.compile(r"(?<=[a-z])(?=\d)")
_LANGUAGE = re.compile(r"[a-z]{2}")
_LISTED = re.compile(r"\s*[;；、\n|]\s*")
_OTHER_NAMES = {
    "keyword": "keywords", "key/words": "keywords", "关键词": "keywords", "标题": "title", "题目": "title",
    "摘要": "abstract",
}  # fmt: skip
_NOISE = frozenset(_split("segments segment translated translation text target final english"))
_PASSED_OVER = frozenset(
    _split(
        "source original input source/text original/text previous/answer previous draft first/draft initial "
        "initial/translation literal literal/translation reasoning thoughts thinking analysis glossary"
    )
)
"""Members that hold something else than the answer, by what their names say."""
_KEY_NAMES = frozenset(_split("key id name segment field path label"))
_TEXT_NAMES = (
    frozenset(_split("translation translated translated/text translation/text target target/text final")),
    frozenset(_split("text value content output result")),
)


@dataclass
class Shape:
    """The texts found by key. ``unread``: keys that are there, but with no text or with two."""

    texts: dict[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    extra: list[str] = field(default_factory=list)

    def add(self, key: str, text: str | None, source: str) -> None:
        """Beside a translation, the source's own text is none."""
        known = self.texts.get(key)
        if text is None:
            self.unread.add(key)
        elif known is None or known == source:
            self.texts[key] = text
        elif text not in (known, source):
            self.unread.add(key)

    def merge(self, other: Shape, sources: Mapping[str, str]) -> None:
        for key, text in other.texts.items():
            self.add(key, text, sources[key])
        self.unread |= other.unread
        self.extra += other.extra

    @property
    def found(self) -> bool:
        return bool(self.texts or self.unread)

    def complete(self, sources: Mapping[str, str]) -> bool:
        return len(self.texts) == len(sources) and not self.unread


class Shapes:
    """Reads JSON values for one set of masked source texts by key."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._names = {_plain(key): key for key in sources}
        self._families: dict[str, list[str]] = {}
        for key in sources:
            if "/" in key:
                self._families.setdefault(_plain(key.rpartition("/")[0]), []).append(key)

    def read(self, value: Any) -> Shape:
        """The one reading of a value; keys of which it has two are ``unread``."""
        shapes = [shape for node in _nodes(value) if (shape := self._of_node(node)).found]
        whole = [shape for shape in shapes if shape.complete(self._sources)]
        whole = [shape for shape in whole if shape.texts != self._sources] or whole
        if not whole:
            return self.union(shapes)
        if any(shape.texts != whole[0].texts for shape in whole):
            return Shape(unread=set(self._sources))
        return whole[0]

    def union(self, shapes: list[Shape]) -> Shape:
        """Parts of one answer, side by side."""
        merged = Shape()
        for shape in shapes:
            merged.merge(shape, self._sources)
        merged.texts = {key: text for key, text in merged.texts.items() if key not in merged.unread}
        return merged

    def _of_node(self, node: dict[str, Any] | list[Any]) -> Shape:
        if isinstance(node, dict):
            return self._of_object(node)
        parts = [self._pair(item) or self._of_object(item) for item in node if isinstance(item, dict)]
        return self.union(parts) if len(parts) > 1 else Shape()

    def _pair(self, item: dict[str, Any]) -> Shape | None:
        """``{"key": "title", "text": "..."}``."""
        for name, value in item.items():
            if _plain(name) in _KEY_NAMES and isinstance(value, str) and (key := self._key(value)):
                shape = Shape()
                rest = {other: text for other, text in item.items() if other != name}
                shape.add(key, self._text(rest, self._sources[key]), self._sources[key])
                return shape
        return None

    def _of_object(self, node: dict[str, Any]) -> Shape:
        shape = Shape()
        for name, item in node.items():
            key = self._key(name)
            if key is not None:
                shape.add(key, self._text(item, self._sources[key]), self._sources[key])
            elif (family := self._families.get(_plain(name))) is not None:
                for key, text in self._of_family(family, item):
                    shape.add(key, text, self._sources[key])
            elif len(shape.extra) < 16:
                shape.extra.append(name[:80])
        return shape

    def _key(self, name: str) -> str | None:
        if name in self._sources:
            return name
        plain = _plain(name)
        if plain in self._names:
            return self._names[plain]
        return self._names.get("/".join(part for part in plain.split("/") if not _is_noise(part)))

    def _of_family(self, family: list[str], item: Any) -> Iterator[tuple[str, str | None]]:
        if isinstance(item, str):
            listed = len(family) > 1 and family[0].startswith("keywords/")
            item = _LISTED.split(item.strip()) if listed else [item]
        if isinstance(item, list) and len(item) == len(family):
            yield from (
                (key, self._text(part, self._sources[key])) for key, part in zip(family, item, strict=True)
            )
        elif isinstance(item, dict):
            places = {key.rpartition("/")[2]: key for key in family}
            for place, part in item.items():
                key = places.get(place)
                if key is not None:
                    yield key, self._text(part, self._sources[key])

    def _text(self, item: Any, source: str) -> str | None:
        """A text, or the one text of an object or list that can be meant."""
        if isinstance(item, list) and len(item) == 1:
            item = item[0]
        if not isinstance(item, dict):
            return item if isinstance(item, str) else None
        texts = {
            _plain(name): text
            for name, text in item.items()
            if isinstance(text, str) and text != source and _plain(name) not in _PASSED_OVER
        }
        if len(texts) == 1:
            return next(iter(texts.values()))
        for names in _TEXT_NAMES:
            named = [text for name, text in texts.items() if name in names]
            if named:
                return named[0] if len(set(named)) == 1 else None
        return None


def _plain(name: str) -> str:
    """``Keywords[0]`` → ``keywords/0``."""
    plain = _COUNTED.sub("/", _SEPARATORS.sub("/", name[:80].lower()).strip("/"))
    head, slash, place = plain.rpartition("/")
    if slash and place.isdigit():
        return f"{_OTHER_NAMES.get(head, head)}/{place}"
    return _OTHER_NAMES.get(plain, plain)


def _is_noise(part: str) -> bool:
    return part in _NOISE or _LANGUAGE.fullmatch(part) is not None


def _nodes(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """Objects and lists, outermost first."""
    level, count = [value], 0
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for node in level:
            count += 1
            if count > _MOST_NODES:
                return
            yield node
            below += _members(node)
        level = [item for item in below if isinstance(item, dict | list)]


def _members(node: dict[str, Any] | list[Any]) -> list[Any]:
    if isinstance(node, list):
        return node
    return [item for name, item in node.items() if _plain(name) not in _PASSED_OVER]
