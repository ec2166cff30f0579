"""A source into the canonical corpus, for every command that begins with one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from handlers import corpus
from handlers.bootstrap.host import helper_processes
from handlers.bootstrap.state import SystemClock, open_state
from handlers.corpus.ingest import IngestResult, ingest
from handlers.corpus.ingest_cache import place_of, remember, remembered
from handlers.corpus.profile import Profile
from handlers.corpus.read_records import rarely_filled
from handlers.corpus.sources.formats import Source, open_source
from handlers.corpus.sources.source_notes import named, notes_of
from handlers.counted import counted
from handlers.domain.tasks.reads import RECORD
from handlers.errors import SourceError, UsageError
from handlers.extras import how_to_get
from handlers.local.named_outputs import note_inputs
from handlers.reporting.plain import plain
from handlers.results.answer_records import AnswerColumns
from handlers.settings import Settings

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle

SAMPLE = Path(corpus.__path__[0]) / "sample.jsonl"
"""The papers that Paperfleet ships."""
_NEARLY_ALL = 0.95
"""Share of papers without a text from which on a source is refused."""


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
    bundle: TaskBundle | None = None,
) -> IngestResult:
    """Ingest into the settings' state folder, and into the stack's bucket if the backend is AWS; say
    what came of it. Not ``again``: a file that has not changed since is left alone. ``alongside`` is called
    in a thread beside it if it takes long. ``bundle``: the task that reads its records."""
    mapping, processes = dict(map(_pair, source.mapping)), helper_processes()
    reads = None if bundle is None else bundle.reads
    read_as = f"{source.format} in {source.encoding}" if source.encoding else source.format
    identity = (source.location, read_as, mapping, settings.state, reads)
    result = None if again else remembered(*identity)
    if result is None:
        place = place_of(*identity)
        opened = _open(source, settings, console)
        try:
            result = ingest(
                opened, settings.state, mapping=mapping, reads=reads, processes=processes, alongside=alongside
            )
        except KeyboardInterrupt:
            console.print(_stopped(source.location), markup=False, soft_wrap=True)
            raise
        notes = notes_of(opened)
        if reads is None:
            refuse_empty(source.location, result.profile, mapping, notes.columns)
        elif result.profile.empty == result.papers:
            raise SourceError(f"{source.location}: no record has anything in {', '.join(reads.fields)}")
        remember(result, place)
        if told := notes.phrases():
            console.print("; ".join(told), markup=False, soft_wrap=True)
    note_inputs(settings, source.location)
    warnings = (f"warning: {each}" for each in carried_by_none(result, bundle))
    for sentence in (counts_of(result, settings.full_text, bundle), *warnings):
        console.print(sentence, markup=False, soft_wrap=True)
    if result.rejects or result.differing:
        console.print(f"[yellow]rejected lines:[/] {escape(str(result.rejects_path))}", soft_wrap=True)
    if settings.backend == "aws":
        from handlers.runs.upload import store_corpus

        with open_state(settings.run_id, settings) as adapters:
            store_corpus(result, adapters.store)
    return result


def _stopped(location: str) -> str:
    kept = "what was harvested is kept and not asked for again" if location.startswith("oai+") else ""
    return (
        f"stopped while {location} was read: {kept or 'nothing of it is kept'}, no call was made; the same"
        " command begins again"
    )


def refuse_empty(name: str, profile: Profile, mapping: Mapping[str, str], columns: Sequence[str]) -> None:
    """SourceError if all or nearly all papers have no text: then the wrong columns were read. Whoever names
    them knows of papers without one."""
    empty, papers = profile.without_text, profile.papers
    known = empty < papers and not mapping.keys().isdisjoint(("title", "abstract"))
    if known or empty < _NEARLY_ALL * papers:
        return
    bodies = " (a body alone is not sent)" if profile.filled["body"] else ""
    there = f"; the source has {named(columns)}" if columns else ""
    raise SourceError(
        f"{name}: {empty:,} of {counted(papers, 'paper')} have neither title nor abstract{bodies}, and would"
        f" be skipped: say where the texts are with --map title=NAME --map abstract=NAME{there}"
    )


def carried_by_none(result: IngestResult, bundle: TaskBundle | None) -> list[str]:
    """A sentence for each field that exports are to carry along and no record has."""
    if bundle is None or not bundle.tables.output.carry:
        return []
    with result.corpus.open("rb") as lines:
        return AnswerColumns.of_bundle(bundle).carried_by_none(lines)


def counts_of(result: IngestResult, full_text: bool, bundle: TaskBundle | None = None) -> str:
    """``1,294 papers (3 of equal text)``, and what of them is not sent; of a task's records, which fields few
    have."""
    reads = None if bundle is None else bundle.reads
    less = [
        f"{result.same_as:,} of equal text" if result.same_as else "",
        _dropped(result),
        _rejected(result),
        f"{result.profile.without_text:,} without a text" if result.profile.without_text else "",
    ]
    told = ", ".join(filter(None, less))
    noun = "record" if reads is not None and reads.shape == RECORD else "paper"
    sentence = counted(result.papers, noun) + (f" ({told})" if told else "")
    if reads is not None:
        return "; ".join([sentence, *rarely_filled(reads, result.profile.filled, result.papers)])
    if (bodies := result.profile.filled["body"]) and not full_text:
        has = "1 paper has a body, which is" if bodies == 1 else f"{bodies:,} papers have bodies, which are"
        sentence += f"; {has} not sent: `--full-text`"
    return sentence


def _rejected(result: IngestResult) -> str:
    """With the first one's reason: mostly it is that of all, and tells how they are to be read."""
    if not result.rejects:
        return ""
    told = f"{counted(result.rejects, 'line')} rejected"
    with suppress(OSError, ValueError), result.rejects_path.open("rb") as lines:
        first = json.loads(lines.readline())
        told += f", e.g. line {first['line']:,}: {plain(first['reason'])}"
    return told


def _dropped(result: IngestResult) -> str:
    """What is dropped is told by its lines where it is not the same record over again."""
    if not result.duplicates:
        return ""
    sentence = f"{counted(result.duplicates, 'duplicate')} dropped"
    if not result.differing:
        return sentence
    lines = ", ".join(map(str, result.differing_lines))
    more = ", ..." if result.differing > len(result.differing_lines) else ""
    word = "line" if result.differing == 1 else "lines"
    return (
        f"{sentence}, {result.differing:,} of them with other content beside the text: {word} {lines}{more}"
    )


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
