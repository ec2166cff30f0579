"""A provider's bill as CSV: whatever its columns are called, its sums."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from handlers.domain.money import NANO, NanoUsd
from handlers.domain.value import Frozen
from handlers.errors import UsageError

_COLUMNS = {
    "cost": (
        "cost_usd",
        "cost",
        "amount_usd",
        "amount",
        "amount_value",
        "total_cost",
        "usd",
        "spend",
        "price",
    ),
    "calls": ("requests", "calls", "num_model_requests", "n_requests", "request_count", "api_requests"),
    "prompt": ("prompt_tokens", "input_tokens", "tokens_prompt", "n_context_tokens_total", "tokens_in"),
    "completion": (
        *("completion_tokens", "output_tokens", "tokens_completion"),
        *("n_generated_tokens_total", "tokens_out"),
    ),
    "model": ("model", "model_name", "model_permaslug", "line_item"),
}
_SHOWN = 200
"""Characters that are told of a header: another file's may be a paper."""
_NOT_A_NUMBER = re.compile(r"[\s$,_]|USD")


class Bill(Frozen):
    """Sums over the rows; None for what the bill has no column for."""

    rows: int
    cost: NanoUsd | None
    """Rounded half up at each row's ninth decimal."""
    calls: int | None
    prompt_tokens: int | None
    completion_tokens: int | None


def read_bill(path: Path, model: str | None = None) -> Bill:
    """UsageError names file, line and column of what cannot be read. Rows may be calls, days or models."""
    sums: dict[str, int] = {}
    rows = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            columns = _columns(lines.fieldnames or (), path, wants_model=model is not None)
            for row in lines:
                if model is not None and row[columns["model"]] != model:
                    continue
                rows += 1
                for name in columns.keys() - {"model"}:
                    place = f"{path}, line {lines.line_num}, column {columns[name]!r}"
                    sums[name] = sums.get(name, 0) + _number(row, columns[name], place, money=name == "cost")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"bill {path}: cannot be read as CSV: {error}") from error
    if not rows:
        raise UsageError(f"bill {path}: no row" + (f" of model {model!r}" if model else ""))
    return Bill(
        rows=rows,
        cost=sums.get("cost"),
        calls=sums.get("calls"),
        prompt_tokens=sums.get("prompt"),
        completion_tokens=sums.get("completion"),
    )


def _columns(header: Iterable[object], path: Path, *, wants_model: bool) -> dict[str, str]:
    names = {str(name).strip().lower().replace(" ", "_"): str(name) for name in header}
    columns = {
        what: next(names[alias] for alias in aliases if alias in names)
        for what, aliases in _COLUMNS.items()
        if names.keys() & set(aliases)
    }
    if not columns.keys() - {"model"}:
        accepted = "; ".join(f"{what}: {', '.join(aliases[:3])}" for what, aliases in _COLUMNS.items())
        found = (", ".join(names) or "none")[:_SHOWN]
        raise UsageError(f"bill {path}: no column that is known ({accepted}); found {found}")
    if wants_model and "model" not in columns:
        raise UsageError(f"bill {path}: --bill-model given, but there is no column for the model")
    return columns


def _number(row: Mapping[str, str | None], column: str, place: str, *, money: bool) -> int:
    text = _NOT_A_NUMBER.sub("", row[column] or "0") or "0"
    try:
        value = Decimal(text)
        if not value.is_finite() or abs(value) > 10**15:
            raise InvalidOperation
    except InvalidOperation:
        raise UsageError(f"bill {place}: {text[:40]!r} is no number") from None
    return int((value * NANO).quantize(Decimal(1))) if money else int(value)
