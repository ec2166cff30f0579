"""A first ``paperfleet.toml``: what it is made of, and the call that shows whether its endpoint answers."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from handlers.bootstrap import wiring
from handlers.bootstrap.state import SystemClock
from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import AdaptedError, ModelCallError, TransientError
from handlers.domain.money import NanoUsd
from handlers.domain.paper import Paper
from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.ports import ChatModel
from handlers.setting_sources import FILE
from handlers.settings import Settings
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.prompt import PROMPT_VERSION

_TITLE = "一种新的温度测量方法"
_FORMS = 8
"""Forms of the request that an endpoint may have refused, at no cost, before it takes one."""
_SHORTEST_SECRET = 8
"""Characters: a server that asks for none is often given a word for a key."""
_SECRET_WORDS = ("key", "token", "secret", "sig", "pass")
_WRITTEN: dict[str, object] = {
    "base_url": "https://api.example.com/v1", "model": "NAME", "budget": 45,
    "price_in": 0.15, "price_out": 0.6, "price_cached": 0.075,
    "auth_header": "api-key", "proxy": "http://host:3128", "ca_file": "roots.pem", "call_timeout": 180,
    "tier": "parallel", "workers": "auto", "rpm": 500, "tpm": 200_000,
    "target_language": "en", "glossary": "terms.csv", "full_text": True, "max_failed": "5%",
}  # fmt: skip
"""Settings that the file has a line for → an example, which is commented out where none is given."""


class FirstAnswer(NamedTuple):
    """What one call for a title took."""

    seconds: float
    cost: NanoUsd | None
    """None where the API does not say what it counted."""


def has_price(settings: Settings) -> bool:
    """Whether the price table or the settings know what the model costs."""
    try:
        refuse_without_price(settings)
    except UsageError:
        return False
    return True


def refuse_without_price(settings: Settings) -> None:
    """UsageError if nobody knows what the model costs: nothing is asked then."""
    wiring.price(settings, settings.model or "")


def first_answer(settings: Settings) -> FirstAnswer:
    """Ask for the translation of one title, as a run would. UsageError says why there is no answer, or that
    the call has no price."""
    spec = RunSpec(
        corpus_sha256="",
        corpus="",
        prompt_version=PROMPT_VERSION,
        masking_version=MASKING_VERSION,
        model=settings.model or "",
    )
    price, clock = wiring.price(settings, spec.model), SystemClock()
    model = wiring.chat_model(settings, spec, clock)
    request = wiring.task_of(spec).first_request(Paper(id="first", title=_TITLE))
    started = clock.monotonic()
    try:
        answer = _answered(model, request, settings.call_timeout)
    except ModelCallError as error:
        keyless = settings.api_key is None and error.code in ("unauthorized", "forbidden")
        cure = ": PAPERFLEET_API_KEY is not set" if keyless else f": {error}"
        raise UsageError(f"{settings.base_url} {_what_it_does(error)} ({error.code}){cure}") from error
    finally:
        model.close()
    cost = answer.usage.cost(price) if answer.usage else None
    return FirstAnswer(clock.monotonic() - started, cost)


def _what_it_does(error: ModelCallError) -> str:
    """An endpoint that says no is there, and whoever reads otherwise looks at the wrong end."""
    if isinstance(error, TransientError):
        return "gives no usable answer" if error.reached else "does not answer"
    no_answer = error.code in ("certificate", "proxy")
    return "cannot be asked" if no_answer else "refuses the call"


def _answered(model: ChatModel, request: ChatRequest, timeout: float) -> ChatAnswer:
    for _ in range(_FORMS):
        try:
            return model.complete(request, timeout=timeout)
        except AdaptedError:
            continue
    return model.complete(request, timeout=timeout)


def refuse_secrets(settings: Settings) -> None:
    """UsageError if an address carries what does not belong in a file."""
    for name in ("base_url", "proxy"):
        parts = urlsplit(str(getattr(settings, name) or ""))
        named = [
            key for key, _ in parse_qsl(parts.query) if any(word in key.lower() for word in _SECRET_WORDS)
        ]
        if parts.username or parts.password or named:
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{flag}: it carries a password or a key, which does not belong in a file; set"
                f" PAPERFLEET_{name.upper()} instead, or PAPERFLEET_API_KEY for the key alone"
            )


def settings_text(settings: Settings) -> str:
    """The file: each setting that is given, and examples of others, below what it is. UsageError if it would
    hold the key."""
    given = {name for name in settings.model_fields_set if getattr(settings, name) is not None}
    lines = [
        "# Settings of Paperfleet in this folder. A flag goes before its variable, and this file comes last.",
        "# The key does not belong here: set PAPERFLEET_API_KEY.",
    ]
    for name, example in _WRITTEN.items():
        value = getattr(settings, name) if name in given else example
        line = f"{name} = {_toml(value)}"
        description = Settings.model_fields[name].description or ""
        lines += ["", f"# {description}", line if name in given else f"# {line}"]
    text = "\n".join(lines) + "\n"
    for secret in (settings.api_key, settings.webhook):
        value = secret.get_secret_value() if secret is not None else ""
        if len(value) >= _SHORTEST_SECRET and value in text:
            raise UsageError(f"one of the settings is the key itself, which does not belong in {FILE}")
    return text


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{value:g}" if isinstance(value, float) else str(value)
