"""The endpoint that a command talks to: the user's, or the built-in server while the command runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from rich.console import Console

from handlers.errors import UsageError
from handlers.settings import Settings

GLOSS = "paperfleet-gloss"
_PER_MILLION = 10**6


@contextmanager
def endpoint(settings: Settings, console: Console) -> Iterator[Settings]:
    """The settings with an endpoint and a model; a built-in server lives as long as the block.

    UsageError if a model is named without an endpoint, or an endpoint without a model.
    """
    if settings.base_url is not None:
        if settings.model is None:
            raise UsageError("no model: give --model NAME or set PAPERFLEET_MODEL")
        yield settings
        return
    if settings.model not in (None, GLOSS):
        raise UsageError(f"--model {settings.model} needs --base-url (or PAPERFLEET_BASE_URL)")
    if settings.backend == "aws":
        raise UsageError(
            "a gloss made here would be mixed with what the stack's functions do: give --base-url, or leave "
            "the work to them with `paperfleet shard --aws`"
        )
    console.print(
        "No --base-url: the built-in model server glosses word by word from CC-CEDICT.\n"
        "It shows the way and is [bold]not a translation[/]; its prices are an example."
    )
    from handlers.bootstrap import wiring  # most of the package
    from handlers.model_server.launch import start
    from handlers.model_server.server_settings import ServerSettings

    price = wiring.price(settings, GLOSS)
    billed = ServerSettings(
        mode="gloss",
        price_in=Decimal(price.prompt) / _PER_MILLION,
        price_out=Decimal(price.completion) / _PER_MILLION,
        price_cached=Decimal(price.cached) / _PER_MILLION,
    )
    with start(billed) as server:
        yield settings.model_copy(update={"base_url": server.base_url, "model": GLOSS})
