"""What a job takes of a declared limit before it has heard of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.bootstrap import wiring
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.limiter import Limiter
from handlers.llm.limits.token_bucket import TokenBucket
from handlers.pipeline.heartbeat import Heartbeat
from tests.builders.bench import GOOD, Bench
from tests.builders.cloudformation import of_type, template
from tests.builders.own_process import own_process
from tests.builders.values import RUN, job

RATE = 100.0


@pytest.fixture
def process(tmp_path: Path) -> Iterator[None]:
    """One that starts jobs of a fleet of twenty under a declared limit, as a Lambda sandbox does."""
    settings = {"STATE": str(tmp_path), "RUN_ID": RUN, "JOBS": "20", "RPM": str(60 * RATE)}
    with own_process({f"PAPERFLEET_{name}": value for name, value in settings.items()}):
        yield


def _rate(limiter: Limiter) -> float:
    bucket = limiter._admission._requests
    assert bucket is not None
    return bucket.rate


def test_a_first_job_and_one_in_a_thawed_process_take_the_share_of_a_whole_fleet(
    process: None,
) -> None:
    limiter = wiring._kept()[1]
    wiring.new_job("first").close("finished")
    assert _rate(limiter) == RATE / 20
    limiter.set_share(1)  # as a heartbeat does that finds itself alone
    wiring.new_job("second").close("finished")
    assert _rate(limiter) == RATE / 20, "others may have come while the process was frozen"


def test_a_heartbeat_leaves_their_parts_to_jobs_that_are_still_to_come(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    now, bucket = bench.clock.now(), TokenBucket(rate=RATE, burst=RATE)
    bench.job.limiter = Limiter(AimdLimit(ceiling=4), bench.clock, requests=bucket)
    bench.ledger.start_job(job("other", heartbeat_at=now))
    heartbeat = Heartbeat(bench.job.backend, list, fleet=5)
    try:
        for seconds, share in ((0.0, 5), (9.0, 5), (2.0, 2)):
            bench.clock.advance(seconds)
            bench.ledger.beat(
                RUN, "j", at=bench.clock.now(), stats=bench.context.meter.snapshot(bench.job.limiter)
            )
            heartbeat._look_all([bench.context])
            assert bucket.rate == RATE / share, seconds
        for number in range(6):
            bench.ledger.start_job(job(f"late-{number}", heartbeat_at=bench.clock.now()))
        heartbeat._look_all([bench.context])
        assert bucket.rate == RATE / 8
    finally:
        heartbeat.close()


def test_the_stack_tells_an_invocation_how_many_there_may_be() -> None:
    functions = of_type(template("template.yaml"), "AWS::Serverless::Function")
    variables = functions["ProcessFunction"]["Environment"]["Variables"]
    concurrency = functions["ProcessFunction"]["Events"]["Batches"]["Properties"]["ScalingConfig"]
    text = {"Fn::Sub": ["${Jobs}", {"Jobs": concurrency["MaximumConcurrency"]}]}
    assert variables["PAPERFLEET_JOBS"] == text, "a variable is a string"
