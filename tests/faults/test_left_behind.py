"""What a run leaves behind: no secret anywhere, and logs that can be read by machines."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import Running, corpus, job_processes, paperfleet, run_flags, until
from tests.builders.warm import start
from tests.builders.wire import Conversation, WireRequest, WireServer, completion, error, response

pytestmark = pytest.mark.slow
KEY = "sk-never-to-be-seen-4711"
HOOK = "https://127.0.0.1:9/services/T000/B000/hook-never-to-be-seen"
SECRETS = (KEY.encode(), b"hook-never-to-be-seen")
PRICED = {"mode": "canned", "price_in": Decimal("0.15"), "price_out": Decimal("0.60")}


def tell_tales(folder: Path) -> list[str]:
    """Files under the folder that hold a secret, whatever they are."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    return [str(path) for path in files if any(secret in path.read_bytes() for secret in SECRETS)]


def command_lines(pids: list[int]) -> bytes:
    return b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)


def test_the_key_is_in_nothing_that_a_run_leaves_behind(tmp_path: Path) -> None:
    papers = corpus(tmp_path / "papers.jsonl", 80)
    state = tmp_path / "state"
    with start(ServerSettings(**PRICED, latency=0.3, faults=0.05, api_key=KEY)) as server:
        flags = run_flags(papers, state, server)
        secret = {"PAPERFLEET_API_KEY": KEY, "PAPERFLEET_WEBHOOK": HOOK}
        with Running(
            *flags, "--workers", 10, "--read-timeout", 2, "--max-failed", "100%", **secret
        ) as running:
            until(lambda: server.stats()["requests"] >= 10)
            listed = command_lines([running.pid, *job_processes(state)])
            ran = running.end(90)
        assert ran.code in (0, 3), ran.err
        said = [ran]
        for verb, *more in (
            ("status", "--json"),
            ("report", "--html", tmp_path / "page.html", "--output", tmp_path / "report.md"),
            ("report", "--output", tmp_path / "report.json", "--json"),
            ("export", "--drafts", "--output", tmp_path / "results.csv", "--format", "csv"),
            ("audit", "--json"),
            ("redrive", "--list"),
        ):
            said.append(paperfleet(verb, *flags[2:6], *more, **secret))
        said.append(paperfleet("try", papers, "paper-00001", "--state", state, *flags[6:12], **secret))
        assert paperfleet(*flags, "--rpm", "nonsense", **secret).code == 2
    assert all(each.code in (0, 3) for each in said), [each.err for each in said]
    assert b"paperfleet" in listed or b"handlers.cli" in listed
    assert not any(secret_part in listed for secret_part in SECRETS)
    assert tell_tales(tmp_path) == []
    spoken = "".join(each.out + each.err for each in said).encode()
    assert not any(secret_part in spoken for secret_part in SECRETS)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_an_api_that_repeats_the_key_does_not_get_it_into_files(status: int, tmp_path: Path) -> None:
    def echo(request: WireRequest, conversation: Conversation) -> None:
        told = f"you sent {request.headers['authorization']} and {request.line}"
        headers = {"x-echo": request.headers["authorization"]}
        body = completion(told) if status == 200 else error(told, code=told)
        conversation.send(response(status, body, headers))

    papers = corpus(tmp_path / "papers.jsonl", 2)
    state = tmp_path / "state"
    with WireServer(echo) as server:
        ran = paperfleet(
            "run", papers, "--state", state, "--base-url", server.url, "--model", "gpt-4o-mini",
            "--workers", 2, "--deadline", 10, "--json", PAPERFLEET_API_KEY=KEY,
        )  # fmt: skip
    assert ran.code in (0, 3, 4), ran.err
    assert ran.report["calls"]["sent"] > 0
    assert tell_tales(state) == []
    assert KEY not in ran.out + ran.err


def test_each_line_of_a_jobs_log_is_json_that_says_run_batch_paper_and_attempt(tmp_path: Path) -> None:
    papers = corpus(tmp_path / "papers.jsonl", 30)
    with start(ServerSettings(**PRICED, http_500=0.3)) as server:
        ran = paperfleet(*run_flags(papers, tmp_path / "state", server), "--workers", 5)
    assert ran.report["calls"]["transient"] > 0
    logs = (tmp_path / "state" / "runs" / "r" / "logs").glob("*.log")
    told = [json.loads(line) for path in logs for line in path.read_text().splitlines()]
    calls = [line for line in told if line.get("code") == "http_500"]
    assert len(calls) == ran.report["calls"]["transient"]
    for line in calls:
        assert (line["run"], line["paper"][:6]) == ("r", "paper-")
        assert line["batch"]
        assert line["attempt"] >= 1
