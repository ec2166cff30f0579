"""What is no translation although it is text: a refusal, chatter, the prompt or the source handed back.

Lower case once and plain substring tests: a regular expression over the text costs ten times as much.
"""

from __future__ import annotations

from functools import lru_cache

_HEAD = 240
_BRIEFEST = 4
"""A refusal stands at the beginning; later in a text the same words are the paper's."""
_REFUSALS = (
    "i cannot",
    "i can't",
    "i can not",
    "i am unable",
    "i'm unable",
    "i am not able",
    "i'm not able",
    "i won't",
    "i will not translate",
    "i'm sorry",
    "i am sorry",
    "i apologize",
    "i apologise",
    "sorry, i",
    "sorry, but",
    "as an ai",
    "as a language model",
    "as a large language model",
    "unable to translate",
    "cannot be translated",
    "cannot assist",
    "can't assist",
    "cannot fulfill",
    "please provide the text",
)
_ALL_REFUSALS = (
    *_REFUSALS,
    "我无法",
    "我不能",
    "很抱歉",
    "抱歉，",
    "抱歉,",
    "对不起，我",
    "作为一个人工智能",
    "作为一个ai",
    "作为ai",
    "无法翻译",
    "申し訳",
    "죄송합니다",
)
_CHATTER = (
    "here is the translation",
    "here's the translation",
    "here is the english translation",
    "sure, here",
    "sure! here",
    "certainly! here",
    "certainly, here",
    "translation:",
    "the translation is:",
    "以下是翻译",
    "译文如下",
)
_PROBE = 60
_SHORT = 28
_MAX_PROBES = 200


def refusal_in(text: str, source: str) -> str | None:
    """The words of a refusal or of chatter at the head of an answer that the source has not itself."""
    head = text[:_HEAD].lower().replace("’", "'")
    if len(head) < _BRIEFEST:
        return None
    for phrase in _REFUSALS if head.isascii() else _ALL_REFUSALS:
        if phrase in head and phrase not in source.lower():
            return phrase
    return next((phrase for phrase in _CHATTER if head.startswith(phrase)), None)


def prompt_in(text: str, prompt: str) -> str | None:
    """A stretch of the system prompt that stands in the answer."""
    if len(text) < _SHORT or not prompt:
        return None
    flat = _squeezed(text) if "\n" in text or "  " in text else text.lower()
    return next((probe for probe in _probes(prompt) if probe in flat), None)


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
