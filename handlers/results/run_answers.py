"""A run's answers beside its report."""

from __future__ import annotations

from handlers.domain.run_report import RunReport
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
    return report.model_copy(update={"answers": answers})
