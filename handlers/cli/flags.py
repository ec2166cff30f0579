"""The flags that are settings, declared once: a command names those that it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

from handlers.cli import options

Command = Callable[..., None]
SETTINGS: dict[str, Any] = {
    "state": options.State,
    "run_id": options.RunId,
    "aws": options.Aws,
    "base_url": options.BaseUrl,
    "model": options.Model,
    "price_in": options.PriceIn,
    "price_out": options.PriceOut,
    "price_cached": options.PriceCached,
    "jobs": options.Jobs,
    "workers": options.Workers,
    "tier": options.Tier,
    "budget": options.Budget,
    "limit": options.Limit,
    "rpm": options.Rpm,
    "tpm": options.Tpm,
    "deadline": options.Deadline,
    "temperature": options.Temperature,
    "max_tokens": options.MaxTokens,
    "max_tokens_field": options.MaxTokensField,
    "json_mode": options.JsonMode,
    "extra_body": options.ExtraBody,
    "auth_header": options.AuthHeader,
    "call_timeout": options.CallTimeout,
    "read_timeout": options.ReadTimeout,
    "full_text": options.FullText,
    "target_language": options.TargetLanguage,
    "glossary": options.Glossary,
    "skip_no_derivatives": options.SkipNoDerivatives,
    "batch_papers": options.BatchPapers,
    "max_failed": options.MaxFailed,
    "force": options.Force,
}
"""Setting → its flag, in the order of a command's help."""

PRICES = ("price_in", "price_out", "price_cached")
FLEET = ("jobs", "workers", "tier", "limit", "rpm", "tpm", "deadline")
CONNECTION = ("base_url", "auth_header", "call_timeout", "read_timeout")
"""Where the API is and how it is spoken to."""
ASKED = (
    *("model", "temperature", "max_tokens", "max_tokens_field", "json_mode", "extra_body"),
    *("full_text", "target_language", "glossary", "skip_no_derivatives"),
)
"""What is asked of the model: fixed for the life of a run."""


def takes(*names: str) -> Callable[[Command], Command]:
    """Give a command these settings as flags; they come as its ``**flags``, None where they were not
    given. In its help they stand between its own arguments and what is by keyword alone."""

    def decorate(command: Command) -> Command:
        kinds = get_type_hints(command, include_extras=True)
        own = [
            each.replace(annotation=kinds[each.name])
            for each in inspect.signature(command).parameters.values()
            if each.kind is not each.VAR_KEYWORD
        ]
        first = [each for each in own if each.kind is each.POSITIONAL_OR_KEYWORD]
        last = [each for each in own if each.kind is each.KEYWORD_ONLY]
        shared = [flag(name, kind) for name, kind in SETTINGS.items() if name in names]
        if len(shared) != len(names):
            raise ValueError(f"{', '.join(names)}: no flags of settings, each once")
        sign(command, [*first, *shared, *last])
        return command

    return decorate


def flag(name: str, kind: Any, default: object = None) -> inspect.Parameter:
    """A parameter by keyword. ``kind``: its type, annotated with the option."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def sign(command: Command, parameters: Sequence[inspect.Parameter]) -> None:
    """Let a command that takes ``**flags`` say what they are, where typer looks for it."""
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(command)["__signature__"] = inspect.Signature(parameters)
