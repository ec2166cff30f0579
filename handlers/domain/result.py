"""What became of a paper: checks, fields, and the line of a part that keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.domain.call import CallRecord, CallTotals
from handlers.domain.coverage import Coverage
from handlers.domain.paper import PaperStatus
from handlers.domain.value import Frozen

HEAD = "head"
"""Key of the passage of title, abstract and keywords."""
TERMS = "terms"
"""Key of the passage that asks for a paper's terms. No paper is flagged or fails by it, and one whose frame
is known does not ask it again."""
FRAME = "frame"
"""Stands for a passage in the line that holds a paper's frame."""
MADE_UP = "made-up:"
"""Stands before the name of a result of the built-in model server, which is none for any other endpoint."""
OF_FILE = "f1:"
"""Begins the name of a result of a task file."""
REFUSED = "refused:"
"""Stands before the name of one whose answers were refused: whoever asks the same judges them."""

OF_HEAD = "head:"
"""Stands before the name of a result of title, abstract and keywords alone, at the line of a whole paper that
has paid for them: whoever asks the same judges the answers."""


class Check(Frozen):
    """One gate check's verdict. ``warn`` is seen by reviewers and stops nothing."""

    name: str
    verdict: Literal["pass", "warn", "fail"]
    detail: str = ""


class TaskResult(Frozen):
    """What a task made of one paper. ``fields`` has the translated ones: title, abstract, keywords."""

    status: Literal["done", "flagged"]
    fields: dict[str, Any]
    checks: tuple[Check, ...]
    """Of ``fields``; of a paper without any, ``no_text``."""
    error: str | None = None
    """Class of the refusal when flagged: a failed check's name, ``content_filter``, ``too_long``."""
    faults: tuple[Check, ...] = ()
    """What the calls of a flagged paper did wrong besides."""
    coverage: Coverage | None = None
    """Of its body, where that was sent."""
    ends: tuple[int, ...] = ()
    """Where each block of the source ends in ``fields["body"]``."""
    blamed: tuple[str, ...] = ()
    """Keys of the passages that a check of the whole paper refuses, though their own checks passed them."""
    gate: str = ""
    """Version of what judged it."""


class PassageResult(Frozen):
    """What became of one passage of a paper."""

    key: str
    """``head``, ``terms``, ``body/0`` ..."""
    status: Literal["done", "flagged", "failed"]
    texts: dict[str, str]
    """Translated and unmasked, by their segments' keys; refused ones too, where there is a text."""
    flagged: tuple[str, ...] = ()
    """Keys of the segments that were refused or have no text."""
    checks: tuple[Check, ...] = ()
    error: str | None = None
    faults: tuple[Check, ...] = ()


class PartPointer(Frozen):
    """Where one line of a part lies: an object's key and a byte range of its (unpacked) content."""

    key: str
    """The part's."""
    offset: int
    """Bytes."""
    length: int
    """Bytes, the line's end included."""


def _is_empty(value: object) -> bool:
    """Left out of a line: those of papers without a body keep the bytes that they have always had."""
    return not value


class PartLine(BaseModel):
    """One line of a part: a paper's outcome, or (status ``pending``) the calls of an unfinished one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Literal[1] = 1
    id: str
    run_id: str
    batch_id: str
    generation: int
    status: PaperStatus
    error: str | None = None
    reason: str | None = None
    """One sentence for people: why it was skipped, flagged or failed."""
    fields: dict[str, Any] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    calls: tuple[CallRecord, ...] = ()
    carried: tuple[CallRecord, ...] = ()
    """Calls before the last ones, of this attempt and of interrupted ones: booked in lines of their own."""
    model: str = ""
    prompt_version: str = ""
    fingerprint: str = ""
    reused_from: str | None = None
    latency: float = 0.0
    """Seconds that a worker held the paper."""
    at: float = 0.0
    url: str | None = None
    license: str | None = None
    notice: str = ""
    passage: str = Field(default="", exclude_if=_is_empty)
    """Of an interim line (``pending``) of a whole paper: ``head``, ``terms``, ``body/3``, or ``frame``."""
    passed: bool = Field(default=False, exclude_if=_is_empty)
    """Of an interim line: whether the gate let the passage through. One that did not pass says why
    (``reason``), one that was broken off says neither. A passage's last verdict counts."""
    frame: dict[str, str] | None = Field(default=None, exclude_if=_is_empty)
    """Of the ``frame`` line: the paper's terms and their translations, frozen before its body is asked."""
    behind: CallTotals | None = Field(default=None, exclude_if=_is_empty)
    """Of the last line of a whole paper: sums over its interim lines of this generation."""
    coverage: Coverage | None = Field(default=None, exclude_if=_is_empty)
    """Of a body: what was translated, what was kept and by which rule."""
    ends: tuple[int, ...] = Field(default=(), exclude_if=_is_empty)
    """Where each block of the source's body ends in ``fields["body"]``."""
    supersedes: PartPointer | None = Field(default=None, exclude_if=_is_empty)
    """The result of another run that its calls go on from, and whose place it takes under their
    fingerprint: it has all that was answered."""
    gate: str = Field(default="", exclude_if=_is_empty)
    """Version of the gate that judged; not in lines of earlier releases, but of whole papers."""


@dataclass(frozen=True)
class Part:
    """Lines to be made durable together; ``name`` is unique over jobs and epochs."""

    run_id: str
    name: str
    lines: tuple[bytes, ...]
    """Each ends in a newline."""
