"""What the table is asked for a paper, by operation and kind of item: each request is billed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of
from tests.builders.values import RUN, call, commit, entry

PAPERS = [f"p{number}" for number in range(8)]
A_PAPER = {
    ("BatchGetItem", "PAPER", True): 1,
    ("BatchGetItem", "FP", True): 1,
    ("BatchGetItem", "FP", False): 2,
    ("PutItem", "PAPER", True): 1,
    ("UpdateItem", "FP", True): 1,
}
"""Whether reads are consistent, which costs twice as much: the paper's outcome, the name of its result, two
names of earlier releases; its outcome and its result's name are written."""
A_BATCH = {
    ("UpdateItem", "BATCH", True): 3,  # leased, counted, finished
    ("UpdateItem", "TALLY", True): 1,
    ("PutItem", "CALLS", True): 1,
    ("GetItem", "TALLY", True): 1,  # once a job, as the next
    ("Query", "CALLS", True): 1,
}


def test_a_paper_takes_so_many_requests_and_no_more(aws: LocalAws, tmp_path: Path) -> None:
    asked: Counter[tuple[str, str, bool]] = Counter()
    client = aws.client("dynamodb")
    ledger = DynamoDbLedger(client, aws.table(name_of(tmp_path)), FakeClock())
    ledger.add_batches([values.batch("b1", PAPERS)])
    ledger.create_run(values.run_record())
    ledger.start_job(values.job("job-a"))

    def heard(params: dict[str, Any], model: Any, **_: Any) -> None:
        asked.update(_kinds(model.name, params))

    client.meta.events.register("provide-client-params.dynamodb.*", heard)
    assert ledger.lease(RUN, "b1", "job-a", now=0, ttl=60) == 1
    ledger.paper_rows(RUN, PAPERS)
    ledger.reusable([f"name-of-{paper}" for paper in PAPERS])
    ledger.reusable([f"{old}-{paper}" for paper in PAPERS for old in ("old", "older")], earlier=True)
    entries = [entry(paper, fingerprint=f"name-of-{paper}") for paper in PAPERS]
    ledger.commit([commit(*entries, job="job-a", calls=[call(cost=10)])])
    assert ledger.finish_batch(RUN, "b1", now=9)
    client.meta.events.unregister("provide-client-params.dynamodb.*", heard)
    assert asked == Counter({kind: many * len(PAPERS) for kind, many in A_PAPER.items()} | A_BATCH)


def _kinds(operation: str, params: dict[str, Any]) -> list[tuple[str, str, bool]]:
    values = params.get("ExpressionAttributeValues", {})
    one = params.get("Key") or params.get("Item") or {"sk": values.get(":prefix")}
    requests = [*params.get("RequestItems", {}).values()] or [{"Keys": [one]}]
    return [
        (operation, key["sk"]["S"].split("#")[0], request.get("ConsistentRead", True))
        for request in requests
        for key in request["Keys"]
    ]
