"""Bundles in an object store: put once under their digest, and read by whoever works on the run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from handlers.errors import DamagedObjectError
from handlers.ports import ObjectStore
from handlers.tasks.file_task.load_task import bundle_of, key_of
from handlers.tasks.file_task.resolve_task import MOST_BUNDLE
from handlers.tasks.file_task.task_bundle import TaskBundle


def put_bundle(bundle: TaskBundle, store: ObjectStore) -> None:
    """One that is there already is left as it is."""
    key = key_of(bundle.digest)
    if store.exists(key):
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / os.path.basename(key)  # noqa: PTH119 - a key is no path of this machine
        path.write_bytes(bundle.content)
        store.put_file(key, path)


def stored_bundle(digest: str, store: ObjectStore) -> TaskBundle:
    """DamagedObjectError if it is gone, or not what it was."""
    key = key_of(digest)
    if not store.exists(key):
        raise DamagedObjectError(
            f"{key} is not in the store: `paperfleet task push FILE` puts it there, and so does submitting"
            " the run again with its --task FILE"
        )
    if _goes_on(key, store):
        raise DamagedObjectError(f"{key} is no task file of this project: it has more than a megabyte")
    return bundle_of(b"".join(store.lines(key)), digest)


def _goes_on(key: str, store: ObjectStore) -> bool:
    """Whether an object has more bytes than any bundle. Whatever lies there is read into memory."""
    try:
        return bool(store.read(key, MOST_BUNDLE, 1))
    except DamagedObjectError:
        return False
