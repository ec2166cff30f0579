"""The inputs of a session: texts of the workflow's form, as it passes them to ``actions plan``."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from handlers.actions.tiers import GitHubAccount
from handlers.domain.paper import PaperStatus
from handlers.errors import UsageError
from handlers.wrong_value import wrong_value

CHECKPOINTS = 24
"""Steps of a job that save its state: backfill.yml has them one by one."""
_JOB_MINUTES = 350
_RETRIED: dict[str, tuple[PaperStatus, ...]] = {
    "none": (), "failed": ("failed",), "flagged": ("flagged",), "all": ("failed", "flagged"),
}  # fmt: skip


def _count(description: str) -> Any:
    return Field(default=None, ge=0, lt=10**9, description=description)


class SessionInputs(BaseModel):
    """Parsed inputs. An empty text stands for the default, and so does a count of 0."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    corpus: str = Field(description="Source of the papers: a file of the repository.")
    tier: str = Field(default="parallel", description="standard, parallel, ultra, extreme, custom or auto.")
    parallel_jobs: int | None = _count("Jobs, in place of the tier's.")
    workers_per_job: int | None = _count("Workers of each job, in place of the tier's.")
    total_papers: int | None = _count("Papers that the run ends in all its sessions; all if it is not given.")
    run_id: str | None = Field(
        default=None, description="Name of the run; made of corpus and model if it is not given."
    )
    retry: Literal["none", "failed", "flagged", "all"] = Field(
        default="none", description="Papers to try again first: none, failed, flagged or all."
    )
    account: str = Field(default="free", description="free, pro, team or enterprise.")
    repository_private: str = Field(
        default="false", description="true: minutes of GitHub's runners count against the account."
    )
    runs_on: tuple[str, ...] = Field(
        default=(), description="Label of the runners, or a JSON list of labels."
    )
    job_minutes: float = Field(
        default=345.0, ge=0.2, description="Minutes after which a job starts no more papers."
    )
    checkpoint_minutes: float = Field(
        default=15.0, ge=0.1, le=_JOB_MINUTES, description="Minutes between two checkpoints."
    )
    history: bool = Field(default=True, description="Begin with what earlier sessions saved on GitHub.")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in values.items() if value is not None and str(value).strip()}
        return {"corpus": values["corpus"], **given} if "corpus" in values else given

    @field_validator("parallel_jobs", "workers_per_job", "total_papers")
    @classmethod
    def _zero_is_none(cls, count: int | None) -> int | None:
        return count or None

    @field_validator("runs_on", mode="before")
    @classmethod
    def _labels(cls, text: str) -> list[str]:
        if not text.strip().startswith("["):
            return [text.strip()]
        try:
            labels = json.loads(text)
        except ValueError:
            labels = [None]
        if not all(isinstance(label, str) for label in labels):
            raise ValueError(
                f'{text!r}: give a label or a JSON list of labels such as ["self-hosted", "linux"]'
            )
        return list(labels)

    @model_validator(mode="after")
    def _fits_a_job(self) -> SessionInputs:
        """A job has so many steps, and GitHub ends it, saved or not, after six hours."""
        if self.job_minutes > _JOB_MINUTES:
            raise ValueError(
                f"job_minutes {self.job_minutes:g}: at most {_JOB_MINUTES}, for a job is ended after 360"
                " minutes and takes some of them to start and to save"
            )
        if self.checkpoint_minutes * CHECKPOINTS < self.job_minutes - 1e-6:
            raise ValueError(
                f"checkpoint_minutes {self.checkpoint_minutes:g}: the {CHECKPOINTS} checkpoints of a job"
                f" end {self.checkpoint_minutes * CHECKPOINTS:g} minutes after it began and not"
                f" {self.job_minutes:g}: give {_up(self.job_minutes / CHECKPOINTS)} or more, or fewer"
                " job_minutes"
            )
        return self

    @property
    def retried(self) -> tuple[PaperStatus, ...]:
        """What the papers have become that are to be tried again."""
        return _RETRIED[self.retry]

    @property
    def github_account(self) -> GitHubAccount:
        return GitHubAccount(self.account, self.repository_private == "true", "self-hosted" in self.runs_on)


def _up(minutes: float) -> str:
    return f"{math.ceil(minutes * 10) / 10:g}"


def session_inputs(**values: object) -> SessionInputs:
    """UsageError names the input that is wrong."""
    try:
        return SessionInputs.model_validate(values)
    except ValidationError as error:
        raise UsageError(": ".join(filter(None, wrong_value(error, SessionInputs)))) from error
