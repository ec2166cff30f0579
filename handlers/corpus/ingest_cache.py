"""Results of earlier ingests: a run that resumes need not read its source again.

A file is taken for the same if path, size, inode and time of change are (as make does), and so are mapping,
format, what a task reads and the code that ingests. Whatever else is wrong with the files in the state folder
is healed by ingesting again, which ``paperfleet ingest`` always does.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from handlers.atomic_file import replacing
from handlers.corpus.ingest import FOLDER, IngestResult
from handlers.corpus.profile import Profile
from handlers.domain.tasks.reads import Reads

_PATHS = ("corpus", "index", "profile_path", "rejects_path")
_PLAIN = ("sha256", "papers", "same_as", "duplicates", "differing", "rejects", "bytes")
_FILE = ".sources"


def remembered(
    source: str,
    format_name: str | None,
    mapping: Mapping[str, str],
    directory: Path,
    reads: Reads | None = None,
) -> IngestResult | None:
    """The result of the same file's last ingest into ``directory``; None if it has changed, is no regular
    file, or a file of the corpus is missing or of another size."""
    place = place_of(source, format_name, mapping, directory, reads)
    try:
        if place is None:
            return None
        entry = json.loads(place.read_text("utf-8"))
        paths = {name: Path(entry[name]) for name in _PATHS}
        if [path.stat().st_size for path in paths.values()] != entry["sizes"]:
            return None
        profile = Profile.model_validate_json(paths["profile_path"].read_bytes())
        fields: dict[str, Any] = {name: entry[name] for name in _PLAIN}
        fields["differing_lines"] = tuple(entry["differing_lines"])
        return IngestResult(**fields, **cast("dict[str, Any]", paths), profile=profile)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(result: IngestResult, place: Path | None) -> None:
    """Keep a result for ``remembered``. ``place``: the source's as it was before it was read, for one that
    grew meanwhile is to be read again. Nothing is lost where it cannot be kept."""
    if place is None:
        return
    fields: dict[str, Any] = {name: getattr(result, name) for name in _PLAIN}
    fields |= {name: str(getattr(result, name)) for name in _PATHS}
    try:
        fields["differing_lines"] = list(result.differing_lines)
        fields["sizes"] = [getattr(result, name).stat().st_size for name in _PATHS]
        with replacing(place, durable=False) as scratch:
            scratch.write_text(json.dumps(fields), "utf-8")
    except OSError:
        return


def place_of(
    source: str,
    format_name: str | None,
    mapping: Mapping[str, str],
    directory: Path,
    reads: Reads | None = None,
) -> Path | None:
    """Where the result of a file as it is now is kept; None if it is no regular file."""
    path = Path(source)
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    identity = [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino, format_name]
    read = None if reads is None else reads.model_dump()
    key = hashlib.sha256(json.dumps([*identity, sorted(mapping.items()), read, _code()]).encode()).hexdigest()
    return directory / FOLDER / _FILE / f"{key}.json"


def _code() -> list[tuple[str, int, int]]:
    """This package's files: another version may make another corpus of the same source."""
    files = sorted(each for each in Path(__file__).parent.rglob("*") if each.suffix in (".py", ".toml"))
    return [(path.name, (status := path.stat()).st_size, status.st_mtime_ns) for path in files]
