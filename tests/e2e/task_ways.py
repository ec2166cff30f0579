"""The ways that a task file is run on: by ``run``, on SQS, DynamoDB and S3, and by the workflow's steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from handlers.model_server import RunningServer, ServerSettings, start
from handlers.pipeline.pace import AWS, EMBEDDED
from tests.builders.actions_session import KEY, Actions
from tests.builders.command import PRICES, Ran, Running, paperfleet, shifted_clock
from tests.builders.github_server import github_server
from tests.builders.local_aws import moto_server, name_of
from tests.builders.own_tasks import OwnTask

RECORDS, JOBS, WORKERS = 40, 2, 4
_WRITE = 0.25
"""Seconds for which a flush may be under way, its wait for company apart, where a disk or an emulator that
does one thing at a time is shared with the calls themselves."""
_LATENCY = {"local": 0.3, "actions": 0.3, "aws": 1.0}
"""Seconds of a call: on AWS, where a flush waits for two seconds, half of the calls take longer than that."""
_SEVERAL = ("samples = ", 'unit = "passage"')
"""In the files of tasks that ask more than once of a record."""
_MODEL = ("--model", "paperfleet-canned")
_FLEET = ("--jobs", JOBS, "--workers", WORKERS, "--max-failed", "100%")  # a stricter check may refuse all


class Way(Protocol):
    """One of the ways that a task file is run on. Reports are those of ``report --json``."""

    flush: float
    """Seconds after which an answer is booked."""

    def begun(self, task: Path) -> Running:
        """The work on the run, under way."""

    def finish(self, task: Path) -> dict[str, Any]: ...

    def command(self, *arguments: object) -> Ran:
        """On the run's state."""

    def booked(self) -> int:
        """Calls that the ledger has."""
        return sent_by(self.command("report", "--json"))

    def retry(self, task: Path) -> dict[str, Any]:
        """What is flagged, asked again."""
        assert self.command("retry", "--flagged").code == 0
        return self.finish(task)

    def judged_by(self, task: Path) -> dict[str, Any]:
        """Other checks for the same requests: judged for nothing, and what they refuse is repaired."""
        judge(self, task)
        return self.retry(task)


@dataclass
class Local(Way):
    """``paperfleet run``."""

    folder: Path
    source: Path
    server: RunningServer
    run_id: str = "r"
    flush = EMBEDDED.commit_delay + _WRITE

    def _line(self, task: Path) -> tuple[object, ...]:
        return ("run", self.source, "--task", task, "--state", self.folder / "state", "--run-id", self.run_id,
                "--base-url", self.server.base_url, *_MODEL, *PRICES, *_FLEET, "--json")  # fmt: skip

    def begun(self, task: Path) -> Running:
        return Running(*self._line(task))

    def finish(self, task: Path) -> dict[str, Any]:
        return _report(paperfleet(*self._line(task)))

    def command(self, *arguments: object) -> Ran:
        return paperfleet(*arguments, "--run-id", self.run_id, "--state", self.folder / "state")


@dataclass
class Fleet(Way):
    """``shard`` and ``work`` on SQS, DynamoDB and S3."""

    folder: Path
    source: Path
    server: RunningServer
    environment: dict[str, str]
    run_id: str = "r"
    flush = AWS.commit_delay + _WRITE

    @property
    def _work(self) -> tuple[object, ...]:
        return (
            "work",
            "--run-id",
            self.run_id,
            "--base-url",
            self.server.base_url,
            *PRICES,
            *_FLEET,
            "--json",
        )

    def _run(self, *arguments: object) -> Ran:
        return paperfleet(*arguments, "--state", self.folder / "state", timeout=240, **self.environment)

    def begun(self, task: Path) -> Running:
        ran = self.command("shard", self.source, "--task", task, *_MODEL, "--batch-papers", 10)
        assert ran.code == 0, ran.err
        earlier = shifted_clock(self.folder / "earlier", -300)  # its heartbeats are old when it is gone
        line = (*self._work, "--state", self.folder / "state")
        return Running(*line, **self.environment, **earlier)

    def finish(self, task: Path) -> dict[str, Any]:
        """No file: whoever works has the bundle."""
        del task
        assert self.command("resume").code == 0
        return _report(self._run(*self._work))

    def command(self, *arguments: object) -> Ran:
        return self._run(*arguments, "--run-id", self.run_id)


@dataclass
class Sessions:
    """The workflow's steps, session after session."""

    actions: Actions
    flush = EMBEDDED.commit_delay + _WRITE

    def begun(self, task: Path) -> Running:
        self._plan(task)
        assert self.actions.begin(1).code == 0
        surroundings = self.actions.environment()
        return Running("actions", "work", "--state", self.actions.job_folder(1), **surroundings)

    def finish(self, task: Path) -> dict[str, Any]:
        """What a killed job left is saved, as the workflow saves it however a job ends."""
        actions = self.actions
        actions.save(actions.job_folder(1), "paperfleet-job-1-1-z")
        actions.collect()
        actions.next_run()
        return self._session(task)

    def _plan(self, task: Path, *flags: object) -> None:
        ran = self.actions.plan(*flags, jobs=1, workers=JOBS * WORKERS, PAPERFLEET_TASK=str(task))
        assert ran.code == 0, ran.err

    def _session(self, task: Path, *flags: object) -> dict[str, Any]:
        self._plan(task, *flags)
        for share in self.actions.planned["jobs"]:
            assert self.actions.begin(share["job"]).code == 0
            assert self.actions.work_on(share["job"], PAPERFLEET_MAX_FAILED="100%").code == 0
        return _report(self.actions.collect())

    def command(self, *arguments: object) -> Ran:
        actions = self.actions
        state = actions.folder / f"state-{actions.run_id}-{actions.attempt}"
        return paperfleet(*arguments, "--run-id", actions.planned["run_id"], "--state", state)

    def booked(self) -> int:
        """By the first job."""
        state = self.actions.job_folder(1)
        run_id = self.actions.planned["run_id"]
        return sent_by(paperfleet("report", "--json", "--run-id", run_id, "--state", state))

    def retry(self, task: Path) -> dict[str, Any]:
        self.actions.next_run()
        return self._session(task, "--retry", "flagged")

    def judged_by(self, task: Path) -> dict[str, Any]:
        """Another run by itself, which takes over the answers."""
        self.actions.next_run()
        return self._session(task)


def judge(way: Way, task: Path) -> None:
    """Every stored answer by the checks of the file."""
    ran = way.command("regate", "--task", task, "--json")
    assert ran.code == 0, ran.err
    several = any(each in task.read_text("utf-8") for each in _SEVERAL)  # others may be needed to decide
    left = {name: ran.report[name] for name in ("unreadable", "unfinished", "unanswered")[: 3 - several]}
    assert not any(left.values()), ran.out


def sent_by(ran: Ran) -> int:
    """Calls, by a report."""
    assert ran.code == 0, ran.err
    return int(ran.report["calls"]["sent"])


def _report(ran: Ran) -> dict[str, Any]:
    assert ran.code in (0, 3), ran.err[-3000:] + ran.out[-500:]
    return ran.report


@contextmanager
def prepared(name: str, own: OwnTask, folder: Path) -> Iterator[tuple[Way, RunningServer]]:
    """A way with nothing on it."""
    priced = {
        "price_in": Decimal("0.15"),
        "price_out": Decimal("0.60"),
        "latency": _LATENCY[name],
        "sigma": 0.2,
    }
    with ExitStack() as stack:
        key = {"api_key": KEY} if name == "actions" else {}
        server = stack.enter_context(start(ServerSettings(mode="canned", **priced, **key)))
        if name == "local":
            yield Local(folder, own.source(folder, RECORDS), server), server
        elif name == "aws":
            aws = stack.enter_context(moto_server())
            environment = aws.environment | aws.stack(name_of(folder)).settings()
            yield Fleet(folder, own.source(folder, RECORDS), server, environment), server
        else:
            actions = Actions(folder, stack.enter_context(github_server(folder / "artifacts")), server)
            actions.source = own.source(folder, RECORDS)
            yield Sessions(actions), server
