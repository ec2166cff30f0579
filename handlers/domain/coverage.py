"""What of a paper's body was translated, what was kept and by which rule."""

from __future__ import annotations

from pydantic import Field

from handlers.domain.value import Frozen


class Coverage(Frozen):
    """What became of each part of a body. Nothing of it is padded, dropped or left out of these counts."""

    translated: int = 0
    """Segments whose translation stands in the body and passed: with the flagged and the failed ones, all."""
    kept: dict[str, int] = Field(default_factory=dict)
    """Blocks passed through byte for byte, by the rule's name."""
    flagged: tuple[str, ...] = ()
    """Keys of segments that the gate refused."""
    failed: tuple[str, ...] = ()
    """Keys of segments whose calls failed."""
    notes: dict[str, int] = Field(default_factory=dict)
    """What was odd in the source, and how often."""

    def counts(self) -> dict[str, int]:
        """For a row: ``translated kept flagged failed``, ``kept.<rule>``, ``note.<name>``; without zeros."""
        sums = {
            "translated": self.translated,
            "kept": sum(self.kept.values()),
            "flagged": len(self.flagged),
            "failed": len(self.failed),
            **{f"kept.{rule}": count for rule, count in sorted(self.kept.items())},
            **{f"note.{name}": count for name, count in sorted(self.notes.items())},
        }
        return {name: count for name, count in sums.items() if count}
