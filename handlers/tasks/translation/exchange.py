"""The calls for one paper until the gate passes its answers: first call, repair, split; and one question
about what it only doubts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from handlers.domain.call import CallKind, ChatRequest
from handlers.domain.call_errors import ContentFilteredError, RejectedError, TooLongError, TransientError
from handlers.domain.result import Check
from handlers.domain.writing_systems import scripts_of
from handlers.ports import Ask
from handlers.tasks.translation.gate import gate
from handlers.tasks.translation.masking.exactness import added_markup, tidy
from handlers.tasks.translation.pieces import Piece, compose, pieces_of
from handlers.tasks.translation.prompt import Prompter, Repair, system_prompt
from handlers.tasks.translation.segment import LONGEST, glue, halves

MARKUP = "added_markup"
STOPS = ("content_filter", "too_long")
"""What may end a paper's calls before it has a text for everything."""

_MOST_SEGMENTS = 60
_DEEPEST = 5
"""A text that is too long for the model even as a 32nd part is given up."""


@dataclass(frozen=True)
class Reading:
    """What the answers say so far. ``fields`` are masked; ``error`` is None when all is well."""

    fields: dict[str, str]
    bad: frozenset[str] = frozenset()
    checks: tuple[Check, ...] = ()
    problems: tuple[str, ...] = ()
    error: str | None = None
    raw: str = ""
    judged: frozenset[str] = frozenset()
    """Segments that ``checks`` are about."""
    doubtful: frozenset[str] = frozenset()
    """Segments that are good enough, and are asked about once."""
    questions: tuple[str, ...] = ()

    def merged(self, later: Reading) -> Reading:
        """With a later answer for some of the keys; its verdict is the one that counts."""
        return replace(later, fields={**self.fields, **later.fields})


@dataclass(frozen=True)
class Exchange:
    """The calls for one paper. ``spans``: masked spans by placeholder number."""

    prompter: Prompter
    spans: dict[str, str]
    ask: Ask

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
            return _refusal(sources, "content_filter")
        for mend in (self._repaired, self._split):
            if not reading.bad:
                break
            try:
                reading = mend(sources, reading)
            except TooLongError:
                continue
            except ContentFilteredError:
                refused = Check(name="content_filter", verdict="fail")
                return replace(reading, error=refused.name, checks=(*reading.checks, refused))
            if not reading.bad:
                return reading  # a repair was asked for: no second question
        return self._asked_again(sources, reading) if reading.doubtful and not reading.bad else reading

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
        answer = self.ask(request)
        return self._read(sources, answer.content, answer.finish_reason)

    def checks_of(self, sources: Mapping[str, str], fields: Mapping[str, str]) -> tuple[Check, ...]:
        """The gate's checks over masked texts as they are, whatever answers they came in."""
        added = {key: found for key, text in fields.items() if (found := added_markup(sources[key], text))}
        return (*gate.check_texts(self._frame(sources), fields).checks, _markup_check(added))

    def _frame(self, sources: Mapping[str, str]) -> gate.GateInput:
        target = self.prompter.spec.target_language
        return gate.GateInput(dict(sources), self.prompter.language, target, system_prompt(target))

    def _read(self, sources: Mapping[str, str], content: str, finish_reason: str | None) -> Reading:
        verdict = gate.check(self._frame(sources), content, finish_reason)
        fields = {key: tidy(sources[key], text, self.spans) for key, text in (verdict.fields or {}).items()}
        added = {key: found for key, text in fields.items() if (found := added_markup(sources[key], text))}
        markup = _markup_check(added)
        bad = verdict.bad_keys | frozenset(added)
        if not verdict.ok and not verdict.bad_keys:
            bad = frozenset(sources)
        failed = (*verdict.failed, *((MARKUP,) if added else ()))
        problems = (*verdict.problems, *((markup.detail,) if added else ()))
        checks = (*verdict.checks, markup)
        error = failed[0] if failed else None
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
        return _best(refused, judged)

    def _shorter(self, sources: Mapping[str, str], depth: int) -> Reading:
        """Halves as requests of their own: of the segments, or of the one segment's text."""
        if depth >= _DEEPEST:
            return _refusal(sources, "too_long")
        keys = list(sources)
        if len(keys) > 1:
            middle = _middle(sources)
            left = self.translate({key: sources[key] for key in keys[:middle]}, depth=depth + 1)
            if left.error == "too_long":
                return left.merged(_refusal(sources, "too_long"))
            return _both(left, self.translate({key: sources[key] for key in keys[middle:]}, depth=depth + 1))
        return self._halved(keys[0], sources[keys[0]], depth)

    def _halved(self, key: str, text: str, depth: int) -> Reading:
        both = halves(text)
        if both is None:
            return _refusal({key: text}, "too_long")
        left = self.translate({f"{key}/0": both[0]}, depth=depth + 1)
        if left.error == "too_long":
            return _refusal({key: text}, "too_long")
        reading = _both(left, self.translate({f"{key}/1": both[1]}, depth=depth + 1))
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


def _best(refused: Reading, judged: Reading) -> Reading:
    """What passes is taken from the pieces, the rest stays as it was."""
    good = {key: text for key, text in judged.fields.items() if key not in judged.bad}
    fields = {**refused.fields, **good}
    bad = refused.bad - frozenset(good)
    if bad:
        return replace(refused, fields=fields, bad=bad)
    return replace(judged, fields=fields, bad=bad, error=None, problems=())


def _both(left: Reading, right: Reading) -> Reading:
    first = left if left.error else right
    fields = {**left.fields, **right.fields}
    return replace(first, fields=fields, bad=left.bad | right.bad, problems=left.problems + right.problems)


def _refusal(sources: Mapping[str, str], error: str) -> Reading:
    return Reading({}, frozenset(sources), (Check(name=error, verdict="fail"),), error=error)


def _markup_check(added: Mapping[str, str]) -> Check:
    detail = " ".join(f'In "{key}" {sentence}.' for key, sentence in list(added.items())[:8])
    return Check(name=MARKUP, verdict="fail" if added else "pass", detail=detail)


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
    for count, text in enumerate(sources.values()):
        size += len(text)
        if size >= half:
            return min(max(1, count), len(sources) - 1)
    return len(sources) - 1
