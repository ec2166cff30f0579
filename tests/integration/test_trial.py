"""``try``: a paper with a body is tried by one passage, and shows what becomes of each piece of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.errors import UsageError
from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, Ran, here
from tests.builders.warm import start
from tests.builders.whole_bodies import BODY


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with start(ServerSettings(mode="canned")) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "papers.jsonl"
    papers = [
        {
            "id": "whole",
            "title": "某方法的研究",
            "abstract": "本文研究方法。",
            "keywords": ["方法"],
            "body": BODY,
        },
        {"id": "short", "title": "另一方法的研究", "abstract": "摘要在此。"},
    ]
    path.write_text("".join(json.dumps({**paper, "language": "zh"}) + "\n" for paper in papers))
    return path


def tried(source: Path, server: RunningServer, *flags: str, paper: str = "whole") -> Ran:
    model = ("--base-url", server.base_url, "--model", "paperfleet-canned", *PRICES)
    return here("try", source, paper, "--state", source.parent / "state", *model, *flags)


def test_the_head_is_asked_for_unless_another_passage_is_named(source: Path, server: RunningServer) -> None:
    told = tried(source, server, "--full-text").out
    assert "body: 9 segments in 1 passage, 4 blocks kept" in told
    assert "kept: reference" in told
    assert "passage head, one of" in told
    assert told.count("request (translate):") == 1
    assert '"title":' in told.partition("status: done")[2]


def test_a_passage_of_the_body_is_asked_under_its_paper_s_terms(source: Path, server: RunningServer) -> None:
    told = tried(source, server, "--full-text", "--passage", "body/0").out
    assert "1 term, of head, which were asked first" in told
    assert told.count("request (translate):") == 1
    request, answer = told.partition("answer (")[::2]
    assert r"\"paper\": \"某方法的研究\"" in request
    assert r"\"glossary\": {\"方法\":" in request
    assert "pass  structure" in answer
    assert '"body/8/2":' in answer.partition("status: done")[2]


def test_a_passage_that_is_not_there_is_refused(source: Path, server: RunningServer) -> None:
    with pytest.raises(UsageError, match=r"--passage body/9: the paper has head, body/0"):
        tried(source, server, "--full-text", "--passage", "body/9")
    for flags, paper in ((("--passage", "head"), "whole"), (("--full-text", "--passage", "head"), "short")):
        with pytest.raises(UsageError, match="no body that is asked by passages"):
            tried(source, server, *flags, paper=paper)
