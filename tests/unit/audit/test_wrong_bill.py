"""A file that is no bill."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.audit.bill import read_bill
from handlers.errors import UsageError


def test_another_file_is_named_by_the_beginning_of_its_header(tmp_path: Path) -> None:
    papers = tmp_path / "papers.jsonl"
    papers.write_text('{"id": "1", "abstract": "' + "an abstract, " * 5_000 + '"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r'found \{"id"') as refused:
        read_bill(papers)
    assert len(str(refused.value)) < 1_000
