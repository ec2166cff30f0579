"""Which parameter of a request a refusal is about, told by its name and not by a provider's sentence."""

from __future__ import annotations

import re
from typing import Literal

from handlers.llm.error_body import ErrorBody
from handlers.rare_pattern import rare_pattern

Parameter = Literal[
    "response_format",
    "json_schema",
    "temperature",
    "system",
    "stream",
    "max_tokens",
    "tokens_field",
    "tokens_range",
    "service_tier",
]
_NAMES: dict[Parameter, re.Pattern[str]] = {
    "response_format": re.compile(
        r"response[_ .]?formats?\b|json[_ -]?(?:mode|object|schema|output|format)|structured[_ -]outputs?"
        r"|in json\b|json 模式|json模式|json格式|json 格式|结构化输出|guided decoding|grammar"
    ),
    "temperature": re.compile(r"\btemperature\b|采样温度|温度"),
    "system": re.compile(
        r"\b(?:system|developer)[_ -]?(?:role|message|prompt|instruction)s?\b|\brole[^.\n]{0,40}\bsystem\b"
        r"|[\"'`](?:system|developer)[\"'`]|\bsystem_instruction|roles must alternate|only user and assistant"
        r"|first (?:message|content)[^.\n]{0,40}\buser\b|invalid (?:message )?role|messages\[0\]\.role"
        r"|系统(?:消息|角色|提示)"
    ),
    "stream": re.compile(r"[\"'`]stream[\"'`]|\b(?:parameter|field|argument):? stream\b"),
    "max_tokens": re.compile(
        r"\bmax[_ ](?:completion[_ ]|output[_ ]|new[_ ])?tokens\b|\bmaximum (?:output|completion|new) tokens"
        r"|\boutput tokens\b|\bcompletion tokens\b|最大输出|输出长度|max_length\b"
    ),
}
_TIER = rare_pattern(
    r"service[_ -]?tier|\bflex[\"'`]? (?:tier|processing|service|requests?|mode|inference|pricing)\b"
    r"|\btier[^.\n]{0,20}\bflex\b|服务等级|服务层级"
)
_REFUSED = rare_pattern(
    r"unsupported|not? (?:longer )?(?:be )?(?:support|permitted|allowed|taken|accepted|recogni|valid)"
    r"|not available|not enabled|n't (?:support|allow|accept)|unrecogni|unknown|unexpected|invalid"
    r"|extra (?:inputs|fields)|deprecated|must be"
    r"|only|without|cannot|can not|no endpoints found|does not|has to|不支持|不允许|无效|必须"
)
_ELSEWHERE = (
    "could not parse the json body",
    "failed to parse",
    "malformed",
    "json body",
    "invalid json in",
    "model context limit",
)
"""Of the request as a whole, where names may stand that it is not about."""
_NUMBER = rare_pattern(r"\d{1,3}(?:[,_]\d{3})+|\d{2,7}")
_THOUSANDS = re.compile(r"\b(\d{1,3})k\b")
_LEAST_CAP = 64
_TOO_MUCH = rare_pattern(r"exceed|too (?:large|high|big|many)|greater|larger|more than|over the|超")
_OTHER_NAME = rare_pattern(r"unsupported parameter|use [\"'`]?max_|it takes|in favou?r of|instead")
_BOUND = rare_pattern(
    r"[\[(]\s*\d+\s*[,，~-]\s*\d[\d,_]*\s*[\])]|[<>≤≥]|at most|up to|less than|below|between|range"
    r"|exceed|maximum|greater|larger|too (?:large|high|big|many)|more than|limit|at least 1\b"
    r"|小于|大于|不超过|超过|超出|范围|最大|不能"
)


def refused_parameter(status: int, error: ErrorBody) -> Parameter | None:
    """The parameter of ours that a refusal names; None if it is about another thing. ``max_tokens`` may be
    its name or its range."""
    if error.page or status not in (400, 404, 422, 500, 501):
        return None
    text = error.message.lower()
    if any(phrase in text for phrase in _ELSEWHERE):
        return None
    if (param := _by_word(error)) is not None:
        return param
    if status not in (400, 422) and not _REFUSED.search(text):
        return None
    found = [(match.start(), name) for name, each in _NAMES.items() if (match := each.search(text))]
    return min(found)[1] if found else None


def refuses_tier(status: int, error: ErrorBody) -> bool:
    """True of a refusal of the tier that a request asked for: the API, the model or the account has none."""
    if error.page or status not in (400, 403, 404, 422, 500, 501):
        return False
    if any("service_tier" in word for word in error.words):
        return True
    text = error.message.lower()
    return bool(_TIER.search(text)) and (status < 500 or bool(_REFUSED.search(text)))


def _by_word(error: ErrorBody) -> Parameter | None:
    """By what the body calls the parameter at fault."""
    for word in sorted(error.words):
        head = word.partition(".")[0]
        if head in ("response_format", "temperature", "stream"):
            return "response_format" if head == "response_format" else _simple(head)
        if head in ("max_tokens", "max_completion_tokens"):
            return "max_tokens"
    return None


def _simple(name: str) -> Parameter:
    return "temperature" if name == "temperature" else "stream"


def stated_cap(error: ErrorBody, sent: int) -> int | None:
    """The most tokens of an answer that a refusal of ``sent`` allows: the largest number below it in a text
    about a bound, half of it if there is none; None if the text is about the name and not the number."""
    text = error.message.lower()
    if not _BOUND.search(text) or _OTHER_NAME.search(text):
        return None
    numbers = [int(each.replace(",", "").replace("_", "")) for each in _NUMBER.findall(text)]
    numbers += [int(each) * 1024 for each in _THOUSANDS.findall(text)]
    below = [each for each in numbers if _LEAST_CAP <= each < sent]
    return max(below, default=sent // 2 if sent >= 2 * _LEAST_CAP and _TOO_MUCH.search(text) else None)
