"""Processes without their start: one that has imported everything forks one for each command and server.

They have arguments, environment, folder, output, signals, exit code and children of their own, as ever; only
the second that imports take is spent once. What a start itself does is for ``command.Running``, for
``handlers.model_server.start`` and for tests that start Python by hand.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

from handlers.errors import UsageError
from handlers.model_server import RunningServer, ServerSettings

_COMMAND, _SERVER = "handlers.cli.main", "handlers.model_server.__main__"
_NOTHING = os.devnull
_ROOT = Path(__file__).parents[2]


class Warm:
    """Asks a process of its own to fork, one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.builders.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd=_ROOT,  # a test may stand elsewhere when it is the first that asks
            )
        self._answers = self._socket.makefile("rb")

    def run(self, arguments: list[str], environment: dict[str, str], timeout: float) -> tuple[int, str, str]:
        """A command to its end: exit code, standard output and error. TimeoutExpired as ``subprocess.run``
        raises it."""
        with self._lock, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with Path(_NOTHING).open("rb") as nothing:
                pid = self._fork(_COMMAND, arguments, environment, [nothing, out, err])
            with _after(timeout, lambda: os.killpg(pid, signal.SIGKILL)) as too_late:
                code = int(self._answers.readline())
            out.seek(0)
            err.seek(0)
            texts = out.read().decode(), err.read().decode()
        if too_late.is_set():
            raise subprocess.TimeoutExpired(arguments, timeout, *texts)
        return code, *texts

    def serve(self, settings: ServerSettings) -> RunningServer:
        """As ``handlers.model_server.start`` does."""
        (read_in, write_in), (read_out, write_out) = os.pipe(), os.pipe()
        with open(read_in, "rb") as theirs_in, open(write_out, "wb") as theirs_out, self._lock:  # noqa: PTH123 - descriptors
            pid = self._fork(_SERVER, [], dict(os.environ), [theirs_in, theirs_out, sys.__stderr__])
        process = _Forked(pid, open(write_in, "wb"), open(read_out, "rb"))  # noqa: PTH123, SIM115 - descriptors
        process.stdin.write(settings.model_dump_json().encode() + b"\n")
        process.stdin.flush()
        said = json.loads(process.stdout.readline())
        server = RunningServer(
            cast("subprocess.Popen[bytes]", process), said.get("base_url", ""), settings.tls_certificate
        )
        if "base_url" not in said:
            server.stop()
            raise UsageError(said["error"])
        return server

    def _fork(self, module: str, arguments: list[str], environment: dict[str, str], files: list[Any]) -> int:
        """Process id of what runs ``module``'s ``main`` with standard input, output and error as given."""
        asked = {
            "module": module,
            "arguments": arguments,
            "environment": environment,
            "folder": str(Path.cwd()),
        }
        line = json.dumps(asked).encode() + b"\n"
        socket.send_fds(self._socket, [line[:1]], [file.fileno() for file in files])
        self._socket.sendall(line[1:])
        return int(self._answers.readline())

    def close(self) -> None:
        self._answers.close()
        self._socket.close()
        self._process.wait()


class _Forked:
    """What a ``RunningServer`` asks of its process, which is not a child of this one."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout

    def wait(self, timeout: float | None = None) -> None:
        """Its output ends with it."""
        with _after(timeout or 60, self.kill):
            self.stdout.read()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@contextmanager
def _after(seconds: float, act: Callable[[], None]) -> Iterator[threading.Event]:
    """``act`` unless what is done meanwhile ends earlier; the event says whether it came to that."""
    acted = threading.Event()
    timer = threading.Timer(seconds, lambda: (acted.set(), act()))
    timer.start()
    try:
        yield acted
    finally:
        timer.cancel()
        timer.join()


@cache
def warm() -> Warm:
    """This process's."""
    made = Warm()
    atexit.register(made.close)
    return made


def start(settings: ServerSettings) -> RunningServer:
    """A model server."""
    return warm().serve(settings)


def _fork_as_asked(line: socket.socket) -> dict[str, Any] | None:
    """Fork a process for each request. Returns in that process what it is to do; None at the end, in the
    process that forked."""
    while True:
        first, descriptors, _, _ = socket.recv_fds(line, 1, 3)
        if not first:
            return None
        with line.makefile("rb") as reader:
            asked: dict[str, Any] = json.loads(first + reader.readline())
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                """A server that has ended."""
        pid = os.fork()
        if pid == 0:
            os.setsid()
            line.close()
            for target, descriptor in enumerate(descriptors):
                os.dup2(descriptor, target)
                os.close(descriptor)
            return asked
        for descriptor in descriptors:
            os.close(descriptor)
        line.sendall(f"{pid}\n".encode())
        if asked["module"] == _COMMAND:
            _, status = os.waitpid(pid, 0)
            line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(asked: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv = ["paperfleet", *asked["arguments"]]
    sys.exit(import_module(asked["module"]).main())


def _import_everything() -> None:
    import handlers

    names = [module.name for module in pkgutil.walk_packages(handlers.__path__, "handlers.")]
    for name in [*names, "rich.markdown", "typer.rich_utils"]:
        if name != "handlers.cli.__main__":
            with suppress(ImportError):
                import_module(name)
    gc.freeze()


if __name__ == "__main__":
    _import_everything()
    given = _fork_as_asked(socket.socket(fileno=int(sys.argv[1])))
    if given is not None:
        _become(given)
