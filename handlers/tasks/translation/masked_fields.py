"""Texts of a paper, each masked, as they are sent together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from handlers.tasks.translation.masking.exactness import Exact
from handlers.tasks.translation.masking.masking import Masked, mask, unmask
from handlers.tasks.translation.policy import has_words
from handlers.tasks.translation.segment import Segment


@dataclass(frozen=True, slots=True)
class MaskedPart:
    """A segment that is sent. ``first``: number of its first placeholder."""

    segment: Segment
    masked: Masked
    first: int

    def unmasked(self, answer: str) -> str:
        return unmask(answer, self.masked.spans, self.first)

    def exact(self, result: str) -> Exact:
        return self.segment.key, self.segment.text, result, self.masked


@dataclass(frozen=True, slots=True)
class MaskedFields:
    """Parts by key. Placeholders are numbered on through all of them."""

    language: str
    parts: dict[str, MaskedPart]

    @property
    def texts(self) -> dict[str, str]:
        return {key: part.masked.text for key, part in self.parts.items()}

    def spans(self) -> dict[str, str]:
        """Masked spans by placeholder number."""
        return {
            str(number): span
            for part in self.parts.values()
            for number, span in enumerate(part.masked.spans, start=part.first)
        }


def masked_fields(segments: Iterable[Segment], language: str, masking: str) -> MaskedFields:
    """Those with a word of the source ``language`` outside of their placeholders."""
    fields = MaskedFields(language, {})
    number = 1
    for segment in segments:
        masked = mask(segment.text, number, masking)
        if has_words(masked.text, language):
            fields.parts[segment.key] = MaskedPart(segment, masked, number)
            number += len(masked.spans)
    return fields
