"""What an export is written as, and of which columns."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from handlers.errors import UsageError
from handlers.results.answer_records import AnswerColumns
from handlers.results.records import COLUMNS, MORE

Output = Path | Literal["-"]
"""A file, or standard output."""
Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "xlsx", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)
_ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv",
    ".parquet": "parquet", ".xlsx": "xlsx",
}  # fmt: skip
PACKED = ".gz"
_WHOLE = ("parquet", "xlsx")
"""Files that are written as a whole and packed by themselves."""


@dataclass(frozen=True)
class ExportShape:
    """What of the results is written, and for whom."""

    columns: tuple[str, ...] = COLUMNS
    drafts: bool = False
    """Also the texts that the gate refused."""
    bom: bool = False
    """A byte order mark before CSV and TSV, for Excel."""
    answers: AnswerColumns | None = None
    """Of a task's run; None: a translation's."""


def in_folder(output: Path) -> Path:
    """The file that is meant, which may be there or not. UsageError without a folder for it."""
    target = output.resolve()
    if target.is_dir():
        raise UsageError(f"--output {output}: is a folder; give a file in it, or --format markdown")
    if not target.parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {target.parent}")
    return target


def format_of(output: Output, wanted: Format | None) -> Format:
    """The format that the output's ending means, or the one that is wanted. UsageError if they contradict
    each other, if nothing is written under such an ending, or the format cannot be written there."""
    name = "" if output == "-" else output.name.lower()
    packed = name.endswith(PACKED)
    ending = Path(name.removesuffix(PACKED)).suffix
    meant = _ENDINGS.get(ending)
    if meant and wanted and meant != wanted and (meant, wanted) != ("json", "jsonl"):
        raise UsageError(f"--output {output} and --format {wanted} contradict each other: leave one out")
    if ending and not meant and not wanted and not _is_device(output):
        raise UsageError(
            f"--output {output}: no format has the ending {ending}; give {', '.join(_ENDINGS)}"
            f" (the first five also with {PACKED}), or --format {'|'.join(FORMATS)}"
        )
    found = wanted or meant or "jsonl"  # JSON Lines by name where they are asked for in a .json
    if found == "markdown" and output == "-":
        raise UsageError("--format markdown: give --output FOLDER; a file is written for each paper")
    if found in _WHOLE and output == "-":
        raise UsageError(f"--format {found}: give --output FILE; it cannot be streamed")
    if found in _WHOLE and packed:
        raise UsageError(f"--output {output}: {found} is packed already: leave out {PACKED}")
    return found


def folder_of(output: Path, marker: str) -> Path:
    """The folder that is meant, which is replaced whole. UsageError unless it is new, empty, or holds what
    was written there before and nothing else: ``marker`` says how many files that are."""
    target = output.resolve()
    if target.exists() and not target.is_dir():
        raise UsageError(f"--output {output}: is a file; give a folder")
    if target.is_dir() and _has_strangers(target, marker):
        raise UsageError(
            f"--output {output}: the folder has other files in it, which would be lost; give a new one"
        )
    return target


def _has_strangers(folder: Path, marker: str) -> bool:
    count = 0
    with suppress(OSError, ValueError, IndexError):
        count = int((folder / marker).read_text(encoding="ascii").split()[0])
    with os.scandir(folder) as entries:
        return any(
            seen > count
            or not (entry.is_file(follow_symlinks=False) and entry.name.endswith((".md", marker)))
            for seen, entry in enumerate(entries, start=1)
        )


def _is_device(output: Output) -> bool:
    return output != "-" and output.exists() and not output.is_file()


def columns_of(names: str | None) -> tuple[str, ...]:
    """From names between commas; all that there are by default for None. Whether each is there is known with
    the run's corpus (``records.with_own``). UsageError if none is named."""
    if names is None:
        return COLUMNS
    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    if not chosen:
        raise UsageError(f"--columns: no column is named; there are {', '.join((*COLUMNS, *MORE))}")
    return tuple(dict.fromkeys(chosen))
