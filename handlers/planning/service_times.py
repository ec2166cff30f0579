"""How long papers take: the mean, the longest, and how the last of them draw out the end of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
_LONGEST = 2.6
"""Standard deviations that one call in two hundred exceeds."""
_GUMBEL = 0.5615
"""exp(-Euler's constant): the expected maximum of n draws lies at the quantile 1 - 0.5615/n."""


@dataclass(frozen=True)
class ServiceTime:
    """The time that a worker takes for one paper: a lognormal with this mean (seconds) and sigma."""

    mean: float
    sigma: float

    @property
    def _mu(self) -> float:
        return math.log(self.mean) - self.sigma**2 / 2

    def quantile(self, share: float) -> float:
        if self.mean <= 0:
            return 0.0
        return math.exp(self._mu + self.sigma * _NORMAL.inv_cdf(share))

    def longest_of(self, papers: int) -> float:
        """Seconds that the longest of so many papers is expected to take."""
        return self.quantile(1 - _GUMBEL / papers) if papers > 1 else self.mean

    @property
    def longest(self) -> float:
        """Seconds that hardly any call exceeds."""
        return self.mean * math.exp(_LONGEST * self.sigma - self.sigma**2 / 2) if self.mean else 0.0

    @property
    def residual(self) -> float:
        """Mean seconds left of a paper met at a random moment (the inspection paradox)."""
        return self.mean * math.exp(self.sigma**2) / 2

    def tail(self, workers: int) -> float:
        """Seconds from the moment when nothing waits any more until the last of ``workers`` is done,
        over what they would take if they shared the rest evenly.

        The residual of each is drawn from the equilibrium distribution of renewal theory; the largest
        of them ends the run.
        """
        if self.mean <= 0 or workers < 1:
            return 0.0
        return max(0.0, self._residual_quantile(1 - _GUMBEL / workers) - self.residual)

    def second_chance(self, papers: int) -> float:
        """What is left of ``longest_of`` so many papers, where each that takes longer than 98 of 100 is begun
        a second time beside the first."""
        if self.mean <= 0 or not self.sigma or papers < 2:
            return 1.0
        slow, longest = self.quantile(0.98), self.longest_of(papers)
        low, high = slow, max(slow, longest)
        for _ in range(50):
            middle = (low + high) / 2
            both = self._longer(middle) * self._longer(middle - slow)
            low, high = (middle, high) if both > _GUMBEL / papers else (low, middle)
        return min(1.0, high / longest)

    def _longer(self, seconds: float) -> float:
        """Share of papers that take longer."""
        if seconds <= 0:
            return 1.0
        return 1 - _NORMAL.cdf((math.log(seconds) - self._mu) / self.sigma)

    def _residual_quantile(self, share: float) -> float:
        low, high = 0.0, self.mean * math.exp(8 * self.sigma) * 4
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self._residual_share(middle) < share else (low, middle)
        return high

    def _residual_share(self, x: float) -> float:
        """Share of residuals up to ``x``: the integral of 1 - F over the mean, in closed form."""
        if not self.sigma:
            return min(1.0, x / self.mean)
        z = (math.log(max(x, 1e-12)) - self._mu) / self.sigma
        return _NORMAL.cdf(z - self.sigma) + x * (1 - _NORMAL.cdf(z)) / self.mean
