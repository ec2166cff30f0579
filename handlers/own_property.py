"""A value that an object reckons once, without a lock."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    own_property = cached_property
else:

    class own_property(cached_property):  # noqa: N801 (a decorator, named as the one it stands for)
        """``functools.cached_property`` as it is from Python 3.12 on. Before, one lock is held for the values
        of all objects of a class: papers that threads cut at the same time wait for each other. Two threads
        that ask one object at the same time may both reckon: for what is pure alone."""

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            value = instance.__dict__[self.attrname] = self.func(instance)
            return value
