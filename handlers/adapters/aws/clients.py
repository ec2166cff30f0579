"""Clients of AWS's SDK, and its errors in words that name the thing and the fix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from handlers.adapters.aws.outages import (
    AWAY,
    CREDENTIALS,
    DENIED,
    ELSEWHERE,
    MISSING,
    service_reach,
    verdict,
)
from handlers.adapters.aws.renewed_credentials import RenewedCredentials
from handlers.adapters.aws.retries import Retries
from handlers.errors import PaperfleetError, UnavailableError, UsageError

_SETTINGS = {"sqs": "PAPERFLEET_QUEUE_URL", "dynamodb": "PAPERFLEET_TABLE", "s3": "PAPERFLEET_BUCKET"}
_CONNECTIONS = 32
_VARIABLES = {"region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)}
"""As all other SDKs of AWS and its command line read them; this one knows the second alone."""


def aws_client(service: str, *, path_style: bool = False, read_timeout: float = 30) -> Any:
    """A thread-safe client; region, credentials and endpoint as boto3 finds them (AWS_ENDPOINT_URL too).

    Throttled and broken requests are sent again as ``aws_retries`` says, not by the SDK's own modes.
    Checksums only where the service demands them: not every S3 knows them.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=_CONNECTIONS,
        connect_timeout=5,
        read_timeout=read_timeout,
        tcp_keepalive=True,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if path_style else None,
    )
    retries = Retries(service_reach(service))

    def made() -> Any:
        session = boto3.session.Session(botocore_session=botocore.session.Session(_VARIABLES))
        return session.client(service, config=config)

    try:
        client = retries.fetched(made)
    except NoRegionError as error:
        raise UsageError("no AWS region: set AWS_REGION (or AWS_DEFAULT_REGION) to the stack's") from error
    except BotoCoreError as error:
        kind = (
            UsageError
            if verdict(error, served=service_reach(service).served) == "setting"
            else UnavailableError
        )
        raise kind(f"AWS ({service}): {error}: check AWS_PROFILE and ~/.aws, or log in again") from error
    client.meta.events.register_first("needs-retry", retries)
    client.meta.events.register("before-send", retries.bound)
    client.meta.events.register("before-sign", retries.before_sign)
    client.meta.events.register_first("needs-retry", RenewedCredentials(client))
    guard = _refuse_cut_answers if service == "dynamodb" else _refuse_short_answers
    client.meta.events.register("before-parse", guard)
    return client


def _refuse_cut_answers(response_dict: Mapping[str, Any], **_: Any) -> None:
    """An answer that is cut reads as a whole one without a body: an item that is not there, a page without
    rows, a write that tells nothing. DynamoDB says how long each of its answers is."""
    headers, told = response_dict["headers"], response_dict["headers"].get("content-length")
    cut = "transfer-encoding" not in headers if told is None else told != str(len(response_dict["body"]))
    if cut:
        raise ConnectionClosedError(endpoint_url="the endpoint")


def _refuse_short_answers(response_dict: Mapping[str, Any], **_: Any) -> None:
    """The same of a service that may leave out how long an answer is. What is read as it comes is held to its
    length there, and one about a head alone has none."""
    body, told = response_dict["body"], response_dict["headers"].get("content-length")
    is_head = response_dict.get("context", {}).get("operation_name", "").startswith("Head")
    if told is not None and isinstance(body, bytes) and not is_head and told != str(len(body)):
        raise ConnectionClosedError(endpoint_url="the endpoint")


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def explained(
    error: BotoCoreError | ClientError, client: Any, thing: str, *, served: bool | None = None
) -> PaperfleetError:
    """What to raise in place of an SDK error that no retry can mend: UsageError for a setting,
    UnavailableError for what passes (see ``outages``).

    ``thing`` names what was asked for, e.g. ``table 'fleet'``. ``served``: see ``ServiceReach``; by default
    what this process knows of the client's service.
    """
    service = client.meta.service_model.service_name
    if served is None:
        served = service_reach(service).served
    kind = verdict(error, served=served)
    words = _words(error, client, thing)
    if kind == "setting":
        return UsageError(words)
    return UnavailableError(words) if kind == "outage" else PaperfleetError(words)


def _words(error: BotoCoreError | ClientError, client: Any, thing: str) -> str:
    meta = client.meta
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"no AWS credentials for {thing}: set AWS_PROFILE, or log in with `aws sso login` ({error})"
    if isinstance(error, AWAY):
        return f"{thing}: {meta.endpoint_url} does not answer: check AWS_REGION and AWS_ENDPOINT_URL"
    if not isinstance(error, ClientError):
        return f"{thing}: {error}"
    service, code = meta.service_model.service_name, code_of(error)
    action = f"{service}:{error.operation_name}"
    if code in DENIED:
        return f"{thing}: no permission for {action}: add it to the role's policy ({error})"
    if code in CREDENTIALS:
        return f"{thing}: AWS refuses the credentials ({code}): log in again, or check AWS_PROFILE"
    if code in ELSEWHERE:
        return f"{thing} is not in region {meta.region_name}: set AWS_REGION to its own ({code})"
    if code in MISSING:
        setting = _SETTINGS.get(service, "the setting")
        return (
            f"{thing} does not exist in region {meta.region_name}: deploy the stack, or correct "
            f"{setting} or AWS_REGION"
        )
    return f"{thing}: {action} failed: {error}"


def read_secret(secret: str, setting: Literal["api_key", "webhook"] = "api_key") -> str:
    """What a setting stands for, under a name or ARN of Secrets Manager: the plain string, or the field
    of the setting's name in a JSON object.

    UsageError if it is missing, empty or not to be read.
    """
    client, thing = aws_client("secretsmanager"), f"secret {secret!r}"
    what = "key" if setting == "api_key" else "webhook"
    try:
        text = client.get_secret_value(SecretId=secret).get("SecretString") or ""
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and code_of(error) == "ResourceNotFoundException":
            raise UsageError(
                f"{thing} holds no {what} yet, or does not exist in region {client.meta.region_name}: "
                "`paperfleet stack --store-key` puts the key into a stack's; or correct "
                f"PAPERFLEET_{setting.upper()}_SECRET"
            ) from error
        raise explained(error, client, thing) from error
    value = _field(text, setting) if text.lstrip().startswith("{") else text.strip()
    if not value:
        raise UsageError(f'{thing} holds no {what}: store the plain string, or JSON {{"{setting}": "..."}}')
    return value


def _field(text: str, name: str) -> str:
    try:
        return str(json.loads(text).get(name, ""))
    except ValueError:
        return ""
