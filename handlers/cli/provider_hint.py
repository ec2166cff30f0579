"""What is good to know of the endpoint, before a run is begun at it."""

from __future__ import annotations

from urllib.parse import urlsplit

from rich.console import Console

from handlers.settings import Settings


def tell_of_provider(settings: Settings, console: Console) -> None:
    """A line where no key is set for a host elsewhere, and one where something is known of the host."""
    if settings.base_url is None:
        return
    if settings.api_key is None and settings.api_key_secret is None and not _is_here(settings.base_url):
        console.print("PAPERFLEET_API_KEY is not set: calls carry no key", style="dim")
    from handlers.llm.providers import provider_hint  # reads a file

    hint = provider_hint(settings.base_url, thinking=settings.thinking)
    if hint is not None:
        console.print(hint, style="dim", markup=False, soft_wrap=True)


def _is_here(url: str) -> bool:
    """Whether it is a server of this machine, which rarely asks for a key."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
