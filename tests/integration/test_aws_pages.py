"""The report's page, the review site and Parquet of a run on DynamoDB and S3 (moto's server)."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, Ran, corpus, paperfleet
from tests.builders.local_aws import LocalAws, moto_server, name_of
from tests.builders.warm import start
from tests.builders.whole_bodies import BODY

PAPERS = 60


@pytest.mark.slow
def test_what_people_look_at_is_made_from_a_run_on_aws(tmp_path: Path) -> None:
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with moto_server() as aws, start(ServerSettings(mode="canned", **prices)) as server:
        command = Command(aws, tmp_path)
        source = corpus(tmp_path / "papers.jsonl", PAPERS)
        command("shard", source, "--model", "paperfleet-canned", "--batch-papers", 20)
        command("work", "--base-url", server.base_url, *PRICES, "--workers", 8)

        site = command("review", "--output", tmp_path / "site")
        assert f"{PAPERS} papers on 3 pages" in site.err
        pages = [path.read_text() for path in sorted((tmp_path / "site" / "pages").iterdir())]
        assert "".join(pages).count("<article") == PAPERS
        assert "<msup>" in pages[0]
        assert command.requests["GET"] < PAPERS, "papers of one part are read with one request"

        command("report", "--html", tmp_path / "run.html", "--json")
        assert f"{PAPERS} papers, each in one state" in (tmp_path / "run.html").read_text()
        assert command.requests["GET"] < PAPERS

        command("export", "--format", "parquet", "--output", tmp_path / "results.parquet")
        read = duckdb.connect().execute(
            "SELECT count(*) FROM read_parquet(?)", [str(tmp_path / "results.parquet")]
        )
        assert read.fetchone() == (PAPERS,)


@pytest.mark.slow
def test_whole_papers_on_aws_are_reviewed_counted_and_exported(tmp_path: Path) -> None:
    source = tmp_path / "papers.jsonl"
    papers = [{"id": f"p{n}", "title": f"第{n}种方法", "language": "zh", "body": f"{BODY}\n\n第{n}段"}
              for n in range(3)]  # fmt: skip
    source.write_text("".join(json.dumps(paper) + "\n" for paper in papers))
    with moto_server() as aws, start(ServerSettings(mode="canned")) as server:
        command = Command(aws, tmp_path)
        command("shard", source, "--model", "paperfleet-canned", "--full-text")
        command("work", "--base-url", server.base_url, *PRICES, "--workers", 4)
        command("review", "--output", tmp_path / "site", "--drafts")
        segments = command("report", "--html", tmp_path / "run.html", "--json").report["segments"]
        exported = command("export", "--format", "markdown", "--output", tmp_path / "md", "--drafts")
    assert len(list((tmp_path / "site" / "bodies").iterdir())) == 3
    assert segments["translated"] + segments["flagged"] == 30
    assert segments["rules"] == {"image": 3, "mathematics": 3, "other_language": 3, "reference": 3}
    assert "segments of bodies translated, 12 blocks kept" in (tmp_path / "run.html").read_text()
    assert "3 files" in exported.err
    assert "E = m c ^ 2" in (tmp_path / "md" / "p0.md").read_text()


class Command:
    """A command on the stack; ``requests`` are those of the last one, by operation."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        stack = aws.stack(name_of(folder))
        self._environment = aws.environment | stack.settings()
        self._folder = folder
        self._aws = aws
        self.requests: Counter[str] = Counter()

    def __call__(self, name: str, *arguments: object) -> Ran:
        before = Counter(self._aws.wire.operations)
        common = ("--aws", "--run-id", "r", "--state", self._folder / "state")
        ran = paperfleet(name, *arguments, *common, **self._environment)
        assert ran.code == 0, ran.err
        self.requests = self._aws.wire.operations - before
        return ran
