"""Answers of every shape: what can mean one thing, what cannot, and what is made to hurt."""

from __future__ import annotations

import json
from typing import Any

from handlers.tasks.file_task.answers.answer_checks import SentRecord

RECORD = SentRecord({"title": "On BERT", "abstract": "We test 3 methods — “BERT” and  others — on MNIST."})
GOOD = {"field": "physics", "confidence": 0.5, "reason": "It is about physics."}
SAID = json.dumps(GOOD)
MASKED = SentRecord({"abstract": "The energy ⟦1⟧ of 3 cells is ⟦2⟧."})
READ = [
    SAID,
    f"```json\n{SAID}\n```",
    f"Here it is: {SAID} I hope this helps.",
    f"<think>Is it {{}}? {{\"field\": \"other\"}}</think>{SAID}",
    json.dumps({"result": GOOD}),
    SAID[:-1] + ",}",
    json.dumps(GOOD | {"confidence": "0.5"}),
    json.dumps(GOOD | {"field": "Physics."}),
    json.dumps(GOOD | {"field": " 'PHYSICS' "}),
    json.dumps(GOOD | {"field": "ｐｈｙｓｉｃｓ"}),
    json.dumps({"Field": "physics", "CONFIDENCE": 0.5, "reason": GOOD["reason"]}),
    json.dumps(GOOD | {"extra": [1, 2, 3]}),
    f"{{\"field\": \"other\"}} no, rather: {SAID}",
]  # fmt: skip
"""Of the task `subject`."""
REFUSED: list[tuple[str, str | None]] = [
    ("", "json"),
    ("physics", "json"),
    ("I'm sorry, but I can't help with that.", "json"),
    (SAID[:-5], "json"),
    (json.dumps(GOOD | {"confidence": "50%"}), "schema"),
    (json.dumps(GOOD | {"confidence": 1.5}), "schema"),
    (json.dumps(GOOD | {"confidence": True}), "schema"),
    (json.dumps(GOOD | {"field": "astrology"}), "schema"),
    (json.dumps(GOOD | {"field": ["physics"]}), "schema"),
    (json.dumps(GOOD | {"reason": "x"}), "schema"),
    (json.dumps({"field": "physics"}), "schema"),
    (json.dumps([GOOD, GOOD])[:-1], None),
    ('{"field": "physics", "field": "other", "confidence": 0.5, "reason": "because"}', "json"),
    (SAID.replace("0.5", "NaN"), "schema"),
    (SAID.replace("0.5", "Infinity"), "schema"),
    (SAID.replace("0.5", "9" * 400), "schema"),
    (SAID.replace("0.5", "1e999"), "schema"),
    ("<think>" + SAID, "json"),
]
"""(answer, the check that refuses it) of the task `subject`."""
BOMBS: dict[str, Any] = {
    "nested lists": '{"methods": ' + "[" * 900 + "]" * 900 + "}",
    "nested deeper": "[" * 10_000,
    "nested objects": '{"a":' * 900 + "1" + "}" * 900,
    "digits": '{"methods": ' + "1" * 10**5 + "}",
    "braces": "{" * 20_000,
    "quotes": '"' * 20_000,
    "backslashes": '{"methods": "' + "\\" * 20_000,
    "items": json.dumps({"methods": [{"name": "a", "quote": "b"}] * 2_000, "datasets": []}),
    "wrong items": json.dumps({"methods": [1] * 2_000, "datasets": []}),
    "keys": json.dumps({f"k{n}": n for n in range(5_000)}),
    "thoughts": "<think>" * 5_000,
    "fences": "```json\n" * 5_000,
    "one word": "a" * 10**5,
    "spaces": " " * 10**5,
    "commas": '{"methods": [' + "," * 20_000,
    "surrogates": '{"methods": "\ud800\ud800"}',
    "nulls": "\x00" * 10_000,
    "placeholders": "⟦1⟧" * 10_000,
    "exponents": '{"methods": ' + "1e" * 5_000,
    "escapes": '{"methods": "' + "\\u0000" * 5_000 + '"}',
    "one key again and again": '{"methods": []' + ',"methods": []' * 2_000 + "}",
    "thoughts with objects": "<think>{" * 5_000,
    "directions turned round": "\u202e" * 10_000,
    "far too long": "x" * 4_000_001,
}
"""Of the tasks `methods` and `summary`."""
