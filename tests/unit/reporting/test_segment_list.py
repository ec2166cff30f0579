"""The list of what becomes of a body."""

from __future__ import annotations

import re

from handlers.reporting.segment_list import segment_lines
from handlers.tasks.translation.passages.body_segments import plan_body
from tests.builders.growth import assert_linear, repeated
from tests.builders.whole_bodies import BODY


def told(body: str) -> list[str]:
    return [" ".join(line.split()) for line in segment_lines(body, plan_body(body, "zh"))]


def test_each_segment_says_where_it_is_sent_and_each_kept_block_its_rule() -> None:
    lines = told(BODY)
    assert lines[0] == "body: 9 segments in 1 passage, 4 blocks kept"
    assert lines[2] == "body/0 heading 11 passage body/0 1 引言"
    assert re.fullmatch(r"block 2 mathematics \d+ kept: mathematics \$\$ E = m c \^ 2 \$\$", lines[4])
    assert re.fullmatch(r"body/8/2 html_table \d+ passage body/0 假手术组", lines[11])
    assert lines[-1].startswith("block 11 item") and "kept: reference" in lines[-1]


def test_a_cell_that_stood_before_is_sent_once_and_odd_sources_are_told() -> None:
    lines = told("<table><tr><td>甲乙</td><td>甲乙</td></tr></table>\n\n费用$5的甲")
    assert "as body/0/0" in lines[3]
    assert lines[-1] == "odd in the source: odd_dollars 1"


def test_of_a_long_body_the_first_pieces_are_shown_and_the_others_counted() -> None:
    """A hostile one has headings by the hundred thousand."""
    lines = told("# 甲\n\n$$x$$\n\n" * 1_000)
    assert len(lines) == 203
    assert lines[0] == "body: 1,000 segments in 17 passages, 1,000 blocks kept"
    assert lines[-1] == "... and 1,800 segments and blocks more"
    assert told("# 甲\n\n" * 201)[-1] == "... and 1 segment or block more"
    assert told("# 甲\n\n" * 200)[-1].startswith("body/199 heading")


def test_texts_are_only_text() -> None:
    (line,) = told("甲\x1b[31m乙\u202e")[2:]
    assert "\x1b" not in line
    assert "\u202e" not in line


def test_the_list_is_made_in_time_that_grows_with_the_body() -> None:
    assert_linear(
        repeated("- 甲\n"), lambda body: list(segment_lines(body, plan_body(body, "zh"))), size=6_000
    )
