"""Task files that no answer could satisfy, or that a store could not keep as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.tasks.file_task.load_task import bundle_of
from handlers.tasks.file_task.task_fault import TaskFileError
from tests.builders.task_files import bundle_in

BEGIN = 'v = 1\nname = "own"\n[prompt]\nuser = "{{ title }}"\n'
FIELD = BEGIN + '[output.fields]\na = "text"\n'
EXAMPLE = FIELD + "[[example]]\n"


def of_schema(inner: str) -> str:
    return BEGIN + f'[output.schema]\ntype = "object"\nproperties = {{ a = {{ {inner} }} }}\n'


IMPOSSIBLE = "output.schema.properties.a: nothing can be within these bounds"
REFUSED = [
    (of_schema('type = "integer", exclusiveMinimum = 3, exclusiveMaximum = 4'), IMPOSSIBLE),
    (of_schema('type = "integer", minimum = 3.1, maximum = 3.9'), IMPOSSIBLE),
    (of_schema('type = "number", exclusiveMinimum = 3, maximum = 3'), IMPOSSIBLE),
    (of_schema('type = "number", minimum = 3, exclusiveMaximum = 3'), IMPOSSIBLE),
    (of_schema('type = "number", exclusiveMinimum = 4, exclusiveMaximum = 3'), IMPOSSIBLE),
    (of_schema('type = "array", items = { type = "string" }, minItems = 1001'), IMPOSSIBLE),
    (of_schema('type = "string", pattern = "a", minLength = 4001'), IMPOSSIBLE),
    (of_schema("enum = [inf, 1.0]"), "line 7: output.schema.properties.a.enum: 'inf' is no number"),
    (of_schema('"$ref" = "#"'), "properties.a.$ref: not taken: no references"),
    (of_schema('anyOf = [{ type = "string" }]'), "properties.a.anyOf: not taken: no references"),
    (FIELD + '[[check]]\nkind = "length"\nminimum = 9\nmaximum = 3\n', "check[1]: 9 is more than 3"),
    (
        FIELD + '[[check]]\nkind = "language"\nlanguage = "bn-IN"\n',
        "check[1].language: the script of 'bn-IN'",
    ),
    (BEGIN + '[output]\ntext = "a\\nb"\n', "'a?b' is no name"),
    (EXAMPLE + 'input = { title = nan }\noutput = { a = "b" }\n', "input.title: nan is no number"),
    (FIELD + "[[model]]\n", "model: a table is wanted"),
    ('check = ["length"]\n' + FIELD, "line 1: check[1]: a table is wanted"),
    (FIELD.replace('"own"', '"../own"'), "line 2: name: String should match pattern"),
]
TAKEN = [
    of_schema('type = "integer", exclusiveMinimum = 3, exclusiveMaximum = 5'),
    of_schema('type = "number", exclusiveMinimum = 3, exclusiveMaximum = 4'),
    of_schema('type = "number", minimum = 3, maximum = 3'),
    of_schema('type = "array", items = { type = "string" }, minItems = 1001, maxItems = 1002'),
    of_schema('type = "string", minLength = 4001'),
    FIELD + '[[check]]\nkind = "language"\nlanguage = "cn"\n',
    FIELD + '[[check]]\nkind = "length"\nminimum = 3\nmaximum = 3\n',
    EXAMPLE + 'input = { title = 2024-02-29 }\noutput = { a = "b" }\n',
    EXAMPLE + "input = { title = [2024-02-29T10:00:00Z, 10:00:00] }\noutput = { a = 2024-02-29 }\n",
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=lambda each: each[-40:])
def test_what_no_answer_could_satisfy_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TaskFileError) as caught:
        bundle_in(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", TAKEN, ids=lambda each: each[-40:])
def test_what_is_taken_is_stored_as_it_is(tmp_path: Path, text: str) -> None:
    bundle = bundle_in(tmp_path, text)
    again = bundle_of(bundle.content, bundle.digest)
    assert (again.content, again.asks, again.gate) == (bundle.content, bundle.asks, bundle.gate)
