"""What the shard function refuses before it does anything."""

from __future__ import annotations

import pytest

from handlers.errors import UsageError
from handlers.settings import Settings
from handlers.shard import _refuse_long_calls


@pytest.mark.parametrize(("call", "function"), [(180, 300), (284, 300), (180, None), (884, 900)])
def test_a_call_that_fits_is_no_matter(call: float, function: float | None) -> None:
    _refuse_long_calls(Settings(call_timeout=call, function_timeout=function))


@pytest.mark.parametrize(("call", "function"), [(60, 60), (285, 300), (900, 900)])
def test_a_call_that_no_function_could_hold_is_refused_by_name(call: float, function: float) -> None:
    with pytest.raises(UsageError, match=f"call_timeout.*{call} s.*of {function} s.*FunctionTimeout"):
        _refuse_long_calls(Settings(call_timeout=call, function_timeout=function))
