"""The search's files: every word of every paper, in the shard that a query looks into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.result import Check
from handlers.reporting.review import search_index
from handlers.reporting.review.search_index import SearchIndex, shard_of, words
from handlers.reporting.review.selection import ReviewPaper
from tests.builders.reviewed_run import review_paper


def paper(number: int, *searched: str) -> ReviewPaper:
    check = Check(name="numbers", verdict="warn")
    return review_paper(f"p{number}", cost_usd=0.001, checks=(check,), searched=searched)


def papers_of(folder: Path, word: str) -> list[int]:
    """As ``search.js`` reads them."""
    script = (folder / f"w{shard_of(word)}.js").read_text(encoding="ascii")
    packed = json.loads(script[len('paperfleetWords("00",') : -len(");\n")])
    numbers, at = [], 0
    for step in packed[word].split(","):
        at += int(step, 36)
        numbers.append(at)
    return numbers


@pytest.mark.parametrize("most", [1, 7, 300_000])
def test_a_word_leads_to_its_papers_however_often_words_were_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(search_index, "_MOST_IN_MEMORY", most)
    index = SearchIndex(tmp_path)
    for number in range(1, 2_101):
        index.add(1, number, paper(number, f"soil {number % 7}", "土壤调查" if number % 3 == 0 else "光学"))
    index.close()
    assert papers_of(tmp_path, "soil") == list(range(1, 2_101))
    assert papers_of(tmp_path, "壤调") == list(range(3, 2_101, 3))
    assert papers_of(tmp_path, "6") == list(range(6, 2_101, 7))
    assert index.row_files == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"w{shard}.js" for shard in index.word_files] + ["0000.js", "0001.js", "0002.js"]
    )


def test_words_are_cut_where_scripts_change_and_known_by_both_forms() -> None:
    assert words("ＰＥＭ电池 X-ray_2") == {"pem", "电池", "x", "ray", "2"}
    assert words("土壤调查") == {"土壤", "壤调", "调查"}
    assert words("</script> __proto__ &amp;") == {"script", "proto", "amp"}


@given(st.text())
def test_a_word_has_neither_markup_nor_separators(text: str) -> None:
    for word in words(text):
        assert 0 < len(word) <= 40
        assert not set(word) & set("<>&\"'\t\n\r,_ ")
        assert len(shard_of(word)) == 2


def test_no_paper_s_text_can_end_the_script(tmp_path: Path) -> None:
    index = SearchIndex(tmp_path)
    index.add(1, 1, paper(1, "</script><script>alert(1)</script>"))
    index.close()
    assert papers_of(tmp_path, "alert") == [1]
    assert not any("<" in path.read_text(encoding="ascii") for path in tmp_path.iterdir())


def test_titles_with_formulas_are_drawn_in_lists_and_nothing_of_them_is_markup(tmp_path: Path) -> None:
    index = SearchIndex(tmp_path)
    index.add(1, 1, review_paper("p1", title="A <b>bold</b> $x^{2}$", source_title="甲 $x^{2}$"))
    index.add(1, 2, review_paper("p2", title="plain <b>", source_title="乙"))
    index.close()
    script = (tmp_path / "0000.js").read_text(encoding="ascii")
    first, second = json.loads(script[script.index("[") : script.rindex("]") + 1])
    assert (first[3], len(second)) == ("A <b>bold</b> $x^{2}$", 10), "what is searched stays text"
    drawn, source = first[10]
    assert drawn.startswith("A &lt;b&gt;bold&lt;/b&gt; <")
    assert "<msup>" in drawn
    assert "<msup>" in source
