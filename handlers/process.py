"""Lambda: an SQS event of batches in, the messages to deliver again out."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from handlers.bootstrap import log, sandbox
from handlers.domain.batch import QueueMessage

logger = log.logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Partial batch response: ``{"batchItemFailures": [{"itemIdentifier": messageId}, ...]}``.

    The event is read as it comes: Powertools' model of it brings those of all other events with it.
    """
    deliveries = [
        QueueMessage(
            id=record["messageId"],
            receipt=record["receiptHandle"],
            body=record["body"],
            receives=int(record["attributes"]["ApproximateReceiveCount"] or 1),
        )
        for record in event["Records"]
    ]

    def time_left() -> float:
        return context.get_remaining_time_in_millis() / 1000

    with sandbox.invocation(time_left) as job:
        failed = job.run(deliveries, time_left)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
