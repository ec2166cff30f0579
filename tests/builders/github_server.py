"""A local server that speaks as much of GitHub's REST API as sessions use, over a folder of artifacts.

``<root>/<run id>/<name>/`` are the artifacts, as a stub of upload-artifact leaves them; runs and jobs are
what the test says. Answers are paged, and can be rate limited or fail.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

REPOSITORY = "someone/papers"
TOKEN = "token-of-the-job"
_ROOT = f"/repos/{REPOSITORY}/actions"


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class GitHub:
    """What the server knows, and what was asked of it."""

    root: Path
    url: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    page_size: int = 100
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """(status, headers) of answers to give before any other."""
    expired: set[str] = field(default_factory=set)
    withheld: set[str] = field(default_factory=set)
    """Names of artifacts that are there and not given out."""
    requests: list[str] = field(default_factory=list)
    tokens: dict[str, set[str]] = field(default_factory=dict)
    """Kind of address → the Authorization headers that came there."""
    dispatched: list[dict[str, Any]] = field(default_factory=list)

    def add_run(self, run_id: int, **changes: Any) -> None:
        run = {
            "id": run_id, "run_number": run_id, "run_attempt": 1, "event": "workflow_dispatch",
            "status": "completed", "conclusion": "success", "head_branch": "main",
            "head_repository": {"full_name": REPOSITORY}, "created_at": stamp(1_700_000_000 + run_id),
            "html_url": f"https://github.com/{REPOSITORY}/actions/runs/{run_id}",
        }  # fmt: skip
        self.runs.insert(0, run | changes)

    def artifacts(self, run_id: int) -> list[dict[str, Any]]:
        folders = [path for path in (self.root / str(run_id)).glob("*") if not path.name.startswith(".")]
        return [
            {
                "id": _artifact_id(path),
                "name": path.name,
                "size_in_bytes": sum(each.stat().st_size for each in path.rglob("*") if each.is_file()),
                "expired": path.name in self.expired,
                "created_at": stamp(path.stat().st_mtime),
                "workflow_run": {"id": run_id},
            }
            for path in sorted(folders, key=_artifact_id)
        ]

    def name(self, artifact_id: int) -> str:
        return self.folder(artifact_id).name

    def folder(self, artifact_id: int) -> Path:
        return next(each for each in self.root.glob("*/*") if _artifact_id(each) == artifact_id)

    def archive(self, artifact_id: int) -> bytes:
        path = self.folder(artifact_id)
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(path))
        return made.getvalue()


def _artifact_id(path: Path) -> int:
    return path.stat().st_mtime_ns


class _Handler(BaseHTTPRequestHandler):
    github: GitHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        self.github.requests.append(self.path)
        if match := re.fullmatch(r"/blob/(\d+)", path):
            self._note("blob")
            self._send(200, self.github.archive(int(match[1])), {"Content-Type": "application/zip"})
            return
        self._note("api")
        if self._fails():
            return
        if re.fullmatch(rf"{_ROOT}/workflows/[\w.-]+/runs", path):
            self._page("workflow_runs", self.github.runs, path, query)
        elif match := re.fullmatch(rf"{_ROOT}/runs/(\d+)/jobs", path):
            self._page("jobs", self.github.jobs.get(int(match[1]), []), path, query)
        elif match := re.fullmatch(rf"{_ROOT}/runs/(\d+)/artifacts", path):
            every = self.github.artifacts(int(match[1]))
            named = [each for each in every if each["name"] in query.get("name", [each["name"]])]
            self._page("artifacts", named, path, query)
        elif path == f"{_ROOT}/artifacts":
            (name,) = query["name"]
            every = [each for run in self.github.runs for each in self.github.artifacts(run["id"])]
            self._page("artifacts", [each for each in every if each["name"] == name], path, query)
        elif match := re.fullmatch(rf"{_ROOT}/runs/(\d+)", path):
            run = next((each for each in self.github.runs if each["id"] == int(match[1])), None)
            self._json(200 if run else 404, run or {"message": "Not Found"})
        elif match := re.fullmatch(rf"{_ROOT}/artifacts/(\d+)/zip", path):
            if self.github.name(int(match[1])) in self.github.withheld:
                self._json(403, {"message": "not now"})
                return
            # Another host, as GitHub's: the token must not follow.
            elsewhere = self.github.url.replace("127.0.0.1", "localhost")
            self._send(302, b"", {"Location": f"{elsewhere}/blob/{match[1]}"})
        else:
            self._json(404, {"message": "Not Found"})

    def do_POST(self) -> None:
        self._note("api")
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._fails():
            return
        self.github.dispatched.append(body)
        self._send(204, b"", {})

    def do_DELETE(self) -> None:
        self._note("api")
        self.github.requests.append(f"DELETE {self.path}")
        if self._fails():
            return
        shutil.rmtree(self.github.folder(int(self.path.rpartition("/")[2])))
        self._send(204, b"", {})

    def _note(self, kind: str) -> None:
        self.github.tokens.setdefault(kind, set()).add(self.headers.get("Authorization", ""))

    def _fails(self) -> bool:
        if self.github.failures:
            status, headers = self.github.failures.pop(0)
            self._json(status, {"message": "not now"}, headers)
            return True
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json(401, {"message": "Bad credentials"})
            return True
        return False

    def _page(self, key: str, rows: list[Any], path: str, query: dict[str, list[str]]) -> None:
        size = min(self.github.page_size, int(query.get("per_page", ["30"])[0]))
        page = int(query.get("page", ["1"])[0])
        headers = {}
        if page * size < len(rows):
            following = {name: values[0] for name, values in query.items()} | {"page": str(page + 1)}
            headers["Link"] = f'<{self.github.url}{path}?{urlencode(following)}>; rel="next"'
        shown = rows[(page - 1) * size : page * size]
        self._json(200, {"total_count": len(rows), key: shown}, headers)

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._send(
            status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})}
        )

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def github_server(root: Path) -> Iterator[GitHub]:
    """On loopback, as long as the block."""
    github = GitHub(root)
    handler = type("Handler", (_Handler,), {"github": github})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    github.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()


def now() -> float:
    return time.time()
