"""Machines that share a hostname work on one run, as hosted runners do, and kill no jobs of each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, corpus, paperfleet
from tests.builders.ended_process import ending
from tests.builders.local_aws import moto_server, name_of, without_waiting
from tests.builders.warm import start

MACHINES, PAPERS = 4, 160
NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""Processes of their own under the name that all share."""


def _can_unshare() -> bool:
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not _can_unshare(), reason="namespaces of processes are for root, and for Linux")
def test_machines_of_one_name_kill_no_jobs_of_each_other(tmp_path: Path) -> None:
    with (
        moto_server() as aws,
        start(ServerSettings(mode="canned", price_in="0.15", price_out="0.60", latency=0.3)) as model,
    ):
        aws.wire.changes = without_waiting
        here = aws.environment | aws.stack(name_of(tmp_path)).settings()
        submitted = paperfleet("shard", corpus(tmp_path / "papers.jsonl", PAPERS), "--run-id", "r", "--state",
                               tmp_path / "shard", "--model", "paperfleet-canned", **here)  # fmt: skip
        assert submitted.code == 0, submitted.err
        with ExitStack() as stack:
            machines = []
            for number in range(MACHINES):
                command = [*NAMESPACE, sys.executable, "-m", "handlers.cli", "work", "--run-id", "r",
                           "--state", tmp_path / str(number), "--base-url", model.base_url, *PRICES,
                           "--jobs", "1", "--workers", "4"]  # fmt: skip
                log = stack.enter_context((tmp_path / f"log-{number}").open("wb"))
                machine = ending(command, env=dict(os.environ) | here, stdout=log, stderr=log, patience=0)
                machines.append(stack.enter_context(machine))
            codes = [machine.wait(400) for machine in machines]
        report = paperfleet("report", "--run-id", "r", "--state", tmp_path / "shard", "--json", **here).report
        bill = model.stats()
    said = "".join((tmp_path / f"log-{number}").read_text() for number in range(MACHINES))
    assert (set(codes), report["counts"]["pending"]) == ({0}, 0), said
    assert {each["outcome"] for each in report["jobs"]} == {"finished"}
    assert report["lost_jobs"] == []
    assert (report["calls"]["sent"], report["spend_nano_usd"]) == (bill["requests"], bill["bill_nano_usd"])
    assert bill["duplicates"] == 0
