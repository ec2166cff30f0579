"""``BatchQueue``: at-least-once delivery with a visibility timeout, like SQS."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.ports import BatchQueue, QueueCounts, QueueMessage
from tests.builders.fakes import FakeClock, SetClock
from tests.builders.local_aws import LocalAws
from tests.contract.conftest import MAX_RECEIVES

KEYED = pytest.mark.parametrize("open_queue", ["sqlite"], indirect=True)
"""SQS knows no deduplication keys (the leases tell) and is shared by runs, so nobody may purge it; its
emulator takes void receipts for good."""


def receive(queue: BatchQueue, *, visibility: float = 30) -> QueueMessage:
    (message,) = queue.receive(limit=1, visibility=visibility)
    return message


def counts(visible: int = 0, in_flight: int = 0, dead: int = 0) -> QueueCounts:
    return QueueCounts(visible, in_flight, dead)


def kill(queue: BatchQueue, *, reason: str = "bad") -> None:
    """Receive the only message until it is a dead letter."""
    for _ in range(MAX_RECEIVES):
        queue.release(receive(queue).receipt, delay=0, reason=reason)
    assert queue.receive(limit=1, visibility=30) == []


def test_messages_come_in_the_order_they_were_sent(queue: BatchQueue) -> None:
    assert queue.send([("a", "one"), ("b", "two"), ("c", "three")]) == 3
    assert [each.body for each in queue.receive(limit=2, visibility=30)] == ["one", "two"]
    assert [each.body for each in queue.receive(limit=2, visibility=30)] == ["three"]
    assert queue.counts() == counts(in_flight=3)


def test_a_received_message_is_hidden_until_its_visibility_ends(queue: BatchQueue, clock: FakeClock) -> None:
    queue.send([("a", "one")])
    first = receive(queue, visibility=30)
    clock.advance(29.9)
    assert queue.receive(limit=1, visibility=30) == []
    clock.advance(0.1)
    second = receive(queue)
    assert (first.receives, second.receives, second.id) == (1, 2, first.id)
    assert second.receipt != first.receipt


@KEYED
def test_a_void_receipt_can_do_nothing(queue: BatchQueue, clock: FakeClock) -> None:
    queue.send([("a", "one")])
    first = receive(queue)
    clock.advance(30)
    receive(queue)
    assert not queue.extend(first.receipt, 60)
    queue.release(first.receipt, delay=0)
    queue.delete(first.receipt)
    assert queue.counts() == counts(in_flight=1)


def test_an_unknown_receipt_can_do_nothing(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    assert not queue.extend("no such receipt", 60)
    queue.release("no such receipt", delay=0)
    queue.delete("no such receipt")
    assert queue.counts() == counts(visible=1)


def test_an_extension_counts_from_now(queue: BatchQueue, clock: FakeClock) -> None:
    queue.send([("a", "one")])
    message = receive(queue)
    clock.advance(20)
    assert queue.extend(message.receipt, 30)
    clock.advance(29)
    assert queue.counts() == counts(in_flight=1)
    clock.advance(1)
    assert queue.counts() == counts(visible=1)


def test_a_deleted_message_is_gone_and_its_key_can_be_sent_again(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    queue.delete(receive(queue).receipt)
    assert queue.counts() == counts()
    assert queue.send([("a", "again")]) == 1
    assert receive(queue).receives == 1


def test_a_released_message_comes_back_after_its_delay(queue: BatchQueue, clock: FakeClock) -> None:
    queue.send([("a", "one")])
    queue.release(receive(queue).receipt, delay=5)
    assert queue.receive(limit=1, visibility=30) == []
    clock.advance(5)
    assert receive(queue).receives == 2


@KEYED
def test_a_release_without_blame_does_not_count_as_a_receive(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    for _ in range(3 * MAX_RECEIVES):
        message = receive(queue)
        assert message.receives == 1
        queue.release(message.receipt, delay=0, blame=False)


def test_a_message_is_buried_with_its_reason_and_starts_anew_when_it_is_redriven(queue: BatchQueue) -> None:
    queue.send([("a", "one"), ("b", "two")])
    queue.release(receive(queue).receipt, delay=0)
    message = receive(queue)
    queue.bury(message, "a call does not fit")
    (letter,) = queue.dead_letters()
    assert (letter.body, letter.receives, letter.reason) == ("one", message.receives, "a call does not fit")
    assert receive(queue).body == "two"
    assert queue.counts() == counts(in_flight=1, dead=1)
    assert queue.redrive() == 1
    again = receive(queue)
    assert (again.body, again.receives) == ("one", 1)


def test_a_message_that_is_buried_without_a_word_keeps_the_last_reason(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    queue.release(receive(queue).receipt, delay=0, reason="the corpus is gone")
    queue.bury(receive(queue), "")
    assert [letter.reason for letter in queue.dead_letters()] == ["the corpus is gone"]


@pytest.mark.parametrize("open_queue", ["sqs"], indirect=True)
def test_a_return_sends_nothing(queue: BatchQueue, aws: LocalAws) -> None:
    """A platform that counts what a function sends to its own queue stops it at sixteen."""
    queue.send([("a", "one")])
    before = aws.wire.operations["SendMessage"]
    message = receive(queue)
    queue.release(message.receipt, delay=0, blame=False, body=message.body)
    queue.release(receive(queue).receipt, delay=5000, reason="stopped")
    assert aws.wire.operations["SendMessage"] == before


def test_a_message_received_too_often_is_dead_with_the_last_reason_given(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    kill(queue, reason="not a batch")
    (letter,) = queue.dead_letters()
    assert (letter.body, letter.receives, letter.reason) == ("one", MAX_RECEIVES, "not a batch")
    assert queue.counts() == counts(dead=1)


def test_a_message_whose_holders_die_is_dead_too(queue: BatchQueue, clock: FakeClock) -> None:
    queue.send([("a", "one")])
    for _ in range(MAX_RECEIVES):
        receive(queue, visibility=30)
        clock.advance(30)
    assert queue.receive(limit=1, visibility=30) == []
    assert queue.counts() == counts(dead=1)


def test_a_dead_letter_does_not_hide_those_behind_it(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    for _ in range(MAX_RECEIVES):
        queue.release(receive(queue).receipt, delay=0)
    queue.send([("b", "two")])
    assert receive(queue).body == "two"


def test_redriven_letters_start_anew(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    kill(queue)
    assert queue.redrive() == 1
    assert queue.dead_letters() == []
    assert receive(queue).receives == 1


def test_letters_that_are_not_wanted_stay_dead(queue: BatchQueue) -> None:
    for key, body in (("a", "mine"), ("b", "theirs")):
        queue.send([(key, body)])
        kill(queue)
    assert queue.redrive(lambda body: body == "mine") == 1
    assert receive(queue).body == "mine"
    assert [letter.body for letter in queue.dead_letters()] == ["theirs"]


@KEYED
def test_a_known_key_is_not_added_but_made_visible(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    held = receive(queue, visibility=900)
    queue.send([("a", "one")])
    assert queue.counts() == counts(visible=1)
    assert not queue.extend(held.receipt, 60)
    assert receive(queue).receives == 2


@KEYED
def test_sending_a_dead_letters_key_leaves_it_dead(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    kill(queue)
    assert queue.send([("a", "one")]) == 0
    assert queue.counts() == counts(dead=1)


@KEYED
def test_a_purge_drops_all_but_the_dead_letters(queue: BatchQueue) -> None:
    queue.send([("a", "one")])
    kill(queue)
    queue.send([("b", "two"), ("c", "three")])
    receive(queue)
    queue.purge()
    assert queue.counts() == counts(dead=1)


def test_queues_of_other_names_are_other_queues(
    queue: BatchQueue, open_queue: Callable[[str], BatchQueue]
) -> None:
    other = open_queue("other")
    queue.send([("a", "mine")])
    other.send([("a", "theirs")])
    assert receive(queue).body == "mine"
    other.purge()
    assert queue.counts() == counts(in_flight=1)


def test_of_many_racing_for_messages_each_is_delivered_once(
    queue: BatchQueue, open_queue: Callable[[str], BatchQueue]
) -> None:
    queue.send((str(n), str(n)) for n in range(60))
    queues = [open_queue("r") for _ in range(4)]

    def drain(mine: BatchQueue) -> list[str]:
        bodies = []
        while found := mine.receive(limit=3, visibility=900):
            bodies += [message.body for message in found]
        return bodies

    with ThreadPoolExecutor(len(queues)) as pool:
        received = [body for bodies in pool.map(drain, queues) for body in bodies]
    assert sorted(received, key=int) == [str(n) for n in range(60)]


@pytest.mark.parametrize("hours", [1, 24])
def test_a_message_does_not_stay_hidden_for_as_long_as_the_clock_steps_back(
    tmp_path: Path, hours: int
) -> None:
    """The embedded queue alone tells by the machine's clock."""
    clock = SetClock()
    queue = SqliteQueue(tmp_path / "queue", "r", clock)
    queue.send([(name, name) for name in ("held", "dead", "released", "waiting")])
    held, _dead, released = queue.receive(limit=3, visibility=120)
    queue.release(released.receipt, delay=10)
    clock.ahead = -3600.0 * hours
    assert queue.extend(held.receipt, 120), "as its holder does when the clock jumps"
    assert queue.counts() == counts(visible=3, in_flight=1)
    assert [each.body for each in queue.receive(limit=4, visibility=120)] == ["dead", "released", "waiting"]
    assert queue.receive(limit=4, visibility=120) == []
    clock.advance(120)
    assert len(queue.receive(limit=4, visibility=120)) == 4
    queue.close()


def test_a_queue_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "queue"
    queue = SqliteQueue(path, "r", clock)
    queue.send([("a", "body")])
    queue.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE message DROP COLUMN hidden_at")
    queue = SqliteQueue(path, "r", clock)
    assert receive(queue).body == "body"
    queue.close()
