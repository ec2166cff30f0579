"""GitHub's REST API, as far as sessions need it: runs, jobs and artifacts of a workflow, and a dispatch.

https://docs.github.com/en/rest/actions and .../rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import logging
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from handlers.errors import UsageError, first_problem
from handlers.ports import Clock

logger = logging.getLogger(__name__)

_PAGE = 100
_TRIES = 6
_PATIENCE = 900.0
"""Seconds that are waited for a rate limit to pass, at most."""
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_MAX_UNPACKED = 64 << 30
"""Bytes of an archive's content: past it something is wrong with it."""


class GitHubAwayError(UsageError):
    """GitHub did not give what it has: asked again, or with other permissions, it may."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


T = TypeVar("T", bound=_Answer)


class _Repository(_Answer):
    full_name: str


class WorkflowRun(_Answer):
    """One click, schedule or call; ``run_attempt`` grows with each re-run."""

    id: int
    run_attempt: int = 1
    event: str = ""
    status: str | None = None
    conclusion: str | None = None
    head_repository: _Repository | None = None
    created_at: datetime
    html_url: str = ""


class WorkflowJob(_Answer):
    """One job of a run's attempt. ``created_at`` is when it was queued."""

    id: int
    run_attempt: int = 1
    name: str
    status: str
    conclusion: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    runner_name: str | None = None


class _RunOfArtifact(_Answer):
    id: int


class Artifact(_Answer):
    """A named archive of a run."""

    id: int
    name: str
    expired: bool = False
    created_at: datetime
    workflow_run: _RunOfArtifact | None = None


class GitHubApi:
    """One repository. Requests are repeated on 5xx and lost connections; a rate limit is waited for.

    UsageError says what GitHub refused and what mends it.
    """

    def __init__(self, url: str, repository: str, token: SecretStr, clock: Clock) -> None:
        self._clock = clock
        self._root = f"/repos/{repository}/actions"
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            timeout=_TIMEOUT,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token.get_secret_value()}",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "paperfleet",
            },
        )

    def close(self) -> None:
        self._client.close()

    def runs(self, workflow: str) -> Iterator[WorkflowRun]:
        """Runs of a workflow file (``backfill.yml``), newest first, page by page as they are asked for."""
        for row in self._pages(f"{self._root}/workflows/{workflow}/runs", "workflow_runs"):
            yield _parsed(WorkflowRun, row)

    def run(self, run_id: int) -> WorkflowRun:
        return _parsed(WorkflowRun, self._get(f"{self._root}/runs/{run_id}").json())

    def jobs(self, run_id: int) -> list[WorkflowJob]:
        """The jobs of all attempts."""
        rows = self._pages(f"{self._root}/runs/{run_id}/jobs", "jobs", filter="all")
        return [_parsed(WorkflowJob, row) for row in rows]

    def artifacts(self, run_id: int, name: str | None = None) -> list[Artifact]:
        """A run's; with ``name`` those of exactly that name, by one request however many the run has."""
        query = {} if name is None else {"name": name}
        rows = self._pages(f"{self._root}/runs/{run_id}/artifacts", "artifacts", **query)
        return [_parsed(Artifact, row) for row in rows]

    def artifacts_named(self, name: str) -> list[Artifact]:
        """The repository's artifacts of exactly that name, of whichever run."""
        rows = self._pages(f"{self._root}/artifacts", "artifacts", name=name)
        return [_parsed(Artifact, row) for row in rows]

    def delete(self, artifact: Artifact) -> None:
        """For good; nothing where it is gone already."""
        try:
            self._request("DELETE", f"{self._root}/artifacts/{artifact.id}")
        except GitHubAwayError:
            raise
        except UsageError:
            logger.info("%s is gone already", artifact.name)

    def download(self, artifact: Artifact, folder: Path) -> None:
        """Unpack an artifact into a folder. UsageError if it has expired or is no plain archive."""
        if artifact.expired:
            raise UsageError(f"artifact {artifact.name} has expired: GitHub keeps them for 90 days at most")
        with TemporaryFile() as file:
            self._fetch(f"{self._root}/artifacts/{artifact.id}/zip", file)
            _unpack(file, artifact.name, folder)

    def dispatch(self, workflow: str, ref: str, inputs: dict[str, str]) -> None:
        """Start a run of a workflow that has ``workflow_dispatch``."""
        body = {"ref": ref, "inputs": inputs}
        self._request("POST", f"{self._root}/workflows/{workflow}/dispatches", json=body)

    def _pages(self, path: str, key: str, **query: str) -> Iterator[dict[str, Any]]:
        answer = self._get(path, params={"per_page": str(_PAGE), **query})
        while True:
            try:
                yield from answer.json()[key]
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f"GitHub's answer for {path} is not what its API promises") from error
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return
            if httpx.URL(following).host != answer.url.host:
                raise UsageError(f"GitHub's answer for {path} points at another host for its next page")
            answer = self._get(following)

    def _get(self, path: str, **options: Any) -> httpx.Response:
        return self._request("GET", path, **options)

    def _fetch(self, path: str, file: IO[bytes]) -> None:
        """The content behind a redirect. The token is for GitHub and does not go where it points."""
        answer = self._request("GET", path)
        where = answer.headers.get("location")
        if where is None:
            file.write(answer.content)
            return
        for attempt in range(_TRIES):
            try:
                file.seek(0)
                file.truncate()
                with httpx.stream("GET", where, timeout=_TIMEOUT, follow_redirects=True) as content:
                    content.raise_for_status()
                    for block in content.iter_bytes():
                        file.write(block)
                return
            except httpx.HTTPError as error:
                if attempt == _TRIES - 1:
                    raise GitHubAwayError(f"{path}: its content cannot be fetched: {error}") from error
                self._clock.sleep(2.0**attempt)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        for attempt in range(_TRIES):
            try:
                answer = self._client.request(method, path, **options)
            except httpx.TransportError as error:
                if attempt == _TRIES - 1:
                    raise GitHubAwayError(f"GitHub's API cannot be reached: {error}") from error
                self._clock.sleep(2.0**attempt)
                continue
            if answer.status_code < 400:
                return answer
            wait = self._wait(answer, attempt)
            if wait is None or attempt == _TRIES - 1:
                raise _refused(answer, path)
            logger.warning("GitHub answers %d; waiting %.0f s", answer.status_code, wait)
            self._clock.sleep(wait)
        raise AssertionError("unreachable")

    def _wait(self, answer: httpx.Response, attempt: int) -> float | None:
        """Seconds until another try makes sense; None if none does."""
        if answer.status_code >= 500:
            return 2.0**attempt
        if answer.status_code not in (403, 429):
            return None
        if (after := answer.headers.get("retry-after", "")).isdecimal():
            wait = float(after)
        elif answer.headers.get("x-ratelimit-remaining") == "0":
            wait = max(0.0, float(answer.headers.get("x-ratelimit-reset", "0")) - self._clock.now()) + 1.0
        elif answer.status_code == 429:
            wait = 60.0
        else:
            return None
        if wait > _PATIENCE:
            raise GitHubAwayError(
                f"GitHub's rate limit is used up; it is lifted in {math.ceil(wait / 60)} minutes"
            )
        return wait


def _refused(answer: httpx.Response, path: str) -> UsageError:
    hints = {
        401: "the token is not accepted: set GITHUB_TOKEN",
        403: "the token may not do this: the job's `permissions` must allow it",
        404: "there is no such thing, or the token may not see it (set GITHUB_TOKEN; `actions: read`)",
        422: "GitHub does not accept the request",
    }
    try:
        said = str(answer.json().get("message", ""))[:200]
    except (ValueError, AttributeError):
        said = ""
    hint = hints.get(answer.status_code, "")
    gone = answer.status_code in (404, 410, 422)
    return (UsageError if gone else GitHubAwayError)(
        f"GitHub answers {answer.status_code} for {path}: {said}. {hint}".rstrip(" .")
    )


def _parsed(kind: type[T], row: Any) -> T:
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        raise UsageError(f"GitHub's answer is no good {kind.__name__}: {first_problem(error)}") from error


def _unpack(file: IO[bytes], name: str, folder: Path) -> None:
    """Plain files under relative names only."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if sum(each.file_size for each in members) > _MAX_UNPACKED:
                raise UsageError(f"artifact {name} unpacks to more than {_MAX_UNPACKED >> 30} GiB")
            for member in members:
                where = PurePosixPath(member.filename)
                if where.is_absolute() or ".." in where.parts or "\\" in member.filename:
                    raise UsageError(f"artifact {name} holds a file outside of it: {member.filename!r}")
                target = folder / where
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as copy:
                    while block := source.read(1 << 20):
                        copy.write(block)
                    copy.flush()
                    os.fsync(copy.fileno())
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UsageError(f"artifact {name} is damaged: {error}") from error
