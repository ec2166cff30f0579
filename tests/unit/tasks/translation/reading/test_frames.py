"""Frames that models put around an answer: read to exactly the good texts, or refused."""

from __future__ import annotations

import json
import random
import re

import pytest

from handlers.tasks.translation.raw_answer import parse
from tests.builders.growth import assert_linear, repeated
from tests.unit.tasks.translation.reading.samples import DRAFT, GOOD, SOURCES, dump

PLAIN = dump(GOOD)
NO_KEYWORDS = {key: GOOD[key] for key in ("title", "abstract")}
CURLY = "{" + ",".join(f"“{key}”:“{text}”" for key, text in GOOD.items()) + "}"
UNDERSCORED = {key.replace("/", "_"): text for key, text in GOOD.items()}

FRAMES = {
    "question": dump({"target_language": "en", "segments": GOOD}),
    "remark": dump({"translation": GOOD, "notes": "none"}),
    "deep": dump({"result": {"data": {"translation": GOOD}}, "ok": True}),
    "list of one": dump([GOOD]),
    "pairs": dump([{"key": key, "text": text} for key, text in GOOD.items()]),
    "pairs with sources": dump(
        {"segments": [{"id": key, "source": SOURCES[key], "translation": text} for key, text in GOOD.items()]}
    ),
    "one member each": dump([{key: text} for key, text in GOOD.items()]),
    "JSON lines": "\n".join(dump({key: text}) for key, text in GOOD.items()),
    "capitals": dump({key.capitalize(): text for key, text in GOOD.items()}),
    "underscores": dump(UNDERSCORED),
    "brackets": dump({re.sub(r"/(\d)", r"[\1]", key): text for key, text in GOOD.items()}),
    "dots": dump({f"segments.{key}".replace("/", "."): text for key, text in GOOD.items()}),
    "glued": dump({key.replace("/", ""): text for key, text in GOOD.items()}),
    "nested": dump({**NO_KEYWORDS, "keywords": {"0": "heat", "1": "spin"}}),
    "list": dump({**NO_KEYWORDS, "Keywords": ["heat", {"text": "spin"}]}),
    "one string": dump({**NO_KEYWORDS, "keywords": "heat; spin"}),
    "Chinese keys": dump({"标题": GOOD["title"], "摘要": GOOD["abstract"], "关键词": ["heat", "spin"]}),
    "language": dump({f"{key}_en": text for key, text in UNDERSCORED.items()}),
    "objects": dump({key: {"translation": text} for key, text in GOOD.items()}),
    "both languages": dump({key: {"zh": SOURCES[key], "en": text} for key, text in GOOD.items()}),
    "with sources": dump({"original": SOURCES, "translation": GOOD}),
    "named draft": dump({"draft": DRAFT, "final": GOOD}),
    "Python": str(GOOD),
    "curly": CURLY,
    "nested curly": f"{{“translation”:{CURLY}}}",
    "full width": "｛" + "，".join(f'"{key}"：{dump(text)}' for key, text in GOOD.items()) + "｝",
    "string": dump(PLAIN),
    "member": dump({"name": "translate", "arguments": PLAIN}),
    "escaped": json.dumps(PLAIN, ensure_ascii=False)[1:-1],
    "no commas": "{" + "\n".join(f"{dump(key)}: {dump(text)}" for key, text in GOOD.items()) + "}",
    "tags": "".join(f"<{key}>{text}</{key}>" for key, text in UNDERSCORED.items()),
    "lines": "\n".join(f"**{key}:** {text}" for key, text in GOOD.items()),
    "answer tag": f"<answer>{PLAIN}</answer>",
    "end token": f"{PLAIN}<|im_end|>",
    "apostrophe": PLAIN.replace("'", "\\'"),
    "ASCII": json.dumps(GOOD),
}
UNCLEAR = {
    "two answers": dump({"first": GOOD, "second": DRAFT}),
    "two capitals": dump({**{key.upper(): text for key, text in GOOD.items()},
                          **{key.capitalize(): text for key, text in DRAFT.items()}}),
    "texts alone": dump(list(GOOD.values())),
    "cut": PLAIN[:-30],
    "cut Python": str(GOOD)[:-20],
    "a member more": PLAIN.replace('\\"', '"').replace('"}', '", "notes": "a "b" c"}'),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_of_one_meaning_is_read(name: str) -> None:
    answer = parse(FRAMES[name], SOURCES)
    assert answer.fields == GOOD
    assert answer.problem == ""


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_frame_of_two_meanings_is_refused(name: str) -> None:
    answer = parse(UNCLEAR[name], SOURCES)
    assert answer.fields is None or answer.missing


EDGED = {
    "title": "[Objective] The heat of ⟦1⟧",
    "abstract": "[Objective] To measure ⟦2⟧ and ⟦3⟧. [Methods] They are compared.",
    "keywords/0": "Classification number:",
    "keywords/1": "Article number:",
}
"""Texts that begin and end as a frame does; journals print such headings and labels."""


@pytest.mark.parametrize(
    "content",
    [str(EDGED), "{" + ",".join(f"“{key}”:“{text}”" for key, text in EDGED.items()) + "}",
     dump(EDGED).replace("The heat", 'The "heat"').replace('\\"', '"')],
    ids=["Python", "curly", "bare quotes"],
)  # fmt: skip
def test_a_heading_or_a_label_at_the_edge_of_a_text_is_none_of_the_frame(content: str) -> None:
    read = parse(content, SOURCES).fields
    assert read is not None
    assert {key: text.replace('"', "") for key, text in read.items()} == EDGED


@pytest.mark.parametrize(
    "content",
    ["{'title': 'x' notes:'', 'abstract': 'y', 'keywords/0': 'a', 'keywords/1': 'b'}",
     "{'title': '[[', 'abstract': 'y', 'keywords/0': 'a', 'keywords/1': 'b'}",
     "{'title': '[x, y] z', 'abstract': '[]', 'keywords/0': 'a', 'keywords/1': 'b'}"],
)  # fmt: skip
def test_a_frame_at_the_edge_of_a_text_is_no_text(content: str) -> None:
    answer = parse(content, SOURCES)
    assert answer.fields is None or answer.missing


def test_whatever_happens_to_a_frame_its_texts_are_read_as_they_are_or_not_at_all() -> None:
    chance = random.Random(7)
    for _ in range(2_000):
        content = _damaged_frame(chance)
        answer = parse(content, SOURCES)
        assert answer.fields is None or answer.missing or answer.fields == GOOD, content


def _damaged_frame(chance: random.Random) -> str:
    head, opening, colon, comma, end = chance.choice(
        (
            ("", '{"', '": "', '", "', '"}'),
            ("", '{"translation": {"', '": "', '", "', '"}, "notes": "none"}'),
            ("", "{“", "”:“", "”,“", "”}"),
            ("```json\n", "{'", "': '", "',\n'", "'}\n```"),
        )
    )
    escaped = {
        key: dump(text)[1:-1] if '"' in colon and chance.random() < 0.5 else text
        for key, text in GOOD.items()
    }
    parts = [head, opening]
    for key, text in escaped.items():
        parts += [key + _damaged(colon, chance), text, _damaged(comma, chance)]
    content = "".join([*parts[:-1], _damaged(end, chance)])
    return content if chance.random() < 0.8 else content[: chance.randrange(len(content))]


def _damaged(frame: str, chance: random.Random) -> str:
    if chance.random() < 0.7 or len(frame) < 3:
        return frame
    start = chance.randrange(1, len(frame) - 1)
    end = min(len(frame), start + chance.randrange(1, 5))
    scrap = chance.choice("{}[]\",:\\'”“ \n")
    return chance.choice(
        (
            frame[:start] + frame[end:],
            frame[:end] + frame[start:],
            frame[:start] + scrap + frame[start:],
            frame[:start] + scrap + frame[start + 1 :],
        )
    )


@pytest.mark.parametrize(
    "unit", ['"title":"x",', "“title”:“", "&amp;", "`⟦1⟧`", "[1]", "</think>", '{"a":1}', "\\tau"]
)
def test_floods_are_read_in_linear_time(unit: str) -> None:
    assert_linear(lambda size: '{"title":"' + repeated(unit)(size), lambda text: parse(text, SOURCES))
