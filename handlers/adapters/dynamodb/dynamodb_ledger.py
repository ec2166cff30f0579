"""The fleet's ``Ledger``: one DynamoDB table, single-item writes that conditions decide.

=======================================  ==========================================================
``RUNS | RUN#<run>``                     which runs there are
``OPEN | RUN#<run>``                     which of them somebody is to look at
``RUN#<run> | META``                     what is fixed for the run
``RUN#<run> | CONTROL``                  its state
``RUN#<run> | JOINS``                    how many jobs work
``MONEY#<run>#<path> | BUDGET``          a node of its budget's tree; the root has no path
``CONTROL#<run>#<n> | CONTROL``          copies of its state, for the jobs to listen to
``TALLIES#<run>#<group> | TALLY#<job>``  a job's calls' sums; once it is closed, its record
``LIVE#<run>#<group> | JOB#<job>``       heartbeat and stats of a job that is not closed (expires)
``RUN#<run>#<bucket> | HOME#<job>``      the path that names the job's leaf of that tree and its group
``RUN#<run>#<bucket> | BATCH#<id>``      lease and counts; ``MESSAGE#<id>`` the claim check
``RUN#<run>#<bucket> | PAPER#<id>``      what became of a paper
``RUN#<run>#<bucket> | CALLS#<part>`` what a part's calls cost, put once
``RUN#<run>#<bucket> | ANSWER#<part>`` a line of an unfinished paper, with its batch
``SESSION#<session> | SESSION``          and ``RUN#<run> | SESSION#<session>``, which names it
``FP#<fingerprint> | FP``                a result that later runs may take over, or a whole paper's head
``ENDPOINT#<key> | NOTE``                what an endpoint does not take
``GLOSSARY#<sha256> | PART#<n>``         terms of runs, by their content
=======================================  ==========================================================
"""

from __future__ import annotations

import threading
from typing import Any

from handlers.adapters.aws.outages import service_reach
from handlers.adapters.dynamodb.batch_counts import CountedBatch
from handlers.adapters.dynamodb.control_items import Heard
from handlers.adapters.dynamodb.endpoint_items import EndpointItems
from handlers.adapters.dynamodb.glossary_items import GlossaryItems
from handlers.adapters.dynamodb.job_items import JobItems
from handlers.adapters.dynamodb.job_totals import JobTotalsItems
from handlers.adapters.dynamodb.money.budget_items import Budgets
from handlers.adapters.dynamodb.money.job_places import JobPlaces
from handlers.adapters.dynamodb.rejudging_items import RejudgingItems
from handlers.adapters.dynamodb.run_items import RunItems
from handlers.adapters.dynamodb.table import Table
from handlers.adapters.dynamodb.values import Key
from handlers.ports import Clock


class DynamoDbLedger(RunItems, RejudgingItems, JobItems, EndpointItems):
    """``client`` is boto3's for DynamoDB. Reads are strongly consistent."""

    def __init__(self, client: Any, table: str, clock: Clock) -> None:
        self._table = Table(client, table, clock)
        self._places = JobPlaces(self._table, clock)
        self._job_totals = JobTotalsItems(self._table, self._places)
        self._budgets = Budgets(self._table, self._job_totals, self._places, clock)
        self._glossaries = GlossaryItems(self._table)
        self._heard: dict[str, Heard] = {}
        self._learned: dict[tuple[str, str], int] = {}
        self._counted: dict[tuple[str, str], CountedBatch] = {}
        self._counting = threading.RLock()
        self._papers_of: dict[tuple[str, str], list[Key]] = {}

    def away_for(self) -> float:
        return service_reach("dynamodb").away_for

    def close(self) -> None:
        self._table.close()
