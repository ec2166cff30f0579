"""What is wrong on AWS is said in a sentence that names the thing and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from handlers.adapters.aws.clients import aws_client, explained, read_secret
from handlers.adapters.aws.s3_store import S3Store
from handlers.adapters.aws.sqs_queue import SqsQueue
from handlers.adapters.dynamodb.return_reasons import DynamoDbReasons
from handlers.domain.result import Part
from handlers.errors import DamagedObjectError, PaperfleetError, UnavailableError, UsageError
from tests.builders.command import until
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of


@pytest.fixture
def secret(aws: LocalAws, tmp_path: Path) -> Iterator[str]:
    yield name_of(tmp_path)


@pytest.mark.parametrize("text", ["key-1", " key-1\n", '{"api_key": "key-1", "other": 2}'])
def test_a_secret_is_a_plain_string_or_a_field_of_an_object(aws: LocalAws, secret: str, text: str) -> None:
    aws.client("secretsmanager").create_secret(Name=secret, SecretString=text)
    assert read_secret(secret) == "key-1"


@pytest.mark.parametrize("text", ["{}", '{"key": "key-1"}', "{broken"])
def test_a_secret_without_a_key_is_named(aws: LocalAws, secret: str, text: str) -> None:
    aws.client("secretsmanager").create_secret(Name=secret, SecretString=text)
    with pytest.raises(UsageError, match=f"{secret}.*holds no key"):
        read_secret(secret)


def test_a_stacks_secret_that_nobody_has_filled_says_how(aws: LocalAws, secret: str) -> None:
    """As the template makes it: AWS tells it from a missing one in prose alone."""
    aws.client("secretsmanager").create_secret(Name=secret)
    with pytest.raises(UsageError, match=f"{secret}.*holds no key yet.*paperfleet stack --store-key"):
        read_secret(secret)


def test_a_missing_secret_is_named_with_its_setting(secret: str) -> None:
    with pytest.raises(UsageError, match=f"{secret}.*PAPERFLEET_API_KEY_SECRET"):
        read_secret(secret)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDeniedException", "no permission for dynamodb:UpdateItem.*policy"),
        ("ExpiredTokenException", "refuses the credentials"),
        ("ResourceNotFoundException", "table 't' does not exist in region us-east-1.*PAPERFLEET_TABLE"),
        ("PermanentRedirect", "not in region us-east-1"),
    ],
)
def test_an_sdk_error_names_thing_and_fix(aws: LocalAws, code: str, says: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, "UpdateItem")
    with pytest.raises(UsageError, match=says):
        raise explained(error, aws.client("dynamodb"), "table 't'", served=False)


def test_what_was_there_before_is_away_for_a_while_and_says_the_same(aws: LocalAws) -> None:
    error = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "UpdateItem")
    with pytest.raises(UnavailableError, match=r"no permission for dynamodb:UpdateItem.*policy"):
        raise explained(error, aws.client("dynamodb"), "table 't'", served=True)


def test_an_error_that_nobody_foresaw_is_no_usage_error(aws: LocalAws) -> None:
    error = ClientError({"Error": {"Code": "Strange", "Message": "no"}}, "UpdateItem")
    found = explained(error, aws.client("dynamodb"), "table 't'")
    assert isinstance(found, PaperfleetError) and not isinstance(found, UsageError)


def test_missing_credentials_say_how_to_log_in(aws: LocalAws) -> None:
    with pytest.raises(UsageError, match="AWS_PROFILE"):
        raise explained(NoCredentialsError(), aws.client("s3"), "bucket 'b'", served=False)


def test_a_missing_region_is_named(aws: LocalAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="AWS_REGION"):
        aws_client("dynamodb")


@pytest.mark.parametrize("default", [None, "eu-west-1"])
def test_a_region_is_read_as_aws_own_command_line_reads_it(
    monkeypatch: pytest.MonkeyPatch, default: str | None
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    if default is not None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", default)
    assert aws_client("sqs").meta.region_name == "eu-west-3"


def test_a_part_of_other_content_under_the_same_name_is_refused(aws: LocalAws, tmp_path: Path) -> None:
    store = S3Store(aws.client("s3"), aws.bucket(name_of(tmp_path)))
    store.write_parts("job", [Part("r", "b1/1-job-1", (b"one\n",))])
    with pytest.raises(PaperfleetError, match="PreconditionFailed"):
        store.write_parts("job", [Part("r", "b1/1-job-1", (b"two\n",))])
    store.close()


def test_a_part_that_is_no_gzip_is_named(aws: LocalAws, tmp_path: Path) -> None:
    bucket = aws.bucket(name_of(tmp_path))
    aws.client("s3").put_object(Bucket=bucket, Key="runs/r/results/b/1.jsonl.gz", Body=b"plain")
    store = S3Store(aws.client("s3"), bucket)
    with pytest.raises(DamagedObjectError, match=r"b/1\.jsonl\.gz is no gzip"):
        store.read("runs/r/results/b/1.jsonl.gz", 0, 5)
    store.close()


def test_lines_of_an_object_larger_than_a_chunk_are_whole(aws: LocalAws, tmp_path: Path) -> None:
    line = b"x" * 999 + b"\n"
    path = tmp_path / "large"
    path.write_bytes(line * 9000 + b"the end")
    store = S3Store(aws.client("s3"), aws.bucket(name_of(tmp_path)))
    store.put_file("corpora/large.index", path)
    found = list(store.lines("corpora/large.index"))
    assert (len(found), set(found)) == (9001, {line, b"the end"})
    store.close()


def test_a_message_goes_back_though_the_table_takes_no_reason(aws: LocalAws, tmp_path: Path) -> None:
    """As where the role may not write to it: the message must become a dead letter all the same."""
    sqs, clock = aws.client("sqs"), FakeClock()
    url, dead_url = aws.queues(name_of(tmp_path), max_receives=1)
    refusing = DynamoDbReasons(aws.client("dynamodb"), "no-such-table", clock)
    queue = SqsQueue(sqs, url, dead_url, refusing, clock, long_poll=0)
    queue.send([("b1", "body")])
    (message,) = queue.receive(limit=1, visibility=900)
    queue.release(message.receipt, delay=0, reason="UsageError: no permission", body=message.body)
    until(lambda: queue.receive(limit=1, visibility=900) == [] and queue.counts().dead == 1)
