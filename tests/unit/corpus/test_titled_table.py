"""A table that a catalogue put a line of its own above."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.errors import SourceError


def test_a_title_above_the_header_is_guessed_at(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("2024年馆藏目录\n编号,题名,摘要\n1,温度,测量\n2,误差,方法\n", encoding="utf-8")
    with pytest.raises(SourceError, match="Does its first line have the columns' names"):
        ingest(open_source(str(table)), tmp_path / "state")
