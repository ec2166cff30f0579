"""A table that refuses every Query for long: heartbeats go on, and nobody is taken for dead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.domain.job import JobStats
from handlers.errors import UnavailableError
from handlers.pipeline.heartbeat import Heartbeat
from handlers.runs.watch import DEAD_AFTER
from tests.builders import values
from tests.builders.bench import GOOD, Bench
from tests.builders.local_aws import LocalAws, name_of
from tests.builders.values import RUN


@pytest.fixture
def unseen(aws: LocalAws) -> Iterator[LocalAws]:
    yield aws
    aws.wire.refuses = lambda _operation: False


def test_ten_of_ten_beats_are_heard(unseen: LocalAws, tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    ledger = DynamoDbLedger(unseen.client("dynamodb"), unseen.table(name_of(tmp_path)), bench.clock)
    ledger.create_run(values.run_record())
    ledger.start_job(values.job("j", heartbeat_at=bench.clock.now()))
    heartbeat = Heartbeat(replace(bench.job.backend, ledger=ledger), list)
    heartbeat.close()
    unseen.wire.refuses = lambda operation: operation == "Query"
    for _ in range(10):
        bench.clock.advance(DEAD_AFTER / 2)
        heartbeat._report_all([bench.context])
        with pytest.raises(UnavailableError):
            heartbeat._look_all([bench.context])
    unseen.wire.refuses = lambda _operation: False
    (job,) = ledger.jobs(RUN)
    assert (job.heartbeat_at, job.ended_at) == (bench.clock.now(), None)
    assert ledger.beat(RUN, "j", at=bench.clock.now(), stats=JobStats())
    assert not bench.stop.draining
    ledger.close()
