"""The topic of a stack's alarms, by which people hear of it."""

from __future__ import annotations

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers.adapters.aws.clients import code_of

logger = logging.getLogger(__name__)

_SUBJECT, _TEXT = 100, 4_000
"""Characters; SNS takes no longer subject, and of a longer text nobody reads the end."""


class SnsTopic:
    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, subject: str, text: str) -> bool:
        """Whether it was taken. What goes wrong is logged and stops nothing; a stack whose alarms were not
        deployed has no topic."""
        plain = "".join(each if " " <= each <= "~" else "?" for each in subject)
        try:
            self._client.publish(TopicArn=self._arn, Subject=plain[:_SUBJECT], Message=text[:_TEXT])
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and code_of(error) in ("NotFound", "NotFoundException"):
                logger.info("no topic %s: deploy infra/observability.yaml", self._arn)
            else:
                logger.warning("topic %s took no notice: %s", self._arn, error)
            return False
        return True
