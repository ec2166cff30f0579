"""An abstract as the places of each word, as OpenAlex and Microsoft Academic Graph have it.

https://docs.openalex.org/api-entities/works/work-object#abstract_inverted_index
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INDEX_FIELDS = ("abstract_inverted_index", "indexed_abstract", "IndexedAbstract")
"""What it is called where ``abstract`` is not there."""
_WRAPPED = ("InvertedIndex", "invertedIndex", "inverted_index")


def is_inverted_index(value: Mapping[str, Any]) -> bool:
    """Whether each value is a list of places, be it wrapped with its length or not."""
    words = _words(value)
    return bool(words) and all(
        isinstance(places, list) and places and all(type(place) is int and place >= 0 for place in places)
        for places in words.values()
    )


def text_of_index(value: Mapping[str, Any]) -> str:
    """The words in the order of their places, at the cost of sorting them however large a place is."""
    placed = sorted((place, word) for word, places in _words(value).items() for place in places)
    return " ".join(word for _, word in placed)


def _words(value: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = next((value[name] for name in _WRAPPED if isinstance(value.get(name), dict)), None)
    return value if inner is None else inner
