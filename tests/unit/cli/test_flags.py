from __future__ import annotations

import inspect
from typing import Any

import pytest

from handlers.cli.flags import SETTINGS, takes
from handlers.settings import Settings


def test_every_shared_flag_is_a_setting() -> None:
    assert set(SETTINGS) - set(Settings.model_fields) == {"aws"}, "short for the backend"


def test_a_commands_shared_flags_stand_between_its_own_in_the_order_of_every_help() -> None:
    @takes("tier", "state", "model")
    def command(source: str, papers: int | None = None, *, as_json: bool = False, **flags: Any) -> None:
        del source, papers, as_json, flags

    assert list(inspect.signature(command).parameters) == [
        "source", "papers", "state", "model", "tier", "as_json",
    ]  # fmt: skip


@pytest.mark.parametrize("names", [("stat",), ("state", "state")])
def test_a_flag_that_is_none_or_taken_twice_is_seen_when_the_command_is_made(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="no flags of settings"):
        takes(*names)(lambda **_flags: None)
