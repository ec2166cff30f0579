"""A paper whose licence forbids derivatives: never translated, never given out, wherever the rule is read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, corpus, lines, paperfleet, run_flags
from tests.builders.local_aws import moto_server, name_of
from tests.builders.warm import start

FREE = ("CC BY 4.0", "2nd edition licence")
BOUND = ("No derivatives allowed", "CC BY-ND 4.0", "CC BY, no adaptations permitted", "署名-禁止改作", "ND")


def rows_of(out: Path) -> list[dict[str, object]]:
    found = duckdb.sql(f"select * from '{out}'")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


pytestmark = pytest.mark.slow  # whole runs; each room that reads the rule has quick tests of its own

READ: dict[str, Callable[[Path], list[dict[str, object]]]] = {
    "jsonl": lines,
    "csv": lambda out: list(csv.DictReader(out.read_text(encoding="utf-8").splitlines())),
    "parquet": lambda out: rows_of(out),
}


@pytest.fixture
def server() -> Iterator[RunningServer]:
    priced = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", **priced, latency=0.01)) as running:
        yield running


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    """One text under each licence; the id says which are free."""
    source = corpus(tmp_path / "twins.jsonl", 1)
    (text,) = lines(source)
    names = {f"free-{n}": each for n, each in enumerate(FREE)} | {
        f"bound-{n}": x for n, x in enumerate(BOUND)
    }
    papers = [text | {"id": name, "license": each} for name, each in names.items()]
    source.write_text("".join(json.dumps(paper, ensure_ascii=False) + "\n" for paper in papers))
    return source


def is_free(record: dict[str, object]) -> bool:
    return str(record["id"]).startswith("free")


def test_a_paper_that_forbids_it_is_neither_translated_nor_given_out(
    twins: Path, tmp_path: Path, server: RunningServer
) -> None:
    state = tmp_path / "state"
    planned = paperfleet("plan", twins, "--state", state, "--model", "m", *PRICES, "--json")
    assert json.loads(planned.out)["corpus"]["papers"] == len(FREE + BOUND)
    report = paperfleet(*run_flags(twins, state, server)).report
    assert (report["counts"]["done"], report["counts"]["skipped"]) == (len(FREE), len(BOUND))
    assert server.stats()["requests"] == 1  # equal texts are sent once

    where = ("--state", state, "--run-id", "r")
    for form in READ:
        out = tmp_path / f"out.{form}"
        ran = paperfleet("export", *where, "--format", form, "--output", out, "--drafts")
        assert ran.code == 0, ran.err
        records = READ[form](out)
        assert len(records) == len(FREE + BOUND)
        for record in records:
            assert (record["status"], bool(record["title"])) == (
                ("done", True) if is_free(record) else ("skipped", False)
            )

    site = tmp_path / "site"
    assert paperfleet("review", *where, "--output", site, "--drafts").code == 0
    shown = "".join(path.read_text() for path in site.rglob("*.html"))
    assert "free-0" in shown
    assert "bound-" not in shown


def test_on_aws_it_is_neither_translated_nor_given_out(
    twins: Path, tmp_path: Path, server: RunningServer
) -> None:
    with moto_server() as aws:
        environment = aws.environment | aws.stack(name_of(tmp_path)).settings()
        where = ("--aws", "--run-id", "r", "--state", tmp_path / "state")
        submitted = paperfleet("shard", twins, *where, "--model", "paperfleet-canned", **environment)
        assert submitted.code == 0, submitted.err
        worked = paperfleet("work", *where, "--base-url", server.base_url, *PRICES, "--json", **environment)
        assert worked.report["counts"]["skipped"] == len(BOUND)
        assert server.stats()["requests"] == 1
        out = tmp_path / "out.jsonl"
        assert paperfleet("export", *where, "--output", out, **environment).code == 0
        assert {record["id"] for record in lines(out) if record["title"]} == {"free-0", "free-1"}
