"""A job of the virtual fleet, whose units are counted."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.adapters.dynamodb.money.money_leaf import JobMoney
from handlers.pipeline.pace import AWS


@dataclass
class FleetJob:
    money: JobMoney
    path: str
    number: int
    pool: int = 0
    seq: int = 0
    told: int = 0
    booked: int = 0
    unbooked: int = 0
    flying: int = 0
    talking: bool = True
    short: bool = False
    refused: bool = False
    counts: int = 1
    counts_jobs_at: float = 0.0
    ended: bool = False
    wait: float = AWS.asks_again[0]
    asks_at: float = 0.0
    tidies_at: float = 0.0
    commits_at: float = 0.0
    reports_at: float = 0.0
    listens_at: float = 0.0
