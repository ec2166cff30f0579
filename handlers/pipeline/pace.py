"""How often a job writes: often to a ledger on this machine, in groups to one that bills each write."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds, but for ``commit_papers``, ``spare`` and ``hurries``. What a kill loses is bounded by the
    commit's two."""

    commit_delay: float
    commit_papers: int
    report_every: float
    """Between two reports to the ledger, at each of which the other jobs' are read."""
    first_return: float
    """Before a message that brought nothing forward comes back; doubled each further time."""
    longest_return: float
    """The same at most, and while another job holds its batch."""
    margin: float
    """Between the end of the last call and that of the job: its commit, retries of the backend included."""
    asks_again: tuple[float, float]
    """Before money that was not to be had is asked for again: the first time, and at most."""
    spare: float
    """Times what is drawn ahead that may lie idle at a report; 0 where nothing may."""
    hedges_every: float
    """Between two looks for slow calls, each of which may ask the queue."""
    hurries: bool
    """Whether a part that is not full is written early while workers wait for room in it."""


EMBEDDED = Pace(
    0.25,
    25,
    report_every=0.0,
    first_return=1.0,
    longest_return=10.0,
    margin=1.0,
    asks_again=(0.1, 0.1),
    spare=0.0,
    hedges_every=0.1,
    hurries=True,
)
AWS = Pace(
    2.0,
    50,
    report_every=5.0,
    first_return=5.0,
    longest_return=900.0,
    margin=6.0,
    asks_again=(1.0, 8.0),
    spare=2.5,
    hedges_every=1.0,
    hurries=False,
)
