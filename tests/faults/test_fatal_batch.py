"""A batch that kills whoever works on it: it is given up after five attempts, and holds up no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, corpus, paperfleet
from tests.builders.local_aws import moto_server, name_of, without_waiting
from tests.builders.warm import start

PAPERS, BATCH = 60, 20
ATTEMPTS = 5


@pytest.mark.slow
@pytest.mark.parametrize("place", ["lease", "work", "end"])
@pytest.mark.parametrize("where", ["aws", "embedded"])
def test_a_batch_that_kills_its_holder_each_time_is_a_dead_letter_and_the_others_are_done(
    tmp_path: Path, place: str, where: str
) -> None:
    with (
        moto_server() as aws,
        start(ServerSettings(mode="canned", price_in="0.15", price_out="0.60", latency=0.05)) as model,
    ):
        aws.wire.changes = without_waiting
        here = (
            aws.environment | aws.stack(name_of(tmp_path), max_receives=1_000).settings()
            if where == "aws"
            else {}
        )
        scratch = ("--state", str(tmp_path / "state"), "--run-id", "r")
        submitted = paperfleet("shard", corpus(tmp_path / "papers.jsonl", PAPERS), *scratch, "--model",
                               "paperfleet-canned", "--batch-papers", BATCH, **here)  # fmt: skip
        assert submitted.code == 0, submitted.err
        work = ["work", *scratch, "--base-url", model.base_url, *PRICES, "--jobs", "2", "--workers", "4"]
        fatal = [sys.executable, "-m", "tests.faults.fatal_batch", place, *work]
        environment = dict(os.environ) | here
        done = subprocess.run(fatal, env=environment, capture_output=True, text=True, timeout=300)
        report = paperfleet("report", *scratch, "--json", **here).report
        bill = model.stats()
        listed = paperfleet("redrive", *scratch, "--list", **here)
        died = [job for job in report["jobs"] if job["outcome"] == "killed"]
        if place == "end":  # nothing is left of it but to say so, which another message of it does
            assert 1 <= len(died) <= ATTEMPTS, done.stderr
            assert (report["counts"]["done"], report["queue"]["dead"]) == (PAPERS, 0)
        else:
            assert len(died) == ATTEMPTS, done.stderr
            assert report["queue"]["dead"] == 1, listed.out
            assert PAPERS - BATCH <= report["counts"]["done"] < PAPERS, "what it booked before stays"
            assert len(listed.out.splitlines()) == 1
            healed = paperfleet("redrive", *scratch, **here)
            assert healed.code == 0, healed.err
            assert paperfleet(*work, "--json", timeout=240, **here).report["counts"]["done"] == PAPERS
        report = paperfleet("report", *scratch, "--json", **here).report
        bill = model.stats()
    certain = report["spend_nano_usd"] - round(report["indeterminate_usd"] * 1e9)
    assert certain <= bill["bill_nano_usd"] <= report["spend_nano_usd"]
