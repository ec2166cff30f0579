"""The ``paperfleet`` command as a user starts it, and corpora to start it on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from typer.testing import CliRunner

from handlers.cli.main import app_of
from handlers.model_server import RunningServer
from tests.builders import warm

PRICES = ("--price-in", "0.15", "--price-out", "0.60")
_WORDS = "模型方法实验结果数据温度结构样品算法系统过程特征分布区域土壤细胞光谱粒子能量材料".strip()


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON that ``--json`` printed."""
        report: dict[str, Any] = json.loads(self.out)
        return report


def paperfleet(*arguments: object, timeout: float = 90, **environment: str) -> Ran:
    """Run the command to its end, in a process that needs no start of its own: what Python reads at its start
    (``PYTHONPATH``) would change nothing, so it is refused here and is for ``Running``."""
    assert not any(name.startswith("PYTHON") for name in environment)
    line = [str(each) for each in arguments]
    return Ran(*warm.warm().run(line, _environment(environment), timeout))


def here(*arguments: object) -> Ran:
    """The command within this process: its errors come out as they are raised."""
    line = [str(each) for each in arguments]
    result = CliRunner().invoke(app_of(line[0]), line, catch_exceptions=False)
    return Ran(result.exit_code, result.stdout, result.stderr)


class Running:
    """The command in the background, in a process group of its own, as a terminal would have it.
    A context manager that leaves nothing of the group alive."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self._process = subprocess.Popen(
            _command(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(environment),
            start_new_session=True,
        )
        self._heard: dict[str, str] = {"out": "", "err": ""}
        self._listeners = [
            threading.Thread(target=self._listen, args=(name, stream), daemon=True)
            for name, stream in (("out", self._process.stdout), ("err", self._process.stderr))
        ]
        for listener in self._listeners:
            listener.start()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.end()

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self, words: str) -> bool:
        """Whether it has said so on stderr by now."""
        return words in self._heard["err"]

    def interrupt(self) -> None:
        """Ctrl-C: the whole group hears it."""
        os.killpg(self.pid, signal.SIGINT)

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """``kill -9`` of the parent alone."""
        self._process.kill()

    def end(self, timeout: float = 60) -> Ran:
        """Wait for its end, and for that of whoever else holds its output."""
        code = self._process.wait(timeout)
        for listener in self._listeners:
            listener.join(timeout)
        return Ran(code, self._heard["out"], self._heard["err"])

    def _listen(self, name: str, stream: IO[str] | None) -> None:
        assert stream is not None
        with stream:
            for line in stream:
                self._heard[name] += line


def job_processes(state: Path, run_id: str = "r") -> list[int]:
    """Process ids of a run's live jobs: those whose log is one of the run's."""
    logs = {path.stem for path in (state / "runs" / run_id / "logs").glob("*.log")}
    return [
        int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _log_of(each) in logs
    ]


def _log_of(process: Path) -> str:
    try:
        return (process / "fd" / "2").readlink().stem
    except OSError:
        return ""


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something that other processes bring about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)


def shifted_clock(folder: Path, seconds: float) -> dict[str, str]:
    """The environment of a ``Running`` whose clock, and that of its jobs, is so many seconds ahead."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"import time\nreal = time.time\ntime.time = lambda: real() + {seconds}\n"
    )
    return {"PYTHONPATH": str(folder)}


def run_flags(source: Path, state: Path, server: RunningServer, *, run_id: str = "r") -> list[object]:
    """``run SOURCE`` against a model server, with the prices that the server bills."""
    return [
        "run", source, "--state", state, "--run-id", run_id, "--base-url", server.base_url,
        "--model", "paperfleet-canned", *PRICES, "--json",
    ]  # fmt: skip


def corpus(path: Path, papers: int, *, seed: int = 1) -> Path:
    """Chinese papers with mathematics and numbers, every text its own."""
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(papers):
            file.write(json.dumps(chinese_paper(number, chance), ensure_ascii=False) + "\n")
    return path


def chinese_paper(number: int, chance: random.Random) -> dict[str, Any]:
    def prose(length: int) -> str:
        return "".join(chance.choice(_WORDS) for _ in range(length))

    abstract = (
        f"本文研究第{number + 100}组样品，{prose(30)}。在温度$T = {number}.5 \\pm 0.1$下，"
        f"{prose(20 + number % 60)}，"
        f"满足$$E_{{{number}}} = m c^{{2}}$$，{prose(15)}，准确率为{50 + number % 50}%。"
    )
    return {
        "id": f"paper-{number:05d}",
        "title": f"{prose(8)}的研究",
        "abstract": abstract,
        "keywords": [prose(3), prose(4)],
        "language": "zh",
        "license": "CC-BY-4.0",
        "url": f"https://example.org/{number}",
    }


def whole_papers(path: Path, papers: int, *, paragraphs: int, seed: int = 1) -> Path:
    """The same with bodies of so many paragraphs, two of which are a passage."""
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(papers):
            body = "\n\n".join(_section(place, chance) for place in range(1, paragraphs + 1))
            paper = {**chinese_paper(number, chance), "body": body}
            file.write(json.dumps(paper, ensure_ascii=False) + "\n")
    return path


def _section(number: int, chance: random.Random) -> str:
    prose = "，".join("".join(chance.choice(_WORDS) for _ in range(14)) for _ in range(28))
    heading = f"## {number} 结果\n\n" if number % 4 == 1 else ""
    return f"{heading}第{number}组样品{prose}，温度为$T_{{{number}}} = {number}.5$。"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _command(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "handlers.cli", *map(str, arguments)]


def _environment(extra: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAPERFLEET_")}
    return kept | {"PAPERFLEET_API_KEY": "test-key"} | extra
