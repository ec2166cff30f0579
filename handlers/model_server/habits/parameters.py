"""Parameters that an endpoint refuses, in the words of one provider or of none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from handlers.model_server.habits.turn import Habit, Turn
from handlers.rare_pattern import rare_pattern

Asked = dict[str, Any]
_BOUND = rare_pattern(r'"(?:min|max)(?:Length|Items|imum)"')
MOST_TOKENS = 400
_TEMPERATURE = {
    "error": {"message": "`temperature` is no longer taken by this model", "param": "temperature"}
}
_RANGE = f"max_tokens has to lie in [1, {MOST_TOKENS}] for this model"
_OTHER_FIELD = "'max_tokens' is not supported with this model; use 'max_completion_tokens' instead."
_NO_FIELD = "body.max_completion_tokens: extra fields are not permitted"
_NO_SYSTEM = [
    {
        "error": {
            "code": 400,
            "message": "This model takes no developer instruction",
            "status": "INVALID_ARGUMENT",
        }
    }
]
_JSON = {"code": 20024, "message": "Json mode is not supported for this model.", "data": None}


def _unless(takes: Callable[[Any], bool], body: object, status: int = 400) -> Callable[[Turn], None]:
    def act(turn: Turn) -> None:
        if not takes(turn.asked):
            turn.refuse(status, body)

    return act


def _error(message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def _lacks(name: str) -> Callable[[Asked], bool]:
    return lambda asked: name not in asked


def _user_alone(asked: Asked) -> bool:
    return all(each.get("role") != "system" for each in asked["messages"])


def _within_range(asked: Asked) -> bool:
    most = asked.get("max_completion_tokens") or asked.get("max_tokens") or 0
    return isinstance(most, int) and most <= MOST_TOKENS


def _kind(asked: Asked) -> object:
    given = asked.get("response_format")
    return given.get("type") if isinstance(given, dict) else None


def _format(asked: Asked) -> str:
    return json.dumps(asked.get("response_format"))[:100_000]


def _habit(name: str, what: str, takes: Callable[[Any], bool], body: object, status: int = 400) -> Habit:
    return Habit(name, f"{status}: {what}", "request", _unless(takes, body, status), endpoint=True)


PARAMETERS = (
    _habit("no_json_mode", "no response_format with this model", _lacks("response_format"), _JSON),
    _habit("no_json_object", "response_format takes json_schema or text alone",
           lambda asked: "json_object" not in str(asked.get("response_format"))[:200],
           {"error": "'response_format.type' must be 'json_schema' or 'text'"}),
    _habit("no_json_schema", "response_format takes json_object alone",
           lambda asked: _kind(asked) != "json_schema",
           _error("response_format.type: json_schema is not supported by this model")),
    _habit("no_schema_bounds", "a schema may have no bounds", lambda asked: not _BOUND.search(_format(asked)),
           _error("Invalid schema for response_format: a bound of a text is not permitted")),
    _habit("no_temperature", "temperature is not taken", _lacks("temperature"), _TEMPERATURE),
    _habit("temperature_1", "temperature must be 1 or absent",
           lambda asked: asked.get("temperature", 1) == 1,
           _error("invalid temperature: only 1 is allowed"), 422),
    _habit("no_system", "no message of the system's role", _user_alone, _NO_SYSTEM),
    _habit("no_max_tokens", "max_completion_tokens in place of max_tokens", _lacks("max_tokens"),
           _error(_OTHER_FIELD)),
    _habit("no_max_completion_tokens", "max_tokens in place of max_completion_tokens",
           _lacks("max_completion_tokens"), _error(_NO_FIELD), 422),
    _habit("few_tokens", f"at most {MOST_TOKENS} tokens of answer", _within_range, _error(_RANGE)),
    _habit("no_stop", "stop is not taken", _lacks("stop"), _error("Unsupported parameter: 'stop'")),
    _habit("no_stream_field", "no field stream, whatever it says", _lacks("stream"),
           {"detail": [{"loc": ["body", "stream"], "msg": "Extra inputs are not permitted"}]}, 422),
    _habit("unnamed_json_mode", "response_format is refused, without a name",
           _lacks("response_format"), _error("The request is not acceptable.")),
    _habit("unnamed_temperature", "temperature is refused, without a name", _lacks("temperature"),
           {"detail": "Unprocessable"}, 422),
    _habit("thinking_must_be_off", "enable_thinking must be false, which takes a setting of the client's",
           lambda asked: asked.get("enable_thinking") is False,
           _error("enable_thinking has to be false without a stream")),
    _habit("stream_alone", "nothing but streams, which the client does not read",
           lambda asked: asked.get("stream") is True,
           _error("This model can only be called in streaming mode")),
    _habit("no_effort", "reasoning_effort is not taken", _lacks("reasoning_effort"),
           _error("Unknown argument: reasoning_effort")),
)  # fmt: skip
