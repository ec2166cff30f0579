"""Everything that goes wrong in one run on the deployed stack: a poison message, a rotated key, batches that
no invocation has time for, minutes without the table, a budget that is lowered under way.

python -m tests.e2e.fleet_drill [SECONDS WITHOUT THE TABLE, default 600]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.model_server import RunningServer, ServerSettings, start
from tests.builders.command import corpus, until
from tests.builders.outage_proxy import OutageProxy, outage_proxy
from tests.e2e.artifact import build
from tests.e2e.environments import ROOT
from tests.e2e.stack import Stack, deploy, ministack

PAPERS, BATCH, WORKERS = 300, 100, 8
MODEL, RUN = "paperfleet-canned", "drill"
FUNCTION_SECONDS, CALL_SECONDS = 25, 9
LATENCY, SLOW = 3.0, 7.0
"""Seconds of a call; of one of which no invocation has time for a batch's."""
RECEIVES = 5
_PARTS = 1_000_000_000
_MORE = 14_000_000
"""Nano-USD that the lowered budget leaves: more than the jobs have drawn already."""
_HIDDEN = 900.0
"""Seconds for which the queue hides a message at most that went back in an outage."""
_WARM = 1_800
"""Seconds that a sandbox lives: of one that is gone in an outage all that it had drawn is booked as lost."""


@dataclass
class Drill:
    """A stack whose process function reaches its table through a proxy."""

    stack: Stack
    server: RunningServer
    proxy: OutageProxy
    source: Path
    scratch: Path

    def shard(self, budget: float) -> None:
        """The same run again with another budget is the same run."""
        flags = ("--run-id", RUN, "--model", MODEL, "--state", self.scratch, "--budget", f"{budget:.9f}")
        ran = self.stack.command("shard", self.source, *flags)
        assert ran.code == 0, ran.err

    def delivered(self, count: int, seconds: float = 240) -> None:
        until(lambda: self.server.stats()["delivered"] >= count, seconds=seconds)

    def poison(self) -> None:
        event = json.loads((ROOT / "events" / "poison.json").read_text())
        self.stack.send(event["Records"][0]["body"])

    def rotate_key(self) -> None:
        """The secret holds the new key, and the provider revokes the old one; the sandboxes are warm."""
        secret = self.stack.outputs["ApiKeySecret"]
        self.stack.cloud.client("secretsmanager").put_secret_value(SecretId=secret, SecretString="new-key")
        self.server.control(api_key="new-key")

    def take_table_away(self, seconds: float) -> int:
        """Calls that were made meanwhile, from the moment on at which jobs must have noticed."""
        self.proxy.set("refused")  # for so long, whatever happens: an outage ends for no event
        time.sleep(min(seconds, FUNCTION_SECONDS))
        before = int(self.server.stats()["requests"])
        time.sleep(max(0.0, seconds - FUNCTION_SECONDS))
        self.proxy.set("through")
        return int(self.server.stats()["requests"]) - before

    def returns(self) -> int:
        """The first returns of batches that nobody was blamed for."""
        end = time.monotonic() + 400
        while not (returned := self._pardons()):
            assert time.monotonic() < end, "no batch was returned"
            time.sleep(0.5)  # a look takes the emulator's time, which the run needs
        return returned

    def has_booked(self, calls: int) -> bool:
        """Whether the ledger knows of so many calls: also of those that nobody could book in an outage."""
        return bool(self.stack.report(RUN)["calls"]["ok"] >= calls)

    def _pardons(self) -> int:
        with self.stack.ledger() as ledger:
            states = [ledger.lease_state(RUN, each.batch_id) for each in ledger.unfinished_batches(RUN)]
        return sum(state.pardons for state in states if state is not None)


def play(drill: Drill, away: float) -> dict[str, Any]:
    """What came of it: the run's report, the provider's bill and what happened on the way."""
    drill.shard(1.0)
    drill.poison()
    drill.delivered(30)
    drill.rotate_key()
    drill.server.control(latency=SLOW)
    returned = drill.returns()
    drill.server.control(latency=LATENCY)
    drill.delivered(110)
    calls = drill.take_table_away(away)
    began, charged = time.monotonic(), int(drill.server.stats()["charged"])
    until(lambda: drill.has_booked(charged), seconds=_HIDDEN + 300)
    spent = int(drill.stack.report(RUN)["spend_nano_usd"])
    lowered = (spent + _MORE) / _PARTS
    drill.shard(lowered)
    until(lambda: drill.stack.report(RUN)["state"] == "parked", seconds=_HIDDEN + 300)
    parked = drill.stack.report(RUN)
    drill.server.control(latency=0.1)
    drill.shard(1.0)
    drill.stack.command("resume", "--run-id", RUN)
    report = drill.stack.finished(RUN, seconds=_HIDDEN + 900)
    took = time.monotonic() - began
    until(lambda: drill.stack.dead() > 0 and drill.stack.idle(), seconds=_HIDDEN + 300)
    return {"report": report, "bill": drill.server.stats(), "returned": returned, "calls_meanwhile": calls,
            "lowered_to": lowered, "parked_at": parked["spend_usd"], "dead": drill.stack.dead(),
            "ended_after": took}  # fmt: skip


def check(played: dict[str, Any]) -> None:
    """Ledger equals bill, and the rest of the promises."""
    report, bill = played["report"], played["bill"]
    assert report["state"] == "finished"
    assert sum(report["counts"].values()) == PAPERS
    assert report["counts"]["failed"] == report["counts"]["pending"] == 0
    lost = round(report["indeterminate_usd"] * _PARTS)
    assert (report["calls"]["ok"], report["spend_nano_usd"] - lost) == (
        bill["charged"],
        bill["bill_nano_usd"],
    )
    assert bool(lost) == bool(report["lost_jobs"]), "what a killed function had drawn, and nothing else"
    assert bill["duplicates"] == 0
    assert played["dead"] == 1, "the poison alone"
    assert played["returned"] > 0
    assert played["calls_meanwhile"] == 0
    assert 0 < played["parked_at"] - lost / _PARTS <= played["lowered_to"]


@contextmanager
def prepared(built: Path, folder: Path) -> Iterator[Drill]:
    settings = ServerSettings(mode="canned", price_in="0.15", price_out="0.60", latency=LATENCY, sigma=0,
                              api_key="test-key")  # fmt: skip
    with (
        ministack(folder, warm=_WARM) as cloud,
        start(settings) as server,
        outage_proxy(int(cloud.endpoint.rpartition(":")[2])) as proxy,
    ):
        stack = deploy(
            cloud, built, BaseUrl=server.base_url, Model=MODEL, PriceIn="0.15", PriceOut="0.60",
            Workers=WORKERS, BatchPapers=BATCH, FunctionTimeout=FUNCTION_SECONDS,
            CallTimeout=CALL_SECONDS, MaxReceives=RECEIVES, Budget="1",
        )  # fmt: skip
        _reach_table_through(stack, proxy)
        yield Drill(stack, server, proxy, corpus(folder / "drill.jsonl", PAPERS), folder / "state")


def _reach_table_through(stack: Stack, proxy: OutageProxy) -> None:
    functions = stack.cloud.client("lambda")
    name = stack.outputs["ProcessFunctionName"]
    known = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    through = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{proxy.port}"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": known | through})


def main(arguments: list[str]) -> None:
    away = float(arguments[0]) if arguments else 600.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clone").mkdir()
        with prepared(build(folder / "clone"), folder) as drill:
            played = play(drill, away)
    print(json.dumps({key: value for key, value in played.items() if key not in ("report", "bill")}))
    for key in ("counts", "calls", "spend_nano_usd", "indeterminate_usd", "lost_jobs"):
        print(key, json.dumps(played["report"][key]))
    print("bill", json.dumps(played["bill"]))
    check(played)


if __name__ == "__main__":
    main(sys.argv[1:])
