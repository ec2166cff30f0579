"""A corpus with the size of every request, and the figures that a pilot measured on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from handlers.bootstrap.state import open_state
from handlers.corpus.index import parse_index
from handlers.corpus.ingest import IngestResult
from handlers.domain.paper import Paper
from handlers.domain.plan import PilotFigures
from handlers.domain.result import MADE_UP, OF_HEAD
from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.llm.built_in import is_built_in
from handlers.local.endpoint import GLOSS
from handlers.local.ingesting import SourceSpec, ingest_source
from handlers.local.task_file import task_bundle
from handlers.planning.sample import EVERY_PAPER, SampleBounds, SizedPaper
from handlers.planning.workload import HasResults, Workload, measure_workload
from handlers.ports import Task
from handlers.runs.specification import specification
from handlers.runs.submit import why_nothing
from handlers.settings import Settings
from handlers.state_paths import LEDGER, PILOT


@dataclass(frozen=True)
class MeasuredCorpus:
    """A corpus as a run with these settings would see it. ``key`` is of corpus and fixed settings."""

    settings: Settings
    ingest_result: IngestResult
    spec: RunSpec
    workload: Workload
    sized: Sequence[SizedPaper]

    @property
    def key(self) -> str:
        """Of pilots: the same for model, task, fixed settings and endpoint, whatever the corpus."""
        return pilot_key(self.spec, self.settings.base_url)

    @property
    def figures_path(self) -> Path:
        return self.settings.state / "pilots" / f"{self.key}.json"

    def sample_path(self, papers: int | str) -> Path:
        """Of a pilot's papers."""
        sha256 = self.ingest_result.sha256[:8]
        return self.figures_path.with_name(f"{self.key}-{sha256}-{papers}.jsonl")

    @property
    def is_piloted(self) -> bool:
        """Whether a pilot was made of this very corpus."""
        pattern = self.sample_path("*").name
        return any(self.figures_path.parent.glob(pattern)) or not self.figures_path.exists()

    def figures(self) -> PilotFigures | None:
        """What pilots with these settings measured, on this corpus or what it grew from; None without one.
        UsageError if they cannot be read: a plan that silently leaves them out would be another plan."""
        earlier = self.spec.fingerprint(self.ingest_result.sha256)[:12]  # as releases before named them
        for path in (self.figures_path, self.figures_path.with_name(f"{earlier}.json")):
            try:
                return PilotFigures.model_validate_json(path.read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, ValidationError) as error:
                raise UsageError(
                    f"{path}: these are no figures of this version's `pilot`: run it again (its papers are"
                    " not sent twice), or remove the file"
                ) from error
        return None

    def lines(self, chosen: Sequence[SizedPaper]) -> list[bytes]:
        """The corpus's lines of these papers."""
        read = []
        with self.ingest_result.corpus.open("rb") as corpus:
            for each in chosen:
                corpus.seek(each.offset)
                read.append(corpus.read(each.length))
        return read


def pilot_key(spec: RunSpec, base_url: str | None) -> str:
    """The built-in model server has another address each time."""
    endpoint = "" if base_url is None or spec.model == GLOSS else base_url.rstrip("/")
    return spec.fingerprint(f"pilot at {endpoint}")[:12]


def pilot_prefix(key: str) -> str:
    """Of the ids of a pilot's runs."""
    return f"{PILOT}{key}-"


def measure_corpus(
    source: SourceSpec, settings: Settings, console: Console, *, again: bool = False
) -> MeasuredCorpus:
    """Ingest the source and make every request that a run would send, without sending it. ``again``: as if
    pilots with these settings had left no results."""
    result = ingest_source(source, settings, console, bundle=task_bundle(settings))
    return measure_ingested(result, settings, again=again)


def measure_ingested(result: IngestResult, settings: Settings, *, again: bool = False) -> MeasuredCorpus:
    """The same of a corpus that is ingested."""
    from handlers.bootstrap import wiring  # most of the package

    named = settings if settings.model else settings.model_copy(update={"model": GLOSS})
    bundle = task_bundle(named)
    spec = specification(named, result, bundle)
    task = wiring.task_of(spec, bundle=bundle)
    with result.index.open("rb") as index, result.corpus.open("rb") as corpus:

        def read(offset: int, length: int) -> bytes:
            corpus.seek(offset)
            return corpus.read(length)

        entries = parse_index(index, corpus_sha256=result.sha256)
        but_for = pilot_prefix(pilot_key(spec, named.base_url)) if again else None
        with _results(named, spec, task, but_for) as has_results:
            workload, sized = measure_workload(
                entries, read, task,
                skips=partial(why_nothing, spec),
                has_results=has_results,
                bounds=SampleBounds.of_bodies(result.papers) if spec.full_text else EVERY_PAPER,
            )  # fmt: skip
    return MeasuredCorpus(named, result, spec, workload, sized)


@contextmanager
def _results(settings: Settings, spec: RunSpec, task: Task, but_for: str | None) -> Iterator[HasResults]:
    """Which papers' results a run would take over from those before it, but for runs whose id begins so."""
    if settings.force or (settings.backend == "embedded" and not (settings.state / LEDGER).exists()):
        yield lambda papers: [False] * len(papers)
        return
    from handlers.bootstrap import wiring  # most of the package

    with open_state(None, settings) as state:
        names = wiring.result_names(spec, state.ledger, task)
        sent = wiring.as_sent(settings, spec, state)
        made_up = settings.base_url is None or is_built_in(settings.base_url)

        def named(paper: Paper) -> list[str]:
            first, *others = names.all(paper, sent)
            own = [first, MADE_UP + first][: 1 + made_up]
            is_whole = spec.full_text and paper.body
            heads = [] if is_whole or task.columns is not None else [OF_HEAD + name for name in own]
            return [*own, *others, *heads]

        def has_results(papers: Sequence[Paper]) -> list[bool]:
            wanted = list(map(named, papers))
            found = state.ledger.reusable(sorted({name for each in wanted for name in each}))
            theirs = {
                name
                for name, result in found.items()
                if but_for is None or not result.run_id.startswith(but_for)
            }
            return [
                any(name in theirs and names.is_same(paper, name) for name in each)
                for paper, each in zip(papers, wanted, strict=True)
            ]

        yield has_results
