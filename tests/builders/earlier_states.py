"""States that an earlier version left behind, stored under ``tests/data/earlier/``: made and brought back.

``python -m tests.builders.earlier_states PAPERFLEET NAME`` makes them with that version's command, as files
``NAME-state-killed.json`` and so on.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, corpus, lines, until
from tests.builders.ended_process import ending
from tests.builders.local_aws import ENVIRONMENT, LocalAws, Stack, moto_server
from tests.builders.warm import start
from tests.builders.wire import WireServer, always, error, response

FOLDER = Path(__file__).parents[1] / "data" / "earlier"
MODEL = "paperfleet-canned"
SERVER = ServerSettings(mode="canned", price_in="0.15", price_out="0.60", sigma=0)
_STACK = "earlier"
_FEW = 500_000
"""nano-USD that the account has left for a few papers."""

Sample = dict[str, Any]


def load(name: str) -> Sample:
    sample: Sample = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return sample


# Bringing back


def restore_folder(sample: Sample, folder: Path) -> None:
    """Write the state folder's files; databases are made again from their SQL."""
    for name, text in sample["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, statements in sample["databases"].items():
        with closing(sqlite3.connect(folder / name)) as database:
            database.executescript("\n".join(statements))


def restore_stack(sample: Sample, aws: LocalAws, stack: Stack) -> None:
    """Put the items, objects and messages into a stack that is empty."""
    dynamodb, s3, sqs = (aws.client(service) for service in ("dynamodb", "s3", "sqs"))
    for item in sample["items"]:
        dynamodb.put_item(TableName=stack.table, Item=_item_from_text(item))
    for key, text in sample["objects"].items():
        s3.put_object(Bucket=stack.bucket, Key=key, Body=_bytes(text))
    for body in sample["messages"]:
        sqs.send_message(QueueUrl=stack.queue_url, MessageBody=body)


def write_source(sample: Sample, path: Path) -> Path:
    path.write_text(sample["source"], encoding="utf-8")
    return path


# Making


def make(command: str, name: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="paperfleet-") as folder:
        source = _source(Path(folder) / "papers.jsonl")
        _Maker(command, name, Path(folder), source).folder()
    with tempfile.TemporaryDirectory(prefix="paperfleet-") as folder, moto_server() as aws:
        source = _source(Path(folder) / "papers.jsonl")
        _Maker(command, name, Path(folder), source, aws).stack()


def _source(path: Path) -> Path:
    """Twelve papers, one of the same text as another, one in English, one whose licence forbids
    derivatives."""
    corpus(path, 12)
    papers = lines(path)
    papers[3] = {**papers[7], "id": "twin"}
    papers[5] = {
        "id": "english",
        "title": "An English title",
        "abstract": "In English. " * 40,
        "language": "en",
    }
    papers[9]["license"] = "CC BY-ND 4.0"
    path.write_text("".join(json.dumps(paper, ensure_ascii=False) + "\n" for paper in papers))
    return path


class _Maker:
    def __init__(
        self, command: str, name: str, folder: Path, source: Path, aws: LocalAws | None = None
    ) -> None:
        self._command, self._name, self._source = command, name, source
        self._state = folder / "state"
        self._aws = aws
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PAPERFLEET_")}
        self._environment = kept | {"PAPERFLEET_API_KEY": "test-key"}
        if aws is not None:
            self._fleet = aws.stack(_STACK)
            self._environment |= ENVIRONMENT | {"AWS_ENDPOINT_URL": aws.endpoint} | self._fleet.settings()

    def folder(self) -> None:
        with start(SERVER) as server:
            flags = [
                "run",
                self._source,
                "--batch-papers",
                4,
                "--budget",
                1,
                *self._flags(server),
                "--model",
                MODEL,
            ]
            self._a_flagged_and_a_failed_paper(flags, server)
            self._a_killed_session(flags, server)
            self._keep("state-killed", server)
            self._credit_for_few_more(server)
            parked = self._run(*flags, "--workers", 1)
            assert parked["state"] == "parked", parked
            self._keep("state-parked", server)

    def stack(self) -> None:
        shard = ["shard", self._source, "--batch-papers", 4, "--budget", 1, *self._where(), "--model", MODEL]
        with start(SERVER) as server:
            flags = ["work", *self._flags(server)]
            self._run(*shard)
            self._a_flagged_and_a_failed_paper(flags, server)
            self._a_killed_session(flags, server)
            self._keep("stack-killed", server)
            self._credit_for_few_more(server)
            self._run("resume", *self._where())
            parked = self._run(*flags, "--workers", 1)
            assert parked["state"] == "parked", parked
            self._keep("stack-parked", server)

    def _where(self) -> list[object]:
        return ["--state", self._state, "--run-id", "r"]

    def _flags(self, server: RunningServer) -> list[object]:
        shape = ["--jobs", 1, "--max-failed", "100%", "--json"]
        return [*self._where(), "--base-url", server.base_url, *PRICES, *shape]

    def _a_flagged_and_a_failed_paper(self, flags: list[object], server: RunningServer) -> None:
        server.control(wrong_numbers=1.0)
        self._run(*flags, "--limit", 1, "--workers", 1)
        server.control(wrong_numbers=0.0)
        with WireServer(always(response(400, error("no such field", code="bad_request")))) as refusing:
            self._run(*flags, "--base-url", refusing.url, "--limit", 1, "--workers", 1)
        counts = self._run("report", *self._where(), "--json")["counts"]
        assert counts["flagged"] and counts["failed"], counts

    def _a_killed_session(self, flags: list[object], server: RunningServer) -> None:
        """``kill -9`` of parent and job with calls in flight."""
        before = server.stats()["delivered"]
        server.control(latency=3.0)
        words = self._words([*flags, "--workers", 2])
        with ending(words, env=self._environment, start_new_session=True) as process:
            until(lambda: server.stats()["delivered"] >= before + 2 and server.stats()["in_flight"] == 2)
            until(lambda: self._done() >= 2)
            os.killpg(process.pid, signal.SIGKILL)
        server.control(latency=0.0)
        until(lambda: server.stats()["in_flight"] == 0)

    def _credit_for_few_more(self, server: RunningServer) -> None:
        server.control(credit_usd=(server.stats()["bill_nano_usd"] + _FEW) / 1e9)

    def _done(self) -> int:
        done: int = self._run("report", *self._where(), "--json")["counts"]["done"]
        return done

    def _run(self, *arguments: object) -> dict[str, Any]:
        ran = subprocess.run(self._words(arguments), env=self._environment, capture_output=True, text=True)
        assert ran.returncode in (0, 3, 4), ran.stderr
        report: dict[str, Any] = json.loads(ran.stdout) if ran.stdout.startswith("{") else {}
        return report

    def _words(self, arguments: Any) -> list[str]:
        return [self._command, *map(str, arguments)]

    def _keep(self, kind: str, server: RunningServer) -> None:
        output = self._state.parent / "results.jsonl"
        self._run("export", *self._where(), "--output", output)
        sample = {
            "source": self._source.read_text(encoding="utf-8"),
            "report": self._run("report", *self._where(), "--json"),
            "export": output.read_text(encoding="utf-8"),
            "bill_nano_usd": server.stats()["bill_nano_usd"],
            **(self._folder_contents() if self._aws is None else self._stack_contents(self._aws)),
        }
        text = json.dumps(sample, ensure_ascii=False, indent=0)
        text = re.sub(rf"\b{re.escape(platform.node())}(?=:\d+:)", "host-a", text)
        text = text.replace(str(self._state.parent), "/papers")
        (FOLDER / f"{self._name}-{kind}.json").write_text(text + "\n", encoding="utf-8")

    def _folder_contents(self) -> Sample:
        """Without what a command writes anew: reports, the jobs' logs."""
        paths = [path for path in sorted(self._state.rglob("*")) if path.is_file()]
        paths = [path for path in paths if path.stem != "report" and path.suffix != ".log"]
        names = {path: str(path.relative_to(self._state)) for path in paths}
        return {
            "files": {
                names[path]: path.read_text(encoding="utf-8") for path in paths if ".sqlite3" not in path.name
            },
            "databases": {names[path]: _statements(path) for path in paths if path.suffix == ".sqlite3"},
        }

    def _stack_contents(self, aws: LocalAws) -> Sample:
        dynamodb, s3, stack = aws.client("dynamodb"), aws.client("s3"), self._fleet
        listed = s3.list_objects_v2(Bucket=stack.bucket)["Contents"]
        objects = {
            each["Key"]: s3.get_object(Bucket=stack.bucket, Key=each["Key"])["Body"].read() for each in listed
        }
        items = dynamodb.scan(TableName=stack.table)["Items"]
        items.sort(key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
        return {
            "items": [_item_to_text(item) for item in items],
            "objects": {key: _text(body) for key, body in objects.items()},
            "messages": self._messages(aws, stack.queue_url),
        }

    def _messages(self, aws: LocalAws, url: str) -> list[str]:
        """Bodies of the queue's messages, which go on lying there."""
        sqs = aws.client("sqs")
        bodies = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in found]
        return sorted(bodies)


def _statements(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        return [*database.iterdump(), f"PRAGMA user_version={version};"]


def _text(body: bytes) -> dict[str, str]:
    """As JSON holds it: what is no text in base64."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _bytes(held: dict[str, str]) -> bytes:
    return held["text"].encode() if "text" in held else base64.b64decode(held["base64"])


def _item_to_text(item: dict[str, Any]) -> dict[str, Any]:
    """As JSON holds it: bytes in base64."""
    return {name: _value(value, lambda raw: base64.b64encode(raw).decode()) for name, value in item.items()}


def _item_from_text(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value, base64.b64decode) for name, value in item.items()}


def _value(value: dict[str, Any], binary: Any) -> dict[str, Any]:
    ((kind, content),) = value.items()
    return {kind: binary(content) if kind == "B" else content}


if __name__ == "__main__":
    make(*sys.argv[1:3])
