from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask, unmask
from tests.builders.growth import FLOOD, assert_linear

SHARED = Path(__file__).parents[4].parent / "shared" / "corpus"

SCRAPS = (
    *("$", "$$", "\\$", "\\", "\\(", "\\)", "\\[", "\\]", "{", "}", "[12]", "[", "]", "⟦", "⟧", "⟦1⟧"),
    *(
        "`",
        "```\n",
        "<td>",
        "<",
        ">",
        "\\begin{a}",
        "\\end{a}",
        "\\begin{cases}",
        "\\end{cases}",
        "![](",
        ")",
    ),
    *(
        " ",
        "\n",
        "\n\n",
        "，",
        "0.05",
        "http://a.cn/b",
        "a@b.cn",
        "10.1000/x",
        "\\cite{k}",
        "x_1",
        "\\Delta E",
        "$ E_A ;$",
        "土壤有机碳的含量",
    ),
)
MARKUP = st.lists(st.sampled_from(SCRAPS), max_size=40).map("".join)


def corpus(name: str) -> Iterator[dict[str, Any]]:
    path = Path(os.environ.get("PAPERFLEET_CORPUS_DIR") or SHARED) / name
    if not path.exists():
        pytest.skip(f"the corpus of real papers is not here: {name}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def prose(text: str) -> str:
    return PLACEHOLDER.sub("⟦⟧", mask(text).text)


@given(st.text() | MARKUP, st.integers(1, 500))
def test_unmasking_gives_back_every_string_byte_for_byte(text: str, first: int) -> None:
    masked = mask(text, first)
    assert unmask(masked.text, masked.spans, first) == text


@given(MARKUP)
def test_all_brackets_of_a_masked_text_belong_to_placeholders_numbered_on_in_reading_order(text: str) -> None:
    masked = mask(text, 7)
    assert PLACEHOLDER.findall(masked.text) == [str(7 + i) for i in range(len(masked.spans))]
    assert not re.search("[⟦⟧]", PLACEHOLDER.sub("", masked.text))


@pytest.mark.parametrize(
    "span",
    [
        "$P { < } 0 . 0 5$",
        "$$\n\\begin{array}{l} a \\\\ b \\end{array}\n$$",
        "\\(x+1\\)",
        "\\[\\frac{a}{b}\\]",
        "\\begin{equation} a \\begin{cases} 1, 当x>0时成立 \\end{cases} \\end{equation}",
        "$\\text {土壤有机碳的含量} = 3$",
        "$\\mathrm { 平均绝对误差值 } _ { 1 }$",
        "[12-14]",
        "[1, 3，5]",
        "［7］",
        "\\cite{smith2010,li2011}",
        "\\eqref{eq:1}",
        "\\citep[see][]{smith}",
        "https://chinaxiv.org/abs/201601.00051V1",
        "http://a.cn/x_(y)",
        "10.1016/S0092-8674(00)80400-7",
        "DOI:10.5846/stxb201507291596",
        "liu.x@163.com",
        "`np.dot(a, b)`",
        "```python\nprint(1)\n```",
        "<sup>",
        "</td>",
        '<img src="a.png" alt="图一">',
        "![图1](images/98.jpg)",
        "\\alpha",
        "\\mathrm { L } _ { 2 }",
        "⟦3⟧",
    ],
)
def test_a_construct_is_one_span_and_the_prose_around_it_stays(span: str) -> None:
    text = f"温度对生长的影响 {span} ，结果表明显著提高。"
    masked = mask(text)
    assert masked.spans == (span,)
    assert masked.text == "温度对生长的影响 ⟦1⟧ ，结果表明显著提高。"


def test_a_dollar_escaped_at_the_end_of_a_formula_closes_it_when_prose_follows() -> None:
    assert prose("显著提高（ $P { < } 0 . 0 5 \\$ ），但 $P > 1$ 时") == "显著提高（ ⟦⟧ ），但 ⟦⟧ 时"


def test_a_dollar_escaped_inside_a_formula_does_not_close_it() -> None:
    assert mask("the price from $\\$ 37$ to $\\$ 311$").spans == ("$\\$ 37$", "$\\$ 311$")


def test_a_stray_dollar_costs_itself_and_does_not_shift_the_formulas_after_it() -> None:
    masked = mask("价格为 $ 的土壤有机碳含量显著 $a_1$ 提高了土壤有机碳 $b_2$ 的含量水平显著")
    assert masked.spans == ("$", "$a_1$", "$b_2$")


def test_prose_between_two_formulas_is_never_taken_for_one() -> None:
    text = "其中 $a$ 为温度, $b$ 为土壤有机碳的含量, $c$ 为压力"
    assert mask(text).spans == ("$a$", "$b$", "$c$")
    assert "$" not in mask(text[text.index("a$") :]).text


def test_prices_are_no_formula() -> None:
    assert "USD and then" in mask("It costs $5 USD and then $10 again").text


@pytest.mark.parametrize(
    "text",
    [
        "碳价由每吨$25上升至$50，成本下降。",
        "价格为$2，而进口疫苗为$15。",
        "由HK$5亿至HK$6亿，另有US$25/t、NT$30万和A$5、C$6。",
        "费用（$）与收入（$）",
        "Income rose from $1,200 in 2000 to $4,500, abatement cost US$ 30 per tonne or R$ 160.",
        "GDP ($), population, and income ($) as covariates",
        "a GDP of $1.2bn.",
        "$12.5 (95% CI $10.1 to $14.9)",
        "$3, $5, and $7 per day",
        "costs $1.2M–$3.4M, $25-$50 and $25~$50.",
        "$1 000 to $2 000 per year; 30 $/MWh to 50 $/MWh",
        "USD$25 and U.S.$30; a $20 bill, a $5-per-day wage",
        "约$25亿美元增至约$30亿美元",
        "由$-25至$50",
        "从5$升至10$",
        "cost from 5$ to 10$ each",
        "Revenue ($ in millions) and cost ($ in millions)",
        "between $1,200.50 and $1,350.75, US $25 to US $30, $5k or $1.5M",
    ],
)
def test_money_in_dollars_is_text(text: str) -> None:
    assert mask(text).spans == ()


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("精度达$95%$，$5$ 和 $x=5$，$5 mg$", ("$95%$", "$5$", "$x=5$", "$5 mg$")),
        ("$x = R$ 5", ("$x = R$",)),
        ("费用 $5 与 $x$ 之比", ("$x$",)),
        ("costs $5 in $n$ regions (P$<$0.05)", ("$n$", "$<$")),
        ("values $10$ and $20$ percent", ("$10$", "$20$")),
        ("the range $0.5 to 1$ and $n$ 10", ("$0.5 to 1$", "$n$")),
        ("SVD $^ { + + }$ 和 $7 . 6 6 { \\pm } 0 . 7 1$", ("$^ { + + }$", "$7 . 6 6 { \\pm } 0 . 7 1$")),
        ("不含（ $) ( C = [ 0 . 5 ] )$ ，", ("$) ( C = [ 0 . 5 ] )$",)),
        ("P < 0.05$ 12 只", ("$",)),
        ("胎次 $1 ", ("$",)),
        ("2$x$和3$y$", ("$x$", "$y$")),
        ("取$5, 10$和$15$，约$3-5$倍", ("$5, 10$", "$15$", "$3-5$")),
    ],
)
def test_what_looks_like_money_and_is_mathematics_stays_it(text: str, spans: tuple[str, ...]) -> None:
    assert mask(text).spans == spans


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (
            "<jats:p>探讨<jats:italic>in vitro</jats:italic></jats:p>",
            ("<jats:p>", "<jats:italic>", "</jats:italic>", "</jats:p>"),
        ),
        ("浓度<mml:math><mml:mi>C</mml:mi></mml:math>升高", ("<mml:math><mml:mi>C</mml:mi></mml:math>",)),
        ('由<math display="block"><mn>2</mn></math>得', ('<math display="block"><mn>2</mn></math>',)),
        (
            "<inline-formula><tex-math>$x$</tex-math></inline-formula>为",
            ("<inline-formula><tex-math>$x$</tex-math></inline-formula>",),
        ),
        ("<math><mtext>这里是很长的一句说明</mtext></math>", ("<math>", "<mtext>", "</mtext>", "</math>")),
        ('<xref rid="b1">图</xref>', ('<xref rid="b1">', "</xref>")),
        ('<ns0:p xmlns:ns0="http://a.b/c">甲</ns0:p>', ('<ns0:p xmlns:ns0="http://a.b/c">', "</ns0:p>")),
        ("a<b 且 c>d，P<N:3>", ()),
        ("联系作者liu@a.cn，或wang.x@b.edu.cn。", ("liu@a.cn", "wang.x@b.edu.cn")),
    ],
)
def test_tags_of_jats_and_mathml_and_addresses_after_ideographs(text: str, spans: tuple[str, ...]) -> None:
    assert mask(text).spans == spans


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("碳价由每吨$25上升至$50。", "碳价由每吨⟦1⟧50。"),
        ("GDP ($), population, and income ($)", "GDP (⟦1⟧)"),
        ("It costs $5 USD and then $10 again", "It costs ⟦1⟧5 USD and then ⟦2⟧10 again"),
        ("<jats:p>探讨<i>in vitro</i></jats:p>", "<jats:p>探讨⟦1⟧in vitro⟦2⟧</jats:p>"),
        ("<italic>x</italic>&lt;sub&gt;", "<italic>x</italic>&lt;sub&gt;"),
        ("联系liu@a.cn，或 wang.x@b.edu.cn。", "联系liu@a.cn，或 ⟦1⟧。"),
    ],
)
def test_the_first_masking_stays_as_it_was_for_the_runs_that_it_began(text: str, masked: str) -> None:
    assert mask(text, version="1").text == masked


def test_a_dollar_shift_keeps_what_a_reader_who_counts_dollars_takes_for_a_formula() -> None:
    text = "显著降低了土壤有机碳的含量 $P < 0.05 \\$ ，其中 $a$ = 3, $b$ 的土壤有机碳含量"
    counted = re.findall(r"(?<!\\)\$[^$]*(?:\\\$[^$]*)*(?<!\\)\$", text)
    spans = mask(text).spans
    assert all(any(found in span for span in spans) for found in counted if not re.search("[一-龥]", found))


def test_the_cells_of_a_table_stay_translatable() -> None:
    assert prose("<table><tr><td>温度</td></tr></table>") == "⟦⟧⟦⟧⟦⟧温度⟦⟧⟦⟧⟦⟧"


def test_less_than_and_greater_than_signs_are_no_tags() -> None:
    assert prose("当a <b 且 c> d 时，P<0.05，b<i>") == "当a <b 且 c> d 时，P<0.05，b⟦⟧"


def test_an_environment_of_prose_loses_only_its_marks() -> None:
    assert prose("\\begin{itemize} 土壤有机碳 \\end{itemize}") == "⟦⟧ 土壤有机碳 ⟦⟧"


def test_a_command_with_prose_in_its_argument_loses_only_its_name() -> None:
    assert prose("\\textbf{重要结果}") == "⟦⟧{重要结果}"


def test_the_end_of_a_sentence_is_no_part_of_a_link() -> None:
    assert mask("见 http://a.cn/b). 以及 (www.b.cn)。").spans == ("http://a.cn/b", "www.b.cn")


def test_unknown_placeholders_are_left_as_they_are() -> None:
    assert unmask("⟦1⟧ ⟦9⟧ ⟦01⟧ ⟦１⟧ ⟦" + "9" * 9000 + "⟧", ["$a$"]).startswith("$a$ ⟦9⟧ ⟦01⟧ ⟦１⟧ ⟦99")


HOSTILE = (
    *("$", "$ ", "中$", "\\$", "\\(", "\\[", "$\\text{", "\\begin{", "\\begin{a}"),
    *("<", "<a b=", "[", "[1,", "{", "\\a{", "\\a{{", "` ", "![](", "a@b.", "http://)", "⟦"),
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_flood_of_hostile_markup_is_masked_in_linear_time(unit: str) -> None:
    text = (unit * (FLOOD // len(unit) + 1))[:FLOOD]
    masked = mask(text)
    assert unmask(masked.text, masked.spans) == text
    assert_linear(lambda size: text[:size], mask)


def test_real_abstracts_come_back_and_no_formula_holds_prose() -> None:
    argument = re.compile(r"\\(?:text|math|mbox)\w*\s*\{[^{}]*\}")
    swallowed = []
    for paper in islice(corpus("chinaxiv-abstracts.jsonl.gz"), 0, None, 7):
        masked = mask(paper["abstract"])
        assert unmask(masked.text, masked.spans) == paper["abstract"]
        assert "$" not in masked.text
        swallowed += [s for s in masked.spans if re.search("[一-龥]{5}", argument.sub("", s))]
    assert swallowed == []


def test_real_bodies_come_back() -> None:
    for paper in islice(corpus("chinaxiv-fulltext-300.jsonl.gz"), 0, None, 15):
        masked = mask(paper["body"])
        assert unmask(masked.text, masked.spans) == paper["body"]
