"""Keywords come apart where their writer separated them, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus.fields.keyword_list import keywords_of
from tests.builders.growth import assert_linear, repeated


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("石墨烯；热导率, 声子;、", ["石墨烯", "热导率", "声子"]),
        ("2,4-D; 土壤", ["2,4-D", "土壤"]),
        ("土壤,抗2,4-D,1,2,4-三氯苯,N,N'-二甲基", ["土壤", "抗2,4-D", "1,2,4-三氯苯", "N,N'-二甲基"]),
        ("β-胡萝卜素，α，β-不饱和酮，10,000 Genomes", ["β-胡萝卜素", "α，β-不饱和酮", "10,000 Genomes"]),
        ("p53, p21,Bcl-2", ["p53", "p21", "Bcl-2"]),
        ("Rats, Wistar; Cells, Cultured", ["Rats, Wistar", "Cells, Cultured"]),
        ("水稻（早稻，晚稻）；$f(x,y;z)$;[A,B]型", ["水稻（早稻，晚稻）", "$f(x,y;z)$", "[A,B]型"]),
        ("['深度学习', \"it's\"]", ["深度学习", "it's"]),
        ('["2,4-D", "\\u6c34"]', ["2,4-D", "水"]),
        ('"2,4-D", 土壤, "a; b"', ["2,4-D", "土壤", "a; b"]),
        ("('a', 'b',)", ["a", "b"]),
        ("['a' 'b'\n 'c']", ["a", "b", "c"]),
        ('{土壤,"2,4-D"}', ["土壤", "2,4-D"]),
        ("[土壤, 水分]", ["土壤", "水分"]),
        ("- a\n- b", ["a", "b"]),
        ("Bose - Einstein condensate; b", ["Bose - Einstein condensate", "b"]),
        ("a|b||c", ["a", "b", "c"]),
        ("深度学习　图像", ["深度学习", "图像"]),
        ("关键词：深度\n学习；b", ["深度学习", "b"]),
        ("Parkinson's disease, Alzheimer's disease", ["Parkinson's disease", "Alzheimer's disease"]),
        ("[{'name': 'a'}, {'name': 'b, c'}]", ["a", "b, c"]),
        ('[{"name": "a"}]', ["a"]),
        ("[]", []),
        ("nan", []),
        (["a, b; c", "2,4-D"], ["a, b; c", "2,4-D"]),
        (["a; b"], ["a", "b"]),
        (["Rats, Wistar"], ["Rats, Wistar"]),
        ([{"display_name": "a", "score": 0.5}, ["b", None, 3]], ["a", "b", "3"]),
        ({"en": ["x"], "zh": ["甲", "乙"]}, ["甲", "乙"]),
        (["CO<sub>2</sub>", "&alpha;"], ["CO₂", "α"]),
    ],
)
def test_keywords_of(value: object, words: list[str]) -> None:
    assert list(keywords_of(value, None)) == words


@given(st.text(alphabet=st.sampled_from("ab2,;、$()[]'\"\n\ufdd0水-")))
def test_no_character_but_separators_is_lost(text: str) -> None:
    kept = "".join(keywords_of(text, None))
    assert [char for char in kept if char in "ab2水"] == [char for char in text if char in "ab2水"]


@pytest.mark.parametrize(
    "piece", ["'", '"', "'a", "1,", "(", "[(", "$", ",", "\n", "N,N", "a|", "\ufdd0", "关键词："]
)
def test_a_flood_of_anything_is_split_in_linear_time(piece: str) -> None:
    assert_linear(repeated(piece), lambda text: keywords_of(text, None))
