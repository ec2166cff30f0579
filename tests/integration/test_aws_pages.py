"""The report's page, the review site and Parquet of a run on DynamoDB and S3 (moto's server)."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, Ran, corpus, paperfleet
from tests.builders.local_aws import LocalAws, moto_server, name_of
from tests.builders.warm import start

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
