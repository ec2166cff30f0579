"""``python -m handlers.model_server``: one line of JSON settings on standard input, then serve.

The first line of standard output is ``{"base_url": ...}`` or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import sys

from pydantic import ValidationError

from handlers.errors import UsageError
from handlers.model_server.running import serve
from handlers.model_server.server_settings import ServerSettings


def main() -> int:
    """Exit code 0, or 2 for settings that cannot be served."""
    try:
        settings = ServerSettings.model_validate_json(_first_line())
        serve(settings, ready=lambda url: _say({"base_url": url}), with_parent=True)
    except (UsageError, ValidationError) as error:
        _say({"error": str(error)})
        return 2
    return 0


def _first_line() -> bytes:
    """Read byte by byte past no more than the line: the rest of the pipe is the lifeline's."""
    return sys.stdin.buffer.readline()


def _say(message: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
