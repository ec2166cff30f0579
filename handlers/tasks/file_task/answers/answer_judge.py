"""One answer, read and judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from handlers.domain.call import ChatRequest
from handlers.domain.result import Check
from handlers.tasks.file_task.answers.answer_checks import SentRecord
from handlers.tasks.file_task.answers.answer_places import mapped, texts_at
from handlers.tasks.file_task.answers.answer_reading import ReadAnswer, read_answer_object, read_answer_text
from handlers.tasks.file_task.plugins.plugin_verdict import BROKEN
from handlers.tasks.file_task.task_bundle import TaskBundle
from handlers.tasks.translation.gate.phrases import refusal_in
from handlers.tasks.translation.masking.masking import PLACEHOLDER
from handlers.tasks.translation.reading.placeholders import as_placeholders

_CUT = frozenset({"length", "max_tokens", "model_length", "truncated", "incomplete"})
_CUT_OFF = "The answer was cut off at the limit of its length."
_BREAKS_OFF = "The answer breaks off in the middle."
_WEIGHTS = {"json": 100, "finish": 50, "schema": 10}
"""What makes an answer worse than another, beside the checks, of which each counts 1."""


@dataclass(frozen=True)
class Judged:
    """``fields``: masked, None where the schema fails."""

    fields: dict[str, Any] | None
    checks: tuple[Check, ...]
    raw: str
    cut: bool = False
    request: ChatRequest | None = None

    @property
    def passes(self) -> bool:
        return all(each.verdict != "fail" for each in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(each for each in self.checks if each.verdict == "fail")

    @property
    def error(self) -> str | None:
        """The class of a flagged record: the first check that failed."""
        return next((each.name for each in self.failed), None)

    @property
    def problems(self) -> tuple[str, ...]:
        """What another answer could mend; not that a plugin is broken."""
        return tuple(each.detail[:1_000] or each.name for each in self.failed if each.name != BROKEN)

    @property
    def weight(self) -> int:
        """How much is wrong with it."""
        return weight_of(self.checks)


def weight_of(checks: Iterable[Check]) -> int:
    """How much is wrong, by the checks that failed."""
    return sum(_WEIGHTS.get(each.name, 1) for each in checks if each.verdict == "fail")


def judge(bundle: TaskBundle, content: str, finish_reason: str | None, record: SentRecord) -> Judged:
    """Never raises for any content. If the schema fails no other check runs, and there are no fields."""
    name = bundle.text_field
    read = read_answer_object(content, bundle.schema) if name is None else read_answer_text(content, name)
    cut = finish_reason in _CUT or read.cut
    checks = [_finish(finish_reason, read)]
    if read.value is None:
        if words := refusal_in(content[:10_000].lstrip(), record.whole):
            checks.append(Check(name="refusal", verdict="fail", detail=f"It says “{words[:80]}”."))
        checks.insert(0, Check(name="json", verdict="fail", detail=read.problem))
        return Judged(None, tuple(checks), content, cut)
    checks.insert(0, _json(read))
    if faults := () if bundle.schema.is_valid(read.value) else bundle.schema.faults(read.value, len(content)):
        checks.append(Check(name="schema", verdict="fail", detail="; ".join(faults)[:2_000]))
        return Judged(None, tuple(checks), content, cut)
    checks.append(Check(name="schema", verdict="pass"))
    value = (
        mapped(read.value, lambda text: as_placeholders(text, record.whole))
        if "⟦" in record.whole
        else read.value
    )
    if bundle.tables.input.masking and (strange := _strange(value, record)):
        said = f"{strange} stands for nothing in the record: leave it out."
        checks.append(Check(name="placeholders", verdict="fail", detail=said))
    checks += [each.verdict(value, record) for each in bundle.checks]
    return Judged(value, tuple(checks), content, cut)


def _strange(value: dict[str, Any], record: SentRecord) -> str:
    """A placeholder that the record has not: what it stands for could never be put in its place."""
    known = set(PLACEHOLDER.findall(record.whole))
    found = (each for _, text in texts_at(value, ("*",)) for each in PLACEHOLDER.findall(text))
    return next((f"⟦{each}⟧" for each in found if each not in known), "")


def _finish(finish_reason: str | None, read: ReadAnswer) -> Check:
    said = _CUT_OFF if finish_reason in _CUT else _BREAKS_OFF if read.cut else ""
    return Check(name="finish", verdict="fail" if said else "pass", detail=said)


def _json(read: ReadAnswer) -> Check:
    if not read.dropped:
        return Check(name="json", verdict="pass")
    names = ", ".join(map(repr, read.dropped))
    return Check(name="json", verdict="warn", detail=f"Keys that were not asked for are left out: {names}.")
