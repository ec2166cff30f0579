"""Text and labels: cleaning, languages, licences, estimates."""

from __future__ import annotations

import math
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus.language import detect_language
from handlers.corpus.normalise import Normaliser
from handlers.corpus.text import _AS_IT_IS, _UNWANTED, clean_text, clean_value
from handlers.domain.language_names import normalise_language
from handlers.domain.licenses import forbids_derivatives, normalise_license
from handlers.domain.token_estimate import estimate_answer_tokens, tokens_of_size
from tests.builders.growth import assert_linear, repeated

HOSTILE = ["$", "\\begin{", "<", "[", "{", "̖́", "á", "\x00", "\u202e", "ऄ", "\r", " ", "https://", "i̇"]


def estimate_tokens(text: str) -> int:
    return tokens_of_size(len(text), len(text.encode("utf-8", "surrogatepass")))


@given(st.text())
def test_cleaning_is_idempotent_nfc_and_free_of_controls(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert all(unicodedata.category(char) != "Cc" or char in "\t\n" for char in cleaned)
    cleaned.encode("utf-8")


@given(st.text(alphabet=st.characters(categories=["Lo", "Lu", "Ll", "Nd"]), max_size=60))
def test_cleaning_ordinary_letters_is_plain_nfc(text: str) -> None:
    assert clean_text(text) == unicodedata.normalize("NFC", text)


def test_controls_direction_marks_bom_and_lone_surrogates_are_removed() -> None:
    assert clean_text("\ufeff中\x00文\u202e\u2066\u200f\x85 a\ud800b\U000e0041\x7f") == "中文 ab"


def test_what_is_taken_as_it_is_has_nothing_to_be_cleaned() -> None:
    """No character of the set is unwanted, has a canonical decomposition that NFC would not make again, or is
    the second of a pair that NFC makes one: so no text of them changes."""
    taken = {chr(code) for code in range(sys.maxunicode + 1) if _AS_IT_IS.fullmatch(chr(code))}
    assert "中" in taken and "α" in taken and "、" in taken
    seconds = set()
    for code in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code)).split()
        if parts and not parts[0].startswith("<"):
            seconds.update(chr(int(part, 16)) for part in parts[1:])
    for char in taken:
        assert not _UNWANTED.match(char) and char != "\r" and not unicodedata.combining(char)
        assert unicodedata.normalize("NFC", char) == char
        assert char not in seconds
        assert not "\u1100" <= char <= "\u11ff" and not "\uac00" <= char <= "\ud7a3"


def test_line_ends_become_newlines_and_tabs_stay() -> None:
    assert clean_text("a\r\nb\rc\td ") == "a\nb\nc\td"


def test_decomposed_letters_are_composed() -> None:
    assert clean_text("étude") == "étude"


def test_a_long_run_of_marks_is_cut_to_thirty() -> None:
    cleaned = clean_text("q" + "̖́" * 5000 + "é中")
    assert len(cleaned) == 33
    assert cleaned.endswith("é中")


def test_values_are_cleaned_at_every_depth() -> None:
    assert clean_value({"a\x00": ["x\ud800", {"b": "\u202ec"}], "n": 1}) == {"a": ["x", {"b": "c"}], "n": 1}


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_flood_of_anything_is_read_in_linear_time(piece: str) -> None:
    for read in (
        lambda text: detect_language(clean_text(text)),
        normalise_license,
        normalise_language,
    ):
        assert_linear(repeated(piece), read)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("本文研究了石墨烯的热导率 $\\kappa _ { x } = \\frac { a } { b } \\mathrm { W }$ 及其尺寸效应", "zh"),
        ("基于RDF和OWL的国史本体检索平台 Neo4j Solr STKOS API 构建研究", "zh"),
        ("We study the thermal conductivity of graphene and its dependence on size.", "en"),
        ("The term 物理 appears in the title of this paper, which is in English and rather long", "en"),
        ("グラフェンの熱伝導率とその大きさへの依存性について研究した", "ja"),
        ("그래핀의 열전도율과 크기 의존성을 연구하였다", "ko"),
        ("Мы исследуем теплопроводность графена и её зависимость от размера", "ru"),
        ("Ми досліджуємо теплопровідність графену та її залежність від розміру зразків", "uk"),
        ("Wir untersuchen die Wärmeleitfähigkeit von Graphen und das Verhalten der Probe", "de"),
        ("Nous étudions la conductivité thermique du graphène et une dépendance dans la taille", "fr"),
        ("Estudiamos la conductividad del grafeno y su dependencia con el tamaño de las muestras", "es"),
        ("نحن ندرس التوصيل الحراري للجرافين", "ar"),
        ("", None),
        ("12.5 % $x$ <p> \\alpha", None),
        ("Quux frobnicate", None),
    ],
)
def test_languages_are_told_by_script_and_function_words(text: str, language: str | None) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    ("given_tag", "language"),
    [
        ("zh", "zh"), ("zh-Hans-CN", "zh"), ("ZH_cn", "zh"), ("chi", "zh"), ("Chinese", "zh"), ("中文", "zh"),
        ("eng", "en"), ("en-GB", "en"), ("und", None), ("", None), ("??", None), ("klingon language", None),
        ("CN", "zh"), ("chs", "zh"), ("CHT", "zh"), ("CHN", "zh"), ("zho", "zh"), ("zh_TW", "zh"),
        ("简体中文", "zh"), ("汉语", "zh"), ("繁體中文", "zh"), ("jp", "ja"), ("日文", "ja"), ("英语", "en"),
        ("cz", "cs"), ("gr", "el"),
    ],
)  # fmt: skip
def test_language_tags_are_reduced_to_their_primary_subtag(given_tag: str, language: str | None) -> None:
    assert normalise_language(given_tag) == language


@pytest.mark.parametrize("tag", ["kr", "tw", "xx", "sim", "language-7"])
def test_a_tag_that_names_no_language_for_sure_gives_way_to_the_text(tag: str) -> None:
    def language_of(title: str) -> str | None:
        return Normaliser({}).prepare(1, {"id": "a", "title": title, "language": tag}).language

    assert language_of("土壤水分的研究与分析") == "zh"
    assert language_of("A study of the water in the soil") == "en"


@pytest.mark.parametrize(
    ("spelling", "license_id"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("CC_BY", "CC-BY"),
        ("CC BY-NC-ND 4.0 International", "CC-BY-NC-ND-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/deed.zh", "CC-BY-NC-SA-3.0"),
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0", "CC-BY-NC-ND-4.0"),
        ("Creative Commons Attribution 4.0 International Public License", "CC-BY-4.0"),
        ("知识共享署名-非商业性使用-禁止演绎 4.0", "CC-BY-NC-ND-4.0"),
        ("CC0", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("MIT License", "MIT"),
        ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"),
        ("all rights reserved", "all rights reserved"),
        ("  ", None),
    ],
)  # fmt: skip
def test_licences_have_one_spelling_each(spelling: str, license_id: str | None) -> None:
    assert normalise_license(spelling) == license_id


FORBIDDING = [
    "CC-BY-NC-ND-4.0", "CC-BY-ND", "cc by-nc-nd", "CCBYNCND", "CC BY_ND 4.0",
    "ＣＣ ＢＹ－ＮＤ", "ND", "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    "http://creativecommons.org/licenses/by-nd/3.0/deed.zh", "Attribution-NoDerivs",
    "No derivatives allowed", "CC BY, no derivative works", "No Derivs",
    "non-derivative use", "Creative Commons Attribution; no adaptations permitted",
    "You may not modify or translate the work", "may not be translated", "do not alter",
    "Derivative works are prohibited", "Verbatim copying only",
    "adaptations not permitted", "知识共享署名-禁止演绎 4.0", "創用CC 姓名標示-禁止改作", "未经许可不得翻译",
    "不得进行演绎", "改変禁止", "저작자표시-변경금지", "Namensnennung - Keine Bearbeitungen",
    "Attribution - Pas de modification", "Reconocimiento-SinObraDerivada",
    "Reconocimiento-SinDerivadas", "Atribuição-SemDerivações",
    "Attribuzione - Non opere derivate", "Naamsvermelding-GeenAfgeleideWerken",
    "Атрибуция — Без производных", "Uznanie autorstwa-Bez utworów zależnych",
    "All uses are free. " * 40 + "No derivative works.",
]  # fmt: skip
ALLOWING = [
    None, "", "CC-BY-4.0", "CC BY-NC-SA 4.0", "CC0", "MIT License",
    "2nd edition licence", "all rights reserved", "Derivatives allowed",
    "You may share and adapt the work", "署名-相同方式共享", "England and Wales", "Second",
    "https://arxiv.org/licenses/nonexclusive-distrib/1.0/", "Translations welcome",
]  # fmt: skip


@pytest.mark.parametrize("given_license", FORBIDDING)
def test_a_licence_that_forbids_derivatives_is_known_in_any_words(given_license: str) -> None:
    assert forbids_derivatives(given_license)


@pytest.mark.parametrize("given_license", ALLOWING)
def test_a_licence_that_allows_them_is_not_taken_for_one(given_license: str | None) -> None:
    assert not forbids_derivatives(given_license)


words = st.sampled_from(
    [*FORBIDDING, *filter(None, ALLOWING), "CC BY", "Creative Commons Attribution", "4.0", "ND", "-"]
)


@given(st.lists(words | st.text(max_size=20), max_size=4).map(" ".join))
def test_one_spelling_of_a_licence_forbids_what_the_licence_forbids(given_license: str) -> None:
    assert forbids_derivatives(normalise_license(given_license)) == forbids_derivatives(given_license)


@given(st.text(), st.text())
def test_estimates_grow_with_the_text(left: str, right: str) -> None:
    assert 0 <= estimate_tokens(left) <= estimate_tokens(left + right)
    assert estimate_tokens(left + right) <= estimate_tokens(left) + estimate_tokens(right)


@given(st.text())
def test_estimates_are_three_quarters_of_what_is_wide_and_a_quarter_of_the_rest(text: str) -> None:
    wide = sum(len(char.encode("utf-8", "surrogatepass")) - 1 for char in text) / 2
    assert estimate_tokens(text) == math.ceil(0.75 * wide + 0.25 * max(0.0, len(text) - wide))


def test_estimates_count_han_at_three_quarters_and_others_at_a_quarter() -> None:
    assert estimate_tokens("汉" * 100) == 75
    assert estimate_tokens("abcd" * 25) == 25
    assert estimate_tokens("") == estimate_answer_tokens(0) == 0
    assert estimate_answer_tokens(100) == 140
