"""A run's budget as a tree of small items: how money moves between a node and its parent.

=================  ==================================================================================
``R``              idle here; below 0 it is owed: by a lowered budget, or by calls dearer than reserved
``S, U``           spent below; of that, what came back after its job was closed (absent: 0)
``h: c: s:<job>``  of a job here: drawn less returned; booked as told; its last request
``e: s:<job>``     of a closed job that came late: what it held in all; its last request
``g: b: t: u:<x>`` of a child node: granted; given back; its ``S`` and ``U`` as told
``got, given``     the node's own side of the edge to its parent
``budget``         of the root, which has no parent
``dry, asks``      until when who was refused, or climbs, keeps others from it; ``up_at, swept_at``: when the
                   node, all nodes, gave back last. Nothing rests on them
=================  ==================================================================================

After every single write ``got - given`` (at the root ``budget``) is ``R + S - U + out``, where ``out`` is
the sum of ``h - c`` and of ``g - b - t + u``; on an edge ``g >= got``, ``b <= given``, ``t <= S`` and
``u <= U``.
What ``g`` is ahead of ``got``, or ``given`` of ``b``, is in transit: nobody can spend it, and whoever passes
next finishes it from the two items alone. Counters of an edge only grow, and every value set is absolute and
compared first: a repeated request changes nothing, and a late one finds its comparison false.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from handlers.adapters.dynamodb.money.money_paths import parent
from handlers.adapters.dynamodb.money.money_steps import Comparison, Read, Steps, Write, same
from handlers.adapters.dynamodb.values import Item, Key
from handlers.errors import UnknownRunError

Pulled = Literal["got", "busy", "short", "spent"]
DRY = 2.0
"""Seconds for which a node that was refused says so itself."""
_ASKING = 0.5
"""Seconds for which one climber keeps others from it."""
_PUSHED_EVERY = 2.0
_ROUNDS = 4
_TELLS = 30
BEST = 8
"""Draws for which a node asks its parent at once, where there is much."""
_PART = 32
"""Of what a parent has, the part that is much."""
_TOLD = (("b", "given"), ("t", "S"), ("u", "U"))
"""What a parent keeps of a child, and the child's own name for it."""


def outstanding(item: Item) -> int:
    """Granted to jobs and nodes below, and neither told as spent nor given back."""
    taken = sum(value for name, value in item.items() if name[:2] in ("h:", "g:", "u:"))
    told = sum(value for name, value in item.items() if name[:2] in ("c:", "b:", "t:"))
    return int(taken - told)


def is_until(moment: float, now: float, longest: float) -> bool:
    """Whether a courtesy holds; one that a wrong clock set further ahead does not."""
    return now < moment <= now + longest


class MoneyTree:
    """Protocols; ``now`` gives Unix seconds."""

    def __init__(self, run_id: str, now: Callable[[], float]) -> None:
        self.run_id = run_id
        self.now = now

    def key(self, path: str) -> Key:
        return f"MONEY#{self.run_id}#{path}", "BUDGET"

    def write(self, path: str, *when: Comparison, **change: Any) -> Write:
        return Write(*self.key(path), when=when, **change)

    def read(self, path: str) -> Steps[Item | None]:
        reply = yield Read(*self.key(path))
        return reply.item

    def node(self, path: str) -> Steps[Item]:
        """Made where there is none. UnknownRunError where there is no root."""
        while True:
            item = yield from self.read(path)
            if item is not None:
                return item
            if not path:
                raise UnknownRunError(f"no run {self.run_id!r}")
            yield self.write(
                path, ("R", "absent", None), sets={"R": 0, "S": 0, "got": 0, "given": 0, "closes": 0}
            )

    def create(self, limit: int) -> Steps[bool]:
        """The root, once."""
        sets = {"R": limit, "S": 0, "closes": 0, "budget": limit}
        reply = yield self.write("", ("R", "absent", None), sets=sets)
        return reply.taken

    def set_budget(self, limit: int) -> Steps[int]:
        """Cumulative; a lower one leaves ``R`` below 0 until enough has come back. Returns what it was."""
        while True:
            root = yield from self.node("")
            before = int(root["budget"])
            change = {"sets": {"budget": limit}, "plus": {"R": limit - before}}
            reply = yield self.write("", same(root, "budget"), **change)
            if reply.taken:
                return before

    def pull(self, path: str, want: int, best: int, item: Item | None) -> Steps[Pulled]:
        """Make what is idle at a node below the root grow by ``want`` at least, at best by ``best``; ``item``
        is what was read of it. "busy": another one climbs, or was faster too often."""
        if item is None:
            item = yield from self.node(path)
        now = self.now()
        if is_until(item.get("asks", 0) / 1000, now, _ASKING):
            return "busy"
        until = int(1000 * (now + _ASKING))
        reply = yield self.write(path, same(item, "asks"), sets={"asks": until})
        known = reply.item
        if known is None or known["asks"] != until:
            return "busy"
        for _ in range(_ROUNDS):
            known = known or (yield from self.node(path))
            word = yield from self._climb(path, want, best, known)
            if word is not None:
                return word
            known = None
        return "busy"

    def _climb(self, path: str, want: int, best: int, item: Item) -> Steps[Pulled | None]:
        """None: somebody was faster, look again."""
        up = parent(path)
        above = yield from self.node(up)
        if up and is_until(above.get("dry", 0) / 1000, self.now(), DRY):
            return "short"  # it was refused just now: nobody climbs for it
        if above.get(f"g:{path}", 0) > item["got"]:
            reply = yield self._arrive(path, above, item)
            return "got" if reply.taken else None
        if _is_old(path, above, item):
            return None
        there = above["R"] + item["given"] - above.get(f"b:{path}", 0)
        if there < want:
            return (yield from self._refused(path, want, (want - there, best), above, item))
        reply = yield self._edge(path, above, item, min(there, max(want, min(best, there // _PART))))
        if not reply.taken or reply.item is None:
            return None
        yield self._arrive(path, reply.item, item, rests=there // _PART < best)
        return "got"  # if that was refused, somebody else finished it

    def _refused(
        self, path: str, want: int, more: tuple[int, int], above: Item, item: Item
    ) -> Steps[Pulled | None]:
        """The parent has too little: it asks its own for ``more``. The root is told first, to judge."""
        up = parent(path)
        if up:
            word = yield from self.pull(up, more[0], more[1] * BEST, None)
            if word == "got":
                return None
            if _has_news(path, above, item):
                yield self._edge(path, above, item, 0)
            if word == "short":
                yield self.dry(up)
            return word
        if _has_news(path, above, item):
            reply = yield self._edge(path, above, item, 0)
            if not reply.taken or reply.item is None:
                return None
            above = reply.item
        return "spent" if outstanding(above) <= 0 and above["R"] < want else "short"

    def dry(self, path: str) -> Write:
        return self.write(path, sets={"dry": int(1000 * (self.now() + DRY))})

    def _edge(self, path: str, above: Item, item: Item, amount: int) -> Write:
        """One write at the parent: it takes back what was given, hears of what was spent, and grants
        ``amount``, if it has that. What a node owes is granted whatever there is: it is spent."""
        back, spent, late = (item.get(mine, 0) - above.get(f"{kind}:{path}", 0) for kind, mine in _TOLD)
        granted = max(amount, -item["R"], 0)
        enough: list[Comparison] = [("R", ">=", amount - back)] if amount > 0 else []
        sets = {f"{kind}:{path}": item[mine] for kind, mine in _TOLD if mine in item}
        return self.write(
            parent(path),
            *(same(above, f"{kind}:{path}") for kind in "gbtu"),
            *enough,
            sets={f"g:{path}": above.get(f"g:{path}", 0) + granted} | sets,
            plus={"R": back - granted, "S": spent} | ({"U": late} if late else {}),
        )

    def _arrive(self, path: str, above: Item, item: Item, *, rests: bool = False) -> Write:
        """What the parent granted is idle here. Where it had little, nobody else climbs for a while."""
        granted = above[f"g:{path}"]
        sets = {"got": granted} | ({} if rests else {"asks": 0})
        return self.write(path, same(item, "got"), sets=sets, plus={"R": granted - item["got"]})

    def push(self, path: str) -> Steps[None]:
        """Give what lies idle to the parent, and tell it what was spent; at most each two seconds."""
        item = (yield from self.read(path)) if path else None
        if item is None or 0 <= self.now() - item.get("up_at", -(10**9)) / 1000 < _PUSHED_EVERY:
            return
        idle = max(0, item["R"])
        enough: list[Comparison] = [("R", ">=", idle)] if idle else []
        reply = yield self.write(
            path,
            same(item, "given"),
            *enough,
            sets={"given": item["given"] + idle, "up_at": int(1000 * self.now())},
            plus={"R": -idle},
        )
        if reply.taken:
            yield from self.tell(path)

    def tell(self, path: str) -> Steps[None]:
        """Complete the edge in both directions; what a node owes goes on to the root."""
        for _ in range(_TELLS if path else 0):
            item = yield from self.node(path)
            above = yield from self.node(parent(path))
            if above.get(f"g:{path}", 0) > item["got"]:
                yield self._arrive(path, above, item)
            elif _is_old(path, above, item):
                continue
            elif _has_news(path, above, item):
                yield self._edge(path, above, item, 0)
            elif above["R"] < 0 and parent(path):
                return (yield from self.tell(parent(path)))
            else:
                return None
        return None


def _is_old(path: str, above: Item, item: Item) -> bool:
    """Whether the parent knows better."""
    ahead = any(above.get(f"{kind}:{path}", 0) > item.get(mine, 0) for kind, mine in _TOLD)
    return ahead or bool(above.get(f"g:{path}", 0) < item["got"])


def _has_news(path: str, above: Item, item: Item) -> bool:
    news = any(above.get(f"{kind}:{path}", 0) < item.get(mine, 0) for kind, mine in _TOLD)
    return news or bool(item["R"] < 0)
