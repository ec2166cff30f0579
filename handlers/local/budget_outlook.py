"""How far a run's budget reaches, said before the first call."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.bootstrap import wiring
from handlers.domain.money import NANO, PICO_A_NANO, Price, budget_words, usd
from handlers.domain.paper import Paper
from handlers.domain.run import RunRecord
from handlers.errors import EarlierLayoutError, UsageError
from handlers.ports import Backend, Ledger
from handlers.reporting.budget_number import enough, wants_budget, with_number
from handlers.reporting.projection import Line, Projection, Rest, project_run
from handlers.runs.expectation import covered
from handlers.settings import Settings
from handlers.state_paths import RUN_PLAN, run_folder

if TYPE_CHECKING:  # a run without a budget needs none of planning
    from handlers.domain.plan import PlanFile

_PLANS = 20
"""Plan files looked at, the latest first."""
_LOOKED_AT = 50
"""Records by whose requests a task file's cost is guessed."""
_MOST_REQUESTS = 1000
"""After which no further record is looked at: one has several samples, or thousands of passages."""


def budget_outlook(state: Backend, settings: Settings) -> str:
    """Where the budget of a run that is about to start ends; "" if it lasts as far as anybody can tell. By
    what its own papers have cost, else by a plan of this corpus, else by what small models use."""
    run_id = settings.run_id
    record, totals = state.ledger.run(run_id), state.ledger.totals(run_id)
    if record.budget is None:
        return ""
    projection = project_run(state.ledger, record, totals.calls.cost, _guess(state, record, settings))
    plan = None if projection.settled else _plan_of(record, settings)
    if plan is not None:
        projection = _scaled(projection, plan)
    if covered(record, totals, projection, record.budget) >= 1:
        return ""
    share = covered(record, totals, projection, record.budget)
    whole = budget_words(usd(totals.calls.cost + round(projection.rest.cost)))
    number = budget_words(enough(totals.calls.taken, projection))
    return (
        f"--budget {budget_words(usd(record.budget))} covers about {share:.0%} of the papers: all of them"
        f" take about ${whole}, so the run parks there; --budget {number} finishes it"
        f"{'' if plan is not None and plan.corpus.done else _less(state.ledger, record, settings)}"
    )


def with_guessed_number(reason: str, state: Backend, settings: Settings) -> str:
    """Why a run is parked, with the budget that finishes it where nothing was spent that could tell it."""
    if not wants_budget(reason):
        return reason
    record, calls = state.ledger.run(settings.run_id), state.ledger.totals(settings.run_id).calls
    projection = project_run(state.ledger, record, calls.cost, _guess(state, record, settings))
    return with_number(reason, calls.cost, calls.taken, projection)


def _less(ledger: Ledger, record: RunRecord, settings: Settings) -> str:
    """What is not counted: which papers' results are there already is known once each was read."""
    others = () if settings.force else (each for each in ledger.run_ids() if each != record.run_id)
    if not any(_done_alike(ledger, each, record) for each in others):
        return ""
    return "; less where results of earlier runs are taken over (`paperfleet plan` counts them)"


def _done_alike(ledger: Ledger, run_id: str, record: RunRecord) -> bool:
    wanted = record.spec
    try:
        there, done = ledger.run(run_id).spec, ledger.totals(run_id).counts["done"]
    except EarlierLayoutError as error:
        there, done = error.spec, 1
    return done > 0 and (there.model, there.target_language) == (wanted.model, wanted.target_language)


def _guess(state: Backend, record: RunRecord, settings: Settings) -> Line | None:
    """Nano-USD of a paper by its tokens; None if its price is not known."""
    try:
        price = wiring.price(settings, record.spec.model)
    except UsageError:
        return None
    if record.spec.task == "file":
        return _guess_of_task(state, record, price)
    from handlers.planning.assumptions import Assumptions

    assumed = Assumptions()
    once = assumed.prompt_tokens_per_request * price.prompt
    once += assumed.completion_tokens_per_request * price.completion
    token = assumed.prompt_tokens_per_token * price.prompt
    token += assumed.completion_tokens_per_token * price.completion
    return once / PICO_A_NANO, token / PICO_A_NANO


def _guess_of_task(state: Backend, record: RunRecord, price: Price) -> Line | None:
    """The same of a task file, by its own requests for the first records and the answers that it expects; of
    samples, the most there may be."""
    task = wiring.task_of(record.spec, state.store)
    costs, sizes, requests = [], [], 0
    for line in islice(state.store.lines(record.spec.corpus), _LOOKED_AT):
        paper = Paper.model_validate_json(line)
        if task.skip_reason(paper) is None:
            asked = [each.expected_tokens for each in task.requests(paper)]
            costs.append(sum(prompt * price.prompt + answer * price.completion for prompt, answer in asked))
            sizes.append(task.size(paper))
            requests += len(asked)
        if requests >= _MOST_REQUESTS:
            break
    if not costs:
        return None
    once = max(0.0, sum(costs) - sum(sizes) * price.prompt) / len(costs)
    return once / PICO_A_NANO, price.prompt / PICO_A_NANO


def _scaled(projection: Projection, plan: PlanFile) -> Projection:
    """So that all of it comes to what was planned."""
    cost = projection.rest.cost
    factor = plan.row_chosen.cost_usd * NANO / cost if cost else 0.0
    sizes = tuple(Rest(each.papers, each.tokens, each.cost * factor) for each in projection.sizes)
    return Projection(sizes, projection.known, projection.settled, projection.seconds)


def _plan_of(record: RunRecord, settings: Settings) -> PlanFile | None:
    """The plan that the run executes, else the latest of its corpus and model in the state."""
    from handlers.planning import plan_file

    for path in _plans(settings):
        try:
            plan = plan_file.read(path)
        except UsageError:
            continue
        if plan.corpus.sha256 == record.spec.corpus_sha256 and plan.model == record.spec.model:
            return plan
    return None


def _plans(settings: Settings) -> Iterator[Path]:
    executed = run_folder(settings.state, settings.run_id) / RUN_PLAN
    if executed.is_file():
        yield executed
    found = (settings.state / "plans").glob("*.json")
    yield from sorted(found, key=lambda path: -path.stat().st_mtime)[:_PLANS]
