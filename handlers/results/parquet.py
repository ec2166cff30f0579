"""Results as Parquet: the lines of a JSONL export, columned."""

from __future__ import annotations

import tempfile
from pathlib import Path

from handlers.errors import UsageError
from handlers.extras import load
from handlers.ports import Backend
from handlers.results.export import COLUMNS, Counts, export_jsonl
from handlers.results.parquet_writer import to_parquet

_TYPES = {"keywords": "VARCHAR[]", "checks": "JSON", "usage": "JSON", "cost_usd": "DOUBLE"}


def export_parquet(
    backend: Backend, run_id: str, output: Path, *, drafts: bool = False, processes: int = 1
) -> Counts:
    """Papers by status. UsageError without the extra ``parquet`` or when the file cannot be written."""
    load("duckdb", extra="parquet")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent)
    except OSError as error:
        raise UsageError(f"--output {output}: cannot be written ({error.strerror})") from error
    with scratch as folder:
        lines = Path(folder) / "results.jsonl"
        counts = export_jsonl(backend, run_id, lines, drafts=drafts, processes=processes)
        to_parquet(lines, output, {name: _TYPES.get(name, "VARCHAR") for name in COLUMNS})
    return counts
