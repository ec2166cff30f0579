"""What is no translation although it is text: a refusal, chatter, the prompt or the source handed back.

Lower case once and plain substring tests: a regular expression over the text costs ten times as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

_HEAD = 240
_BRIEFEST = 4
"""A refusal stands at the beginning; later in a text the same words are the paper's."""
_UNWILLING = (" i cannot ", " i can't ", " unable to ", " not able to ", " i won't ", " i will not ")
_OF_WHAT = (
    "translate this", "translate the", "translate it", "help with", "help you", "assist", "provide", "fulfil",
    "comply", "process this", "complete this", "answer this", "access", "translating",
)  # fmt: skip
_OPENINGS = ("i'm sorry", "i am sorry", "i apologize", "i apologise", "sorry, i", "sorry, but", "sorry,but")
_SAYINGS = (
    " as an ai language model",
    " as an ai model, i",
    " as an ai assistant, i",
    " as an ai, i",
    " as a language model, i",
    " as a large language model, i",
    "please provide the text",
)
_OTHER_SAYINGS = (
    "我无法翻译", "我无法提供", "我无法协助", "我无法完成", "我不能翻译", "抱歉，我", "抱歉,我", "对不起，我",
    "作为一个人工智能", "作为人工智能助手", "作为一个ai", "作为ai", "申し訳ありません", "죄송합니다",
)  # fmt: skip
_SORRY = ("抱歉", "对不起", "對不起")
_DECLINING = ("我无法", "我不能", "我無法")
_SPEAKING_AS = (
    "作为人工智能", "作为一个人工智能", "作为ai", "作为一个ai", "作為ai", "语言模型，我", "语言模型,我",
)  # fmt: skip
"""What a paper about refusals says: a translation of that is none. Each excuses its own kind alone, so that
one word of a source excuses no refusal to translate it."""
_DECLINING_THIS = ("无法翻译", "不能翻译", "無法翻譯")
_CHATTER = (
    "here is the translation", "here's the translation", "here is the english translation", "sure, here",
    "sure! here", "certainly! here", "certainly, here", "translation:", "the translation is:", "以下是翻译",
    "译文如下",
)  # fmt: skip
_PROBE = 60
_SHORT = 28
_MAX_PROBES = 200


def refusal_in(text: str, source: str) -> str | None:
    """The words of a refusal or of chatter at the head of an answer. A paper may say sorry and a model
    in it may be unable to do something: the words must be about this task, and not the source's own."""
    if len(text) < _BRIEFEST:
        return None
    head = " " + text[:_HEAD].lower().replace("’", "'")
    for words, excuses in _refusals(head):
        lowered = source.lower()
        if words.strip() not in lowered and not any(phrase in lowered for phrase in excuses):
            return words.strip()
    if not head.startswith(_CHATTER, 1):
        return None
    return next(phrase for phrase in _CHATTER if head.startswith(phrase, 1))


def _refusals(head: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each with the words of a source that it may be the translation of."""
    if " as a" in head or "please" in head:
        yield from ((phrase, _SPEAKING_AS) for phrase in _SAYINGS if phrase in head)
    if declined := _declined(head):
        yield declined, _DECLINING_THIS if "translat" in declined else _DECLINING
    if not head.isascii():
        yield from ((phrase, ()) for phrase in _OTHER_SAYINGS if phrase in head)
    if head.startswith(_OPENINGS, 1):
        yield from ((phrase, _SORRY) for phrase in _OPENINGS if head.startswith(phrase, 1))


def _declined(head: str) -> str | None:
    for subject in _UNWILLING if " i " in head or "able to " in head else ():
        at = head.find(subject)
        if at >= 0 and head.startswith(_OF_WHAT, at + len(subject)) and _of_oneself(head, at, subject):
            return head[at : at + 40]
    return None


def _of_oneself(head: str, at: int, subject: str) -> bool:
    return " i " in subject or head[:at].endswith((" i am", " i'm", " we are"))


def prompt_in(text: str, prompt: str) -> str | None:
    """A stretch of the system prompt that stands in the answer."""
    if len(text) < _SHORT or not prompt:
        return None
    flat = _squeezed(text) if "\n" in text or "  " in text else text.lower()
    for probe in _probes(prompt):  # a generator takes half as long again
        if probe in flat:
            return probe
    return None


def is_copy(text: str, source: str) -> bool:
    if text[:1].lower() != source[:1].lower():
        return False
    return _squeezed(text) == _squeezed(source)


def _squeezed(text: str) -> str:
    return " ".join(text.lower().split())


@lru_cache(maxsize=64)
def _probes(prompt: str) -> tuple[str, ...]:
    """The beginnings of the prompt's lines and sentences, in its own language only: a glossary's
    lines (with another script, ``=`` or ``→``) may rightly turn up in a translation."""
    sentences = (_squeezed(part) for line in prompt.splitlines() for part in line.split(". "))
    probes = (part[:_PROBE] for part in sentences if len(part) >= _SHORT and _is_instruction(part))
    return tuple(dict.fromkeys(probes))[:_MAX_PROBES]


def _is_instruction(part: str) -> bool:
    return not any(mark in part for mark in ("=", "→", "->", "\t"))
