"""The words of refusals that are about where a request went and who sent it: the model's name, the path, the
key, a firewall before the API, an outage behind it. In lower case, as in ``refusal_words``.
"""

from __future__ import annotations

from handlers.rare_pattern import rare_pattern

NO_MODEL = frozenset(
    (
        "model_not_found",
        "model_not_exist",
        "model_not_supported",
        "modelnotfound",
        "modelnotopen",
        "model_not_available",
        "invalid_model",
        "invalid_model_error",
        "unknown_model",
        "model_decommissioned",
        "model_deprecated",
        "deploymentnotfound",
        "invalidendpointormodel.notfound",
        "model",
        "1211",
        "20012",
    )
)
"""``model`` is what the parameter at fault is called."""
UNAUTHORIZED = frozenset(
    ("invalid_api_key", "authentication_error", "unauthorized", "base_resp:1004", "base_resp:2049", "1002")
)
UNAUTHORIZED_TEXT = (
    "api key",
    "api_key",
    "apikey",
    "unauthorized",
    "authenticat",
    "login fail",
    "invalid token",
    "鉴权",
    "身份验证",
    "密钥",
    "令牌",
)
NO_ENDPOINT_TEXT = (
    "no such endpoint",
    "unexpected endpoint",
    "unknown endpoint",
    "invalid url",
    "unknown url",
    "unknown request url",
    "unrecognized request url",
    "page not found",
    "route not found",
    "no route",
    "cannot post",
    "not found",
    "method not allowed",
)
FIREWALL_TEXT = (
    "just a moment",
    "attention required",
    "cf-ray",
    "cloudflare",
    "captcha",
    "request blocked",
    "access denied",
    "web application firewall",
    "incapsula",
    "akamai",
    "errors.edgesuite",
    "blocked by waf",
    "security policy",
    "are you a robot",
    "unusual traffic",
)
OUTAGE_TEXT = (
    "overload",
    "unavailable",
    "internal",
    "server error",
    "time out",
    "timed out",
    "timeout",
    "busy",
    "disconnect",
    "upstream",
    "bad gateway",
    "try again",
    "temporar",
    "繁忙",
    "超时",
    "内部错误",
    "系统错误",
    "稍后",
    "重试",
)
_GONE = (
    r"(?:does ?n[o']t exist|do ?n[o']t exist|not exist|not found|not be found|unknown|not (?:a )?valid|"
    r"invalid|not recogni[sz]ed|not available|no longer available|"
    r"not (?:yet )?(?:deployed|loaded|enabled|activated|open)|"
    r"(?:been|is|was) (?:deprecated|retired|removed|decommissioned|discontinued))"
)
_NO_MODEL_TEXT = rare_pattern(
    r"\b(?:no|unknown|invalid|unrecogni[sz]ed|unsupported|nonexistent|wrong|incorrect|such)(?: \w{1,12})?"
    r" models?\b(?! (?:param|output|response|request|setting|option))"
    rf"|\bmodels?\b[^.;\n]{{0,80}}?\b{_GONE}"
    r"|(?:not found|n[o']t exist|no such|cannot find|can't find|could not find|unable to find|"
    r"not (?:a )?valid|not have access to|no access to|no endpoints found for|no available channel for)"
    r"[^.;\n]{0,40}\bmodel"
    r"|\bmodels? [`'\"]?[\w./:-]{1,80}[`'\"]? is not supported"
    r"|no endpoints found for"
    r"|模型[^。;\n]{0,60}(?:不存在|未找到|找不到|不支持|无效|错误|已下线|未开通|未部署)"
    r"|(?:不存在|未找到|找不到|无效的|没有|不支持)[^。;\n]{0,12}模型|无可用渠道"
)
_PASSING = ("overload", "temporar", "try again", "later", "busy", "稍后", "capacity")


def names_no_model(text: str) -> bool:
    """True of a text, in lower case, that says in any phrasing that the model is not there."""
    return not any(word in text for word in _PASSING) and _NO_MODEL_TEXT.search(text) is not None
