"""The calls for one paper, or for a passage of one, until the gate passes its answers: first call, repair,
halves (a passage's alone), pieces; and one question about what it only doubts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from handlers.domain.call import CallKind, ChatRequest
from handlers.domain.call_errors import ContentFilteredError, RejectedError, TooLongError, TransientError
from handlers.domain.result import Check
from handlers.domain.writing_systems import scripts_of
from handlers.ports import Ask
from handlers.tasks.translation.gate import gate
from handlers.tasks.translation.masking.exactness import added_markup, tidy
from handlers.tasks.translation.pieces import Piece, compose, pieces_of
from handlers.tasks.translation.prompt import Prompter, Repair
from handlers.tasks.translation.readings import Reading, best, both, refusal, taken
from handlers.tasks.translation.segment import LONGEST, glue, halves

MARKUP = "added_markup"
STOPS = ("content_filter", "too_long")
"""What may end a paper's calls before it has a text for everything."""

Look = Callable[[str, str], str]
"""What a look at source and answer finds: a sentence, or ""."""
LookAcross = Callable[[Mapping[str, str], Mapping[str, str]], dict[str, str]]
"""What a look at all sources and answers finds: sentences by key."""
LOOKS: Mapping[str, Look] = {MARKUP: added_markup}

_MOST_SEGMENTS = 60
_DEEPEST = 5
"""A text that is too long for the model even as a 32nd part is given up."""
_DEEPEST_AFRESH = 4
"""Halvings of what was refused: a sixteenth of a passage is a text or two."""


@dataclass(frozen=True)
class Exchange:
    """The calls for one paper. ``spans``: masked spans by placeholder number. ``looks``: checks beside the
    gate's, by name."""

    prompter: Prompter
    spans: dict[str, str]
    ask: Ask
    looks: Mapping[str, Look] = field(default_factory=lambda: LOOKS)
    asked: set[str] | None = None
    """Digests of the requests so far, where what is refused is asked afresh in halves; None: it is not. A
    whole paper needs every passage, so that one may not give up as early as an abstract may."""
    across: Mapping[str, LookAcross] = field(default_factory=dict)
    """Looks at all texts together, by the names of those whose checks they add to."""

    def translate(
        self, sources: Mapping[str, str], first: ChatRequest | None = None, depth: int = 0
    ) -> Reading:
        """The best reading of masked texts by key; never raises a content filter's or length error.
        ``first`` is the request that asks for them, if it is made already."""
        try:
            reading = self._heard(sources, first or self.prompter.request(sources))
        except TooLongError:
            return self._shorter(sources, depth)
        except ContentFilteredError:
            reading = refusal(sources, "content_filter")
        for mend in self._mends(reading):
            if not reading.bad:
                break
            try:
                reading = mend(sources, reading)
            except TooLongError:
                continue
            except ContentFilteredError:
                if mend == self._repaired and self.asked is not None:
                    continue
                refused = Check(name="content_filter", verdict="fail")
                return replace(reading, error=refused.name, checks=(*reading.checks, refused))
            if not reading.bad:
                return reading  # a repair was asked for: no second question
        return self._asked_again(sources, reading) if reading.doubtful and not reading.bad else reading

    def _mends(self, reading: Reading) -> tuple[Callable[[Mapping[str, str], Reading], Reading], ...]:
        if reading.error == "content_filter":
            return () if self.asked is None else (self._afresh, self._split)
        return (self._repaired, *(() if self.asked is None else (self._afresh,)), self._split)

    def _asked_again(self, sources: Mapping[str, str], good: Reading) -> Reading:
        """One question about what the gate doubts. The answer there is stays unless one with fewer doubts
        comes: whatever becomes of the question, it costs no paper."""
        again = {key: text for key, text in sources.items() if key in good.doubtful}
        try:
            later = self._call(again, "repair", Repair(good.questions, _previous(again, good)))
        except (RejectedError, TransientError):
            return good
        if later.bad or len(later.questions) >= len(good.questions):
            return good
        judged = self.judge(sources, {**good.fields, **later.fields})
        return good if judged.bad else judged

    def judge(self, sources: Mapping[str, str], fields: Mapping[str, str]) -> Reading:
        """The gate's verdict over texts that did not come in one answer."""
        return self._read(sources, json.dumps(dict(fields), ensure_ascii=False), "stop")

    def _call(self, sources: Mapping[str, str], kind: CallKind, repair: Repair | None = None) -> Reading:
        return self._heard(sources, self.prompter.request(sources, kind, repair))

    def _heard(self, sources: Mapping[str, str], request: ChatRequest) -> Reading:
        if self.asked is not None:
            self.asked.add(request.digest)
        answer = self.ask(request)
        return self._read(sources, answer.content, answer.finish_reason)

    def checks_of(self, sources: Mapping[str, str], fields: Mapping[str, str]) -> tuple[Check, ...]:
        """The gate's checks over masked texts as they are, whatever answers they came in."""
        return self.verdict_of(sources, fields)[0]

    def verdict_of(
        self, sources: Mapping[str, str], fields: Mapping[str, str]
    ) -> tuple[tuple[Check, ...], frozenset[str]]:
        """The same, and the keys of the texts that fail."""
        verdict = gate.check_texts(self._frame(sources), fields)
        seen, bad = self._looked_at(sources, fields)
        return (*verdict.checks, *seen), verdict.bad_keys | bad

    def _looked_at(
        self, sources: Mapping[str, str], fields: Mapping[str, str]
    ) -> tuple[tuple[Check, ...], frozenset[str]]:
        checks: list[Check] = []
        bad: set[str] = set()
        for name, look in self.looks.items():
            found = {key: said for key, text in fields.items() if (said := look(sources[key], text))}
            if name in self.across:
                found = self.across[name](sources, fields) | found
            detail = " ".join(f'In "{key}" {said}.' for key, said in list(found.items())[:8])
            checks.append(Check(name=name, verdict="fail" if found else "pass", detail=detail))
            bad |= found.keys()
        return tuple(checks), frozenset(bad)

    def _frame(self, sources: Mapping[str, str]) -> gate.GateInput:
        target = self.prompter.spec.target_language
        return gate.GateInput(dict(sources), self.prompter.language, target, self.prompter.system)

    def _read(self, sources: Mapping[str, str], content: str, finish_reason: str | None) -> Reading:
        verdict = gate.check(self._frame(sources), content, finish_reason)
        fields = {key: tidy(sources[key], text, self.spans) for key, text in (verdict.fields or {}).items()}
        seen, missed = self._looked_at(sources, fields)
        bad = verdict.bad_keys | missed
        if not verdict.ok and not verdict.bad_keys:
            bad = frozenset(sources)
        checks = (*verdict.checks, *seen)
        failed = [check for check in checks if check.verdict == "fail"]
        problems = tuple(check.detail for check in failed)
        error = failed[0].name if failed else None
        judged = frozenset(sources)
        return Reading(
            fields,
            bad,
            checks,
            problems,
            error,
            content,
            judged,
            frozenset(verdict.doubts),
            tuple(verdict.doubts.values()),
        )

    def _repaired(self, sources: Mapping[str, str], refused: Reading) -> Reading:
        again = {key: sources[key] for key in sources if key in refused.bad}
        repair = Repair(refused.problems, _previous(again, refused))
        return refused.merged(self._call(again, "repair", repair))

    def _afresh(self, sources: Mapping[str, str], refused: Reading, depth: int = 0) -> Reading:
        """What is refused, asked again in two halves that know nothing of the refused answer, and so on down
        to single texts, each of them again until the model repeats itself."""
        reading = refused
        for part in _halves_of({key: text for key, text in sources.items() if key in refused.bad}):
            answered = self._anew(part)
            repeated = depth > 0 and part == sources and _is_repeated(part, refused, answered)
            if answered.bad and depth + 1 < _DEEPEST_AFRESH and not repeated:
                answered = self._afresh(part, answered, depth + 1)
            reading = taken(reading, answered)
        return self.judge(sources, reading.fields) if not reading.bad else reading

    def _anew(self, texts: Mapping[str, str]) -> Reading:
        asked = self.asked if self.asked is not None else set()
        requests = (self.prompter.request(texts, "split", attempt=number) for number in count(1))
        request = next(each for each in requests if each.digest not in asked)
        try:
            return self._heard(texts, request)
        except ContentFilteredError:
            return refusal(texts, "content_filter")

    def _split(self, sources: Mapping[str, str], refused: Reading) -> Reading:
        """The segments that still fail, in pieces without placeholders, put together and checked again."""
        scripts = scripts_of(self.prompter.language)
        cut = {key: pieces_of(key, sources[key], scripts) for key in sources if key in refused.bad}
        cut = {key: pieces for key, pieces in cut.items() if _is_cut(pieces, sources[key])}
        texts = {piece.key: piece.text for pieces in cut.values() for piece in pieces if piece.key}
        if not texts:
            return refused
        answered = Reading({})
        for group in groups(texts):
            answered = answered.merged(self._call(group, "split"))
        whole = {
            key: tidy(sources[key], compose(pieces, answered.fields), self.spans)
            for key, pieces in cut.items()
            if all(piece.key is None or piece.key in answered.fields for piece in pieces)
        }
        judged = self.judge({key: sources[key] for key in whole}, whole)
        return best(refused, judged)

    def _shorter(self, sources: Mapping[str, str], depth: int) -> Reading:
        """Halves as requests of their own: of the segments, or of the one segment's text."""
        if depth >= _DEEPEST:
            return refusal(sources, "too_long")
        keys = list(sources)
        if len(keys) > 1:
            middle = _middle(sources)
            left = self.translate({key: sources[key] for key in keys[:middle]}, depth=depth + 1)
            if left.error == "too_long":
                return left.merged(refusal(sources, "too_long"))
            return both(left, self.translate({key: sources[key] for key in keys[middle:]}, depth=depth + 1))
        return self._halved(keys[0], sources[keys[0]], depth)

    def _halved(self, key: str, text: str, depth: int) -> Reading:
        two = halves(text)
        if two is None:
            return refusal({key: text}, "too_long")
        left = self.translate({f"{key}/0": two[0]}, depth=depth + 1)
        if left.error == "too_long":
            return refusal({key: text}, "too_long")
        reading = both(left, self.translate({f"{key}/1": two[1]}, depth=depth + 1))
        parts = [reading.fields.get(f"{key}/{half}", "") for half in (0, 1)]
        fields = {key: glue(parts)} if any(parts) else {}
        return replace(reading, fields=fields, bad=frozenset({key}) if reading.bad else frozenset())


def groups(texts: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Texts request by request: as many as make up the longest segment."""
    group: dict[str, str] = {}
    size = 0
    for key, text in texts.items():
        if group and (size + len(text) > LONGEST or len(group) >= _MOST_SEGMENTS):
            yield group
            group, size = {}, 0
        group[key] = text
        size += len(text)
    if group:
        yield group


def _halves_of(texts: dict[str, str]) -> Iterator[dict[str, str]]:
    keys = list(texts)
    middle = _middle(texts) if len(keys) > 1 else 1
    for half in (keys[:middle], keys[middle:]):
        if half:
            yield {key: texts[key] for key in half}


def _is_repeated(texts: Mapping[str, str], one: Reading, other: Reading) -> bool:
    """Whether both answers to these texts say the same: the model would say it once more."""
    return all(key in one.fields and one.fields[key] == other.fields.get(key) for key in texts)


def _previous(sources: Mapping[str, str], refused: Reading) -> object:
    """The refused texts, or the raw answer. Bounded: a looping answer is not sent back whole."""
    longest = 4 * sum(map(len, sources.values())) + 500
    if not refused.fields:
        return refused.raw[:longest]
    return {key: refused.fields.get(key, "")[:longest] for key in sources}


def _is_cut(pieces: list[Piece], text: str) -> bool:
    keyed = [piece for piece in pieces if piece.key]
    return len(keyed) > 1 or (len(keyed) == 1 and len(keyed[0].text) < len(text.strip()))


def _middle(sources: Mapping[str, str]) -> int:
    """Number of segments that make up the first half of the text, at least one and not all."""
    half = sum(map(len, sources.values())) / 2
    size = 0.0
    for number, text in enumerate(sources.values()):
        size += len(text)
        if size >= half:
            return min(max(1, number), len(sources) - 1)
    return len(sources) - 1
