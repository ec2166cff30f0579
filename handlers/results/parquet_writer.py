"""Results as Parquet, from the lines of a JSONL export, by DuckDB at bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from handlers.atomic_file import replacing
from handlers.errors import UsageError
from handlers.extras import load
from handlers.ports import Backend
from handlers.results.export import Counts, export_jsonl
from handlers.results.export_shape import ExportShape, in_folder

_MEMORY = "512MB"
_AS_EVER = ExportShape()
_TYPES = {
    "keywords": "VARCHAR[]",
    "source_keywords": "VARCHAR[]",
    "checks": "JSON",
    "usage": "JSON",
    "segments": "JSON",
    "cost_usd": "DOUBLE",
}


def export_parquet(
    backend: Backend, run_id: str, output: Path, *, shape: ExportShape = _AS_EVER, processes: int = 1
) -> Counts:
    """Papers by status. UsageError without the extra ``parquet`` or when the file cannot be written."""
    load("duckdb", extra="parquet")
    target = in_folder(output)
    try:
        scratch = tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent)
    except OSError as error:
        raise UsageError(f"--output {output}: cannot be written ({error.strerror})") from error
    with scratch as folder:
        lines = Path(folder) / "results.jsonl"
        counts = export_jsonl(backend, run_id, lines, shape=shape, processes=processes)
        to_parquet(lines, output, _types(shape))
    return counts


def _types(shape: ExportShape) -> dict[str, str]:
    if shape.answers is not None:
        return shape.answers.types(shape.columns)
    return {name: _TYPES.get(name, "VARCHAR") for name in shape.columns}


def to_parquet(lines: Path, output: Path, columns: Mapping[str, str]) -> int:
    """Write the rows of a JSONL file as Parquet (zstd), whole or not at all; returns how many.

    ``columns``: name → DuckDB type (``VARCHAR``, ``DOUBLE``, ``VARCHAR[]``, ``JSON`` ...); a field that is
    missing or null is null, one without a column is left out. Any of the lines may be up to 64 MiB long.
    UsageError without the extra ``parquet`` or when the file cannot be written.
    """
    duckdb = load("duckdb", extra="parquet")
    source = "read_json(?, format = 'newline_delimited', columns = ?, maximum_object_size = 67108864)"
    output = in_folder(output)
    database = duckdb.connect(":memory:", config={"memory_limit": _MEMORY, "threads": 1})
    try:
        with replacing(output, durable=True) as scratch:
            # DuckDB takes no parameter for the target of COPY: quoted as SQL asks, hence the S608 below.
            target = str(scratch).replace("'", "''")
            copy = f"COPY (SELECT * FROM {source}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608
            (count,) = database.execute(copy, [str(lines), dict(columns)]).fetchone()
    except (OSError, duckdb.IOException) as error:
        raise UsageError(f"--output {output}: cannot be written: {error}") from error
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0][:300]
        raise UsageError(
            f"--output {output}: a value has no place in its column ({reason}); jsonl has it as it is"
        ) from error
    finally:
        database.close()
    return int(count)
