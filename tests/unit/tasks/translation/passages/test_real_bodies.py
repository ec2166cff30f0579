"""The 300 whole papers of a shared corpus, where there is one: what of them is cut, kept and joined."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders.body_figures import body_figures

NAME = "chinaxiv-fulltext-300.jsonl.gz"
REAL = Path(os.environ.get("PAPERFLEET_CORPUS_DIR") or Path(__file__).parents[6] / "shared" / "corpus") / NAME


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_file(), reason=f"no {NAME}; set PAPERFLEET_CORPUS_DIR")
def test_real_bodies_keep_their_structure_and_every_formula() -> None:
    figures = body_figures(REAL)
    assert figures.papers == 300
    assert figures.other_begins == []
    assert figures.complaints == []
    assert figures.untranslated == []
    assert figures.kinds["heading"] == 5_148
    assert figures.kinds["mathematics"] == 2_083
    assert figures.kinds["html_table"] == 906
    assert max(figures.passages) <= 25
