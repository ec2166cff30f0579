"""Lambda: a run id in, the run's report out; by the schedule's event all open runs are reported."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from handlers.bootstrap import log
from handlers.bootstrap.host import is_alive
from handlers.bootstrap.metrics import publish_report
from handlers.bootstrap.notifications import Notifications, sent_events
from handlers.bootstrap.state import State, open_state
from handlers.bootstrap.told import tell
from handlers.domain.run import RunId
from handlers.domain.run_report import RunReport
from handlers.domain.value import Frozen
from handlers.errors import PaperfleetError, UsageError
from handlers.results.run_answers import with_answers
from handlers.runs.summarise import summarise
from handlers.runs.watch import watch
from handlers.settings import load_settings

logger = log.logger()
SCHEDULE = "aws.scheduler"


class ReportRequest(Frozen):
    """What the report handler is asked."""

    run_id: RunId
    detail: bool = True
    """Also count the papers' error classes and failed checks, which reads every row of the run."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """``ReportRequest`` as JSON in, ``RunReport`` as JSON out. UsageError names what is wrong with it.

    EventBridge's schedule in, ``{"reported": [run id, ...]}`` out; the reports lie in the object store.
    """
    return _watch(context) if event.get("source") == SCHEDULE else _report(event)


def _watch(context: LambdaContext) -> dict[str, Any]:
    with open_state() as state:
        reports = watch(state, time_left=lambda: context.get_remaining_time_in_millis() / 1000)
        for report in reports:
            publish_report(report)
            _publish(report)
            _tell(report, state)
    return {"reported": [report.run_id for report in reports]}


def _publish(report: RunReport) -> None:
    """Tell the topic of the alarms what people should hear of the run; what goes wrong stops nothing."""
    settings = load_settings(run_id=report.run_id)
    if settings.alarms_topic is None:
        return
    from handlers.adapters.aws.clients import aws_client
    from handlers.adapters.aws.sns_topic import SnsTopic

    try:
        topic = SnsTopic(aws_client("sns"), settings.alarms_topic)
        tell(report, lambda: sent_events(settings), topic.publish)
    except PaperfleetError:
        logger.warning("no notice of run %s", report.run_id, exc_info=True)


def _tell(report: RunReport, state: State) -> None:
    """Send a run's events to the webhook, if there is one; what goes wrong stops nothing."""
    settings = load_settings(run_id=report.run_id)
    try:
        told = Notifications(settings, session_id="")
    except PaperfleetError:
        logger.warning("no webhook", exc_info=True)
        return
    told.look(state.ledger)
    if report.state in ("finished", "cancelled"):
        told.end(report.state)
    else:
        told.close()


def _report(event: dict[str, Any]) -> dict[str, Any]:
    try:
        request = ReportRequest.model_validate(event)
    except ValidationError as error:
        raise UsageError(f"not a report request: {error}") from error
    with open_state(request.run_id) as state:
        report = summarise(state, request.run_id, is_alive=is_alive, detail=request.detail)
        if request.detail:
            report = with_answers(report, state)
    return report.model_dump(mode="json")
