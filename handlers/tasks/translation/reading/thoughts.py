"""Where a model's thoughts end and its answer begins. Thoughts hold drafts: nothing in them is an answer.

Tags inside a JSON object are a paper's own: a paper may write about ``<think>``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.reading.json_objects import RepeatedKeyError, decoded

_NAME = (
    r"(?:seed:|ant)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|scratch_?pad|analysis|draft|"
    r"cot(?:_budget_reflect)?|chain_of_thought|(?:inner_)?monologue|plan(?:ning)?|deliberation|思考|推理)"
    r"(?:_content|_process|过程)?"
)
_MARK = rare_pattern(
    r"(?:[<＜\[【◁]|&lt;)\|?\s?(?P<close>/|end_of_)?(?:begin_of_|start_of_)?"
    rf"{_NAME}(?:\s[^<>\[\]]{{0,80}})?\|?\s?(?:[>＞\]】▷]|&gt;)"
    r"|<\|channel\|>\s{0,3}(?P<channel>\w{1,20})[^<]{0,60}<\|message\|>"
    r"|(?P<final>assistantfinal)",
    re.IGNORECASE,
)
_FIRST_TAG = re.compile(r"<([A-Za-z][\w:.-]{0,40})>\s*+")
_ANSWER_TAGS = frozenset(
    (
        "answer", "final", "final_answer", "output", "json", "result", "response", "translation",
        "translations", "tool_call", "code", "s",
    )
)  # fmt: skip
_HEADING = rare_pattern(
    r"[#*>\s]{0,6}(?:(?:my |the )?(?:thinking|thoughts?|reasoning|analysis)(?: process)?|chain of thought|"
    r"思考过程|思考|推理过程|推理|分析)[*\s]{0,4}[:：\n]|analysis(?=[A-Z])",
    re.IGNORECASE,
)
_SKIPS = 200


@dataclass(frozen=True)
class Spoken:
    """``text``: what is said after the last thought. ``unfinished``: a thought has no end, so nothing is
    said. ``headed``: thoughts begin without a tag, and only what ends the whole text is the answer."""

    text: str
    unfinished: bool = False
    headed: bool = False


def spoken(text: str) -> Spoken:
    """What a raw answer says aloud. Linear; never raises."""
    first = _after_first_tag(text)
    if first is None:
        return Spoken("", unfinished=True)
    begin = at = first
    for _ in range(_SKIPS):
        mark = _MARK.search(text, at)
        if mark is None:
            break
        inside = _end_of_object(text, at, mark.start())
        if inside > mark.start():
            at = inside
            continue
        end = mark.end() if _closes(mark) else _end_of_thought(text, mark.end())
        if end < 0:
            return Spoken("", unfinished=True)
        begin = at = end
    rest = text[begin:].strip("\ufeff \t\r\n")
    return Spoken(rest, headed=begin == 0 and _HEADING.match(rest) is not None)


def _closes(mark: re.Match[str]) -> bool:
    return bool(mark["close"] or mark["final"] or (mark["channel"] or "").lower() == "final")


def _end_of_thought(text: str, at: int) -> int:
    for mark in _MARK.finditer(text, at):
        if _closes(mark):
            return mark.end()
    return -1


def _end_of_object(text: str, at: int, before: int) -> int:
    """The end of the last JSON object that starts before the place, 0 if there is none."""
    end = 0
    for _ in range(8):
        start = text.find("{", max(at, end), before)
        if start < 0:
            break
        try:
            found = decoded(text, start)
        except RepeatedKeyError:
            found = None
        if found is None:
            at = start + 1
        else:
            end = found.end
    return end


def _after_first_tag(text: str) -> int | None:
    """0, or the end of a leading block in a tag of any other name; None if that block has no end."""
    tag = _FIRST_TAG.match(text)
    if tag is None or tag[1].lower() in _ANSWER_TAGS or _MARK.match(text):
        return 0
    close = text.find(f"</{tag[1]}>", tag.end())
    if close >= 0:
        end = close + len(tag[1]) + 3
        return end if "{" in text[end:] else 0
    return 0 if text.startswith(("{", "[", "`"), tag.end()) and text.endswith(("}", "]", "`")) else None
