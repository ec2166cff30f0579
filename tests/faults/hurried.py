"""The ``paperfleet`` command with short waits: minutes of an outage take seconds.

python -m tests.faults.hurried FLAG COMMAND ... ; while the file FLAG is there, no name can be resolved.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

from handlers.domain import job

SHORTER = 20
"""Times."""
NAME = "ledger.test"
"""Resolved to loopback."""


def _hurry() -> None:
    job.LEASE_TTL = 8.0  # before anybody takes it from there
    from handlers.adapters.aws import clients, retries
    from handlers.pipeline import committer, context, heartbeat
    from handlers.pipeline.deliveries import returns

    retries.PATIENCE, retries._AWAY, retries._CAP = 90 / SHORTER, 20 / SHORTER, 5 / SHORTER
    clients.aws_client.__kwdefaults__["read_timeout"] = 4
    committer._LONGEST_WAIT = 15 / SHORTER
    context._AWAY = 10 / SHORTER
    heartbeat._EXTEND_EVERY = 2.0
    returns._FIRST_DELAY, returns._JITTER = 30 / SHORTER, 10 / SHORTER


def _resolve_unless(flag: Path) -> None:
    """Names are resolved as long as the flag is not there."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **named: Any) -> Any:
        if host != NAME:
            return resolve(host, *arguments, **named)
        if flag.exists():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve("127.0.0.1", *arguments, **named)

    socket.getaddrinfo = resolved


if __name__ == "__main__":
    _hurry()
    _resolve_unless(Path(sys.argv.pop(1)))
    from handlers.cli.__main__ import main

    sys.exit(main())
