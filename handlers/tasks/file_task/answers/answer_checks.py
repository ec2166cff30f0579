"""What judges an answer that is of its schema: each check says what is wrong in a sentence fit for a repair.

Linear in record and answer. What is compared with the record is compared as it was sent: masked, if it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, cast

from handlers.domain.result import Check
from handlers.domain.writing_systems import scripts_of
from handlers.errors import UsageError
from handlers.tasks.file_task.answers import check_kinds as kinds
from handlers.tasks.file_task.answers.answer_places import Steps, texts_at
from handlers.tasks.file_task.answers.quotes import QuotedSource
from handlers.tasks.file_task.patterns import LONGEST_TEXT, is_found
from handlers.tasks.file_task.plugins.plugin_verdict import BROKEN, GuardedPlugin, PluginBrokenError
from handlers.tasks.translation.gate.numbers import compare
from handlers.tasks.translation.gate.phrases import is_copy, refusal_in
from handlers.tasks.translation.gate.repetition import loop_in
from handlers.tasks.translation.masking.masking import PLACEHOLDER
from handlers.tasks.translation.scripts import letters

_TOLD = 4
"""Faults of one check that are told."""
_SHOWN = 80
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？]")
_WORD = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff]|[^\W_](?:[^\W_\u3400-\u9fff\u3040-\u30ff]|['’-](?=\w))*"
)
_LEAST_LETTERS = 8
_FOREIGN_SHARE = 0.2

Texts = list[tuple[str, str]]


@dataclass(frozen=True)
class SentRecord:
    """What of a record was sent: its values as texts, by path."""

    values: Mapping[str, str]

    @cached_property
    def quoted(self) -> QuotedSource:
        """Of all of them."""
        return QuotedSource(self.values.values())

    @cached_property
    def whole(self) -> str:
        return "\n".join(self.values.values())


@dataclass(frozen=True)
class CompiledCheck:
    """A check of the file and where it looks."""

    table: kinds.CheckTable
    steps: Steps
    plugin: GuardedPlugin | None = None
    """Of a plugin's check, what judges; None where nothing is to be judged."""

    def verdict(self, value: Mapping[str, Any], record: SentRecord) -> Check:
        """Of an answer that is of its schema."""
        if isinstance(self.table, kinds.PluginCheck):
            return self._said_by_plugin(self.table, value, record)
        found = list(islice(_LOOKS[self.table.kind](self.table, texts_at(value, self.steps), record), _TOLD))
        return self._verdict([f"{sentence}." for sentence in found])

    def _said_by_plugin(
        self, table: kinds.PluginCheck, value: Mapping[str, Any], record: SentRecord
    ) -> Check:
        if self.plugin is None:
            raise UsageError(
                f"plugin {table.plugin} is not allowed: give --allow-plugins {table.distribution}"
            )
        try:
            return self._verdict(self.plugin.sentences(value, record.values, table.options))
        except PluginBrokenError as error:
            return Check(name=BROKEN, verdict=table.severity, detail=f"{error}."[:2_000])

    def _verdict(self, sentences: list[str]) -> Check:
        name = self.table.name or self.table.kind
        if not sentences:
            return Check(name=name, verdict="pass")
        places = " ".join(sentences)
        detail = f"{self.table.message} ({places})" if self.table.message else places
        return Check(name=name, verdict=self.table.severity, detail=detail[:2_000])


def _shown(text: str) -> str:
    return f"“{text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}”"


def _refusal(_: kinds.CheckTable, texts: Texts, record: SentRecord) -> Iterator[str]:
    for place, text in texts:
        if words := refusal_in(text, record.whole):
            yield f"{place}: it says {_shown(words)} in place of an answer"


def _repetition(_: kinds.CheckTable, texts: Texts, record: SentRecord) -> Iterator[str]:
    for place, text in texts:
        if (loop := loop_in(text)) is not None and loop_in(record.whole) is None:
            yield f"{place}: {_shown(loop)} is repeated again and again"


def _length(table: kinds.CheckTable, texts: Texts, _: SentRecord) -> Iterator[str]:
    check = cast("kinds.LengthCheck", table)
    for place, text in texts:
        size = size_of(text, check.unit)
        if check.maximum is not None and size > check.maximum:
            yield f"{place}: it has {size:,} {check.unit}, at most {check.maximum:,} are wanted"
        if check.minimum is not None and size < check.minimum:
            yield f"{place}: it has {size:,} {check.unit}, at least {check.minimum:,} are wanted"


def size_of(text: str, unit: str) -> int:
    """Characters, words (an ideograph is one) or sentences."""
    if unit == "characters":
        return len(text)
    if unit == "words":
        return sum(1 for _ in _WORD.finditer(text))
    stripped = text.strip()
    ends = sum(1 for _ in _SENTENCE_END.finditer(stripped))
    return ends + (bool(stripped) and not _SENTENCE_END.match(stripped, len(stripped) - 1))


def _regex(table: kinds.CheckTable, texts: Texts, _: SentRecord) -> Iterator[str]:
    check = cast("kinds.RegexCheck", table)
    for place, text in texts:
        if len(text) > LONGEST_TEXT:
            yield f"{place}: it has more than {LONGEST_TEXT:,} characters"
        elif not is_found(check.pattern, text):
            yield f"{place}: {_shown(text)} does not match {check.pattern}"


def _contains(table: kinds.CheckTable, texts: Texts, _: SentRecord) -> Iterator[str]:
    check = cast("kinds.TextsCheck", table)
    for place, text in texts:
        folded = text.casefold()
        lacking = [each for each in check.texts if each.casefold() not in folded]
        if lacking and (not check.any_of or len(lacking) == len(check.texts)):
            yield f"{place}: it lacks {', '.join(map(_shown, lacking[:_TOLD]))}"


def _absent(table: kinds.CheckTable, texts: Texts, _: SentRecord) -> Iterator[str]:
    check = cast("kinds.TextsCheck", table)
    for place, text in texts:
        folded = text.casefold()
        if there := [each for each in check.texts if each.casefold() in folded]:
            yield f"{place}: it must not say {', '.join(map(_shown, there[:_TOLD]))}"


def _unique(_: kinds.CheckTable, texts: Texts, __: SentRecord) -> Iterator[str]:
    seen: dict[str, str] = {}
    for place, text in texts:
        key = " ".join(text.casefold().split())
        if key in seen:
            yield f"{place}: it is the same as {seen[key]}"
        seen.setdefault(key, place)


def _no_copy(table: kinds.CheckTable, texts: Texts, record: SentRecord) -> Iterator[str]:
    source = cast("kinds.SourceCheck", table).source
    sources = [record.values.get(source, "")] if source else list(record.values.values())
    for place, text in texts:
        if any(each.strip() and is_copy(text, each) for each in sources):
            yield f"{place}: it is the source given back"


def _same_numbers(table: kinds.CheckTable, texts: Texts, record: SentRecord) -> Iterator[str]:
    """Of the texts together: the source is read once."""
    check = cast("kinds.NumbersCheck", table)
    source = PLACEHOLDER.sub("\x00", record.values.get(check.source, ""))
    compared = compare(source, PLACEHOLDER.sub("\x00", "\n".join(text for _, text in texts)))
    if compared.missing and check.missing:
        yield f"numbers of {check.source} are missing or changed: {', '.join(compared.missing[:8])}"
    if compared.invented:
        yield f"numbers stand that {check.source} has not: {', '.join(compared.invented[:8])}"
    if check.missing:
        yield from compared.contradicted[:_TOLD]


def _mathematics(table: kinds.CheckTable, texts: Texts, record: SentRecord) -> Iterator[str]:
    """Each placeholder of the source once in the texts, and no other."""
    check = cast("kinds.MathematicsCheck", table)
    wanted = PLACEHOLDER.findall(record.values.get(check.source, ""))
    counts: dict[str, int] = {}
    for _, text in texts:
        for number in PLACEHOLDER.findall(text):
            counts[number] = counts.get(number, 0) + 1
    lacking = [f"⟦{each}⟧" for each in wanted if each not in counts]
    again = [f"⟦{each}⟧" for each in wanted if counts.get(each, 0) > 1]
    strange = (
        [f"⟦{each}⟧" for each in counts if each not in set(wanted)]
        if len(counts) > len(wanted) - len(lacking)
        else []
    )
    for names, said in ((lacking, "missing"), (again, "repeated"), (strange, f"not of {check.source}")):
        if names:
            yield f"each placeholder must stand exactly once: {', '.join(names[:8])} {said}"


def _language(table: kinds.CheckTable, texts: Texts, _: SentRecord) -> Iterator[str]:
    wanted = cast("kinds.LanguageCheck", table).language
    scripts = scripts_of(wanted)
    for place, text in texts:
        total = sum(map(str.isalpha, text))
        own = letters(text, scripts)
        latin = 0 if "latin" in scripts else letters(text, ("latin",))
        foreign = total - own - latin
        if foreign > max(2, _FOREIGN_SHARE * total) or (
            total >= _LEAST_LETTERS and own < _FOREIGN_SHARE * total
        ):
            yield f"{place}: it is not in the language {wanted}"


def _quotes_source(table: kinds.CheckTable, texts: Texts, record: SentRecord) -> Iterator[str]:
    source = cast("kinds.SourceCheck", table).source
    quoted = QuotedSource([record.values.get(source, "")]) if source else record.quoted
    for place, text in texts:
        if not quoted.holds(text):
            yield f"{place}: {_shown(text)} does not stand in the record word for word"


_LOOKS: Mapping[str, Callable[[kinds.CheckTable, Texts, SentRecord], Iterator[str]]] = {
    "refusal": _refusal,
    "repetition": _repetition,
    "length": _length,
    "regex": _regex,
    "contains": _contains,
    "absent": _absent,
    "unique": _unique,
    "no_copy": _no_copy,
    "same_numbers": _same_numbers,
    "mathematics": _mathematics,
    "language": _language,
    "quotes_source": _quotes_source,
}
