"""Which of the SDK's errors is what: each of its classes, and each code that AWS documents for a refusal."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from botocore import exceptions as sdk

from handlers.adapters.aws.outages import AWAY, ServiceReach, Verdict, verdict
from handlers.adapters.aws.retries import Retries
from tests.builders.fakes import FakeClock

PASSING = {
    "CapacityNotAvailableError", "ChecksumError", "ConnectionClosedError", "ConnectionError",
    "FlexibleChecksumError", "HTTPClientError", "IncompleteReadError", "ReadTimeoutError",
    "ResponseStreamingError",
}  # fmt: skip
"""Somebody answered, and the answer did not arrive whole: no setting does that."""
SETTINGS = {
    "BaseEndpointResolverError", "ConfigNotFound", "ConfigParseError", "ConnectTimeoutError",
    "CredentialRetrievalError", "EndpointConnectionError", "EndpointProviderError", "EndpointResolutionError",
    "EndpointVariantError", "InfiniteLoopConfigError", "InvalidConfigError", "InvalidDefaultsMode",
    "InvalidEndpointConfigurationError", "InvalidIMDSEndpointError", "InvalidIMDSEndpointModeError",
    "InvalidMaxRetryAttemptsError", "InvalidProxiesConfigError", "InvalidRegionError",
    "InvalidRetryConfigurationError", "InvalidRetryModeError", "LoginAuthorizationCodeError", "LoginError",
    "LoginInsufficientPermissions", "LoginRefreshRequired", "LoginTokenLoadError", "MetadataRetrievalError",
    "MissingDependencyException", "NoAuthTokenError", "NoCredentialsError", "NoRegionError",
    "PartialCredentialsError", "ProfileNotFound", "ProxyConnectionError", "RefreshWithMFAUnsupportedError",
    "SSLError", "SSOError", "SSOTokenLoadError", "ServiceNotInRegionError", "TokenRetrievalError",
    "UnauthorizedSSOTokenError", "UnknownCredentialError", "UnknownEndpointError",
    "UnknownEndpointResolutionBuiltInName", "UnknownFIPSEndpointError", "UnknownRegionError",
    "UnknownTokenProviderError",
}  # fmt: skip
"""Of this machine, or taken for one until the service has answered."""
FETCHED_AGAIN = {"CredentialRetrievalError", "MetadataRetrievalError", "TokenRetrievalError"}
"""Of ``SETTINGS``: no setting for the first 20 s."""
CLASSES = {
    name: kind
    for name, kind in vars(sdk).items()
    if inspect.isclass(kind) and issubclass(kind, sdk.BotoCoreError)
}


def raised(name: str) -> Exception:
    """An error of that class, whatever its constructor wants."""
    return CLASSES[name].__new__(CLASSES[name])


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_of_the_sdk_is_a_setting_an_outage_or_a_fault(name: str) -> None:
    first: Verdict = "setting" if name in SETTINGS else "outage" if name in PASSING else "fault"
    later: Verdict = "fault" if first == "fault" else "outage"
    assert verdict(raised(name), served=False) == first
    assert verdict(raised(name), served=True) == later


def test_the_table_names_classes_that_there_are() -> None:
    assert set(CLASSES) >= SETTINGS | PASSING


@pytest.mark.parametrize(
    ("code", "status", "first", "later"),
    [
        ("AccessDeniedException", 400, "setting", "outage"),
        ("AccessDenied", 403, "setting", "outage"),
        ("403", 403, "setting", "outage"),
        ("KmsAccessDenied", 400, "setting", "outage"),
        ("InvalidClientTokenId", 403, "setting", "outage"),
        ("SignatureDoesNotMatch", 403, "setting", "outage"),
        ("RequestTimeTooSkewed", 403, "setting", "outage"),
        ("ExpiredTokenException", 400, "setting", "outage"),
        ("ResourceNotFoundException", 400, "setting", "outage"),
        ("NoSuchBucket", 404, "setting", "outage"),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, "setting", "outage"),
        ("QueueDoesNotExist", 400, "setting", "outage"),
        ("ExpiredToken", 403, "setting", "outage"),
        ("PermanentRedirect", 301, "setting", "outage"),
        ("301", 301, "setting", "outage"),
        ("ProvisionedThroughputExceededException", 400, "outage", "outage"),
        ("ThrottlingException", 400, "outage", "outage"),
        ("ConditionalRequestConflict", 409, "outage", "outage"),
        ("SlowDown", 503, "outage", "outage"),
        ("", 502, "outage", "outage"),
        ("Whatever", 500, "outage", "outage"),
        ("", 429, "outage", "outage"),
        ("ValidationException", 400, "fault", "fault"),
        ("SerializationException", 400, "fault", "fault"),
        ("PreconditionFailed", 412, "fault", "fault"),
        ("Strange", 400, "fault", "fault"),
    ],
)
def test_an_answer_is_told_by_its_code(code: str, status: int, first: Verdict, later: Verdict) -> None:
    said: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = sdk.ClientError(said, "UpdateItem")
    assert (verdict(error, served=False), verdict(error, served=True)) == (first, later)


class _Operation:
    def __init__(self, name: str) -> None:
        self.name = name


class _Http:
    def __init__(self, status: int) -> None:
        self.status_code = status


class Wire:
    """What a service answers, as the retries hear it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.reach = ServiceReach(self.clock.monotonic)
        self.retries = Retries(
            self.reach, now=self.clock.monotonic, chance=lambda: 1.0, sleep=self.clock.sleep
        )

    def hear(
        self, operation: str, status: int | None, code: str = "", error: Exception | None = None
    ) -> bool:
        """Whether the request is sent again."""
        response = None if status is None else (_Http(status), {"Error": {"Code": code}} if code else {})
        given = {"response": response, "caught_exception": error, "attempts": 1, "request_dict": {}}
        return self.retries(**given, operation=_Operation(operation)) is not None


def test_a_service_that_refuses_from_the_first_request_on_has_not_served() -> None:
    wire = Wire()
    wire.hear("GetItem", 400, "ResourceNotFoundException")
    wire.hear("GetItem", 503)
    assert not wire.reach.served
    wire.hear("UpdateItem", 400, "ConditionalCheckFailedException")
    assert wire.reach.served


def test_what_is_taken_away_later_is_counted() -> None:
    wire = Wire()
    wire.hear("GetItem", 400, "AccessDeniedException")
    assert wire.reach.refused == 0
    wire.hear("GetItem", 200)
    wire.hear("GetItem", 400, "AccessDeniedException")
    assert wire.reach.refused == 1


@pytest.mark.parametrize("status", [None, 503, 400])
def test_a_ledger_is_away_from_the_first_write_that_failed_to_the_next_that_succeeds(
    status: int | None,
) -> None:
    wire = Wire()
    code = "AccessDeniedException" if status == 400 else ""
    error = None if status else sdk.EndpointConnectionError(endpoint_url="http://x")
    wire.hear("UpdateItem", status, code, error)
    wire.clock.advance(7)
    wire.hear("PutItem", status, code, error)
    wire.hear("GetItem", 200)
    assert wire.reach.away_for == 7, "what can be read says nothing of writes"
    wire.hear("PutItem", 400, "ConditionalCheckFailedException")
    assert wire.reach.away_for == 0


@pytest.mark.parametrize("kind", AWAY)
def test_who_was_there_before_is_waited_for(kind: type[Exception]) -> None:
    wire = Wire()
    request: dict[str, Any] = {}
    away = kind.__new__(kind)

    def again(seconds: float) -> bool:
        wire.clock.advance(seconds)
        return (
            wire.retries(response=None, caught_exception=away, attempts=1, request_dict=request) is not None
        )

    assert again(0)
    assert not again(21)
    wire.reach.served = True
    assert again(60)
    assert not again(21)


def test_a_certificate_is_not_asked_for_twice() -> None:
    wire = Wire()
    broken = sdk.SSLError.__new__(sdk.SSLError)
    assert not wire.hear("GetItem", None, error=broken)
    wire.reach.served = True
    assert wire.hear("GetItem", None, error=broken)


@pytest.mark.parametrize("served", [False, True], ids=["not served", "served"])
@pytest.mark.parametrize("name", sorted(CLASSES))
def test_credentials_are_fetched_again_for_as_long_as_their_source_may_have_a_hiccup(
    name: str, served: bool
) -> None:
    wire = Wire()
    wire.reach.served = served
    asked: list[float] = []

    def fetch() -> None:
        asked.append(wire.clock.monotonic())
        raise raised(name)

    with pytest.raises(CLASSES[name]):
        wire.retries.fetched(fetch)
    took = asked[-1] - asked[0]
    if name not in FETCHED_AGAIN:
        assert len(asked) == 1
    elif served:
        assert 85 <= took <= 95
    else:
        assert 15 <= took <= 20


def test_a_request_is_signed_once_its_credentials_are_there() -> None:
    wire, answers = Wire(), [raised("CredentialRetrievalError"), raised("MetadataRetrievalError")]

    class Credentials:
        def get_frozen_credentials(self) -> None:
            if answers:
                raise answers.pop()

    signer, request = _Http(0), _Http(0)
    vars(signer)["_credentials"], vars(request)["context"] = Credentials(), {}
    began = wire.clock.monotonic()
    wire.retries.before_sign(request=request, request_signer=signer)
    assert not answers and 0 < wire.clock.monotonic() - began < 1
    vars(signer)["_credentials"] = None
    wire.retries.before_sign(request=request, request_signer=signer)


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("ExpiredToken", True),
        ("ExpiredTokenException", True),
        ("InvalidClientTokenId", False),
        ("AccessDenied", False),
    ],
)
def test_expired_credentials_may_be_renewed_by_somebody(code: str, again: bool) -> None:
    """The age of the request is what counts: 20 s, and as any outage where they were good before."""
    wire = Wire()
    request: dict[str, Any] = {}

    def hear(seconds: float) -> bool:
        wire.clock.advance(seconds)
        response = (_Http(400), {"Error": {"Code": code}})
        said = wire.retries(response=response, caught_exception=None, attempts=1, request_dict=request)
        return said is not None

    assert (hear(0), hear(15), hear(6)) == (again, again, False)
    wire.reach.served = True
    assert (hear(60), hear(10)) == (again, False)
