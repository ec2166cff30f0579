"""A run's answers beside its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from handlers.domain.run_report import AnswerFigures, RunReport
from handlers.ports import Backend
from handlers.reporting.answer_figures import answer_figures
from handlers.results.answer_records import AnswerColumns


def with_answers(report: RunReport, backend: Backend) -> RunReport:
    """The report with what its task's answers come to; a translation's as it is. Reads every line."""
    spec = backend.ledger.run(report.run_id).spec
    found = AnswerColumns.of_run(spec, backend.store)
    if found is None:
        return report
    answers = answer_figures(report.run_id, found.fields, ledger=backend.ledger, store=backend.store)
    warnings = (*report.warnings, *_unlike_vectors(answers, found))
    return report.model_copy(update={"answers": answers, "warnings": warnings})


def unlike_vectors(run_id: str, columns: AnswerColumns, backend: Backend) -> list[str]:
    """A sentence for each column whose vectors are of several lengths. Reads every line where there are
    vectors."""
    vectors = {name: columns.fields[name] for name in map(columns.answers.__getitem__, columns.vectors)}
    found = answer_figures(run_id, vectors, ledger=backend.ledger, store=backend.store)
    return list(_unlike_vectors(found, columns))


def _unlike_vectors(answers: Mapping[str, AnswerFigures], columns: AnswerColumns) -> Iterator[str]:
    for column in columns.vectors:
        counts = answers[name].counts if (name := columns.answers[column]) in answers else {}
        if len(counts) > 1:
            told = ", ".join(f"{papers:,} of {size}" for size, papers in counts.items())
            yield (
                f"the vectors in {column} are of different lengths ({told}) and cannot be compared: more than"
                " one model or setting made them; `dimensions` in the task file's [embed] holds all to one"
            )
