"""The checks that an answer must pass before it counts as done.

``json finish placeholders placeholder_order source_script numbers length repetition refusal echo``: the
names are public and stand in reports. The gate must not refuse good translations, so each check looks
for what a good translation never has; what is only odd warns, and what is doubtful is asked about once.
Nothing in a paper or an answer can change how it is checked, and everything is linear in their lengths.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from handlers.domain.result import Check
from handlers.domain.writing_systems import scripts_of
from handlers.tasks.translation import raw_answer
from handlers.tasks.translation.gate.length import bounds, breaks_off, expected_length, fewer_sentences
from handlers.tasks.translation.gate.numbers import compare, rarer
from handlers.tasks.translation.gate.phrases import is_copy, prompt_in, refusal_in
from handlers.tasks.translation.gate.repetition import loop_in
from handlers.tasks.translation.gate.strings import changed_strings
from handlers.tasks.translation.masking.masking import PLACEHOLDER
from handlers.tasks.translation.scripts import is_foreign, leftover, letters

CHECKS = (
    "json", "finish", "placeholders", "placeholder_order", "source_script", "numbers", "length", "repetition",
    "refusal", "echo",
)  # fmt: skip
_CUT = frozenset({"length", "max_tokens", "model_length", "truncated", "incomplete"})
_BETWEEN = "\x00"
"""Stands for a placeholder where only the text counts: it joins no numbers and no words: no space."""
_ENTITY = re.compile("&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31});")
_LONG = 40
_QUOTED = 80
_PASSED = {name: Check(name=name, verdict="pass") for name in CHECKS}


@dataclass(frozen=True)
class GateInput:
    """What was asked. ``segments``: masked source texts by key (``title``, ``abstract``,
    ``keywords/0`` ...); ``prompt``: the system prompt's text; languages are BCP 47 tags."""

    segments: Mapping[str, str]
    source_language: str
    target_language: str
    prompt: str


@dataclass(frozen=True)
class Verdict:
    """What the checks say of one answer.

    ``fields`` has the keys asked for that could be read, still masked (all of them when ``ok``), or is
    None when the answer is no JSON object. ``bad_keys``: those whose text has to be asked for again.
    """

    fields: dict[str, str] | None
    checks: tuple[Check, ...]
    bad_keys: frozenset[str]
    doubts: Mapping[str, str] = field(default_factory=dict)
    """By key what to ask about once: fit for a repair request, no reason to refuse."""

    @property
    def ok(self) -> bool:
        return all(check.verdict != "fail" for check in self.checks)

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(check.name for check in self.checks if check.verdict == "fail")

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence or more for each failed check, fit to be put into a repair request."""
        return tuple(check.detail for check in self.checks if check.verdict == "fail")


class _Finding(NamedTuple):
    name: str
    verdict: Literal["warn", "fail"]
    key: str
    """"" when it concerns the whole answer."""
    sentence: str
    doubt: bool = False


class _Pair(NamedTuple):
    """One segment and its translation: masked, and as prose without placeholders."""

    key: str
    source: str
    text: str
    frame: GateInput
    source_prose: str
    prose: str

    def fail(self, name: str, sentence: str) -> _Finding:
        return _Finding(name, "fail", self.key, f'In "{self.key}" {sentence}.')

    def warn(self, name: str, sentence: str) -> _Finding:
        return _Finding(name, "warn", self.key, f'In "{self.key}" {sentence}.')

    def ask(self, name: str, sentence: str) -> _Finding:
        asked = f'In "{self.key}" {sentence}: mend it, or repeat the text as it is if it is right.'
        return _Finding(name, "warn", self.key, asked, doubt=True)


def check(source: GateInput, content: str, finish_reason: str | None) -> Verdict:
    """Read a raw answer and check it. Never raises for any content."""
    answer = raw_answer.parse(content, source.segments)
    findings = [*_reading(answer), *_finish(answer, finish_reason)]
    if answer.fields is None:
        findings += _refused_instead(content)
        return _verdict(None, findings, ("json", "finish", "refusal"), frozenset(source.segments))
    findings += _looked_at(source, answer.fields)
    return _verdict(answer.fields, findings, CHECKS, answer.missing, whole=frozenset(source.segments))


def check_texts(source: GateInput, texts: Mapping[str, str]) -> Verdict:
    """Check texts as they are, by the keys of the segments; which answers they came in plays no part."""
    return _verdict(dict(texts), list(_looked_at(source, texts)), CHECKS, frozenset())


def _looked_at(source: GateInput, texts: Mapping[str, str]) -> Iterator[_Finding]:
    for key, text in texts.items():
        segment = source.segments[key]
        pair = _Pair(key, segment, text, source, _prose(segment), _prose(text))
        for look in _LOOKS:
            yield from look(pair)


def _verdict(
    fields: dict[str, str] | None,
    findings: list[_Finding],
    names: tuple[str, ...],
    bad: frozenset[str],
    whole: frozenset[str] = frozenset(),
) -> Verdict:
    by_name: dict[str, list[_Finding]] = {}
    for finding in findings:
        by_name.setdefault(finding.name, []).append(finding)
    checks = tuple(_check(name, by_name[name]) if name in by_name else _PASSED[name] for name in names)
    failed = [finding for finding in findings if finding.verdict == "fail"]
    keys = {finding.key for finding in failed if finding.key}
    everything = any(finding.name == "finish" and not finding.key for finding in failed)
    doubts = {finding.key: finding.sentence for finding in findings if finding.doubt}
    bad |= keys | (whole if everything else frozenset())
    return Verdict(fields, checks, bad, doubts)


def _check(name: str, findings: list[_Finding]) -> Check:
    failed = [finding for finding in findings if finding.verdict == "fail"]
    shown = (failed or findings)[:12]
    detail = " ".join(finding.sentence for finding in shown)
    return Check(name=name, verdict="fail" if failed else "warn", detail=detail)


def _reading(answer: raw_answer.ParsedAnswer) -> Iterator[_Finding]:
    if answer.problem:
        yield _Finding("json", "fail", "", answer.problem)
    if answer.extra:
        sentence = f"The answer has keys that were not asked for: {', '.join(map(repr, answer.extra))}."
        yield _Finding("json", "warn", "", sentence)


def _finish(answer: raw_answer.ParsedAnswer, reason: str | None) -> Iterator[_Finding]:
    if reason in _CUT:
        yield _Finding("finish", "fail", "", "The answer was cut off at the limit of its length.")
    elif answer.truncated:
        yield _Finding("finish", "fail", "", "The answer breaks off in the middle.")


def _refused_instead(content: str) -> Iterator[_Finding]:
    if words := refusal_in(content.lstrip(), ""):
        yield _Finding("refusal", "fail", "", f'The answer is no translation but says "{words}".')


def _prose(text: str) -> str:
    """With the characters that entities mean (``&lt;``, ``&#945;``): their digits are no numbers."""
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return PLACEHOLDER.sub(_BETWEEN, text) if "⟦" in text else text


def _placeholders(pair: _Pair) -> Iterator[_Finding]:
    if "⟦" not in pair.source and "⟦" not in pair.text and "⟧" not in pair.text:
        return
    expected, numbers = PLACEHOLDER.findall(pair.source), PLACEHOLDER.findall(pair.text)
    intact = _strays(pair.text, numbers) <= _strays(pair.source, expected)
    if expected == numbers and intact:
        return
    if sorted(expected) == sorted(numbers) and intact:
        yield pair.warn("placeholder_order", "the placeholders stand in another order")
        return
    wanted, times = set(expected), Counter(numbers)
    faults = {
        "missing": [number for number in expected if number not in times],
        "not of this text": [number for number in times if number not in wanted],
        "repeated": sorted(number for number in times if times[number] > 1 and number in wanted),
    }
    sentences = [f"{_listed([f'⟦{n}⟧' for n in some])} {fault}" for fault, some in faults.items() if some]
    wrong = "; ".join(sentences) or "a bracket ⟦ or ⟧ is damaged"
    yield pair.fail("placeholders", f"each placeholder must stand exactly once: {wrong}")


def _strays(text: str, placeholders: list[str]) -> int:
    """Brackets that belong to no placeholder."""
    return text.count("⟦") + text.count("⟧") - 2 * len(placeholders)


def _source_script(pair: _Pair) -> Iterator[_Finding]:
    frame = pair.frame
    if is_foreign(pair.prose, frame.target_language):
        yield pair.fail("source_script", f"the text is not in the target language ({frame.target_language})")
        return
    left = leftover(pair.prose, frame.source_language, frame.target_language, pair.source_prose)
    if left is None:
        return
    sentence = f"{_listed([f'“{run}”' for run in left.runs])} is left untranslated"
    yield pair.warn("source_script", sentence) if left.tolerable else pair.fail("source_script", sentence)


def _numbers(pair: _Pair) -> Iterator[_Finding]:
    compared = compare(pair.source_prose, pair.prose)
    if compared.missing:
        yield pair.fail(
            "numbers", f"numbers of the source are missing or changed: {_listed(compared.missing)}"
        )
    if compared.invented:
        yield pair.fail("numbers", f"numbers stand that the source has not: {_listed(compared.invented)}")
    elif compared.doubtful:
        yield pair.warn("numbers", f"digits stand that the source has not: {_listed(compared.doubtful)}")
    yield from (pair.fail("numbers", sentence) for sentence in compared.contradicted)
    yield from (pair.ask("numbers", sentence) for sentence in compared.uncertain)
    if pair.source_prose.isalpha():  # as most keywords
        return
    for old, new, sure in changed_strings(pair.source_prose, pair.prose):
        sentence = f"{new[:_QUOTED]} stands for {old[:_QUOTED]}"
        yield pair.fail("numbers", sentence) if sure else pair.ask("numbers", sentence)
    if fewer := rarer(pair.source_prose, pair.prose):
        yield pair.warn("numbers", f"numbers stand less often than in the source: {_listed(fewer)}")


def _length(pair: _Pair) -> Iterator[_Finding]:
    if not pair.text.strip():
        if pair.source.strip():
            yield pair.fail("length", "the text is empty")
        return
    expected = expected_length(pair.source_prose, pair.frame.source_language, pair.frame.target_language)
    shortest, longest = bounds(expected)
    size = len(pair.prose.strip())
    if size < shortest:
        yield pair.fail("length", "the translation is much too short: a part is missing")
    elif size > longest:
        yield pair.fail("length", "the translation is much too long for the source")
    elif expected > _LONG:
        if breaks_off(pair.source, pair.text, expected):
            yield pair.fail("finish", "the text breaks off before its end")
        elif counts := fewer_sentences(pair.source_prose, pair.prose, expected):
            yield pair.ask("length", f"a sentence seems to be missing: {counts[0]} became {counts[1]}")


def _repetition(pair: _Pair) -> Iterator[_Finding]:
    loop = loop_in(pair.text)  # with its placeholders: without them a list of formulas looks like a loop
    if loop is None:
        return
    sentence = f"“{loop[:_QUOTED]}” is repeated again and again"
    in_source = loop_in(pair.source) is not None
    yield pair.warn("repetition", sentence) if in_source else pair.fail("repetition", sentence)


def _refusal(pair: _Pair) -> Iterator[_Finding]:
    if words := refusal_in(pair.text, pair.source):
        yield pair.fail("refusal", f'stands no translation but "{words}"')


def _echo(pair: _Pair) -> Iterator[_Finding]:
    if prompt_in(pair.text, pair.frame.prompt):
        yield pair.fail("echo", "a part of the instructions is repeated")
    if not is_copy(pair.text, pair.source) or pair.frame.source_language == pair.frame.target_language:
        return
    scripts = scripts_of(pair.frame.source_language)
    if "latin" in scripts:
        say = pair.fail if len(pair.prose.split()) > 6 else pair.warn
        yield say("echo", "the source is repeated")
    elif letters(pair.source_prose, scripts):
        yield pair.fail("echo", "the source is repeated and not translated")


def _listed(items: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(items) - 8} more" if len(items) > 8 else ""
    return ", ".join(item[:_QUOTED] for item in items[:8]) + more


_LOOKS: tuple[Callable[[_Pair], Iterator[_Finding]], ...] = (
    _placeholders, _source_script, _numbers, _length, _repetition, _refusal, _echo,
)  # fmt: skip
