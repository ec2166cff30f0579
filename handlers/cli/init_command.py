"""``paperfleet init``: a first ``paperfleet.toml``, whose endpoint is known to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from handlers.cli.flags.setting_flags import add_command
from handlers.cli.provider_hint import tell_of_provider
from handlers.domain.money import usd
from handlers.errors import UsageError
from handlers.setting_sources import FILE
from handlers.settings import Settings, load_settings

_QUESTIONS = {
    "base_url": "Endpoint, up to and with /v1",
    "model": "Model's name at the endpoint",
    "budget": "USD that a run may cost in all (empty: no limit)",
}
_PRICES = {
    "price_in": "The price table lacks this model. USD per million prompt tokens",
    "price_out": "USD per million completion tokens",
}
_NEEDED = {"base_url", "model"}


def register(app: typer.Typer) -> None:
    add_command(app, "init", init, "init --base-url https://api.example.com/v1 --model NAME --budget 45")


def init(**flags: Any) -> None:
    """Write a commented paperfleet.toml into this folder. It asks for endpoint, model and budget where no
    flag and no variable gives them, and checks them with one call, which costs less than a cent. Reads the
    API key from PAPERFLEET_API_KEY and never writes it; overwrites nothing.
    """
    file = Path(FILE)
    if file.exists() or file.is_symlink():
        raise UsageError(f"{FILE} is here already, and init overwrites nothing: edit it, or move it away")
    settings = _asked(flags, _QUESTIONS)
    from handlers.corpus.sources.formats import source_at_hand
    from handlers.local import first_settings  # most of the package

    if not first_settings.has_price(settings):
        settings = _asked(flags, _PRICES)
    console = Console(stderr=True, highlight=False)

    first_settings.refuse_secrets(settings)
    first_settings.refuse_without_price(settings)
    text = first_settings.settings_text(settings)
    tell_of_provider(settings, console)
    console.print(f"asking {settings.model} at {settings.base_url}", markup=False, soft_wrap=True)
    first = first_settings.first_answer(settings)
    cost = "an unknown amount" if first.cost is None else f"${usd(first.cost):.6f}"
    console.print(f"it answers: {first.seconds:.1f} s, {cost}", markup=False)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"{FILE} cannot be written: {error.strerror}") from error
    source = source_at_hand()
    typer.echo(f"{FILE} is written; next: `paperfleet run {source}`, or `paperfleet pilot {source}` first")


def _asked(flags: dict[str, Any], questions: dict[str, str]) -> Settings:
    """The settings with answers to what they lack; UsageError where one that is needed stays away."""
    settings = load_settings(**flags)
    for name, question in questions.items():
        if getattr(settings, name) is None:
            flags[name] = _answer(name, question) or None
        if flags[name] is None and getattr(settings, name) is None and name in _NEEDED:
            raise UsageError(f"no --{name.replace('_', '-')}: nothing is written")
    return load_settings(**flags)


def _answer(name: str, question: str) -> str:
    """Typed by whoever starts the command, or piped into it. UsageError where nobody answers."""
    try:
        said = typer.prompt(question, default="", show_default=False, err=True)
    except typer.Abort as error:
        typer.echo(err=True)  # the question has no line of its own yet
        if name not in _NEEDED:
            return ""  # a price that is missing is told of by whoever needs it
        raise UsageError(f"no --{name.replace('_', '-')}, and nobody to ask: nothing is written") from error
    return str(said).strip()
