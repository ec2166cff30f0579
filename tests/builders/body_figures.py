"""Figures over the bodies of a corpus: what they are cut into and kept by, and what joining changes."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from handlers.tasks.translation.passages.blocks import Block
from handlers.tasks.translation.passages.body_segments import BodyPlan, plan_body
from handlers.tasks.translation.passages.joined_body import join_body
from handlers.tasks.translation.passages.passages import passages
from tests.builders.bodies import translated
from tests.builders.body_checker import complaints, untranslated
from tests.builders.markdown_oracle import begins


@dataclass
class BodyFigures:
    """``kept`` has characters by rule, of the papers in Chinese; ``passages`` one number a paper of them."""

    papers: int = 0
    characters: int = 0
    chinese: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    passages: list[int] = field(default_factory=list)
    segments: int = 0
    repeated: int = 0
    weight: int = 0
    cpu: float = 0.0
    """Seconds of cutting and joining."""
    other_begins: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    untranslated: list[str] = field(default_factory=list)


def begin_of(text: str, block: Block) -> tuple[str, int] | None:
    """What ``markdown_oracle.begins`` says of a heading, a display formula or a table."""
    if block.kind in ("html_table", "pipe_table"):
        return "table", text.lower().index(
            "<table", block.start
        ) if block.kind == "html_table" else block.start
    if block.kind == "environment":
        return "mathematics", block.start
    return (block.kind, block.start) if block.kind in ("heading", "mathematics") else None


def body_figures(corpus: Path) -> BodyFigures:
    """Of a corpus in JSON Lines, packed by gzip."""
    figures = BodyFigures()
    for paper_id, language, body in _bodies(corpus):
        before = time.thread_time()
        plan = plan_body(body, language)
        asked = list(passages(plan.sent))
        figures.cpu += time.thread_time() - before
        joined = join_body(body, plan, translated(plan)).text
        figures.papers += 1
        figures.kinds.update(block.kind for block in plan.blocks)
        ours = {pair for block in plan.blocks if (pair := begin_of(body, block))}
        figures.other_begins += [f"{paper_id}: {pair}" for pair in sorted(ours ^ begins(body))]
        figures.complaints += [f"{paper_id}: {each}" for each in complaints(body, joined)]
        figures.characters += len(body)
        if language == "zh":
            _count_chinese(figures, body, plan, [passage.weight for passage in asked])
            figures.untranslated += untranslated(body, joined)
    return figures


def _bodies(corpus: Path) -> Iterator[tuple[str, str, str]]:
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        for line in lines:
            paper = json.loads(line)
            yield paper["id"], paper["language"], paper["body"]


def _count_chinese(figures: BodyFigures, body: str, plan: BodyPlan, weights: list[int]) -> None:
    figures.chinese += len(body)
    figures.passages.append(len(weights))
    figures.weight += sum(weights)
    figures.segments += len(plan.segments)
    figures.repeated += sum(bool(segment.same_as) for _, segment in plan.segments)
    figures.notes.update(plan.notes)
    for block, rule in zip(plan.blocks, plan.kept, strict=True):
        if rule:
            figures.kept[rule] += block.end - block.start
