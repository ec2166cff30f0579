"""The steps of ``backfill.yml``, each in a folder of its own, over a server of artifacts."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from handlers.model_server import RunningServer
from tests.builders.command import Ran, corpus, paperfleet
from tests.builders.github_server import REPOSITORY, TOKEN, GitHub

PAPERS = 12
KEY = "sk-of-the-session"


@dataclass
class Actions:
    """A workflow's jobs, each with a folder of its own, and artifacts as the workflow saves them."""

    folder: Path
    github: GitHub
    server: RunningServer
    run_id: int = 100
    attempt: int = 1
    outputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.github.add_run(self.run_id)
        self.source = corpus(self.folder / "papers.jsonl", PAPERS)

    def environment(self, **changes: str) -> dict[str, str]:
        output = self.folder / "output"
        output.write_text("")
        return {
            "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": self.github.url,
            "GITHUB_RUN_ID": str(self.run_id), "GITHUB_RUN_ATTEMPT": str(self.attempt),
            "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "PAPERFLEET_API_KEY": KEY, "PAPERFLEET_BASE_URL": self.server.base_url,
            "PAPERFLEET_MODEL": "paperfleet-canned", "PAPERFLEET_PRICE_IN": "0.15",
            "PAPERFLEET_PRICE_OUT": "0.60",
        } | changes  # fmt: skip

    def call(self, command: str, *flags: object, **changes: str) -> Ran:
        ran = paperfleet("actions", command, *flags, timeout=90, **self.environment(**changes))
        told = (self.folder / "output").read_text().splitlines()
        self.outputs = dict(line.split("=", 1) for line in told)
        return ran

    def plan(self, *flags: object, jobs: int = 2, workers: int = 2, **changes: str) -> Ran:
        state = self.folder / f"state-{self.run_id}-{self.attempt}-plan"
        ran = self.call(
            "plan", "--corpus", self.source, "--tier", "custom", "--parallel-jobs", jobs, "--workers-per-job",
            workers, "--state", state, "--output", self.plan_folder, *flags, **changes,
        )  # fmt: skip
        if ran.code == 0:
            self.save(self.plan_folder, f"paperfleet-plan-{self.attempt}")
        return ran

    @property
    def plan_folder(self) -> Path:
        return self.folder / f"plan-{self.run_id}-{self.attempt}"

    @property
    def planned(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.plan_folder / "plan.json").read_text())
        return found

    def job_folder(self, job: int) -> Path:
        return self.folder / f"job-{self.run_id}-{self.attempt}-{job}"

    def begin(self, job: int) -> Ran:
        ran = self.call("begin", "--plan", self.plan_folder, "--job", job, "--state", self.job_folder(job))
        if ran.code == 0:
            self.save(self.job_folder(job), f"paperfleet-job-{self.attempt}-{job}-0")
        return ran

    def work(self, job: int, slot: str = "a", **changes: str) -> Ran:
        ran = self.call("work", "--state", self.job_folder(job), **changes)
        self.save(self.job_folder(job), f"paperfleet-job-{self.attempt}-{job}-{slot}")
        return ran

    def work_on(self, job: int, **changes: str) -> Ran:
        """Step after step, as the workflow goes on while one says that there is more: a step ends with its
        allowance, too."""
        for slot in ascii_lowercase:
            ran = self.work(job, slot, **changes)
            if ran.code != 0 or self.outputs["more"] == "false":
                return ran
        raise AssertionError(f"job {job} comes to no end")

    def audit(self) -> Ran:
        """Of the newest collected state."""
        states = [folder for folder in self.folder.glob("state-*") if not folder.name.endswith("-plan")]
        return paperfleet("audit", "--state", max(states, key=lambda folder: folder.name))

    def collect(self, *flags: object, **changes: str) -> Ran:
        state = self.folder / f"state-{self.run_id}-{self.attempt}"
        results = self.folder / f"results-{self.run_id}-{self.attempt}"
        places = ("--plan", self.plan_folder, "--state", state, "--output", results)
        ran = self.call("collect", *places, *flags, **changes)
        self.save(state, f"paperfleet-state-{self.attempt}")
        return ran

    def save(self, folder: Path, name: str) -> None:
        target = self.github.root / str(self.run_id) / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns("queue.*", "parent.lock", "logs"))
        if name.startswith("paperfleet-job"):
            for linked in ("corpora", "tasks"):  # they travel with the plan
                shutil.rmtree(target / linked, ignore_errors=True)
        target.touch()

    def next_run(self) -> None:
        self.run_id += 1
        self.attempt = 1
        self.github.add_run(self.run_id)
