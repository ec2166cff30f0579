"""What a reader of CommonMark and HTML sees of an accepted body: the source's blocks, links and tags."""

from __future__ import annotations

import json
from functools import cache
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.paper import Paper
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.bodies import glossed
from tests.builders.whole_papers import run_whole, whole_spec

BODY = (
    "# 引言\n\n水温变化，见[3]。\n\n- 甲项数据\n- 乙项数据\n\n> 引用文字\n\n图甲 水温  \n图乙 气温\n\n"
    "1. 整理\n2. 分析\n\n"
    '<table><tr><td rowspan="2">水温</td><td>1<V</td></tr></table>\n\n'
    "| 水温 | 气温 |\n|-|-|\n| 高 | 低 |\n\n结论文字"
)
SCRAPS = (
    *(
        "# ",
        "- ",
        "* ",
        "• ",
        "3. ",
        "> ",
        "```",
        "`",
        "~~~",
        "---",
        "===",
        "* * *",
        "[^1]: ",
        "[a]: b",
        "[",
        "](",
    ),
    *(
        "<b>",
        "<div",
        "<a b>",
        "</td>",
        "< td>",
        "<!--",
        "<http://a.b>",
        "http://a.b",
        "|",
        "\\",
        "&lt;td&gt;",
        "<",
    ),
    *("\n", "\n\n", "a\n# b", "\u2028", "\x00", "\u202e", "⟦1⟧", "&#35; ", "!", "{#a}", "words ", "**", "_"),
)
_INLINE = {"code", "em", "strong"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [] if tag in _INLINE else [(tag, *attrs)]

    def handle_endtag(self, tag: str) -> None:
        self.seen += [] if tag in _INLINE else [f"/{tag}"]

    def handle_comment(self, data: str) -> None:
        self.seen.append(f"!{data}")


@cache
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable("table")


def seen(text: str) -> list[object]:
    tags = _Tags()
    tags.feed(_reader().render(text))
    tags.close()
    return tags.seen


@settings(max_examples=12)
@given(
    st.lists(st.sampled_from(SCRAPS), min_size=1, max_size=2).map("".join),
    st.sampled_from(["before", "behind", "within"]),
)
def test_an_accepted_body_is_rendered_with_its_source_s_blocks_alone(scraps: str, place: str) -> None:
    def ask(request: ChatRequest) -> ChatAnswer:
        texts = json.loads(request.messages[-1].content)["segments"]
        told = {key: _with(scraps, glossed(text), place) for key, text in texts.items()}
        return ChatAnswer(content=json.dumps(told), finish_reason="stop")

    paper = Paper(id="p", title="水温", abstract="", keywords=(), body=BODY, language="zh")
    result = run_whole(TranslateTask(whole_spec()), paper, ask).result
    assert result.status == "flagged" or seen(result.fields["body"]) == seen(BODY)


def _with(scraps: str, text: str, place: str) -> str:
    first, _, rest = text.partition(" ")
    return {"before": scraps + text, "behind": text + scraps, "within": f"{first}{scraps} {rest}"}[place]
