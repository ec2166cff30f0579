"""Which of the SDK's errors is what: a wrong setting, an outage that passes, or a fault of ours.

What cannot be told from a wrong setting at first (an address where nobody answers) is an outage once the
service has answered this process, and on Lambda always: there the stack made the settings.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache
from typing import Literal

from botocore import exceptions as sdk

Verdict = Literal["setting", "outage", "fault"]

AWAY = (sdk.EndpointConnectionError, sdk.ConnectTimeoutError, sdk.ProxyConnectionError)
"""Nobody answers: no name, no route, no listener. Before the first answer most likely a wrong setting."""
FETCHED = (sdk.CredentialRetrievalError, sdk.MetadataRetrievalError, sdk.TokenRetrievalError)
"""Credentials are fetched from somewhere that has hiccups: an instance's metadata, a sign-on, a tool."""
_BROKEN = (sdk.ConnectionError, sdk.HTTPClientError, sdk.IncompleteReadError)
"""An answer that broke off: somebody is there."""
_SETTINGS = (
    sdk.BaseEndpointResolverError,
    sdk.ConfigNotFound,
    sdk.ConfigParseError,
    sdk.CredentialRetrievalError,
    sdk.EndpointProviderError,
    sdk.InvalidConfigError,
    sdk.InvalidDefaultsMode,
    sdk.InvalidEndpointConfigurationError,
    sdk.InvalidIMDSEndpointError,
    sdk.InvalidIMDSEndpointModeError,
    sdk.InvalidProxiesConfigError,
    sdk.InvalidRegionError,
    sdk.InvalidRetryConfigurationError,
    sdk.LoginError,
    sdk.MetadataRetrievalError,
    sdk.MissingDependencyException,
    sdk.NoAuthTokenError,
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.ProfileNotFound,
    sdk.RefreshWithMFAUnsupportedError,
    sdk.SSLError,
    sdk.SSOError,
    sdk.ServiceNotInRegionError,
    sdk.TokenRetrievalError,
    sdk.UnknownCredentialError,
    sdk.UnknownRegionError,
    sdk.UnknownTokenProviderError,
)
"""Where the machine's configuration is read. A role's credentials come back."""
_PASSING_FAULTS = (sdk.CapacityNotAvailableError, sdk.ChecksumError, sdk.FlexibleChecksumError)
_STATUSES = frozenset({429, 500, 502, 503, 504, 509})
THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "KmsThrottled",
        "LimitExceededException",
        "OperationAborted",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""Codes of refusals that pass: the same request may succeed the next time."""
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountProblem",
        "AllAccessDisabled",
        "KmsAccessDenied",
        "KMS.AccessDeniedException",
        "KmsDisabled",
        "KmsInvalidKeyUsage",
        "KmsInvalidState",
        "KmsNotFound",
        "KmsOptInRequired",
        "NotAuthorized",
        "OptInRequired",
        "UnauthorizedOperation",
        "403",
    }
)
CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotSignedUp",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
"""Of ``CREDENTIALS``: whoever renews them may be about to."""
MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
ELSEWHERE = frozenset(
    {
        "301",
        "307",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "MovedPermanently",
        "PermanentRedirect",
        "TemporaryRedirect",
    }
)
REFUSALS = DENIED | CREDENTIALS | MISSING | ELSEWHERE
"""Codes that no retry mends until somebody does something: sets it right, or gives back what was taken."""


class ServiceReach:
    """What this process knows of a service: whether it ever did something for it, since when it takes no
    writes, and how often it has refused what it did before."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.served = False
        self.refused = 0
        self.time_left: Callable[[], float] = lambda: math.inf
        """Seconds that the platform leaves this process: no request is sent again that would outlast it."""
        self._failing_since: float | None = None

    def failed(self) -> None:
        """A write did not succeed, for the environment's sake."""
        if self._failing_since is None:
            self._failing_since = self._now()

    def succeeded(self) -> None:
        self._failing_since = None

    @property
    def away_for(self) -> float:
        """Seconds since a write failed and none has succeeded; 0 if the last one did."""
        since = self._failing_since
        return 0.0 if since is None else self._now() - since


@cache
def service_reach(_service: str) -> ServiceReach:
    """Of this process."""
    return ServiceReach()


def end_with(time_left: Callable[[], float], *services: str) -> None:
    """``time_left``: seconds until the platform ends this process."""
    for reach in map(service_reach, services):
        reach.time_left = time_left


def trust_settings(*services: str) -> None:
    """A stack made this process's settings: what goes wrong is no setting's fault."""
    for service in services:
        service_reach(service).served = True


def take_refused(*services: str) -> int:
    """How often these have refused what they did before, since the last time that somebody asked."""
    count = 0
    for reach in map(service_reach, services):
        count, reach.refused = count + reach.refused, 0
    return count


def verdict(error: Exception, *, served: bool) -> Verdict:
    """``served``: the service has answered this process, or a stack made its settings."""
    if isinstance(error, sdk.ClientError):
        return _verdict_of_answer(error, served=served)
    if isinstance(error, AWAY + _SETTINGS):
        return "outage" if served else "setting"
    return "outage" if isinstance(error, _BROKEN + _PASSING_FAULTS) else "fault"


def _verdict_of_answer(error: sdk.ClientError, *, served: bool) -> Verdict:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in REFUSALS:
        return "outage" if served else "setting"
    return "outage" if may_pass(status, code) else "fault"


def may_pass(status: int | None, code: str) -> bool:
    """Whether the same request may succeed the next time."""
    return code in THROTTLES or status in _STATUSES
