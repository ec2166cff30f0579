"""Every function invoked with every event by ``sam local invoke``; the ledger held against the bill."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from handlers.model_server import RunningServer, ServerSettings, start
from tests.e2e.artifact import OVERRIDES, sam_environment
from tests.e2e.environments import ROOT, environment
from tests.e2e.sam_local.engine import CannotError
from tests.e2e.sam_local.events import CASES, Case, trouble

_PRICES = {"price_in": "0.15", "price_out": "0.60"}
_MODEL = "paperfleet-gloss"
_SHOWN = 600
"""Characters of an answer that are shown."""
_HOST = "host.docker.internal"
"""This machine, as containers of engines in a virtual machine call it."""


@dataclass(frozen=True)
class Prepared:
    """What was made before: paths as text, for it goes to a process in the engine's namespaces."""

    work: str
    built: str
    """Folder of ``sam build``."""
    sam: str
    image: str | None
    """Folder of the own image; None takes AWS's."""
    engine: str | None
    """Folder of the own engine; None takes the machine's."""
    started: float


def say(prepared: Prepared, text: str) -> None:
    print(f"\n=== {text}  [{time.time() - prepared.started:.0f} s]", flush=True)


def aws_python() -> Path:
    """A Python that has moto: this one, if the tests' libraries are there."""
    if find_spec("moto") is not None:
        return Path(sys.executable)
    return environment("moto", f"-c {ROOT}/.ci/constraints.txt moto[dynamodb,s3,server,sqs]") / "python"


def invoke_all(prepared: Prepared, image: str | None) -> int:
    """How many things are not as they should be; each is printed."""
    address = _address(prepared)
    with _local_aws(address or "127.0.0.1") as variables, _model(address or "127.0.0.1") as model:
        _shard(prepared, variables)
        say(prepared, "the sample's batches wait; each function with each event of events/")
        options = sam_options(prepared, _seen(variables, address), _seen_url(model.base_url, address), image)
        failed = sum(_invoke(prepared, case, options) for case in CASES)
        say(prepared, "what the model server billed, and what the ledger has")
        bill = int(model.stats()["bill_nano_usd"])
        spent = int(_paperfleet(variables, "report", "--run-id", "sample", "--json")["spend_nano_usd"])
        print(f"bill {bill}, ledger {spent} nano-USD: {'equal' if bill == spent else 'NOT EQUAL'}")
        return failed + (bill != spent or not bill)


def _address(prepared: Prepared) -> str | None:
    """Of this machine on the containers' network; None where it is the engine's own (Docker Desktop)."""
    told = ["docker", "network", "inspect", "bridge", "-f", "{{json .IPAM.Config}}"]
    done = subprocess.run(told, capture_output=True, text=True)
    for network in json.loads(done.stdout or "null") or []:
        # A bridge that has just been made tells no gateway: it is the first address.
        address = network.get("Gateway") or str(ip_network(network["Subnet"])[1])
        with suppress(OSError), socket.create_server((address, 0)):
            return address
    if prepared.engine is not None:
        raise CannotError(f"containers have no way to this machine: {done.stdout}{done.stderr}")
    return None


def _seen_url(url: str, address: str | None) -> str:
    return url if address else url.replace("127.0.0.1", _HOST)


def _seen(variables: Mapping[str, str], address: str | None) -> dict[str, str]:
    """The variables as a container may use them."""
    return {name: _seen_url(value, address) for name, value in variables.items()}


@contextmanager
def _local_aws(address: str) -> Iterator[dict[str, str]]:
    command = [aws_python(), "-m", "tests.e2e.sam_local.aws_server", address]
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the local AWS has not started, for the reasons above")
        try:
            yield json.loads(line)
        finally:
            process.communicate()


def _model(address: str) -> RunningServer:
    return start(ServerSettings(host=address, **_PRICES))


def _paperfleet(variables: Mapping[str, str], *arguments: str) -> Any:
    """A command's JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "handlers.cli", *arguments],
        env=sam_environment() | dict(variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"paperfleet {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


def _shard(prepared: Prepared, variables: Mapping[str, str]) -> None:
    """The run that process.json, shard.json and report.json are of, and what shard-task.json asks for: its
    corpus and its task in the bucket."""
    source = str(ROOT / "handlers" / "corpus" / "sample.jsonl")
    state = f"{prepared.work}/state"
    flags = ("--model", _MODEL, "--state", state)
    _paperfleet(variables, "shard", source, "--run-id", "sample", *flags)
    task = str(ROOT / "events" / "subject.toml")
    _paperfleet(variables, "shard", source, "--run-id", "its-corpus", "--task", task, *flags)


def sam_options(
    prepared: Prepared, variables: Mapping[str, str], base_url: str, image: str | None
) -> list[str]:
    """Of each ``sam local invoke``: SAM passes on what the template declares, from this file or its own
    environment, and drops the rest."""
    given = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
    given |= {"AWS_ENDPOINT_URL": variables["AWS_ENDPOINT_URL"], "PAPERFLEET_API_KEY": "none"}
    file = Path(prepared.work) / "variables.json"
    file.write_text(json.dumps({"Parameters": given}))
    values = [*OVERRIDES.split(), f"BaseUrl={base_url}", f"Model={_MODEL}", "PriceIn=0.15", "PriceOut=0.60"]
    options = ["--template", f"{prepared.built}/template.yaml", "--env-vars", str(file), "--skip-pull-image"]
    options += ["--layer-cache-basedir", f"{prepared.work}/layers", "--parameter-overrides", " ".join(values)]
    return options + (["--invoke-image", image] if image else [])


def _invoke(prepared: Prepared, case: Case, options: list[str]) -> bool:
    """True where the answer is an error or another one than the event's."""
    say(prepared, f"sam local invoke {case.function} -e events/{case.event}.json")
    event = ROOT / "events" / f"{case.event}.json"
    done = subprocess.run(
        [prepared.sam, "local", "invoke", case.function, "-e", str(event), *options],
        env=sam_environment()
        | {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
        | {"AWS_SESSION_TOKEN": "test", "__SAM_CLI_APP_DIR": f"{prepared.work}/sam"},
        cwd=prepared.work,
        capture_output=True,
        text=True,
        timeout=600,
    )
    *logged, last = done.stdout.strip().splitlines() or [""]
    log = Path(prepared.work) / f"{case.event}.log"
    log.write_text("\n".join([done.stderr, *logged]))
    print(last[:_SHOWN] + ("..." if len(last) > _SHOWN else ""), flush=True)
    wrong = trouble(case, last)
    if wrong:
        print(f"NOT AS IT SHOULD BE: {wrong}; {log} ends with\n{log.read_text()[-3000:]}", flush=True)
    return wrong is not None
