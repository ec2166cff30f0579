"""What a job on GitHub Actions is told by its runner, and where it answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from handlers.adapters.github_api import GitHubApi
from handlers.errors import UsageError
from handlers.ports import Clock

_WORKFLOW = re.compile(r"/\.github/workflows/([^/@]+)@")


class GitHubEnvironment(BaseSettings):
    """``GITHUB_*``, as the runner sets them; ``GITHUB_TOKEN`` by the workflow."""

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
    workflow_ref: str = ""
    ref_name: str = "main"
    event_name: str = ""

    @field_validator("repository")
    @classmethod
    def _owner_and_name(cls, given: str | None) -> str | None:
        if given is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", given):
            raise ValueError("owner/name wanted")
        return given

    @property
    def workflow(self) -> str:
        """The file of the workflow that runs, or that one looks at."""
        found = _WORKFLOW.search(self.workflow_ref)
        return found[1] if found else "backfill.yml"

    @property
    def session(self) -> str:
        """Id of the session that this workflow run and attempt make."""
        return f"actions-{self.run_id}-{self.run_attempt}"

    def api(self, clock: Clock) -> GitHubApi:
        """UsageError if repository or token are not set."""
        if self.repository is None or self.token is None:
            name = "GITHUB_REPOSITORY" if self.repository is None else "GITHUB_TOKEN"
            raise UsageError(f"{name} is not set: it is needed to read GitHub's REST API")
        return GitHubApi(self.api_url, self.repository, self.token, clock)

    def tell(self, **outputs: object) -> None:
        """Set outputs of the step; each is one line."""
        if self.output is not None:
            with self.output.open("a", encoding="utf-8") as file:
                for name, value in outputs.items():
                    file.write(f"{name}={str(value).splitlines()[0] if str(value) else ''}\n")

    def summarise(self, markdown: str) -> None:
        """Add to the job's summary, if there is one."""
        if self.step_summary is not None:
            with self.step_summary.open("a", encoding="utf-8") as file:
                file.write(markdown + "\n")


def github_environment(**given: Any) -> GitHubEnvironment:
    """UsageError names the variable that is wrong."""
    try:
        return GitHubEnvironment(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "GITHUB_" + "_".join(map(str, first["loc"])).upper()
        raise UsageError(f"{name}: {first['msg']}") from error
