"""Large settings on both backends: a long glossary runs, and what is too large is refused before anything
is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, Ran, corpus, paperfleet
from tests.builders.local_aws import moto_server, name_of, without_waiting
from tests.builders.warm import start

TERMS, PAPERS = 12_000, 6

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("where", ["embedded", "aws"])
def test_twelve_thousand_terms_run_and_too_large_settings_are_refused_first(
    tmp_path: Path, where: str
) -> None:
    glossary = tmp_path / "terms.csv"
    glossary.write_text(
        "".join(f"术语{number}词,term {number}\n" for number in range(TERMS)), encoding="utf-8"
    )
    config = tmp_path / "large.toml"
    body = json.dumps({"note": "x" * 66_000})
    config.write_text(f"[paperfleet]\nextra_body = '{body}'\n", encoding="utf-8")
    source = corpus(tmp_path / "papers.jsonl", PAPERS)
    with moto_server() as aws, start(ServerSettings(mode="canned")) as model:
        aws.wire.changes = without_waiting
        here = aws.environment | aws.stack(name_of(tmp_path)).settings() if where == "aws" else {}

        def command(*words: object, run: str, **more: str) -> Ran:
            return paperfleet(*words, "--run-id", run, "--state", tmp_path / "state", **here | more)

        refused = command("shard", source, "--model", "paperfleet-canned", run="large",
                          PAPERFLEET_EXTRA_BODY=body)  # fmt: skip
        assert (refused.code, "extra_body" in refused.err) == (2, True), refused.err
        assert command("status", run="large").code == 2, "no such run"
        made = command("shard", source, "--model", "paperfleet-canned", "--glossary", glossary, run="terms")
        assert made.code == 0, made.err
        done = command("work", "--base-url", model.base_url, *PRICES, "--json", run="terms")
        assert done.report["counts"]["done"] == PAPERS, done.err
