"""A whole paper's check: scanned again, the joined body has the source's structure, in its order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from handlers.tasks.translation.passages.blocks import Block, blocks
from handlers.tasks.translation.passages.body_segments import BodyPlan
from handlers.tasks.translation.passages.joined_body import JoinedBody
from handlers.tasks.translation.passages.table_cells import cell_marks

Mark = tuple[str, ...]
_BYTES = ("mathematics", "environment", "image", "code")


def changed_blocks(body: str, plan: BodyPlan, joined: JoinedBody) -> list[int]:
    """Numbers of the source's blocks whose structure the joined text does not have in their place: another
    heading, another formula, image or code, another table, other bytes where they are kept."""
    wanted = {number: mark for number, block in enumerate(plan.blocks) if (mark := _mark(body, block))}
    found: dict[int, list[Mark]] = {}
    for block in blocks(joined.text):
        if mark := _mark(joined.text, block):
            found.setdefault(bisect_left(joined.ends, block.start + 1), []).append(mark)
    changed = {number for number in wanted.keys() | found.keys() if found.get(number) != [wanted.get(number)]}
    return sorted(changed | set(_other_bytes(body, plan, joined)))


def _mark(text: str, block: Block) -> Mark:
    """What a block is of the structure; nothing where it is prose."""
    if block.kind == "heading":
        return "heading", str(block.level)
    if block.kind in _BYTES:
        return block.kind, text[block.start : block.end]
    if block.kind in ("html_table", "pipe_table"):
        return block.kind, *cell_marks(text, block)
    return ()


def _other_bytes(body: str, plan: BodyPlan, joined: JoinedBody) -> Iterator[int]:
    for number, (block, rule) in enumerate(zip(plan.blocks, plan.kept, strict=True)):
        if rule and not joined.text.endswith(body[block.start : block.end], 0, joined.ends[number]):
            yield number
