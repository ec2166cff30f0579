"""Lambda: a run request or an upload in, one SQS message per unfinished batch out."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from handlers.bootstrap import log
from handlers.bootstrap.host import on_lambda
from handlers.bootstrap.state import open_state
from handlers.errors import UsageError, first_problem
from handlers.pipeline.pace import AWS
from handlers.runs.submit import RunRequest, submit_run
from handlers.runs.upload import request_of_upload, uploaded_key
from handlers.settings import Settings, load_settings

logger = log.logger()
_BEGINNING = 10.0
"""Seconds of an invocation before its first call."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``RunRequest`` as JSON, or EventBridge's event of an upload under ``incoming/``, in; ``Submitted``
    as JSON out. UsageError names what is wrong with it.
    """
    _refuse_long_calls(load_settings())
    key = uploaded_key(event)
    if key is not None:
        with open_state() as state:
            request = request_of_upload(key, store=state.store, settings=load_settings(), alone=on_lambda())
    else:
        request = _parsed(event)
    with open_state(request.run_id) as state:
        return submit_run(state, request).model_dump()


def _refuse_long_calls(settings: Settings) -> None:
    """A function that can hold no call would return its messages until they are dead letters."""
    longest = settings.function_timeout
    if longest is not None and settings.call_timeout > longest - AWS.margin - _BEGINNING:
        raise UsageError(
            f"call_timeout: one of {settings.call_timeout:g} s fits into no function of {longest:g} s; "
            "deploy the stack with a smaller CallTimeout or a larger FunctionTimeout"
        )


def _parsed(event: dict[str, Any]) -> RunRequest:
    try:
        return RunRequest.model_validate(event)
    except ValidationError as error:
        raise UsageError(f"no run request: {first_problem(error)}") from error
