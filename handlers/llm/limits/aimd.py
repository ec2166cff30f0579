"""How many calls may be in flight: additive increase, multiplicative decrease. It knows no threads."""

from __future__ import annotations

import math

from handlers.llm.limits.gossip import FleetReport

_OPENING, _REOPENING = 1.5, 0.25
"""Of the ceiling, what a second opens at first, and after the first refusal at most. A refusal takes some
20 to 200 ms to come back: what was sent meanwhile is refused too, which costs a call and nothing else."""
SLOW_START = 1 / (2 * _OPENING)
"""Seconds of a fleet's work lost while slots open: half of the opening."""
_BUSY = 0.9
"""Share of the slots that must be in use before a success says that more would be good."""
_PROBE = 1.0
"""Slots that a round of successes adds near the limit to a job that has few; less to one near its ceiling,
so that jobs which came by unequal parts of the limit draw level."""
_CHASE = 5.0
"""Slots that a round of successes adds where the limit is not near: while the API says that there is room,
and from slow start's end to the next refusal."""
_QUIET, _DOUBLING = 30.0, 8.0
"""After so many seconds without a refusal probing doubles every so many: the limit may have moved, and an
API without headers does not say so."""
_MOST_DOUBLINGS = 16.0
_CALM, _CALMER = 200, 100
"""Answers of the whole fleet without a refusal after which probing doubles, and each so many more of them: a
job alone sees too few calls to tell a share of refusals of 1% from none, the fleet does not."""
_SURE, _SURER = 0.5, 2.0
"""Times a probe, and times the fastest that it may become, while the fleet is heard: nobody has to grow
because it cannot know, and all may when they do."""
_LEVELLING, _LEAP = 0.01, 0.2
"""Of the gap between a job's part of the limit and the fleet's mean, what a second closes, and what a
heartbeat does at most."""
_YIELD, _JUST_CUT = 0.25, 3.0
"""Of the share of refused calls, what all jobs give up when one was refused between two heartbeats, but not a
job that was cut within so many seconds."""
_DECREASE, _BURST = 0.8, 5.0
"""What a cut leaves, and seconds between two cuts at least."""
_MEMORY = 0.05
"""Weight of a call in the mean latency, which is the length of a round: one slow answer must not make the job
deaf to the refusals after it."""
_LULL = 0.3
"""Share of the slots that one cut leaves at least."""
_RISE, _LEAN, _LOW = 0.7, 0.2, 0.35
"""Where the API says how full its bucket is, a round adds so many slots, and takes such a share of them as
the bucket comes down from ``_LOW`` to empty. All jobs read the same bucket: they are cut alike and without a
refusal (DCTCP, RFC 8257, with the bucket in place of marks), and as all rise alike, they draw level."""
_SWAY = 0.1
"""Of the slots, between an empty bucket and a full one: the bucket adds up what is too much, so leaning on
what it holds alone would swing, as a controller without its proportional part does."""


class AimdLimit:
    """Slots for one job, found by trying (Chiu and Jain, 1989).

    Slow start: slots open by time, all in two thirds of a second, until the first refusal. Before the first
    answer is in, a refusal says that slots open too fast, not that they are too many: they go on at a quarter
    of the speed, then at half of that, as at an API with a rate but no bound on calls in flight; no more are
    open than were let in. Given a ``start`` (the last session's level), it begins there.

    After it, a refusal cuts the level by a factor, at most once in a round of calls and in five seconds.
    Calls that started before a cut move nothing after it. Each success adds a little, much more while
    ``room`` says so; where the API tells how full its bucket is, the level follows that, and refusals are
    the exception. Where jobs ``observe`` each other's calls, they grow when none of them was refused for
    long, and those that came by more than their part of the limit give it to others.
    """

    def __init__(self, ceiling: int, *, start: float | None = None) -> None:
        if ceiling < 1:
            raise ValueError("ceiling must be at least 1")
        self.ceiling = ceiling
        self.refused = False
        """Whether the API ever refused a call."""
        self._level = 1.0 if start is None else min(float(ceiling), max(1.0, start))
        self._opening = start is None
        self._opened_at: float | None = None
        self._speed = ceiling * _OPENING
        self._answered = False
        self._cut_at = -math.inf
        self._refused_at = -math.inf
        self._patience = 0.0
        self._chasing = True
        self._round = 0.0
        self._fill: float | None = None
        self._is_told = False
        self._others_refused_at = -math.inf
        self._calm = 0
        """Answers that the fleet had since one of it was last refused."""

    def slots(self, now: float) -> int:
        """Calls that may be in flight at ``now`` (monotonic seconds); at least 1."""
        self._open(now)
        sway = 1.0 if self._fill is None or not self.refused else 1 + _SWAY * (self._fill - 0.5)
        return max(1, min(self.ceiling, int(self._level * sway + 1e-9)))

    def set_ceiling(self, ceiling: int, now: float) -> None:
        """Another bound. A higher one is open at once if the API never refused a call."""
        self._open(now)
        grew, self.ceiling = ceiling > self.ceiling, max(1, ceiling)
        if grew and not self.refused and not self._opening:
            self._level = float(self.ceiling)
        self._level = min(self._level, float(self.ceiling))

    def next_open(self, now: float) -> float:
        """Seconds until time alone opens another slot; infinite unless in slow start."""
        self._open(now)
        if not self._opening or not self._speed:  # halved a thousand times, it is 0
            return math.inf
        missing = math.floor(self._level + 1e-9) + 1 - self._level
        return missing / self._speed

    def on_success(
        self,
        started_at: float,
        in_flight: int,
        now: float,
        *,
        room: bool | None = None,
        fill: float | None = None,
    ) -> None:
        """An answer came in for a call started at ``started_at``; ``in_flight`` includes it. ``room``: what
        the API says of its limits; ``fill``: of its bucket, 0 to 1; None if nothing."""
        self._open(now)
        self._fill = fill
        self._answered = True
        self._round += (now - started_at - self._round) * (_MEMORY if self._round else 1.0)
        if self._opening and self.refused:
            self._opening = False
        if self._opening or started_at < self._cut_at or in_flight < int(self._level * _BUSY):
            return
        self._level = max(1.0, min(float(self.ceiling), self._level + self._growth(now, room)))

    def on_throttle(self, started_at: float, in_flight: int, now: float) -> bool:
        """The API refused a call for its rate; True if slots or their opening were cut for it."""
        self._open(now)
        self.refused = True
        self._refused_at, self._patience, self._calm = now, 0.0, 0
        if self._opening and not self._answered:
            # It takes its slot along: were that free, another call would follow at once and be refused too.
            self._level = max(1.0, min(self._level, in_flight - 1.0))
        if started_at < self._cut_at:
            return False
        if self._opening and not self._answered:
            self._speed = min(self._speed / 2, self.ceiling * _REOPENING)
            self._cut_at = now
            return True
        if now - self._cut_at < max(_BURST, self._round):
            return False
        self._cut(in_flight, now)
        return True

    def settle(self, busy: float, now: float, *, patience: float) -> None:
        """A window's quota ran out, which ``busy`` calls in flight would have made last. Without a refusal
        for ``patience`` seconds more than usual, the quota is taken to have grown; where the fleet is heard,
        when it is calm."""
        self._open(now)
        # Some slots are always between two calls, and half a slot is lost to rounding down.
        self._level = max(1.0, self._level * _DECREASE, min(busy / _BUSY + 0.5, float(self.ceiling)))
        self.refused, self._opening, self._chasing = True, False, False
        self._cut_at = now
        self._refused_at, self._patience, self._calm = now, patience, 0

    @property
    def level(self) -> float:
        """The slots with their fractions; 0 if the API never refused a call."""
        return self._level if self.refused else 0.0

    def observe(self, fleet: FleetReport, now: float) -> None:
        """What became of the fleet's calls. It moves nothing in a job that was never refused one itself."""
        self._open(now)
        self._is_told = True
        self._calm += fleet.answered
        if fleet.throttled:
            self._calm, self._others_refused_at = 0, now
            # What was refused before a cut is heard up to two heartbeats later.
            if now - self._cut_at > 2 * fleet.seconds + 1:
                self._chasing = False
        if self.refused and not self._opening and fleet.level is not None:
            kept = 1 - self._yielded(fleet, now)
            gap = fleet.level * self.ceiling - self._level
            level = self._level * kept + gap * min(_LEAP, _LEVELLING * fleet.seconds)
            self._level = max(1.0, min(float(self.ceiling), level))

    def _yielded(self, fleet: FleetReport, now: float) -> float:
        """Share of the slots that all give up when many were refused, as deep as the congestion (DCTCP):
        those who were lucky take back what they grew by, too. Where a common bucket is read, it does that."""
        if not fleet.throttled or self._fill is not None or now - self._cut_at < _JUST_CUT:
            return 0.0
        return min(_LEAP, _YIELD * fleet.throttled / (fleet.throttled + fleet.answered))

    def _cut(self, in_flight: int, now: float) -> None:
        self._chasing = self._opening
        # Slots that nobody used were never tried: the refusal is about the calls that were there. But
        # one refusal in a lull says little about the rest: never below half.
        tried = min(self._level, max(in_flight, self._level * _LULL / _DECREASE))
        self._level = max(1.0, tried * _DECREASE)
        self._cut_at = now
        self._opening = False

    def _growth(self, now: float, room: bool | None) -> float:
        """Slots that a success adds, or takes while the bucket is low; at most one a round where nothing was
        ever refused."""
        if not self.refused:
            return 1 / self._level
        chase = _CHASE / self._level
        probe = _PROBE * (1.02 - self._level / self.ceiling) / self._level
        if room or (self._chasing and self._fill is None):
            return chase
        if self._fill is not None:
            return _RISE / self._level - _LEAN * max(0.0, 1 - self._fill / _LOW)
        if room is not None:
            return probe
        if self._is_told:
            probe, chase = probe * _SURE, chase * _SURER
        return min(chase, probe * 2 ** self._doublings(now))

    def _doublings(self, now: float) -> float:
        """How often probing has doubled, as nobody was refused a call for so long."""
        if self._is_told:
            quiet = now - max(self._refused_at, self._others_refused_at)
            calm = (self._calm - _CALM) / _CALMER
            found = max(calm, (quiet - _QUIET) / _DOUBLING)
        else:
            found = (now - self._refused_at - self._patience - _QUIET) / _DOUBLING
        return max(0.0, min(_MOST_DOUBLINGS, found))

    def _open(self, now: float) -> None:
        if not self._opening:
            return
        if self._opened_at is not None:
            self._level += max(0.0, now - self._opened_at) * self._speed
        self._opened_at = now
        if self._level >= self.ceiling:
            self._level = float(self.ceiling)
            self._opening = False
