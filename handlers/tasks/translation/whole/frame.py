"""A paper's terms as first translated, frozen before its body is asked: passages that run side by side call
a thing by one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from handlers.domain.result import HEAD, TERMS, PassageResult
from handlers.tasks.translation.masked_fields import MaskedFields

_LONGEST_TARGET = 200
_SHORTEST_TERM = 2
_KEYWORD = "keywords/"


def frame_of(
    fields: Mapping[str, MaskedFields], results: Mapping[str, PassageResult], run_terms: Mapping[str, str]
) -> dict[str, str]:
    """Source term → target term: the head's keywords, then other terms, of each the first; only what the gate
    passed, and what the run's own glossary does not have. ``fields``: what was asked as ``head`` and
    ``terms``."""
    frame: dict[str, str] = {}
    for key in (HEAD, TERMS):
        if key in fields and key in results:
            for term, target in _passed(fields[key], results[key]):
                if term not in run_terms:
                    frame.setdefault(term, target)
    return frame


def _passed(fields: MaskedFields, result: PassageResult) -> Iterator[tuple[str, str]]:
    """Terms without placeholders, which would stand for nothing in another text."""
    for key, part in fields.parts.items():
        term, target = part.segment.text.strip(), result.texts.get(key, "").strip()
        named = key.startswith((_KEYWORD, f"{TERMS}/")) and not part.masked.spans
        if not named or key in result.flagged or len(term) < _SHORTEST_TERM:
            continue
        if target and target.isprintable() and len(target) <= _LONGEST_TARGET:
            yield term, target
