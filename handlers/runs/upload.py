"""An uploaded source becomes a corpus and a run request: what ``paperfleet shard`` does on a machine."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handlers.corpus.ingest import IngestResult, ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.value import sha256_of
from handlers.errors import DamagedObjectError, SourceError, UsageError, first_problem
from handlers.ports import ObjectStore
from handlers.runs.run_request import run_request
from handlers.runs.submit import RunRequest
from handlers.settings import Settings
from handlers.state_paths import index_key

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle

INCOMING = "incoming/"
_SCRATCH, _DAY = "upload-", 86400.0
_NAME_LOOKED_AT = 60
"""Characters of a name that hold its ending."""
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")


class _Object(BaseModel):
    model_config = ConfigDict(extra="ignore")
    key: str = Field(min_length=1)


class _Detail(BaseModel):
    model_config = ConfigDict(extra="ignore")
    object: _Object


class _Upload(BaseModel):
    """EventBridge's ``Object Created`` event, as far as it is read here."""

    model_config = ConfigDict(extra="ignore")
    detail: _Detail


def uploaded_key(event: dict[str, object]) -> str | None:
    """The key of an upload's event, None if the event is none. UsageError for a key elsewhere."""
    if event.get("source") != "aws.s3":
        return None
    try:
        key = _Upload.model_validate(event).detail.object.key
    except ValidationError as error:
        raise UsageError(f"not an Object Created event: {first_problem(error)}") from error
    if not key.startswith(INCOMING):
        raise UsageError(f"{key}: only objects under {INCOMING} are taken for a corpus")
    return key


def request_of_upload(key: str, *, store: ObjectStore, settings: Settings, alone: bool = False) -> RunRequest:
    """Ingest the object, store the corpus and its index, and ask for a run named after file and content.

    A file that has grown is another corpus and so another run; the same file again re-arms its run. With a
    task file the run is named after what it asks and checks as well.
    ``alone``: nobody else uses the state folder now.
    """
    bundle = _task_of_uploads(settings, store)
    settings.state.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(settings.state, older_than=0.0 if alone else _DAY)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=settings.state) as scratch:
        source = Path(scratch) / ("upload" + _ending(key))
        with source.open("wb") as copy:
            copy.writelines(store.lines(key))
        try:
            result = ingest(
                open_source(str(source)), Path(scratch), reads=None if bundle is None else bundle.reads
            )
        except (SourceError, UsageError) as error:
            raise type(error)(str(error).replace(str(source), repr(key)[1:-1])) from error
        store_corpus(result, store)
        named = settings.model_copy(update={"run_id": run_id_of(key, result, bundle)})
        return run_request(named, result, bundle)


def _ending(key: str) -> str:
    """What tells the format of an object, whatever else its key is made of: it may be no name of a file."""
    name = PurePosixPath(key).name
    return "".join(PurePosixPath(_FOREIGN.sub("-", name[-_NAME_LOOKED_AT:])).suffixes[-2:])


def _task_of_uploads(settings: Settings, store: ObjectStore) -> TaskBundle | None:
    """UsageError if the stack's task file is not in its bucket, or not what it was."""
    if settings.task_bundle is None:
        return None
    from handlers.tasks.file_task.stored_bundle import stored_bundle  # for such runs alone

    try:
        return stored_bundle(settings.task_bundle, store)
    except DamagedObjectError as error:
        raise UsageError(f"task_bundle: {error}") from error


def _remove_leftovers(state: Path, *, older_than: float) -> None:
    """Folders of invocations that were cut off: they would fill the disk of a sandbox that stays warm.
    ``older_than`` is in seconds, by the clock of the disk."""
    with tempfile.NamedTemporaryFile(dir=state) as now:
        newest = Path(now.name).stat().st_mtime - older_than
    for folder in state.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if folder.stat().st_mtime <= newest:
                shutil.rmtree(folder)


def store_corpus(result: IngestResult, store: ObjectStore) -> None:
    """The index is stored first, so that a stored corpus always has one."""
    store.put_file(index_key(result.key), result.index)
    store.put_file(result.key, result.corpus)


def run_id_of(key: str, result: IngestResult, bundle: TaskBundle | None = None) -> str:
    """``june.jsonl`` becomes ``june-1f3a9c02``."""
    mark = result.sha256 if bundle is None else sha256_of([result.sha256, bundle.asks, bundle.gate])
    stem = PurePosixPath(key).name.partition(".")[0]
    name = _FOREIGN.sub("-", stem).strip("-._")[:48] or "upload"
    return f"{name}-{mark[:8]}"
