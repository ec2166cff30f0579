"""Lambda: a run request in, one SQS message per unfinished batch out."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from handlers import bootstrap
from handlers.errors import UsageError
from handlers.pipeline.submit import RunRequest, submit

logger = bootstrap.logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """``RunRequest`` as JSON in, ``Submitted`` as JSON out. UsageError names what is wrong with it."""
    try:
        request = RunRequest.model_validate(event)
    except ValidationError as error:
        raise UsageError(f"not a run request: {error}") from error
    with bootstrap.open_state(request.run_id) as state:
        submitted = submit(
            request, ledger=state.ledger, queue=state.queue, store=state.store, clock=state.clock
        )
    return submitted.model_dump()
