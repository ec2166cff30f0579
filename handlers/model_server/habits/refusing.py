"""Errors in other places and words than a client looks for. Nothing is generated, nothing is billed."""

from __future__ import annotations

from collections.abc import Callable

from handlers.model_server.habits.turn import Habit, Turn
from handlers.model_server.reply import ServerReply

_PAGE = "<!DOCTYPE html><html><head><title>{}</title></head><body></body></html>"


def _says(status: int, body: object, headers: str = "") -> Callable[[Turn], None]:
    return lambda turn: turn.refuse(status, body, headers)


def _page(status: int, title: str, headers: str = "") -> Callable[[Turn], None]:
    body = _PAGE.format(title).encode()

    def act(turn: Turn) -> None:
        turn.reply = ServerReply(status, body, headers, content_type="text/html; charset=utf-8")

    return act


def _error(message: str, code: object, kind: str = "invalid_request_error") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _choice(finish: str, error: dict[str, object] | None = None) -> dict[str, object]:
    """A completion of nothing."""
    message = {"role": "assistant", "content": ""}
    choice: dict[str, object] = {"index": 0, "message": message, "finish_reason": finish}
    return {
        "object": "chat.completion",
        "choices": [choice if error is None else {**choice, "error": error}],
    }


_RPM = {"status_code": 1002, "status_msg": "more requests a minute than this key may send (RPM)"}
_QUOTA = _error(
    "The quota of this model is used up for the moment.", "insufficient_quota", "insufficient_quota"
)
_FULL = _error("This tier has no room now", "resource_unavailable", "resource_unavailable")
_NO_JSON = _error("The text generated is no JSON, see failed_generation", "json_validate_failed")
_SENSITIVE = _error("The input may contain inappropriate content.", "data_inspection_failed")
_GONE = {"code": 502, "message": "The provider behind the gateway is gone"}

REFUSING = (
    Habit("error_in_200", "200 with an error object that is a 429", "request",
          _says(200, {"error": {"message": "Slow down, too many requests", "code": 429}})),
    Habit("base_resp", "200 without choices, a rate limit in base_resp (MiniMax)", "request",
          _says(200, {"choices": None, "base_resp": _RPM})),
    Habit("choice_error", "200 with an error beside the choice, finish reason error", "request",
          _says(200, _choice("error", _GONE))),
    Habit("no_resource", "200 with finish reason insufficient_system_resource (DeepSeek)", "request",
          _says(200, _choice("insufficient_system_resource"))),
    Habit("page_in_200", "200 with a gateway's web page", "request", _page(200, "Welcome")),
    Habit("firewall", "403 with a firewall's challenge page", "request",
          _page(403, "One moment ...", "cf-mitigated: challenge\r\n")),
    Habit("minute_quota", "429 insufficient_quota that is a limit of the minute", "request",
          _says(429, _QUOTA)),
    Habit("full_498", "498: the tier has no capacity", "request",
          _says(498, _error("No capacity in this tier", "capacity_exceeded", "capacity_exceeded"))),
    Habit("full_429", "429 resource_unavailable: the tier has no capacity", "request", _says(429, _FULL)),
    Habit("json_not_valid", "400 json_validate_failed: the answer failed, not the request", "request",
          _says(400, _NO_JSON)),
    Habit("sensitive_text", "400: the provider takes the paper's text for sensitive", "request",
          _says(400, _SENSITIVE)),
    Habit("credit_in_200", "200 with an error object that is a 402: out of credit", "request",
          _says(200, {"error": {"message": "No credits left on this account", "code": 402}}), endpoint=True),
    Habit("other_model_words", "400 that knows no such model, in words of its own", "request",
          _says(400, _error("There is no model of that name here", "invalid_request_error")), endpoint=True),
)  # fmt: skip
