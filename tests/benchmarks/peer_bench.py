"""One peer, or Paperfleet, in one scenario: started, watched, measured, and killed at half way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.bootstrap.state import open_state
from handlers.domain.call import CallTotals
from handlers.domain.run import RunTotals
from handlers.model_server import RunningServer, ServerSettings, start
from handlers.settings import load_settings
from tests.benchmarks.peer_work import ABSTRACTS, SCHEMA, WHOLE, prompts
from tests.benchmarks.process import Memory
from tests.builders.command import PRICES

_ROOT = Path(__file__).parents[2]
_CLIENTS = Path(__file__).with_name("peer_clients")
_SOME_FLAGGED = 3


@dataclass(frozen=True)
class Peer:
    """``requirement`` is installed into ``.envs/<environment>``."""

    name: str
    environment: str
    requirement: str
    client: str
    takes_forms: bool = False
    """Whether its client hands on what a request says of its answer's form."""


PEERS = (
    Peer("httpx, thread pool", "httpx", "httpx==0.28.1", "httpx_threads.py"),
    Peer("openai, async", "openai", "openai==3.54.0", "openai_async.py"),
    Peer("langchain .batch", "langchain", "langchain-openai==1.7.3", "langchain_batch.py"),
    Peer("litellm batch_completion", "litellm", "litellm==1.106.2", "litellm_batch.py"),
    Peer("bespokelabs-curator", "curator", "bespokelabs-curator==0.1.31", "curator.py", takes_forms=True),
    Peer(
        "async-batch-llm", "abllm", "async-batch-llm[openai]==0.28.0", "async_batch_llm.py", takes_forms=True
    ),
)


@dataclass(frozen=True)
class Shape:
    """How Paperfleet's calls in flight are spread over processes."""

    jobs: int
    workers: int

    @classmethod
    def of(cls, text: str) -> Shape:
        """From ``10x100``."""
        jobs, _, workers = text.partition("x")
        return cls(int(jobs), int(workers))

    def __str__(self) -> str:
        return f"{self.jobs}x{self.workers}"

    @property
    def scenario(self) -> str:
        """The one that has as many calls in flight."""
        return str(self.jobs * self.workers)


SCENARIOS: dict[str, tuple[int, dict[str, Any]]] = {
    "100": (100, {}),
    "1000": (1_000, {}),
    "whole": (100, {}),
    "schema": (100, {}),
    "limited": (
        100,
        {"rpm": 3_000.0, "burst": 1.0, "http_500": 0.01, "http_503": 0.01, "http_529": 0.01},
    ),
}


_WORK = {"whole": WHOLE, "schema": SCHEMA}
"""Scenarios of something else than abstracts."""
FOR_FEW = frozenset(_WORK)
"""Which not every peer is put through."""


def environment(peer: Peer) -> str:
    """Make the peer's environment if it is not there; returns the version that it has."""
    python = _ROOT / ".envs" / peer.environment / "bin" / "python"
    package = re.split("[=<>[]", peer.requirement)[0]
    ask = [str(python), "-c", f"import importlib.metadata as m; print(m.version({package!r}))"]
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
    found = subprocess.run(ask, capture_output=True, text=True)
    if found.returncode:
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, peer.requirement], check=True, stderr=subprocess.DEVNULL)
        found = subprocess.run(ask, capture_output=True, text=True, check=True)
    return found.stdout.strip()


class Bench:
    """One peer in one scenario."""

    def __init__(
        self,
        peer: Peer | None,
        scenario: str,
        calls: int,
        folder: Path,
        patience: float,
        *,
        shape: Shape | None = None,
    ) -> None:
        """``shape``: Paperfleet's; jobs of a hundred workers if none is given."""
        self._peer = peer
        self._in_flight, self._limits = SCENARIOS[scenario]
        jobs = max(1, self._in_flight // 100)
        self._shape = shape or Shape(jobs, self._in_flight // jobs)
        self._folder = folder
        self._patience = patience
        self._work = _WORK.get(scenario, ABSTRACTS)
        self._papers = self._work.papers(folder / "papers.jsonl", calls)
        self._calls = prompts(self._work, self._papers, folder / "prompts.jsonl")
        self._output = folder / "out.jsonl"
        self._said = folder / "stderr.txt"

    def run(self) -> dict[str, Any]:
        with start(self._settings()) as server:
            memory = Memory()
            began = time.time()
            process = self._start(server)
            watcher = threading.Thread(target=memory.watch, args=(process.pid,), daemon=True)
            watcher.start()
            cpu, trouble = self._wait(process)
            wall = time.time() - began
            memory.stop.set()
            watcher.join()
            stats = server.stats()
        bound = stats["latency_sum"] / self._in_flight
        first = stats["first_request_at"] or began + wall
        last = stats["last_answer_at"] or began + wall
        if "rpm" in self._limits:
            bound = max(bound, self._calls / (self._limits["rpm"] / 60))
        over = round((wall - (first - began)) / bound, 2) if bound else None
        return {
            "calls": self._calls,
            "wall over the bound": trouble or over,
            "CPU a call, ms": round(1000 * cpu / self._calls, 1),
            "peak memory, MB": round(memory.total),
            "start-up, s": round(first - began, 1),
            "last answer to exit, s": round(began + wall - last, 2),
            "refused": stats["outcomes"].get("throttled", 0),
            "lost": self._asked_for() - self._kept(),
            "paid twice": stats["duplicates"],
        }

    def run_killed(self) -> str:
        """Share of the answers delivered before a ``kill -9`` at half way that are on disk."""
        with start(self._settings()) as server:
            process = self._start(server)
            ends = time.monotonic() + self._patience
            while (
                server.stats()["delivered"] < self._calls // 2
                and time.monotonic() < ends
                and process.poll() is None
            ):
                time.sleep(0.02)  # asking the server takes time from the client that it serves
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            delivered = server.stats()["delivered"]
        kept = self._answers() if self._peer is None else self._kept()
        return f"{min(1.0, kept / delivered):.0%}" if delivered else "-"

    def _settings(self) -> ServerSettings:
        return ServerSettings(mode="canned", latency=1.0, sigma=0.3, **self._limits)

    def _start(self, server: RunningServer) -> subprocess.Popen[bytes]:
        with self._said.open("wb") as said:
            return subprocess.Popen(
                self._command(server),
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
                env={**os.environ, "PAPERFLEET_API_KEY": "k"},
            )

    def _command(self, server: RunningServer) -> list[str]:
        if self._peer is None:
            shape = ["--jobs", self._shape.jobs, "--workers", self._shape.workers]
            flags = [*shape, "--state", self._folder / "state", *self._work.flags(self._folder)]
            flags += ["--run-id", "r", "--base-url", server.base_url, "--model", "m", *PRICES, "--json"]
            run = [sys.executable, "-m", "handlers.cli", "run", self._papers, *flags]
            return [str(each) for each in run]
        python = _ROOT / ".envs" / self._peer.environment / "bin" / "python"
        asked = self._folder / "prompts.jsonl"
        line = [python, _CLIENTS / self._peer.client, server.base_url, asked, self._in_flight, self._output]
        return [str(each) for each in line]

    def _wait(self, process: subprocess.Popen[bytes]) -> tuple[float, str]:
        """CPU seconds of it and the children that it waited for; what went wrong, if it did not end well."""
        ends = time.monotonic() + self._patience
        while time.monotonic() < ends:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return usage.ru_utime + usage.ru_stime, self._trouble(process.returncode)
            time.sleep(0.02)  # wait4 gives the usage, and takes no time limit
        os.killpg(process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime, f"not finished after {self._patience:.0f} s"

    def _trouble(self, code: int) -> str:
        if code == 0 or (self._peer is None and code == _SOME_FLAGGED):
            return ""
        said = self._said.read_text("utf-8", "replace").strip().splitlines()
        print(f"exit code {code}: {said[-1] if said else ''}", file=sys.stderr)
        return f"ended with exit code {code}"

    def _answers(self) -> int:
        """Calls of Paperfleet whose answer is on disk, a whole paper's before the paper has ended."""
        return self._totals().calls.ok

    def _totals(self) -> RunTotals:
        if not (self._folder / "state").exists():
            return RunTotals(dict.fromkeys(("done", "flagged"), 0), 0, CallTotals(), 0)
        with open_state("r", load_settings(state=self._folder / "state")) as state:
            return state.ledger.totals("r")

    def _asked_for(self) -> int:
        """Papers of Paperfleet, requests of a peer."""
        return self._calls if self._peer else sum(1 for _ in self._papers.open(encoding="utf-8"))

    def _kept(self) -> int:
        """Those of them that have an answer on disk."""
        if self._peer is None:
            counts = self._totals().counts
            return counts["done"] + counts["flagged"]
        if self._output.exists():
            lines = self._output.read_text(encoding="utf-8").splitlines()
            return sum(json.loads(line)["text"] is not None for line in lines if line.endswith("}"))
        cached = Path(f"{self._output}.cache").glob("*/responses_*.jsonl")
        return sum(line.endswith("}") for path in cached for line in path.read_text().splitlines())
