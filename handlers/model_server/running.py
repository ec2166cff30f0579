"""The server's process: load what the mode needs, listen, and end on a signal or with the parent."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import ssl
import sys
import time
from collections.abc import Callable

from handlers.errors import UsageError
from handlers.model_server import dictionary
from handlers.model_server.canned import Filler
from handlers.model_server.content import Translator
from handlers.model_server.gloss import Glossator
from handlers.model_server.routes import Routes
from handlers.model_server.server_settings import ServerSettings
from handlers.model_server.wire import Connection

_BACKLOG = 4096


def serve(
    settings: ServerSettings, *, ready: Callable[[str], None] | None = None, with_parent: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` is called with the base URL (``http://host:port/v1``) once
    it listens.

    ``with_parent`` ends it when standard input ends, as it does when the process that holds the other end
    dies. UsageError if the port is taken or the mode's dictionary is missing.
    """
    translator = _translator(settings)
    _raise_file_limit()
    # The dictionary outlives every request: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    asyncio.run(_serve(settings, translator, ready, with_parent=with_parent))


def _translator(settings: ServerSettings) -> Translator:
    return Glossator(dictionary.load()) if settings.mode == "gloss" else Filler()


def _raise_file_limit() -> None:
    """Each connection is an open file; the usual soft limit of 1,024 is below a large fleet."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(
    settings: ServerSettings,
    translator: Translator,
    ready: Callable[[str], None] | None,
    *,
    with_parent: bool,
) -> None:
    routes = Routes(settings, translator, monotonic=time.monotonic, now=time.time)
    connections: set[Connection] = set()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await _listen(settings, routes, connections)
    if with_parent:
        await loop.connect_read_pipe(lambda: _Lifeline(stop), sys.stdin)
    if ready is not None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        scheme = "http" if settings.tls_certificate is None else "https"
        ready(f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/v1")
    await stop.wait()
    server.close()
    for connection in list(connections):
        connection.abort()


async def _listen(settings: ServerSettings, routes: Routes, connections: set[Connection]) -> asyncio.Server:
    context = _tls(settings)
    try:
        return await asyncio.get_running_loop().create_server(
            lambda: Connection(routes, connections),
            settings.host,
            settings.port,
            backlog=_BACKLOG,
            ssl=context,
        )
    except OSError as error:
        reason = f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); give another port"
        raise UsageError(reason) from error


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:
        raise UsageError(
            f"{settings.tls_certificate}, {settings.tls_key}: no certificate ({error})"
        ) from error
    return context


class _Lifeline(asyncio.Protocol):
    """Ends the server when the pipe from its parent closes."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._stop.set()
