"""What to do about an object that is gone or not as it was written: its key tells what it held."""

from __future__ import annotations

from handlers.errors import CorpusChangedError, DamagedObjectError


def damage_error(key: str, problem: str) -> DamagedObjectError:
    """The error to raise for ``problem`` (a clause that names the object), with the cure for what it held."""
    if key.startswith("corpora/"):
        return CorpusChangedError(f"{problem}: ingest the source again")
    if "/segments/" in key:
        cure = "`paperfleet repair` keeps the other results and sets its paper back to pending"
    elif "/results/" in key:
        cure = "put it back, or start a run with another --run-id: it reuses every result that can be read"
    else:
        cure = "put it back"
    return DamagedObjectError(f"{problem}: {cure}")
