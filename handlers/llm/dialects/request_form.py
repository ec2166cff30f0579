"""The doubtful parameters of a request, which not every endpoint takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from handlers.domain.run import RunSpec
from handlers.llm.dialects.refused_parameter import Parameter

TokensField = Literal["max_tokens", "max_completion_tokens"]
SCHEMA_WITH_BOUNDS = 2
_OTHER: dict[TokensField, TokensField] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}


@dataclass(frozen=True)
class Form:
    """What is sent of the doubtful parameters."""

    json_mode: bool
    tokens_field: TokensField
    temperature: float | None
    stream: bool = True
    """``"stream": false``."""
    system: bool = True
    """False if the instructions go into the user's message."""
    cap: int | None = None
    """Most tokens of an answer that the endpoint takes."""
    tier: bool = True
    """``service_tier``, for requests that ask for one."""
    schema: int = SCHEMA_WITH_BOUNDS
    """How much of an answer's schema is sent, of requests that have one: with bounds, its shape alone, or 0,
    for which JSON mode stands."""

    def without(self, parameter: Parameter, cap: int | None = None) -> Form:
        """The form that gives one up."""
        match parameter:
            case "response_format":
                return replace(self, json_mode=False)
            case "json_schema":
                return replace(self, schema=max(0, self.schema - 1))
            case "tokens_field":
                return replace(self, tokens_field=_OTHER[self.tokens_field])
            case "tokens_range":
                return replace(self, cap=cap)
            case "temperature":
                return replace(self, temperature=None)
            case "system":
                return replace(self, system=False)
            case "service_tier":
                return replace(self, tier=False)
        return replace(self, stream=False)


def form_of(spec: RunSpec) -> Form:
    """As a run's settings ask for it."""
    return asked_form(spec.json_mode != "off", spec.max_tokens_field, spec.temperature)


def asked_form(json_mode: bool, tokens_field: TokensField, temperature: float | None) -> Form:
    """Before anything is known of the endpoint: who wants no JSON mode wants no schema either."""
    return Form(json_mode, tokens_field, temperature, schema=SCHEMA_WITH_BOUNDS if json_mode else 0)


def as_sent(spec: RunSpec, form: Form) -> RunSpec:
    """The settings whose requests are those that are sent in this form; ``spec`` itself if they are as asked.
    A cap that the endpoint imposes is none of the user's and changes nothing."""
    json_mode = spec.json_mode if form.json_mode else "off"
    asked = spec.json_mode, spec.temperature, spec.max_tokens_field
    if asked == (json_mode, form.temperature, form.tokens_field):
        return spec
    sent = {"json_mode": json_mode, "temperature": form.temperature, "max_tokens_field": form.tokens_field}
    return spec.model_copy(update=sent)
