"""Lambda's Runtime API as one sandbox sees it, and the sandbox: the real runtime client on the artifact.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.builders.ended_process import ending
from tests.e2e.artifact import sam_environment
from tests.e2e.environments import environment

_PREFIX = "/2018-06-01/runtime/invocation/"


@dataclass(frozen=True)
class Answer:
    """What came of an invocation: its response, or the error's JSON."""

    ok: bool
    value: Any


class RuntimeApi(ThreadingHTTPServer):
    """One invocation at a time, as a sandbox has it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.waiting: queue.Queue[tuple[str, dict[str, Any], float]] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self._invoked = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def invoke(self, event: dict[str, Any], *, seconds: float = 60) -> Answer:
        """Run one invocation that may take ``seconds``."""
        self._invoked += 1
        self.waiting.put((f"request-{self._invoked}", event, time.time() + seconds))
        return self.answers.get(timeout=seconds + 30)


class _Handler(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        request_id, event, deadline = self.server.waiting.get()
        body = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(1000 * deadline)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:paperfleet"
        )
        self._end(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(202)
        self._end(b"{}")
        if self.path.startswith(_PREFIX):
            ok = self.path.endswith("/response")
            self.server.answers.put(Answer(ok, json.loads(body)))
        else:
            self.server.answers.put(Answer(False, json.loads(body)))

    def _end(self, body: bytes) -> None:
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@dataclass
class Sandbox:
    """A function's process."""

    api: RuntimeApi
    process: subprocess.Popen[bytes]
    log: Path

    def invoke(self, event: dict[str, Any], *, seconds: float = 60) -> Answer:
        return self.api.invoke(event, seconds=seconds)

    def memory_peak(self) -> int:
        """Bytes of resident memory, at most so far."""
        return 1024 * self._status("VmHWM")

    def _status(self, field: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
        raise AssertionError(field)


@contextmanager
def sandbox(
    artifact: Path, handler: str, log: Path, *, memory_mb: int = 512, **variables: str
) -> Iterator[Sandbox]:
    """The runtime client on a built function; the log takes its stdout and stderr."""
    python = environment("lambda", "awslambdaric==4.2.2") / "python"
    api = RuntimeApi()
    threading.Thread(target=api.serve_forever, daemon=True).start()
    variables = {
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "paperfleet",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "LAMBDA_TASK_ROOT": str(artifact),
        "PYTHONPATH": str(artifact),
        "POWERTOOLS_SERVICE_NAME": "paperfleet-test",
        "POWERTOOLS_METRICS_NAMESPACE": "Paperfleet",
    } | variables
    with log.open("wb") as output:
        command = [python, "-m", "awslambdaric", handler]
        surroundings = sam_environment() | variables
        try:
            with ending(
                command, stdout=output, stderr=output, env=surroundings, preexec_fn=_no_core, patience=0
            ) as process:
                yield Sandbox(api, process, log)
        finally:
            api.shutdown()
            api.server_close()


def _no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def import_seconds(artifact: Path, module: str) -> float:
    """CPU seconds until a fresh interpreter has imported a module of the artifact."""
    code = f"import time; import {module}; print(time.process_time())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=sam_environment() | {"PYTHONPATH": str(artifact), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return float(done.stdout)
