"""A bucket that says for half a minute that another write is under way: the part is written all the same."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from handlers.adapters.aws import clients
from handlers.adapters.aws.retries import PATIENCE, Retries
from handlers.adapters.aws.s3_store import S3Store
from handlers.domain.result import Part
from handlers.errors import UnavailableError
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, answered_here, name_of

_CONFLICT = b"<Error><Code>ConditionalRequestConflict</Code><Message>under way</Message></Error>"


class Bucket:
    """Its first ``seconds`` are full of conflicts; the clock goes on by what is slept alone."""

    def __init__(self, aws: LocalAws, folder: Path, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.waits, self._seconds = FakeClock(start=0), list[float](), seconds
        hurried = partial(Retries, now=self.clock.monotonic, chance=lambda: 0.999)
        monkeypatch.setattr(clients, "Retries", hurried)
        client = clients.aws_client("s3", path_style=True)
        client.meta.events.register("before-send", self._answer)
        answered_here(client, aws.wire)
        self._began = self.clock.monotonic()
        monkeypatch.setattr(time, "sleep", self._sleep)
        self.store = S3Store(client, aws.bucket(name_of(folder)))

    def _answer(self, request: Any, **_: Any) -> AWSResponse | None:
        if self.clock.monotonic() - self._began >= self._seconds:
            return None
        return AWSResponse(request.url, 409, {}, MockRawResponse(_CONFLICT))

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(seconds)


def test_a_part_is_written_after_half_a_minute_of_conflicts(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(aws, tmp_path, 30, monkeypatch)
    ((pointer,),) = bucket.store.write_parts("job", [Part("r", "b1/1-job-1", (b"line\n",))])
    assert bucket.store.read(pointer.key, 0, 5) == b"line\n"
    assert 30 <= sum(bucket.waits) <= 35
    assert bucket.waits == sorted(bucket.waits)
    assert max(bucket.waits) <= 5


def test_conflicts_without_an_end_are_an_outage_that_others_wait_out(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(aws, tmp_path, 10_000, monkeypatch)
    with pytest.raises(UnavailableError):
        bucket.store.write_parts("job", [Part("r", "b1/1-job-1", (b"line\n",))])
    assert PATIENCE - 5 <= sum(bucket.waits) <= PATIENCE + 5
