"""One DynamoDB table with the keys ``pk`` and ``sk``: plain values in and out, conditions decide.

Every write that must not happen twice carries a condition, so that a request which the SDK repeats
after a lost answer finds its own work done. Batch reads ask again for what DynamoDB left unprocessed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from handlers.adapters.aws.clients import code_of, explained
from handlers.adapters.aws.outages import service_reach
from handlers.adapters.dynamodb.values import Expression, Item, Key, key_of, plain, tagged, tagged_item
from handlers.errors import UnavailableError
from handlers.ports import Clock

BUCKETS = 32
"""Partitions that the many items of a run are spread over."""
_READ = 100
"""Items that one BatchGetItem may ask for."""
_PATIENCE = 12
"""Tries with nothing processed before a batch call is given up; about a minute."""
_REQUESTS = 16
"""At a time."""
_WRITES = frozenset({"delete_item", "put_item", "update_item"})
A = TypeVar("A")
B = TypeVar("B")


def run_key(run_id: str) -> str:
    return f"RUN#{run_id}"


def bucket_key(run_id: str, name: str) -> str:
    """The partition of an item of which a run has many."""
    return f"RUN#{run_id}#{zlib.crc32(name.encode('utf-8', 'surrogatepass')) % BUCKETS:02d}"


def bucket_keys(run_id: str) -> list[str]:
    return [f"RUN#{run_id}#{bucket:02d}" for bucket in range(BUCKETS)]


class Table:
    """Thread-safe. Reads are strongly consistent, unless somebody asks for less."""

    def __init__(self, client: Any, name: str, clock: Clock) -> None:
        self._client = client
        self.name = name
        self._clock = clock
        self._pool: ThreadPoolExecutor | None = None

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Item | None:
        key = key_of((pk, sk))
        answer = self._call("get_item", Key=key, ConsistentRead=consistent, TableName=self.name)
        return plain(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key], *, consistent: bool = True) -> dict[Key, Item]:
        """The items that exist."""
        by_key: dict[Key, Item] = {}
        chunks = list(_chunks(dict.fromkeys(keys), _READ))
        for items in self.map(lambda chunk: self._get_chunk(chunk, consistent), chunks):
            by_key.update({(item["pk"], item["sk"]): item for item in items})
        return by_key

    def _get_chunk(self, keys: Sequence[Key], consistent: bool) -> list[Item]:
        asked = {"Keys": [key_of(key) for key in keys], "ConsistentRead": consistent}
        request: dict[str, Any] = {self.name: asked}
        items: list[Item] = []
        for tried in range(_PATIENCE):
            answer = self._call("batch_get_item", RequestItems=request)
            items += [plain(item) for item in answer["Responses"].get(self.name, [])]
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                return items
            self._back_off(tried)
        raise UnavailableError(f"table {self.name!r}: BatchGetItem stays throttled; raise its read capacity")

    def put_many(self, items: Sequence[Item]) -> None:
        """Put items that are the same whoever puts them: what is there already is written over. One by one:
        who may write a batch of items may delete items, too."""
        self.map(self._put, items)

    def _put(self, item: Item) -> None:
        self._call("put_item", TableName=self.name, Item=tagged_item(item))

    def put_new(self, item: Item) -> bool:
        """Put if absent; False if an item of that key is there."""
        try:
            self._call(
                "put_item",
                TableName=self.name,
                Item=tagged_item(item),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except _ConditionFailedError:
            return False
        return True

    def update(
        self,
        pk: str,
        sk: str,
        *,
        values: Mapping[str, Any] | None = None,
        plus: Mapping[str, int] | None = None,
        expressions: Sequence[str] = (),
        remove: Sequence[str] = (),
        condition: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Item | None:
        """Change one item in one write and return it as it is then; None if the condition fails.

        ``values`` are set (None removes), ``plus`` is added to numbers (0 if absent), ``expressions``
        are further SET clauses. In conditions and expressions ``#name`` is the attribute ``name`` (or
        ``names[name]``) and ``:name`` an argument.
        """
        parts = Expression(dict(names or {}))
        for name, value in (values or {}).items():
            parts.assign(name, value)
        for name, amount in (plus or {}).items():
            parts.add(name, amount)
        for clause in expressions:
            parts.sets.append(parts.named(clause))
        parts.removes += [parts.name(name) for name in remove]
        request = parts.request(condition, arguments or {})
        try:
            answer = self._call(
                "update_item", TableName=self.name, Key=key_of((pk, sk)), ReturnValues="ALL_NEW", **request
            )
        except _ConditionFailedError:
            return None
        return plain(answer["Attributes"])

    def attempt(self, pk: str, sk: str, request: Mapping[str, Any]) -> tuple[bool, Item | None]:
        """The same by an update's clauses; one that is refused costs no read for what stands there."""
        try:
            answer = self._call(
                "update_item",
                TableName=self.name,
                Key=key_of((pk, sk)),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **request,
            )
        except _ConditionFailedError as refused:
            # Some emulators tell nothing of the item.
            return False, plain(refused.item) if refused.item else self.get(pk, sk)
        return True, plain(answer["Attributes"])

    def delete(
        self, pk: str, sk: str, *, condition: str | None = None, arguments: Mapping[str, Any] | None = None
    ) -> bool:
        """False, and nothing happens, if the condition fails."""
        parts = Expression({}).request(condition, arguments or {})
        parts.pop("UpdateExpression")
        try:
            self._call("delete_item", TableName=self.name, Key=key_of((pk, sk)), **parts)
        except _ConditionFailedError:
            return False
        return True

    def query(
        self,
        pk: str,
        prefix: str,
        *,
        attributes: Sequence[str] = (),
        only: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        consistent: bool = True,
    ) -> Iterator[Item]:
        """Items of a partition whose sort key begins so, in the key's order, page by page. What is not
        ``consistent`` may be a second old, and costs half."""
        parts = Expression({})
        values = {"pk": pk, "prefix": prefix, **(arguments or {})}
        request: dict[str, Any] = {"KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)"}
        if only is not None:
            request["FilterExpression"] = parts.named(only)
        if attributes:
            request["ProjectionExpression"] = ", ".join(parts.name(name) for name in attributes)
        if parts.names:
            request["ExpressionAttributeNames"] = parts.names
        request["ExpressionAttributeValues"] = {f":{name}": tagged(value) for name, value in values.items()}
        while True:
            page = self._call("query", TableName=self.name, ConsistentRead=consistent, **request)
            yield from map(plain, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def query_buckets(
        self,
        run_id: str,
        prefix: str,
        *,
        attributes: Sequence[str] = (),
        only: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Iterator[Item]:
        """The same over all of a run's buckets at once, in no order. All of them are in memory."""

        def bucket(pk: str) -> list[Item]:
            return list(self.query(pk, prefix, attributes=attributes, only=only, arguments=arguments))

        for items in self.map(bucket, bucket_keys(run_id)):
            yield from items

    def map(self, work: Callable[[A], B], inputs: Sequence[A]) -> list[B]:
        """Several requests at a time; results in the order of the inputs."""
        if len(inputs) <= 1:
            return [work(each) for each in inputs]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_REQUESTS, thread_name_prefix="dynamodb")
        return list(self._pool.map(work, inputs))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self._client.close()

    def _back_off(self, tried: int) -> None:
        self._clock.sleep(min(10.0, 0.05 * 2**tried) * (0.5 + self._clock.random() / 2))

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client, operation)(**request)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and code_of(error) == "ConditionalCheckFailedException":
                raise _ConditionFailedError(error.response.get("Item")) from error
            found = explained(error, self._client, f"table {self.name!r}")
            if isinstance(found, UnavailableError) and operation in _WRITES:
                service_reach("dynamodb").failed()  # also where no request came to be, as without credentials
            raise found from error


class _ConditionFailedError(Exception):
    """Expected: somebody else was first. ``item`` is what stands there, if it was asked for and told."""

    def __init__(self, item: Mapping[str, Any] | None) -> None:
        super().__init__()
        self.item = item


def _chunks(items: Iterable[A], size: int) -> Iterator[list[A]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
