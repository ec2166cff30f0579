"""The request's body in the dialect that an endpoint speaks, learned from its refusals.

A refusal that names a parameter gives up that one, in whatever words (``refused_parameter``); one that names
nothing is probed: the same request without one doubtful parameter after the other, see ``variants``.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from handlers.domain.call import AnswerForm, ChatRequest, Message
from handlers.llm.dialects.dialect_memory import DialectMemory
from handlers.llm.dialects.refused_parameter import Parameter, refused_parameter, stated_cap
from handlers.llm.dialects.request_form import SCHEMA_WITH_BOUNDS, Form
from handlers.llm.error_body import ErrorBody
from handlers.rare_pattern import rare_pattern

logger = logging.getLogger(__name__)

_SCHEMA = rare_pattern(
    r"schema|strict\b|additionalProperties|(?:min|max)(?:Length|Items|imum)|结构定义|模式定义", re.IGNORECASE
)
_PROBED_CAP = 4_096
"""Tokens that about every model may answer with."""
_CODES: dict[Parameter, str] = {
    "response_format": "json_mode_unsupported",
    "json_schema": "json_schema_unsupported",
    "tokens_field": "max_tokens_field_unsupported",
    "tokens_range": "max_tokens_too_large",
    "temperature": "temperature_unsupported",
    "system": "system_role_unsupported",
    "stream": "stream_unsupported",
    "service_tier": "flex_unsupported",
}


@dataclass(frozen=True)
class RequestBody:
    """One request's body, and the form that it has."""

    content: bytes
    form: Form
    max_tokens: int
    """As sent."""
    flex: bool = False
    """Whether it asks for the flex tier."""
    schema: int = 0
    """How much of an answer's schema it has, as ``Form.schema``."""


class Dialect:
    """What to send, for the life of the process and, with a memory, of the state. Each doubtful parameter is
    given up at most once, a cap is only ever lowered."""

    def __init__(
        self, model: str, form: Form, extra_body: Mapping[str, Any], memory: DialectMemory | None = None
    ) -> None:
        self._model = model
        self._memory = memory
        self._form = form
        self._extra_body = extra_body
        self._lock = threading.Lock()
        self.probing = threading.Lock()
        self.probed = False
        """True once variants were tried: they are at most once in a process."""
        self.hear()
        self._first = self._form

    @property
    def form(self) -> Form:
        """What is sent of the doubtful parameters now."""
        return self._form

    def hear(self) -> None:
        """Take over what other jobs and earlier runs have found of the endpoint."""
        if self._memory is None:
            return
        with self._lock:
            before = self._form
            self._form = self._memory.apply(before)
        if self._form != before:
            logger.info("model %s is asked as was found before: %s", self._model, self._form)

    def may_try(self, sent: RequestBody, deadline: float) -> bool:
        """Whether simpler forms of a refused request are to be tried here and now. ``deadline``: in the
        clock's monotonic seconds."""
        if self.probed:
            self.hear()  # what another job has found since
        if self.probed or self._form != sent.form:
            return False
        if self._memory is not None and not self._memory.take_turn(sent.form, deadline):
            self.hear()
            return False
        self.probed = True
        return True

    def body(self, request: ChatRequest, form: Form | None = None) -> RequestBody:
        """The bytes to send for a request, in the endpoint's form or in another."""
        form = form or self._form
        most = request.max_tokens if form.cap is None else min(form.cap, request.max_tokens)
        messages = request.messages if form.system else _without_system(request.messages)
        data: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            form.tokens_field: most,
        }
        if form.temperature is not None:
            data["temperature"] = form.temperature
        asked = _response_format(request.form, form)
        if asked is not None:
            data["response_format"] = asked
        if form.stream:
            data["stream"] = False
        flex = form.tier and request.tier == "flex"
        if flex:
            data["service_tier"] = "flex"
        data.update(self._extra_body)
        if request.sample and isinstance(seed := data.get("seed"), int):
            data["seed"] = seed + request.sample  # with one seed all samples are the same answer
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        schema = form.schema if asked is not None and asked["type"] == "json_schema" else 0
        return RequestBody(text.encode("utf-8", "replace"), form, most, flex, schema)

    def is_current(self, sent: RequestBody) -> bool:
        """False of a request that was sent before the form changed."""
        return sent.form == self._form

    def adapt(self, status: int, sent: RequestBody, error: ErrorBody) -> str | None:
        """Give up the parameter that the API refused; returns a code for the wasted call, None if the refusal
        is about something else."""
        parameter = refused_parameter(status, error)
        if sent.schema and (parameter == "response_format" or _is_about_schema(status, parameter, error)):
            parameter = "json_schema"
        if parameter == "max_tokens":
            cap = stated_cap(error, sent.max_tokens)
            parameter = "tokens_field" if cap is None else "tokens_range"
            if parameter == "tokens_range":
                self._give_up(parameter, cap)
                return _CODES[parameter]
        if parameter is None or not self._is_sent(parameter, sent.form):
            return None
        self._give_up(parameter)
        return _CODES[parameter]

    def variants(self, sent: RequestBody) -> Iterator[tuple[str, Form]]:
        """What to try where the API names nothing: without one parameter each, then without all of them. The
        cap on the answer stays, whatever its name: the reservation rests on it."""
        bare = plain = replace(sent.form, schema=0) if sent.schema else sent.form
        if sent.flex:
            yield "service_tier", sent.form.without("service_tier")
        if sent.schema:
            yield "json_schema", plain
        kinds: tuple[Parameter, ...] = ("response_format", "temperature", "system", "stream")
        for parameter in kinds:
            if self._is_sent(parameter, sent.form):
                bare = bare.without(parameter)
                yield parameter, (plain if parameter == "response_format" else sent.form).without(parameter)
        other: Parameter = "tokens_field"
        yield sent.form.tokens_field, sent.form.without(other)
        if sent.max_tokens > _PROBED_CAP:
            yield f"{sent.max_tokens} tokens", sent.form.without("tokens_range", _PROBED_CAP)
        yield "all that can be left out", bare
        bare = bare.without("service_tier")
        yield f"all that can be left out nor {sent.form.tokens_field}", bare.without(other)

    def settle(self, name: str, form: Form) -> None:
        """A variant was answered: it is what is sent from now on."""
        with self._lock:
            before, self._form = self._form, form
        logger.warning("model %s does not take %s: found by trying, left out from now on", self._model, name)
        if self._memory is not None:
            self._memory.learn(before, form, by_trying=True)

    def settle_on_none(self) -> None:
        """No variant was answered."""
        if self._memory is not None:
            self._memory.give_turn_back(in_vain=True)

    def put_off(self) -> None:
        """The tries were broken off by something else: whoever is refused next may try."""
        self.probed = False
        if self._memory is not None:
            self._memory.give_turn_back(in_vain=False)

    def _is_sent(self, parameter: Parameter, form: Form) -> bool:
        """True if giving it up changes the request."""
        match parameter:
            case "response_format":
                return form.json_mode
            case "json_schema":
                return form.schema > 0 and form.schema == self._form.schema
            case "temperature":
                return form.temperature is not None
            case "system":
                return form.system
            case "stream":
                return form.stream
        return form.tokens_field == self._first.tokens_field

    def _give_up(self, parameter: Parameter, cap: int | None = None) -> None:
        with self._lock:
            before = self._form
            if parameter == "tokens_range":
                lowest = cap if before.cap is None or cap is None else min(cap, before.cap)
                self._form = before.without(parameter, lowest)
            elif self._is_sent(parameter, before):
                self._form = before.without(parameter)
            changed = self._form != before
        if changed:
            what = f"more than {cap} tokens of an answer" if cap is not None else _named(parameter, before)
            logger.warning("model %s does not take %s: it is left out from now on", self._model, what)
            if self._memory is not None:
                self._memory.learn(before, self._form)


def _named(parameter: Parameter, form: Form) -> str:
    schema = "a schema of the answer" if form.schema == 1 else "bounds in a schema of the answer"
    names = {
        "tokens_field": form.tokens_field,
        "system": "instructions in a message of the system",
        "json_schema": schema,
    }
    return names.get(parameter, parameter)


def _response_format(asked: AnswerForm | None, form: Form) -> dict[str, Any] | None:
    """What a request says of its answer's form. Some endpoints take a schema and no JSON mode."""
    if asked is None or asked.bounds is None or not form.schema:
        is_text = asked is not None and asked.plain
        return {"type": "json_object"} if form.json_mode and not is_text else None
    schema = asked.bounds if form.schema == SCHEMA_WITH_BOUNDS else asked.shape
    return {"type": "json_schema", "json_schema": {"name": asked.name, "strict": True, "schema": schema}}


def _is_about_schema(status: int, parameter: Parameter | None, error: ErrorBody) -> bool:
    """True of a refusal that names a schema or a bound of one, and no parameter of ours."""
    return parameter is None and status in (400, 422) and bool(_SCHEMA.search(error.message))


def _without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The instructions at the head of the first message of the user's."""
    told = "\n\n".join(one.content for one in messages if one.role == "system")
    others = [one for one in messages if one.role != "system"]
    if not told:
        return messages
    for place, one in enumerate(others):
        if one.role == "user":
            others[place] = Message(role="user", content=f"{told}\n\n{one.content}")
            return tuple(others)
    return (Message(role="user", content=told), *others)
