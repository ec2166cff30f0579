"""Refusals that no form of a request mends, only a setting of the user's: which one, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers.llm.error_body import ErrorBody
from handlers.rare_pattern import rare_pattern

_THINKING = rare_pattern(
    r"\benable[_ ]?thinking\b|\bthinking\b|\breasoning[_ ]?(?:effort|mode|budget|tokens|content)\b"
    r"|\breasoning (?:is|must|cannot|can not|models?)\b|[\"'`.]reasoning[\"'`.]|[思推][考理](?:模式|功能)"
)
_STREAM = rare_pattern(
    r"\bonly (?:be )?(?:support\w*|accepts?|takes?|allows?|works?|available|used?|called)"
    r"[^.\n]{0,40}\bstream|\bstream\w*[^.\n]{0,20} only\b|\bonly stream|\bnon-?stream\w*[^.\n]{0,40}"
    r"(?:not|un)|\bstream\w*[\"'`]?(?: parameter)? (?:must|has to|needs? to|should) be (?:set to )?"
    r"(?:true|enabled|on\b)|\bstream[\"'`]?\s?[=:]\s?true|(?:please )?(?:enable|use|set)[^.\n]{0,20}\bstream"
    r"|\brequires? (?:a )?stream|\b(?:must|has to) (?:be )?stream|[仅只]支持流式|流式(?:调用|输出|方式)"
)
_REFUSED = rare_pattern(
    r"unsupported|not? (?:longer )?(?:be )?(?:support|permitted|allowed|taken|accepted|recogni|valid)"
    r"|n't (?:support|allow|accept)|unrecogni|unknown|unexpected|invalid|extra (?:inputs|fields)|deprecated"
    r"|must|only|cannot|can not|does not|has to|have to|should be|expected|mandatory|required|without"
    r"|不支持|不允许|无效|必须|不能|需要"
)
_OF_THINKING = ("think", "reason", "effort", "chat_template_kwargs")


@dataclass(frozen=True)
class SettingAdvice:
    """``code`` is a call's error, ``cure`` says what to do about it."""

    code: str
    cure: str


def setting_advice(error: ErrorBody, extra_body: Mapping[str, Any]) -> SettingAdvice | None:
    """What helps against a refusal; None if it is about nothing that a setting says. ``extra_body``: what the
    user's settings add to each request, by ``--extra-body`` or ``--thinking off``."""
    text = error.message.lower()
    if error.page or not text:
        return None
    of_thinking = bool(_THINKING.search(text))
    if not of_thinking and _STREAM.search(text):
        cure = "it answers in a stream alone, which is not read here: take another model"
        return SettingAdvice(code="stream_only", cure=cure)
    if not _REFUSED.search(text):
        return None
    named = [name for name in extra_body if _is_named(name, text, error) or (of_thinking and _thinks(name))]
    if named:
        fields = ", ".join(f"`{name}`" for name in sorted(named))
        cure = f"--extra-body or --thinking off adds {fields} to each request: change it, or leave it out"
        return SettingAdvice(code="extra_body_refused", cure=cure)
    if of_thinking:
        cure = "run with --thinking off, or with the fields that turn it off by --extra-body"
        return SettingAdvice(code="thinking_refused", cure=cure)
    return None


def _is_named(name: str, text: str, error: ErrorBody) -> bool:
    """A name of one word may stand in any sentence: the error must then give it as the parameter at fault."""
    name = name.lower()
    return name in error.words or ("_" in name and name in text)


def _thinks(name: str) -> bool:
    return any(part in name.lower() for part in _OF_THINKING)
