"""A source into the canonical corpus, for every command that begins with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from handlers import corpus
from handlers.bootstrap.host import helper_processes
from handlers.bootstrap.state import SystemClock, open_state
from handlers.corpus.ingest import IngestResult, ingest
from handlers.corpus.ingest_cache import place_of, remember, remembered
from handlers.corpus.sources.formats import Source, open_source
from handlers.corpus.sources.source_notes import NotingSource
from handlers.errors import UsageError
from handlers.extras import how_to_get
from handlers.settings import Settings

SAMPLE = Path(corpus.__path__[0]) / "sample.jsonl"
"""The papers that Paperfleet ships."""


@dataclass(frozen=True)
class SourceSpec:
    """A source as a command line names it."""

    location: str
    """A file or folder, ``-`` or an OAI-PMH address."""
    mapping: Sequence[str] = ()
    """``FIELD=NAME`` each."""
    format: str | None = None
    """None: by the location's name."""
    encoding: str | None = None
    """None: found out."""


def ingest_source(
    source: SourceSpec,
    settings: Settings,
    console: Console,
    *,
    again: bool = True,
    alongside: Callable[[], None] | None = None,
) -> IngestResult:
    """Ingest into the settings' state folder, and into the stack's bucket if the backend is AWS; say
    what came of it. Not ``again``: a file that has not changed since is left alone. ``alongside`` is called
    in a thread beside it if it takes long."""
    mapping, processes = dict(map(_pair, source.mapping)), helper_processes()
    read_as = f"{source.format} in {source.encoding}" if source.encoding else source.format
    identity = (source.location, read_as, mapping, settings.state)
    result = None if again else remembered(*identity)
    if result is None:
        place = place_of(*identity)
        opened = _open(source, settings, console)
        result = ingest(opened, settings.state, mapping=mapping, processes=processes, alongside=alongside)
        remember(result, place)
        if isinstance(opened, NotingSource) and (told := opened.notes.phrases()):
            console.print("; ".join(told), markup=False, soft_wrap=True)
    console.print(
        f"{result.papers} papers ({result.same_as} of equal text, {result.duplicates} duplicates dropped, "
        f"{result.rejects} lines rejected)"
    )
    if result.rejects:
        console.print(f"[yellow]rejected lines:[/] {escape(str(result.rejects_path))}", soft_wrap=True)
    if settings.backend == "aws":
        from handlers.runs.upload import store_corpus

        with open_state(settings.run_id, settings) as adapters:
            store_corpus(result, adapters.store)
    return result


def _open(source: SourceSpec, settings: Settings, console: Console) -> Source:
    if source.location.startswith("oai+") and source.encoding:
        raise UsageError("--encoding: an OAI-PMH repository states its own")
    if not source.location.startswith("oai+"):
        return open_source(source.location, format_name=source.format, encoding=source.encoding)
    try:
        from handlers.corpus.sources.oai_pmh import OaiPmhSource
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed: OAI-PMH needs {how_to_get('oai')}") from error
    return OaiPmhSource(
        source.location,
        settings.state / "harvests",
        SystemClock(),
        say=lambda sentence: console.print(sentence, markup=False, soft_wrap=True),
    )


def _pair(argument: str) -> tuple[str, str]:
    field, equals, name = argument.partition("=")
    if not equals or not field or not name:
        raise UsageError(f"--map {argument!r}: FIELD=NAME wanted, e.g. --map title=Title")
    return field, name
