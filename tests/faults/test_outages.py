"""DynamoDB is away for minutes while jobs work: no message dies of it, and no call is paid for twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, corpus, paperfleet, until
from tests.builders.local_aws import moto_server, name_of
from tests.builders.outage_proxy import outage_proxy
from tests.builders.warm import start
from tests.faults.hurried import NAME, SHORTER

pytestmark = pytest.mark.slow
PAPERS = 160
PRICED = {"mode": "canned", "price_in": "0.15", "price_out": "0.60"}


@pytest.mark.parametrize("away", ["refused", "reset", "silent", "no name"])
def test_a_run_outlives_ten_minutes_without_its_ledger(tmp_path: Path, away: str) -> None:
    flag = tmp_path / "no-names"
    with (
        moto_server() as aws,
        outage_proxy(int(aws.endpoint.rpartition(":")[2])) as proxy,
        start(ServerSettings(**PRICED, latency=0.4)) as model,
    ):
        here = aws.environment | aws.stack(name_of(tmp_path)).settings()
        scratch = ("--state", str(tmp_path / "state"), "--run-id", "r")
        submitted = paperfleet("shard", corpus(tmp_path / "papers.jsonl", PAPERS), *scratch,
                               "--model", "paperfleet-canned", "--batch-papers", 20, **here)  # fmt: skip
        assert submitted.code == 0, submitted.err
        command = [sys.executable, "-m", "tests.faults.hurried", str(flag), "work", *scratch, "--base-url",
                   model.base_url, *PRICES, "--jobs", "2", "--workers", "4", "--json"]  # fmt: skip
        through = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://{NAME}:{proxy.port}"}
        with (tmp_path / "log").open("wb") as log:
            working = subprocess.Popen(command, env=dict(os.environ) | here | through, stdout=log, stderr=log)
        try:
            until(lambda: model.stats()["requests"] > PAPERS / 4, seconds=60)
            if away == "no name":
                flag.touch()
            proxy.set({"reset": "reset", "silent": "silent"}.get(away, "refused"))
            time.sleep(600 / SHORTER)  # the outage: ten minutes, as the hurried command counts them
            during = model.stats()["requests"]
            flag.unlink(missing_ok=True)
            proxy.set("through")
            assert working.wait(120) == 0, (tmp_path / "log").read_text()
        finally:
            working.kill()
            working.wait()
        report = paperfleet("report", *scratch, "--json", **here).report
        bill = model.stats()
    assert during < PAPERS, "calls go on though nobody can book them"
    assert report["state"] == "finished"
    assert report["counts"]["done"] + report["counts"]["flagged"] == PAPERS
    assert report["queue"]["dead"] == 0
    assert (report["calls"]["sent"], report["spend_nano_usd"]) == (bill["requests"], bill["bill_nano_usd"])
    assert bill["duplicates"] == 0
