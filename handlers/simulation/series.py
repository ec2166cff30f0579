"""A simulation's course in a bounded number of samples."""

from __future__ import annotations

from handlers.simulation.setup import Sample

_MOST = 800


class Series:
    """Takes a sample every ``every`` seconds; past 800 of them, every second one is dropped."""

    def __init__(self, every: float = 0.25) -> None:
        self.every = every
        self.samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        if len(self.samples) > _MOST:
            self.samples = self.samples[1::2]
            self.every *= 2
