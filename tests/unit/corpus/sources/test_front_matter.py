"""Front matter is read as YAML or TOML, its values as they are written, and as people write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.markdown_folder import parse_markdown
from handlers.corpus.sources.reader import BadLine


def read(matter: str) -> Any:
    found = parse_markdown(f"---\n{matter}\n---\n", name="a.md")
    return found if isinstance(found, BadLine) else {name: found[name] for name in found if name != "body"}


@pytest.mark.parametrize(
    ("matter", "fields"),
    [
        ('keywords: [土壤, "2,4-D"]', {"keywords": ["土壤", "2,4-D"]}),
        ("id: 2024.00010\nn: 012\nb: no", {"id": "2024.00010", "n": "012", "b": "no"}),
        ("abstract: |\n  一\n  二: 三", {"abstract": "一\n二: 三"}),
        ("authors:\n- {name: A}\n- name: B\nid: ~", {"authors": [{"name": "A"}, {"name": "B"}]}),
        ("title: 题目: 副题", {"title": "题目: 副题"}),
        ('title: "A" and "B"', {"title": '"A" and "B"'}),
        ("title: [译] x's\nkeywords:\n  - a: b\n  - @c", {"title": "[译] x's", "keywords": ["a: b", "@c"]}),
        ("title: !!python/object/apply:os.system [ls]", {"title": ["ls"]}),
    ],
)  # fmt: skip
def test_values_are_what_is_written(matter: str, fields: dict[str, Any]) -> None:
    assert read(matter) == {"id": "a.md", "title": "", **fields}


@pytest.mark.parametrize(
    ("matter", "reason"),
    [
        ("- a", "line 2: no `key: value`"),
        ("a: 1\n b\n\tc: [", "line "),
        ("a: &x [1]\nb: {c: *x}", "an alias"),
        ("a: " + "b" * 70_000, "more than 65536 characters"),
    ],
)
def test_what_is_none_costs_its_file_and_says_where(matter: str, reason: str) -> None:
    found = read(matter)
    assert isinstance(found, BadLine)
    assert found.reason.startswith("a.md")
    assert reason in found.reason


def test_toml_is_read_between_its_own_marks() -> None:
    text = '+++\ntitle = "T"\ndate = 2020-01-02\nkeywords = ["2,4-D"]\n+++\nbody'
    assert parse_markdown(text, name="a.md") == {
        "id": "a.md", "title": "T", "date": "2020-01-02", "keywords": ["2,4-D"], "body": "body",
    }  # fmt: skip
    assert isinstance(parse_markdown("+++\ntitle = T\n+++\n", name="a.md"), BadLine)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_a_file_is_read_in_the_encoding_that_it_is_in(encoding: str, tmp_path: Path) -> None:
    text = "---\ntitle: 土壤水分的时空变化研究\n---\n本文研究了土壤水分的变化。\n"
    (tmp_path / "a.md").write_bytes(text.encode(encoding))
    ((_, record),) = open_source(str(tmp_path)).records()
    assert isinstance(record, dict)
    assert record["title"] == "土壤水分的时空变化研究"
