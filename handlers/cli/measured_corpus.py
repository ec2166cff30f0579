"""A corpus with the size of every request, and the figures that a pilot measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from handlers.corpus.index import parse_index
from handlers.corpus.ingest import IngestResult
from handlers.domain.plan import PilotFigures
from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.local.endpoint import GLOSS
from handlers.local.ingesting import SourceSpec, ingest_source
from handlers.planning.workload import SizedPaper, Workload, measure_workload
from handlers.runs.specification import specification
from handlers.runs.submit import costs_nothing
from handlers.settings import Settings


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
        return self.spec.fingerprint(self.ingest_result.sha256)[:12]

    @property
    def figures_path(self) -> Path:
        return self.settings.state / "pilots" / f"{self.key}.json"

    def figures(self) -> PilotFigures | None:
        """What pilots of this corpus with these settings measured; None without one. UsageError if they
        cannot be read: a plan that silently leaves them out would be another plan."""
        try:
            return PilotFigures.model_validate_json(self.figures_path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise UsageError(
                f"{self.figures_path}: these are no figures of this version's `pilot`: run it again (its"
                " papers are not sent twice), or remove the file"
            ) from error

    def lines(self, chosen: Sequence[SizedPaper]) -> list[bytes]:
        """The corpus's lines of these papers."""
        read = []
        with self.ingest_result.corpus.open("rb") as corpus:
            for each in chosen:
                corpus.seek(each.offset)
                read.append(corpus.read(each.length))
        return read


def measure_corpus(source: SourceSpec, settings: Settings, console: Console) -> MeasuredCorpus:
    """Ingest the source and make every request that a run would send, without sending it."""
    from handlers.bootstrap import wiring  # most of the package

    result = ingest_source(source, settings, console)
    named = settings if settings.model else settings.model_copy(update={"model": GLOSS})
    spec = specification(named, result)
    task = wiring.task_of(spec)
    with result.index.open("rb") as index, result.corpus.open("rb") as corpus:

        def read(offset: int, length: int) -> bytes:
            corpus.seek(offset)
            return corpus.read(length)

        entries = parse_index(index, corpus_sha256=result.sha256)
        workload, sized = measure_workload(entries, read, task, skips=costs_nothing(spec))
    return MeasuredCorpus(named, result, spec, workload, sized)
