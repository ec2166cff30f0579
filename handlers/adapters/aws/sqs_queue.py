"""The fleet's ``BatchQueue``: an SQS queue that the messages of several runs share."""

from __future__ import annotations

import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from handlers.adapters.aws.clients import code_of, explained
from handlers.counted import counted
from handlers.domain.batch import DeadLetter, QueueCounts, QueueMessage
from handlers.errors import PaperfleetError, UnavailableError, UsageError
from handlers.ports import Clock

logger = logging.getLogger(__name__)

_ENTRIES, _BYTES = 10, 256 * 1024
"""What one SendMessageBatch may carry."""
_TRIES = 8
_SENDERS = 8
_LISTED = 30
"""Seconds that dead letters are hidden from others while they are read."""
_LONGEST_HIDDEN = 900.0
_RECEIVES = "receives"
"""Attribute of a message that was buried: how often it had been delivered."""
_REMEMBERED = 2048
_VOID = frozenset(
    {
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidParameterValue",
        "MessageNotInflight",
        "ReceiptHandleIsInvalid",
    }
)


class Reasons(Protocol):
    """Why messages were returned, which SQS itself does not keep."""

    def put(self, body: str, reason: str) -> None: ...

    def of(self, bodies: Iterable[str]) -> Mapping[str, str]:
        """The last reason given, by body."""


class SqsQueue:
    """Standard queue with a redrive policy. It knows no deduplication keys: a batch sent twice is
    delivered twice, and its lease refuses the second."""

    def __init__(
        self,
        client: Any,
        queue_url: str,
        dead_letter_url: str | None,
        reasons: Reasons,
        clock: Clock,
        *,
        long_poll: int = 1,
    ) -> None:
        """``long_poll`` is in seconds: with it an empty answer means that no server has a message."""
        self._client = client
        self._url = queue_url
        self._dead_url = dead_letter_url
        self._reasons = reasons
        self._clock = clock
        self._long_poll = long_poll
        self._lock = threading.Lock()
        self._bodies: OrderedDict[str, str] = OrderedDict()

    def send(self, messages: Iterable[tuple[str, str]]) -> int:
        count = 0
        groups = _groups(body for _, body in messages)
        with ThreadPoolExecutor(_SENDERS, thread_name_prefix="sqs") as pool:
            while window := list(islice(groups, 4 * _SENDERS)):
                count += sum(pool.map(self._send_group, window))
        return count

    def _send_group(self, bodies: list[str]) -> int:
        waiting = {str(n): body for n, body in enumerate(bodies)}
        for tried in range(_TRIES):
            entries = [{"Id": key, "MessageBody": body} for key, body in waiting.items()]
            answer = self._call("send_message_batch", QueueUrl=self._url, Entries=entries)
            failed = answer.get("Failed", [])
            if not failed:
                return len(bodies)
            if all(entry.get("SenderFault") for entry in failed):
                raise PaperfleetError(self._refused(failed))
            waiting = {entry["Id"]: waiting[entry["Id"]] for entry in failed}
            self._clock.sleep(min(10.0, 0.1 * 2**tried) * (0.5 + self._clock.random() / 2))
        raise UnavailableError(self._refused(failed))

    def _refused(self, failed: Sequence[Mapping[str, Any]]) -> str:
        return (
            f"queue {self._url}: {counted(len(failed), 'message was', 'messages were')} refused "
            f"({failed[0].get('Code')}: {failed[0].get('Message', '')}); `paperfleet resume` sends them again"
        )

    def receive(self, *, limit: int, visibility: float) -> list[QueueMessage]:
        answer = self._call(
            "receive_message",
            QueueUrl=self._url,
            MaxNumberOfMessages=min(10, limit),
            VisibilityTimeout=math.ceil(visibility),
            WaitTimeSeconds=self._long_poll,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        messages = [_message(each) for each in answer.get("Messages", [])]
        for message in messages:
            self._remember(message.receipt, message.body)
        return messages

    def _remember(self, receipt: str, body: str) -> None:
        with self._lock:
            self._bodies[receipt] = body
            while len(self._bodies) > _REMEMBERED:
                self._bodies.popitem(last=False)

    def extend(self, receipt: str, seconds: float) -> bool:
        return self._if_valid(
            "change_message_visibility",
            QueueUrl=self._url,
            ReceiptHandle=receipt,
            VisibilityTimeout=math.ceil(seconds),
        )

    def release(
        self, receipt: str, *, delay: float, reason: str = "", blame: bool = True, body: str = ""
    ) -> None:
        """The same message becomes visible again: SQS counts each receive and takes none back, so that blame
        is the ledger's to count, and the queue's own maximum the last resort."""
        body = body or self._bodies.get(receipt, "")
        if body and reason and blame:
            self._keep_reason(body, reason)
        self.extend(receipt, min(delay, _LONGEST_HIDDEN))

    def bury(self, message: QueueMessage, reason: str) -> None:
        """The reason is kept, the body sent, and then the message deleted: a crash doubles it and loses
        none."""
        if reason:
            self._keep_reason(message.body, reason)
        self._call(
            "send_message",
            QueueUrl=self._dead_letters_at(),
            MessageBody=message.body,
            MessageAttributes={_RECEIVES: {"DataType": "Number", "StringValue": str(message.receives)}},
        )
        self.delete(message.receipt)

    def _keep_reason(self, body: str, reason: str) -> None:
        """A table that takes none, which may be the reason itself, must not hold up the message."""
        try:
            self._reasons.put(body, reason)
        except PaperfleetError as error:
            logger.error("a message goes back (%s), and its reason cannot be kept: %s", reason, error)

    def delete(self, receipt: str) -> None:
        if self._if_valid("delete_message", QueueUrl=self._url, ReceiptHandle=receipt):
            with self._lock:
                self._bodies.pop(receipt, None)

    def dead_letters(self) -> list[DeadLetter]:
        """Reads every one of them once, which takes a request for each ten."""
        letters = list(self._read_dead())
        for letter in letters:
            self._leave_dead(letter)
        reasons = self._reasons.of({letter.body for letter in letters})
        return [
            DeadLetter(letter.id, letter.body, letter.receives, reasons.get(letter.body, ""))
            for letter in letters
        ]

    def redrive(self, wanted: Callable[[str], bool] = lambda _body: True) -> int:
        """One by one: sent first and deleted then, so that a crash doubles a message and loses none."""
        count, others = 0, []
        for letter in self._read_dead():
            if not wanted(letter.body):
                others.append(letter)
                continue
            self._call("send_message", QueueUrl=self._url, MessageBody=letter.body)
            self._call("delete_message", QueueUrl=self._dead_url, ReceiptHandle=letter.receipt)
            count += 1
        for letter in others:
            self._leave_dead(letter)
        return count

    def _leave_dead(self, letter: QueueMessage) -> None:
        """Show it to the next reader at once; should its hiding have run out, it is shown already."""
        self._if_valid(
            "change_message_visibility",
            QueueUrl=self._dead_url,
            ReceiptHandle=letter.receipt,
            VisibilityTimeout=0,
        )

    def _read_dead(self) -> Iterator[QueueMessage]:
        dead_url = self._dead_letters_at()
        ids: set[str] = set()
        while True:
            answer = self._call(
                "receive_message",
                QueueUrl=dead_url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_LISTED,
                WaitTimeSeconds=self._long_poll,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
                MessageAttributeNames=[_RECEIVES],
            )
            fresh = [each for each in map(_letter, answer.get("Messages", [])) if each.id not in ids]
            if not fresh:
                return
            ids.update(each.id for each in fresh)
            yield from fresh

    def _dead_letters_at(self) -> str:
        if self._dead_url is None:
            raise UsageError("no dead-letter queue: set PAPERFLEET_DEAD_LETTER_URL")
        return self._dead_url

    def counts(self) -> QueueCounts:
        """Approximate, as SQS counts, and of all runs: it counts no messages by what is in them. Those that
        are delayed count as in flight."""
        names = ["", "NotVisible", "Delayed"]
        visible, hidden, delayed = self._numbers(
            self._url, [f"ApproximateNumberOfMessages{n}" for n in names]
        )
        dead = 0
        if self._dead_url is not None:
            dead = sum(self._numbers(self._dead_url, [f"ApproximateNumberOfMessages{n}" for n in names[:2]]))
        return QueueCounts(visible, hidden + delayed, dead, shared=True)

    def _numbers(self, url: str, names: list[str]) -> list[int]:
        answer = self._call("get_queue_attributes", QueueUrl=url, AttributeNames=names)
        return [int(answer.get("Attributes", {}).get(name, 0)) for name in names]

    def purge(self) -> None:
        """Does nothing: other runs' messages are in the queue."""

    def close(self) -> None:
        self._client.close()

    def _if_valid(self, operation: str, **request: Any) -> bool:
        """False if the receipt is void."""
        try:
            getattr(self._client, operation)(**request)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and code_of(error) in _VOID:
                return False
            raise explained(error, self._client, f"queue {self._url}") from error
        return True

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client, operation)(**request)
        except (BotoCoreError, ClientError) as error:
            raise explained(error, self._client, f"queue {request.get('QueueUrl')}") from error


def _groups(bodies: Iterable[str]) -> Iterator[list[str]]:
    """As many to a request as it may carry."""
    group: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode("utf-8", "surrogatepass"))
        if group and (len(group) == _ENTRIES or size + length > _BYTES):
            yield group
            group, size = [], 0
        group.append(body)
        size += length
    if group:
        yield group


def _letter(fields: Mapping[str, Any]) -> QueueMessage:
    """A dead letter: SQS counts this reading of it, too, and one that was buried starts anew there."""
    letter = _message(fields)
    noted = fields.get("MessageAttributes", {}).get(_RECEIVES, {}).get("StringValue", "")
    return replace(letter, receives=int(noted) if noted.isdecimal() else letter.receives - 1)


def _message(fields: Mapping[str, Any]) -> QueueMessage:
    receives = int(fields.get("Attributes", {}).get("ApproximateReceiveCount", 1))
    return QueueMessage(fields["MessageId"], fields["ReceiptHandle"], fields["Body"], receives)
