"""Moto without what it finds out anew at every request: a third of the CPU time that it takes."""

from __future__ import annotations

from functools import cache
from typing import Any

from moto import backends
from moto.core import responses
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker


@cache
def remember() -> None:
    """From here on its folders, the methods of its classes and the names of a value's types are not sought
    again. What it answers stays the same."""
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    responses.method_names_from_class = cache(responses.method_names_from_class)
    responses.XFormedAttributePicker = _Picker


class _Picker(XFormedAttributePicker):
    """A value of DynamoDB's is ``{"S": "text"}`` and the like: none of its ten types has another name."""

    def __call__(self, context: AttributePickerContext) -> Any:
        parent = getattr(context.shape, "parent", None)
        if type(context.obj) is dict and parent is not None and parent.name == "AttributeValue":
            return context.obj.get(context.key)
        return super().__call__(context)
