"""``make local-aws``: a corpus through SQS, DynamoDB and S3 of moto's server; nothing is deployed.

python -m tests.e2e.local_aws_run [SOURCE]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from handlers.model_server import ServerSettings, start
from tests.builders.local_aws import moto_server
from tests.e2e.environments import ROOT

_PRICES = ("--price-in", "0.15", "--price-out", "0.60")


def main(source: str) -> int:
    """Exit code of the last command."""
    with moto_server() as aws, start(ServerSettings(price_in="0.15", price_out="0.60", latency=0.2)) as model:
        environment = dict(os.environ) | aws.stack("paperfleet").settings() | {"PAPERFLEET_API_KEY": "none"}
        with tempfile.TemporaryDirectory() as state:
            for command in (
                ["shard", source, "--run-id", "local", "--model", "paperfleet-gloss", "--state", state],
                ["work", "--run-id", "local", "--base-url", model.base_url, *_PRICES, "--state", state],
                ["report", "--run-id", "local"],
                ["export", "--run-id", "local", "--output", str(Path(state) / "results.jsonl")],
            ):
                sys.stdout.write(f"$ paperfleet {' '.join(command)}\n")
                sys.stdout.flush()
                code = subprocess.run(
                    [sys.executable, "-m", "handlers.cli", *command], env=environment
                ).returncode
                if code not in (0, 3):
                    return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "handlers" / "corpus" / "sample.jsonl")))
