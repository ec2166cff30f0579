"""The ``paperfleet`` command with short waits: minutes of an outage take seconds.

python -m tests.faults.hurried TIMES FLAG COMMAND ... ; so many times shorter. While the file FLAG is
there, the table's name cannot be resolved.
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


def hurry(times: int) -> None:
    job.LEASE_TTL = max(8.0, 120 / times)  # before anybody takes it from there
    from handlers.adapters.aws import clients, retries
    from handlers.pipeline import context, heartbeat, stop
    from handlers.pipeline.deliveries import returns, takeover_grace

    retries.PATIENCE, retries._AWAY, retries._CAP = 90 / times, 20 / times, 5 / times
    clients.aws_client.__kwdefaults__["read_timeout"] = max(4.0, 30 / times)
    stop._LONGEST_WAIT = 15 / times
    context._AWAY = 10 / times
    takeover_grace._IN_A_STACK, takeover_grace._GAP = max(12.0, 60 / times), max(10.0, 15 / times)
    heartbeat._EXTEND_EVERY = max(2.0, 30 / times)
    returns._FIRST_DELAY, returns._JITTER = 30 / times, 10 / times


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
    hurry(int(sys.argv.pop(1)))
    _resolve_unless(Path(sys.argv.pop(1)))
    from handlers.cli.__main__ import main

    sys.exit(main())
