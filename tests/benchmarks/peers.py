"""Peers on one bench: the same prompts, server and limits; a table and a picture for the README.

    make bench
    python -m tests.benchmarks.peers [--peers NAME ...] [--scenarios NAME ...] [--calls 2000]

Each peer lives in an environment of its own under ``.envs`` (made here, versions pinned below) and is
configured as its documentation says; ``peer_clients`` has what was run. Paperfleet does the whole way:
masking, gate, ledger, results. Scenarios: ``100`` and ``1000`` calls in flight, ``limited`` (50 a second, 3%
of answers 500, 503 or 529, 100 in flight) and ``killed`` (``kill -9`` at half way: which answers are on
disk). Results are kept in ``.envs/peers.json``; a run with fewer peers or scenarios fills in its part.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.bootstrap import connect
from handlers.models import Paper
from handlers.server import RunningServer, ServerSettings, start
from handlers.settings import load_settings
from handlers.tasks.translate import TranslateTask
from tests import builders
from tests.benchmarks.peers_page import render
from tests.benchmarks.process import Memory
from tests.command import PRICES, corpus

_ROOT = Path(__file__).parents[2]
_KEPT = _ROOT / ".envs" / "peers.json"
_CLIENTS = Path(__file__).with_name("peer_clients")
_PAPERFLEET = "paperfleet"
_PATIENCE = 300.0
"""Seconds after which a peer that has not finished is ended, and what it lost counted."""


@dataclass(frozen=True)
class Peer:
    """``requirement`` is installed into ``.envs/<environment>``."""

    name: str
    environment: str
    requirement: str
    client: str


PEERS = (
    Peer("httpx, thread pool", "httpx", "httpx==0.28.1", "httpx_threads.py"),
    Peer("openai, async", "openai", "openai==3.54.0", "openai_async.py"),
    Peer("langchain .batch", "langchain", "langchain-openai==1.7.3", "langchain_batch.py"),
    Peer("litellm batch_completion", "litellm", "litellm==1.106.2", "litellm_batch.py"),
    Peer("bespokelabs-curator", "curator", "bespokelabs-curator==0.1.31", "curator.py"),
)
SCENARIOS: dict[str, tuple[int, dict[str, Any]]] = {
    "100": (100, {}),
    "1000": (1_000, {}),
    "limited": (
        100,
        {"rpm": 3_000.0, "burst": 1.0, "http_500": 0.01, "http_503": 0.01, "http_529": 0.01},
    ),
    "killed": (100, {}),
}


def environment(peer: Peer) -> str:
    """Make the peer's environment if it is not there; returns the version that it has."""
    python = _ROOT / ".envs" / peer.environment / "bin" / "python"
    package = re.split("[=<>]", peer.requirement)[0]
    ask = [str(python), "-c", f"import importlib.metadata as m; print(m.version({package!r}))"]
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
    found = subprocess.run(ask, capture_output=True, text=True)
    if found.returncode:
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, peer.requirement], check=True, stderr=subprocess.DEVNULL)
        found = subprocess.run(ask, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def prompts(papers: Path, target: Path) -> Path:
    """The requests that Paperfleet would send for these papers."""
    task = TranslateTask(builders.spec())
    with papers.open(encoding="utf-8") as source, target.open("w", encoding="utf-8") as file:
        for line in source:
            paper = Paper.model_validate_json(line)
            messages = [message.model_dump() for message in task.first_request(paper).messages]
            file.write(json.dumps({"id": paper.id, "messages": messages}, ensure_ascii=False) + "\n")
    return target


class Bench:
    """One peer in one scenario."""

    def __init__(self, peer: Peer | None, scenario: str, calls: int, folder: Path) -> None:
        self._peer = peer
        self._scenario = scenario
        self._calls = calls
        self._folder = folder
        self._papers = corpus(folder / "papers.jsonl", calls)
        self._output = folder / "out.jsonl"

    def run(self) -> dict[str, Any]:
        in_flight, changes = SCENARIOS[self._scenario]
        settings = ServerSettings(mode="canned", latency=1.0, sigma=0.3, **changes)
        with start(settings) as server:
            memory = Memory()
            began = time.time()
            process = subprocess.Popen(
                self._command(server, in_flight),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PAPERFLEET_API_KEY": "k"},
            )
            watcher = threading.Thread(target=memory.watch, args=(process.pid,), daemon=True)
            watcher.start()
            if self._scenario == "killed":
                return self._kill(process, server)
            cpu = self._wait(process)
            wall = time.time() - began
            memory.stop.set()
            watcher.join()
            stats = server.stats()
        bound = stats["latency_sum"] / in_flight
        first = stats["first_request_at"] or began + wall
        if "rpm" in changes:
            bound = max(bound, self._calls / (changes["rpm"] / 60))
        return {
            "wall over the bound": round((wall - (first - began)) / bound, 2) if bound else None,
            "CPU a call, ms": round(1000 * cpu / self._calls, 1),
            "peak memory, MB": round(memory.total),
            "start-up, s": round(first - began, 1),
            "refused": stats["outcomes"].get("throttled", 0),
            "lost": self._calls - self._kept(),
            "paid twice": stats["duplicates"],
        }

    def _command(self, server: RunningServer, in_flight: int) -> list[str]:
        if self._peer is None:
            jobs = max(1, in_flight // 100)
            flags = ["--jobs", jobs, "--workers", in_flight // jobs, "--state", self._folder / "state"]
            flags += ["--run-id", "r", "--base-url", server.base_url, "--model", "m", *PRICES, "--json"]
            run = [sys.executable, "-m", "handlers.cli", "run", self._papers, *flags]
            return [str(each) for each in run]
        python = _ROOT / ".envs" / self._peer.environment / "bin" / "python"
        asked = prompts(self._papers, self._folder / "prompts.jsonl")
        line = [python, _CLIENTS / self._peer.client, server.base_url, asked, in_flight, self._output]
        return [str(each) for each in line]

    def _wait(self, process: subprocess.Popen[bytes]) -> float:
        """CPU seconds of it and the children that it waited for."""
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return usage.ru_utime + usage.ru_stime
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        _, _, usage = os.wait4(process.pid, 0)
        return usage.ru_utime + usage.ru_stime

    def _kill(self, process: subprocess.Popen[bytes], server: RunningServer) -> dict[str, Any]:
        """Answers delivered before the kill, and how many of them are on disk."""
        ends = time.monotonic() + _PATIENCE
        while server.stats()["delivered"] < self._calls // 2 and time.monotonic() < ends:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        delivered = server.stats()["delivered"]
        return {"durable": round(min(1.0, self._kept() / max(1, delivered)), 3)}

    def _kept(self) -> int:
        """Papers whose answer is on disk."""
        if self._peer is None:
            adapters = connect(load_settings(state=self._folder / "state"), "r")
            counts = adapters.ledger.totals("r").counts
            adapters.close()
            return counts["done"] + counts["flagged"]
        if self._output.exists():
            lines = self._output.read_text(encoding="utf-8").splitlines()
            return sum(json.loads(line)["text"] is not None for line in lines if line.endswith("}"))
        cached = Path(f"{self._output}.cache").glob("*/responses_*.jsonl")
        return sum(line.endswith("}") for path in cached for line in path.read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [_PAPERFLEET, *(peer.environment for peer in PEERS)]
    parser.add_argument("--peers", nargs="*", default=names, choices=names)
    parser.add_argument("--scenarios", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--readme", type=Path, help="put the table between the markers of this file")
    options = parser.parse_args()
    kept: dict[str, Any] = json.loads(_KEPT.read_text()) if _KEPT.exists() else {}
    for peer in (None, *PEERS):
        name = peer.environment if peer else _PAPERFLEET
        if name not in options.peers:
            continue
        shown = f"{peer.name} {environment(peer)}" if peer else "Paperfleet, the whole way"
        found = kept.setdefault(name, {})
        found["name"] = shown
        for scenario in options.scenarios:
            calls = min(options.calls, 600) if scenario == "killed" else options.calls
            with tempfile.TemporaryDirectory() as folder:
                found[scenario] = Bench(peer, scenario, calls, Path(folder)).run()
            print(f"{shown}, {scenario}: {json.dumps(found[scenario])}", flush=True)
            _KEPT.write_text(json.dumps(kept, indent=1))
    render({name: kept[name] for name in names if name in kept}, options.readme)


if __name__ == "__main__":
    main()
