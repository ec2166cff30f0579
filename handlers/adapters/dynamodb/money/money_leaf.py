"""A job's line at its leaf of the budget's tree: it joins, draws, gives back, tells what it has booked, and
is closed by anyone.

A closed job has no line. What it held at its end stands in its totals (``settled``, after its request
``seq``), and what of that is not booked is lost: that is derived and never stored, so that a late part makes
it less by itself. A late return, and a late part dearer than what was held, list the job once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from handlers.adapters.dynamodb.money.money_paths import short_name
from handlers.adapters.dynamodb.money.money_steps import Comparison, Read, Steps, Write, same
from handlers.adapters.dynamodb.money.money_tree import BEST, DRY, MoneyTree, is_until, outstanding
from handlers.adapters.dynamodb.values import Item, Key
from handlers.ledger_ports import Drawn

_DRAWS = 8
"""Rounds after which a draw that others were always faster than is "busy"."""


@dataclass(frozen=True)
class Request:
    """Of a job: its number, what it asks for, what it has booked in all, and what of that it has told, None
    where that is not known."""

    seq: int
    amount: int
    booked: int
    told: int | None
    looks: bool = False
    """Whether it reads before it writes, as where money was short: a write that is refused costs as much as
    one that is taken, and a read of it a tenth."""


class Drawing(NamedTuple):
    """What became of a draw, what the job has told by then, and what was idle at its leaf when refused."""

    word: Drawn
    told: int
    idle: int = 0


class JobMoney:
    """Protocols of one job. ``totals`` is the key of its totals, ``taken`` reads what it booked from them."""

    def __init__(
        self, tree: MoneyTree, path: str, job_id: str, totals: Key, taken: Callable[[Item | None], int]
    ) -> None:
        self._tree = tree
        self._path = path
        self._totals = totals
        self._taken = taken
        name = short_name(job_id)
        self._h, self._c, self._s, self._e = (f"{kind}:{name}" for kind in "hcse")

    def join(self) -> Steps[int | None]:
        """The job's first line, unless it was closed. Returns what it has told, None if it was."""
        while True:
            item = yield from self._tree.node(self._path)
            if self._h in item:
                return int(item[self._c])
            if ((yield from self._read_totals()) or {}).get("ended"):
                return None
            line = {self._h: 0, self._c: 0, self._s: 0}
            reply = yield self._write((self._s, "absent", None), same(item, "closes"), sets=line)
            if reply.taken:
                return 0

    def draw(self, request: Request) -> Steps[Drawing]:
        """It joins, where it has not."""
        told, booked = request.told, request.booked
        if told is None:
            told = yield from self.join()
        if told is None:
            return Drawing((yield from self._after_the_end(request.seq)), 0)
        for turn in range(_DRAWS):
            booked = max(booked, told)
            if request.looks and not turn:
                item = yield from self._tree.read(self._path)
            else:
                reply = yield self._ask(
                    request.seq, request.amount, booked - told, told, ("R", ">=", request.amount)
                )
                if reply.taken:
                    return Drawing("drawn", booked)
                item = reply.item
            if item is None or self._h not in item:
                return Drawing((yield from self._after_the_end(request.seq)), told)
            if item[self._s] >= request.seq:  # a repeated request finds its own work done
                return Drawing("drawn", int(item[self._c]))
            if item[self._c] != told:
                told = int(item[self._c])
            elif item["R"] < request.amount:
                word = yield from self._more(request.amount, booked, item)
                if word is not None:
                    is_told = word in ("short", "spent") and not self._path
                    return Drawing(word, booked if is_told else told, max(0, item["R"]))
        return Drawing("busy", told)

    def _after_the_end(self, seq: int) -> Steps[Drawn]:
        """Of a draw that finds the job closed: its answer may have been lost before, and then what it brought
        is part of what the job held, and comes back as that does."""
        _, _, last = yield from self._at_its_end()
        return "drawn" if seq <= last else "closed"

    def _at_its_end(self) -> Steps[tuple[Item, int, int]]:
        """The leaf, what a closed job held in all, and its last request."""
        item = yield from self._tree.node(self._path)
        totals = (yield from self._read_totals()) or {}  # after the node: what is settled is final
        held = int(item[self._e] if self._e in item else totals.get("settled", 0))
        return item, held, int(item[self._s] if self._s in item else totals.get("seq", 0))

    def _more(self, amount: int, booked: int, item: Item) -> Steps[Drawn | None]:
        """Money for the leaf; None if there is some now."""
        if not self._path:
            return (yield from self._verdict(amount, booked, item))
        if is_until(item.get("dry", 0) / 1000, self._tree.now(), DRY):
            return "short"
        word = yield from self._tree.pull(self._path, amount - item["R"], amount * BEST, item)
        if word == "short":
            yield self._tree.dry(self._path)
        return None if word == "got" else word

    def _verdict(self, amount: int, booked: int, root: Item) -> Steps[Drawn | None]:
        """Of the root, which is told first what this job has booked; None if that was not what it thought."""
        if booked > root[self._c]:
            reply = yield self._tell(booked, root)
            if not reply.taken or reply.item is None:
                return None
            root = reply.item
        if root["R"] >= amount:
            return None
        return "spent" if outstanding(root) <= 0 else "short"

    def tell(self, booked: int) -> Steps[int]:
        """Returns what the job has told."""
        while True:
            item = yield from self._tree.node(self._path)
            if self._h not in item or item[self._c] >= booked:
                return int(item.get(self._c, booked))
            reply = yield self._tell(booked, item)
            if reply.taken:
                return booked

    def _tell(self, booked: int, item: Item) -> Write:
        change = {self._c: booked}
        return self._write(same(item, self._c), sets=change, plus={"S": booked - item[self._c]})

    def _ask(self, seq: int, amount: int, news: int, told: int, *enough: Comparison) -> Write:
        """A draw of ``amount``; a return, where it is below 0."""
        return self._write(
            (self._s, "<", seq),
            (self._c, "=", told),
            *enough,
            sets={self._s: seq, self._c: told + news},
            plus={self._h: amount, "R": -amount, "S": news},
        )

    def give_back(self, request: Request) -> Steps[int]:
        """Returns what the job has told; a closed one's return takes from what it held at its end."""
        told = request.told or 0
        while True:
            booked = max(request.booked, told)
            reply = yield self._ask(request.seq, -request.amount, booked - told, told)
            if reply.taken:
                return booked
            item = reply.item or {}
            if self._h not in item:
                yield from self._late_return(request.seq, request.amount)
                yield from self.book_overrun()
                return told
            told = int(item[self._c])
            if item[self._s] >= request.seq:
                return told

    def _late_return(self, seq: int, amount: int) -> Steps[None]:
        while True:
            item, held, last = yield from self._at_its_end()
            if self._h in item or seq <= last or amount > held:
                return  # heard before the job was closed, or it never drew
            change = {self._e: held - amount, self._s: seq}
            reply = yield self._relist(item, sets=change, plus={"R": amount, "U": amount})
            if reply.taken:
                return

    def _relist(self, item: Item, *, sets: dict[str, int], plus: dict[str, int]) -> Write:
        """Change what a closed job held, as it was read."""
        return self._write(same(item, self._e), same(item, self._s), sets=sets, plus=plus)

    def close(self) -> Steps[None]:
        """All that the job drew and did not return is spent: what it held, or what it has booked if that is
        more. Its totals say already that it has ended. Twice is once."""
        while True:
            item = yield from self._tree.node(self._path)
            if self._e in item or (yield from self._unlist(item)):
                break
        yield from self._pay()

    def _unlist(self, item: Item) -> Steps[bool]:
        """False if the job drew or returned since ``item`` was read."""
        totals = yield from self._read_totals()
        held, seq = item.get(self._h), item.get(self._s, 0)
        final = yield from self._settle(
            totals, max(held or 0, self._taken(totals)) if self._h in item else 0, seq
        )
        if held is None:  # one that is about to join must not: it saw fewer closes
            reply = yield self._write((self._s, "absent", None), same(item, "closes"), plus={"closes": 1})
            # Refused for a count of somebody else's, it is none the less higher than who would join has seen.
            return reply.item is not None and self._s not in reply.item
        if final is None:
            return False
        reply = yield self._write(
            *(same(item, name) for name in (self._h, self._c, self._s)),
            plus={"S": final - item[self._c], "R": held - final, "closes": 1},
            remove=(self._h, self._c, self._s),
        )
        return reply.taken

    def _settle(self, totals: Item | None, final: int, seq: int) -> Steps[int | None]:
        """Note what the job held after its request ``seq``; what is noted of it already stands. None if a
        later one is noted."""
        known = (totals or {}).get("seq")
        if known is None or known < seq:
            when: Comparison = ("seq", "absent", None) if known is None else ("seq", "=", known)
            reply = yield Write(*self._totals, sets={"settled": final, "seq": seq}, when=(when,))
            totals = reply.item
        noted = totals or {}
        return int(noted["settled"]) if noted.get("seq") == seq else None

    def book_overrun(self) -> Steps[int]:
        """Take what a closed job booked beyond what it held from the budget. Returns what it held and did not
        book."""
        while True:
            item = yield from self._tree.node(self._path)
            totals = (yield from self._read_totals()) or {}
            if self._h in item or "settled" not in totals:
                return 0  # whoever closes it looks again
            held, cost = int(item[self._e] if self._e in item else totals["settled"]), self._taken(totals)
            if cost <= held:
                yield from self._pay()
                return held - cost
            change = {self._e: cost, self._s: int(item[self._s] if self._s in item else totals["seq"])}
            yield self._relist(item, sets=change, plus={"R": held - cost, "S": cost - held})

    def _pay(self) -> Steps[None]:
        """What calls dearer than reserved left owed at the leaf is taken from the run's budget."""
        item = yield from self._tree.node(self._path)
        if item["R"] < 0:
            yield from self._tree.tell(self._path)

    def _read_totals(self) -> Steps[Item | None]:
        reply = yield Read(*self._totals)
        return reply.item

    def _write(self, *when: Comparison, **change: object) -> Write:
        return self._tree.write(self._path, *when, **change)
