"""The lease part of the ledger in memory: what a simulation needs of it, and nothing that grows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Lease:
    owner: str
    epoch: int
    until: float
    live: bool = True


class MemoryLeases:
    """``ports.Ledger``'s lease methods by its rules, of one run. Finished batches are
    forgotten, but for a queue that delivers one again: its caller finishes a batch once."""

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def lease(self, batch_id: str, owner: str, *, now: float, ttl: float) -> int | None:
        """Claim a batch and return the lease's epoch; None if another lease is live."""
        known = self._leases.get(batch_id)
        if known is not None and known.live and known.until > now:
            return None
        epoch = 1 if known is None else known.epoch + 1
        self._leases[batch_id] = _Lease(owner, epoch, now + ttl)
        return epoch

    def extend_lease(self, batch_id: str, epoch: int, *, now: float, ttl: float) -> bool:
        """False if the lease has passed to another epoch."""
        known = self._leases.get(batch_id)
        if known is None or known.epoch != epoch or not known.live:
            return False
        known.until = now + ttl
        return True

    def end_lease(self, batch_id: str, epoch: int) -> None:
        known = self._leases.get(batch_id)
        if known is not None and known.epoch == epoch:
            known.live = False

    def finish_batch(self, batch_id: str) -> bool:
        """Forget it: all its papers are in a terminal state."""
        return self._leases.pop(batch_id, None) is not None
