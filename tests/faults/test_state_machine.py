"""Whatever happens in whatever order, the promises hold after every step; and the work can be finished."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings

from handlers.adapters.aws.s3_store import S3Store
from handlers.adapters.aws.sqs_queue import SqsQueue
from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.adapters.dynamodb.return_reasons import DynamoDbReasons
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, moto_server, name_of
from tests.builders.paragraph_task import ParagraphTask
from tests.faults.promise_machine import Promises
from tests.faults.stories import EVERYWHERE


class PromisesOnAws(Promises):
    """The same over DynamoDB, SQS and S3."""

    aws: ClassVar[LocalAws]
    clocks: ClassVar[list[Callable[[], float]]] = []

    def adapters(self, folder: Path, clock: FakeClock) -> dict[str, Any]:
        self.clocks[:] = [clock.now]
        name = name_of(folder)
        dynamodb, sqs, s3 = (self.aws.client(service) for service in ("dynamodb", "sqs", "s3"))
        ledger = DynamoDbLedger(dynamodb, self.aws.table(name), clock)

        def queue_of(run: str) -> SqsQueue:
            reasons = DynamoDbReasons(dynamodb, self.aws.table(name), clock)
            url, dead_url = self.aws.queues(f"{name}-{run}", max_receives=3)
            return SqsQueue(sqs, url, dead_url, reasons, clock, long_poll=0)

        return {"ledger": ledger, "store": S3Store(s3, self.aws.bucket(name)), "queue_of": queue_of}


class PromisesOfPassages(Promises):
    """The same with whole papers, which are worked on by their passages."""

    corpus: ClassVar[dict[str, Any]] = {"papers": 3, "paragraphs": 3, "task_of": ParagraphTask}


class PromisesOfBodies(Promises):
    """With what translates them."""

    corpus: ClassVar[dict[str, Any]] = {"papers": 2, "paragraphs": 3}


TestPromises = Promises.TestCase
TestPromises.settings = settings(EVERYWHERE, max_examples=10, stateful_step_count=30)


TestPromisesOfPassages = PromisesOfPassages.TestCase
TestPromisesOfPassages.settings = settings(EVERYWHERE, max_examples=4, stateful_step_count=20)


@pytest.mark.slow
class TestManyStoriesOfPassages(PromisesOfPassages.TestCase):
    settings = settings(EVERYWHERE, max_examples=60, stateful_step_count=40)


@pytest.mark.slow
class TestManyStoriesOfBodies(PromisesOfBodies.TestCase):
    settings = settings(EVERYWHERE, max_examples=20, stateful_step_count=30)


@pytest.mark.slow
class TestManyStories(Promises.TestCase):
    settings = settings(EVERYWHERE, max_examples=120, stateful_step_count=50)


class PassagesOnAws(PromisesOnAws):
    corpus = PromisesOfPassages.corpus


@pytest.fixture(scope="class")
def emulator() -> Iterator[None]:
    """Whose time is the test's."""
    ticks = itertools.count()
    patch = pytest.MonkeyPatch()
    with moto_server() as aws:
        PromisesOnAws.aws = aws

        def now() -> float:
            return PromisesOnAws.clocks[0]() if PromisesOnAws.clocks else 0.0

        patch.setattr("moto.sqs.models.unix_time", now)
        patch.setattr("moto.sqs.models.unix_time_millis", lambda: 1000 * now() + next(ticks) / 1000)
        yield
        patch.undo()


@pytest.mark.slow
@pytest.mark.usefixtures("emulator")
class TestPromisesOnAws(PromisesOnAws.TestCase):
    settings = settings(EVERYWHERE, max_examples=6, stateful_step_count=15)


@pytest.mark.slow
@pytest.mark.usefixtures("emulator")
class TestPassagesOnAws(PassagesOnAws.TestCase):
    settings = settings(EVERYWHERE, max_examples=4, stateful_step_count=15)
