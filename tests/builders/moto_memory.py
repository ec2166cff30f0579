"""Moto and boto3 without what they find out anew at every request: a third of the CPU time that they take."""

from __future__ import annotations

import itertools
import pickle
from functools import cache
from typing import Any

from botocore import useragent
from moto import backends
from moto.core import DEFAULT_ACCOUNT_ID, responses
from moto.core.exceptions import HTTPException
from moto.core.request import Request
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import validators
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser, Node, UpdateExpression
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.validators import ActionCountValidator
from moto.dynamodb.responses import DynamoHandler

_TEXT = "S"
_PLAIN = frozenset(("S", "N", "SS", "NS", "BOOL", "NULL"))
_MAKE = UpdateExpressionParser.make
_ALL_ITEMS = Table.all_items
_STRUCTURE = BaseJSONSerializer._serialize_type_structure
_NUMBERS = itertools.count()


@cache
def remember() -> None:
    """From here on its folders, the methods of its classes, an expression's tree and the names of a value's
    types are not sought again, and keys are compared as the texts that they are. What it answers stays the
    same."""
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    responses.method_names_from_class = cache(responses.method_names_from_class)
    responses.gen_amzn_requestid_long = _request_id
    BaseJSONSerializer._serialize_type_structure = _serialized
    UpdateExpressionParser.make = lambda expression: pickle.loads(_parsed(expression))
    validators.deepcopy = lambda tree: pickle.loads(pickle.dumps(tree))
    ActionCountValidator.traverse = ActionCountValidator.verify_action_counts
    DepthFirstTraverser.traverse_node_recursively = _traverse
    DynamoType.__eq__ = _is_equal
    Table.all_items = _sorted_items
    useragent.sanitize_user_agent_string_component = cache(useragent.sanitize_user_agent_string_component)


def _request_id(headers: dict[str, Any]) -> str:
    headers["x-amzn-requestid"] = number = f"{next(_NUMBERS):052d}"
    return number


def _serialized(
    self: BaseJSONSerializer, serialized: dict[str, Any], value: Any, shape: Any, key: str
) -> None:
    """A value of DynamoDB's is ``{"S": "text"}`` and the like: of texts, numbers and lists of them it is its
    own JSON."""
    if shape.name == "AttributeValue" and type(value) is dict and _PLAIN.issuperset(value):
        serialized[self.get_serialized_name(shape, key)] = dict(value)
    else:
        _STRUCTURE(self, serialized, value, shape, key)


class _Request(Request):
    from_wsgi_server = True


def answered_directly(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """By moto's DynamoDB, without the web framework that its server puts before it."""
    request = _Request(environ)
    try:
        status, headers, content = DynamoHandler.dispatch(request, request.raw_url, dict(request.headers))
    except HTTPException as refused:
        status, headers, content = refused.code, dict(refused.get_headers()), str(refused.get_body())
    start_response(f"{status} ", list(headers.items()))
    return [content.encode()]


def items_of(table: str, region: str) -> bytes:
    """What a table holds, to be put into others."""
    return pickle.dumps(dynamodb_backends[DEFAULT_ACCOUNT_ID][region].get_table(table).items)


def put_items(table: str, region: str, items: bytes) -> None:
    """In place of what the table holds, without a request for each of them."""
    dynamodb_backends[DEFAULT_ACCOUNT_ID][region].get_table(table).items = pickle.loads(items)


@cache
def _parsed(expression: str) -> bytes:
    tree: UpdateExpression = _MAKE(expression)
    return pickle.dumps(tree)


@cache
def _is_node(kind: type) -> bool:
    return issubclass(kind, Node)


@cache
def _worked_on(kind: type, kinds: tuple[type, ...]) -> bool:
    return issubclass(kind, kinds)


def _traverse(self: DepthFirstTraverser, node: Any, child_id: int = -1) -> Any:
    """Depth first, as in moto; which kinds it works on is the same for every node of an expression."""
    kind = type(node)
    if not _is_node(kind):
        return node
    kinds = self.__dict__.get("_kinds")
    if kinds is None:
        kinds = self.__dict__["_kinds"] = self.nodes_to_be_processed()
    parent = node.parent
    for number, child in enumerate(node.children or ()):
        self.pre_processing_of_child(node, number)
        if _is_node(type(child)):
            _traverse(self, child, number)
    if _worked_on(kind, kinds):
        node = self.process(node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
    return node


def _is_equal(self: DynamoType, other: DynamoType) -> bool:
    if self.type != other.type:
        return False
    same: bool = self.value == other.value if self.type == _TEXT else self.cast_value == other.cast_value
    return same


def _sorted_items(self: Table) -> list[Any]:
    """Of a table whose keys are a partition's and one within it, as texts; of another as moto has them."""
    if not self.range_key_attr:
        return _ALL_ITEMS(self)
    items = [item for partition in self.items.values() for item in partition.values()]
    return sorted(items, key=lambda item: (item.hash_key.cast_value, item.range_key.cast_value))
