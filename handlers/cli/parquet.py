"""Results as Parquet: the lines of a JSONL export, columned."""

from __future__ import annotations

import tempfile
from pathlib import Path

from handlers.bootstrap import State, exporters
from handlers.errors import UsageError
from handlers.models import PaperStatus
from handlers.pipeline.export import COLUMNS, export
from handlers.reporting.optional import load
from handlers.reporting.parquet import to_parquet

_TYPES = {"keywords": "VARCHAR[]", "checks": "JSON", "usage": "JSON", "cost_usd": "DOUBLE"}


def export_parquet(adapters: State, run_id: str, output: Path, *, drafts: bool) -> dict[PaperStatus, int]:
    """Papers by status. UsageError without the extra ``parquet`` or when the file cannot be written."""
    load("duckdb", extra="parquet")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent)
    except OSError as error:
        raise UsageError(f"--output {output}: cannot be written ({error.strerror})") from error
    with scratch as folder:
        lines = Path(folder) / "results.jsonl"
        counts = export(
            run_id,
            ledger=adapters.ledger,
            store=adapters.store,
            format="jsonl",
            output=lines,
            drafts=drafts,
            processes=exporters(adapters),
        )
        to_parquet(lines, output, {name: _TYPES.get(name, "VARCHAR") for name in COLUMNS})
    return counts
