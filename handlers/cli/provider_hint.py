"""What is good to know of the endpoint, before a run is begun at it."""

from __future__ import annotations

from rich.console import Console

from handlers.settings import Settings


def tell_of_provider(settings: Settings, console: Console) -> None:
    """One line, where something is known of the host of ``--base-url``."""
    if settings.base_url is None:
        return
    from handlers.llm.providers import provider_hint  # reads a file

    hint = provider_hint(settings.base_url, thinking=settings.thinking)
    if hint is not None:
        console.print(hint, style="dim", markup=False, soft_wrap=True)
