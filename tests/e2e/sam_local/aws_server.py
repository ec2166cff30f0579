"""A local AWS at an address of this machine, with what template.yaml would make in it.

``python -m tests.e2e.sam_local.aws_server ADDRESS``: one line of JSON when all is there, the endpoint and the
functions' variables; ends with its standard input. It runs in whatever environment has moto.
"""

from __future__ import annotations

import json
import sys

from tests.builders.local_aws import moto_server
from tests.e2e.environments import ROOT

_CORPUS = ROOT / "handlers" / "corpus" / "sample.jsonl"
_UPLOAD = ROOT / "events" / "upload.json"


def main(address: str) -> None:
    with moto_server(address) as aws:
        stack = aws.stack("paperfleet")
        key = json.loads(_UPLOAD.read_text())["detail"]["object"]["key"]
        aws.client("s3").put_object(Bucket=stack.bucket, Key=key, Body=_CORPUS.read_bytes())
        print(json.dumps(aws.environment | stack.settings()), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
