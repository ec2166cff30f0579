"""A run of two jobs on SQS, DynamoDB and S3, some of which are away for minutes in the middle of it.

python -m tests.faults.outage_run dynamodb|s3|sqs|everything [refused|reset|silent|late|"no name"] [SECONDS]:
with nothing shortened, ten minutes of outage by default.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, corpus, paperfleet, until
from tests.builders.ended_process import ending
from tests.builders.local_aws import LocalAws, moto_server, name_of, without_waiting
from tests.builders.outage_proxy import OutageProxy, outage_proxy
from tests.builders.warm import start
from tests.faults.hurried import NAME, SHORTER

Service = Literal["dynamodb", "s3", "sqs"]
Away = Literal["refused", "reset", "silent", "late", "no name"]
EVERYTHING: tuple[Service, ...] = ("dynamodb", "s3", "sqs")
JOBS, WORKERS = 2, 4
_PRICED = {"mode": "canned", "price_in": "0.15", "price_out": "0.60"}


@dataclass(frozen=True)
class Outage:
    """``seconds`` long; ``machines``: of two, those for which the services are away."""

    services: Sequence[Service]
    away: Away = "refused"
    seconds: float = 600.0
    shorter: int = SHORTER
    """Times that all waits are shorter, the outage too; 1: the command as it is."""
    papers: int = 160
    latency: float = 0.4
    machines: int = 1
    cut_off: int = 1


@dataclass(frozen=True)
class Outlived:
    """What came of it."""

    codes: list[int]
    requests: int
    """Calls that had been made when the services came back."""
    returned_after: float
    """Seconds from the return to the end of the run."""
    report: dict[str, Any]
    bill: dict[str, Any]
    log: str


def outlive(folder: Path, outage: Outage) -> Outlived:
    """Submit, work, take away after a quarter, give back, and wait for the end."""
    flag = folder / "no-names"
    settings = ServerSettings(**_PRICED, latency=outage.latency)
    with moto_server() as aws, _proxies(aws, outage.services) as proxies, start(settings) as model:
        aws.wire.changes = without_waiting
        here = aws.environment | aws.stack(name_of(folder)).settings()
        scratch = ("--state", str(folder / "state"), "--run-id", "r")
        submitted = paperfleet("shard", corpus(folder / "papers.jsonl", outage.papers), *scratch,
                               "--model", "paperfleet-canned", "--batch-papers", 20, **here)  # fmt: skip
        assert submitted.code == 0, submitted.err
        work = ["work", "--run-id", "r", "--base-url", model.base_url, *PRICES,
                "--jobs", str(JOBS), "--workers", str(WORKERS), "--json"]  # fmt: skip
        with ExitStack() as machines:
            working = [
                machines.enter_context(
                    _machine(folder / str(number), outage, flag, work,
                             here | (_through(proxies) if number < outage.cut_off else {}))
                )
                for number in range(outage.machines)
            ]  # fmt: skip
            until(lambda: model.stats()["requests"] > outage.papers / 4, seconds=240)
            if outage.away == "no name":
                flag.touch()
            for proxy in proxies.values():
                proxy.set("refused" if outage.away == "no name" else outage.away)
            time.sleep(outage.seconds / outage.shorter)  # the outage: it ends for no event
            requests = int(model.stats()["requests"])
            flag.unlink(missing_ok=True)
            for proxy in proxies.values():
                proxy.set("through")
            began = time.monotonic()
            codes = [each.wait(900) for each in working]
            took = time.monotonic() - began
        report = paperfleet("report", *scratch, "--json", **here).report
        log = "".join((folder / str(number) / "log").read_text() for number in range(outage.machines))
        return Outlived(codes, requests, took, report, model.stats(), log)


@contextmanager
def _proxies(aws: LocalAws, services: Sequence[Service]) -> Iterator[dict[Service, OutageProxy]]:
    port = int(aws.endpoint.rpartition(":")[2])
    with ExitStack() as stack:
        yield {service: stack.enter_context(outage_proxy(port)) for service in services}


def _through(proxies: dict[Service, OutageProxy]) -> dict[str, str]:
    """The environment of a command that reaches the services by the proxies. Of the table's host there is a
    name, which can be away; a bucket's would stand in front of it."""
    hosts = {service: NAME if service == "dynamodb" else "127.0.0.1" for service in proxies}
    return {
        f"AWS_ENDPOINT_URL_{service.upper()}": f"http://{hosts[service]}:{proxies[service].port}"
        for service in proxies
    }


@contextmanager
def _machine(
    folder: Path, outage: Outage, flag: Path, work: Sequence[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir()
    hurried = ["tests.faults.hurried", str(outage.shorter), str(flag)]
    command = [sys.executable, "-m", *hurried, *work, "--state", str(folder / "state")]
    with (
        (folder / "log").open("wb") as log,
        ending(command, env=dict(os.environ) | environment, stdout=log, stderr=log, patience=0) as process,
    ):
        yield process


def main(arguments: Sequence[str]) -> None:
    services, away, seconds = [*arguments, *("refused", "600")[len(arguments) - 1 :]]
    asked = EVERYTHING if services == "everything" else [cast("Service", services)]
    outage = Outage(asked, cast("Away", away), float(seconds), shorter=1, latency=4.0)
    with tempfile.TemporaryDirectory() as folder:
        outlived = outlive(Path(folder), outage)
    report, bill = outlived.report, outlived.bill
    print(f"{services} {away} for {seconds} s: exit codes {outlived.codes}, run {report['state']}")
    print(f"ended {outlived.returned_after:.0f} s after the return; {report['counts']}")
    print(f"dead letters {report['queue']['dead']}, paid twice {bill['duplicates']}")
    print(f"calls {report['calls']['sent']} and {bill['requests']} on the bill")
    print(f"nano-USD {report['spend_nano_usd']} and {bill['bill_nano_usd']} on the bill")


if __name__ == "__main__":
    main(sys.argv[1:])
