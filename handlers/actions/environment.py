"""The environment of a job on GitHub Actions, and the files that take its outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from handlers.adapters.github_api import GitHubApi
from handlers.bootstrap.state import SystemClock
from handlers.errors import UsageError, problem_of

_STEP = Path(__file__).with_name("step_action.yml")
_WORKFLOW = re.compile(r"/\.github/workflows/([^/@]+)@")


class GitHubEnvironment(BaseSettings):
    """``GITHUB_*``: the runner sets them, the workflow sets ``GITHUB_TOKEN``."""

    model_config = SettingsConfigDict(
        env_prefix="GITHUB_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    repository: str | None = None
    token: SecretStr | None = None
    api_url: str = "https://api.github.com"
    run_id: int = 0
    run_attempt: int = 1
    output: Path | None = None
    step_summary: Path | None = None
    workspace: Path | None = None
    workflow_ref: str = ""
    ref_name: str = "main"

    @field_validator("repository")
    @classmethod
    def _owner_and_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
            raise ValueError("owner/name wanted")
        return name

    @property
    def workflow(self) -> str:
        """File of the workflow that runs; Paperfleet's own outside of one."""
        match = _WORKFLOW.search(self.workflow_ref)
        return match[1] if match else "backfill.yml"

    @property
    def session(self) -> str:
        """Id of the session: one for each workflow run and attempt."""
        return f"actions-{self.run_id}-{self.run_attempt}"

    def file(self, name: str, what: str) -> Path:
        """A file of the repository. UsageError for one elsewhere on the runner, such as its processes'
        environments: whoever starts the workflow names it."""
        path = Path(name)
        if self.workspace is None:
            return path
        try:
            inside = path.resolve().is_relative_to(self.workspace.resolve())
        except (OSError, RuntimeError, ValueError):  # a link that leads to itself
            inside = False
        if not inside:
            raise UsageError(f"{what} {name!r}: give a file of the repository")
        return path

    def provide_step(self) -> None:
        """Put the action that the workflow's rounds use into a workspace of another repository, which has
        none. The package brings it along."""
        if self.workspace is not None and _STEP.is_file():
            place = self.workspace / ".github" / "actions" / "step" / "action.yml"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(_STEP.read_bytes())

    @contextmanager
    def api(self) -> Iterator[GitHubApi]:
        """GitHub's REST API while the block lives. UsageError if repository or token are not set."""
        if self.repository is None or self.token is None:
            name = "GITHUB_REPOSITORY" if self.repository is None else "GITHUB_TOKEN"
            raise UsageError(f"{name} is not set: it is needed to read GitHub's REST API")
        api = GitHubApi(self.api_url, self.repository, self.token, SystemClock())
        try:
            yield api
        finally:
            api.close()

    def set_outputs(self, **outputs: object) -> None:
        """Set outputs of the step, each its first line."""
        if self.output is not None:
            with self.output.open("a", encoding="utf-8") as file:
                for name, value in outputs.items():
                    file.write(f"{name}={str(value).splitlines()[0] if str(value) else ''}\n")

    def add_summary(self, markdown: str) -> None:
        """Append to the job's summary, if the runner takes one."""
        if self.step_summary is not None:
            with self.step_summary.open("a", encoding="utf-8") as file:
                file.write(markdown + "\n")


def github_environment(repository: str | None = None) -> GitHubEnvironment:
    """``repository`` goes before GITHUB_REPOSITORY. UsageError names the variable that is wrong."""
    try:
        return GitHubEnvironment() if repository is None else GitHubEnvironment(repository=repository)
    except ValidationError as error:
        variable, reason = problem_of(error)
        raise UsageError(f"GITHUB_{variable.upper()}: {reason}") from error
