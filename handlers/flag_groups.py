"""A setting as a flag: its panel in a command's help, and the commands that have it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field


class Flag(NamedTuple):
    """Panel of a command's help that a flag stands in, and the commands that have it."""

    panel: str | None
    commands: tuple[str, ...]


_DOLLARS = re.compile(r"^(?:US|U\.S\.)?\s?\$\s?|^USD\s?|\s?(?:USD|\$)$", re.IGNORECASE)

INSPECT = (
    "status", "report", "export", "retry", "regate", "redrive", "pause", "resume", "cancel", "review",
    "audit",
)  # fmt: skip
SPECIFY = ("run", "plan", "pilot", "shard", "try")
CALL = ("run", "plan", "pilot", "work", "try")
SHAPE = ("run", "plan", "work")
ON_ACTIONS = ("actions plan", "actions begin", "actions work", "actions collect")

WHERE = Flag("Where", ("shard", "work", "ingest", "runs", "task push", *INSPECT))
STATE = Flag(
    None, (*SPECIFY, "work", "ingest", "invoke", "repair", "runs", "task push", *INSPECT, *ON_ACTIONS)
)
RUN_ID = Flag("Run", (*SHAPE, "shard", "merge", *INSPECT))
SESSION = Flag("Run", SHAPE)
BUDGET = Flag("Run", ("init", "run", "plan", "pilot", "shard", "actions plan"))
BATCHES = Flag("Run", ("run", "plan", "pilot", "shard"))
JOBS = Flag("Run", ("run", "work"))
CONNECTION = Flag("Endpoint", ("init", *CALL))
THINKING = Flag("Endpoint", ("run", "pilot", "work", "try"))
ADDRESS = Flag("Endpoint", ("init", *CALL, "invoke", "task check"))
FLEX = Flag("Endpoint", ("run", "plan", "pilot", "work"))
HOURS = Flag("Run", ("run", "work"))
SILENCE = Flag("Endpoint", ("run", "plan", "pilot", "work"))
MODEL = Flag("Endpoint", ("init", *SPECIFY, "actions plan", "task check"))
REQUEST = Flag("Endpoint", SPECIFY)
TEXT = Flag("Text", SPECIFY)
TASK = Flag("Text", (*SPECIFY, "actions plan"))
PLUGINS = Flag("Text", (*SPECIFY, "work", "regate", "task check", "task push"))
FLEET = Flag("Fleet", SHAPE)
WORKERS = Flag("Fleet", (*SHAPE, "pilot", "invoke"))
LIMIT = Flag("Fleet", (*SHAPE, "pilot", "actions plan"))


def setting(
    description: str, flag: Flag | None = None, *, default: object = None, switch: str = "", **limits: Any
) -> Any:
    """A field, and the flag that the command line makes of it. ``switch`` spells a flag without a value."""
    shown: Any = {"switch": switch, **flag._asdict()} if flag else None
    return Field(default=default, description=description, json_schema_extra=shown, **limits)


def names_in(text: str | None) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(filter(None, map(str.strip, (text or "").split(","))))


def share_of(value: Any) -> Any:
    """A share of the papers, from a percentage such as ``5%``; ValueError if the text is none."""
    if not isinstance(value, str):
        return value
    number, sign, rest = value.strip().partition("%")
    try:
        share = float(number) / (100 if sign else 1)
    except ValueError:
        share = -1.0
    if rest or not 0 <= share <= 1:
        raise ValueError(f"{value!r} is no share: give a percentage such as 5%")
    return share


def usd_of(value: Any) -> Any:
    """An amount as people write it: ``$45``, ``45 USD``."""
    if not isinstance(value, str):
        return value
    return _DOLLARS.sub("", value.strip())


def few_of(value: Any) -> Any:
    """A share of the calls that are paid for twice; ValueError for more than few."""
    share = share_of(value)
    if isinstance(share, int | float) and not 0 <= share <= _FEW:
        raise ValueError(f"{str(value)!r} is not allowed: give a percentage from 0% to {_FEW:.0%}")
    return share


Usd = Annotated[Decimal, BeforeValidator(usd_of)]
"""An amount of money."""
Share = Annotated[float, BeforeValidator(share_of)]
"""A share of the papers, as a number or as a percentage."""
FewCalls = Annotated[float, BeforeValidator(few_of)]
"""A share of the calls."""
_FEW = 0.05
