"""What of a paper's body was translated, what was kept and by which rule."""

from __future__ import annotations

from pydantic import Field

from handlers.domain.value import Frozen


class Coverage(Frozen):
    """``translated``: segments that are sent. ``kept``: blocks passed through byte for byte, by the rule's
    name. ``flagged``, ``failed``: keys of segments. ``notes``: what was odd in the source, and how often."""

    translated: int = 0
    kept: dict[str, int] = Field(default_factory=dict)
    flagged: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    notes: dict[str, int] = Field(default_factory=dict)
