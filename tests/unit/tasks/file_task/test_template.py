"""Prompts: one pass, and what a value holds is never read."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.tasks.file_task.template import TemplateError, compiled
from tests.builders.growth import assert_linear, repeated

VALUES: dict[str, Any] = {
    "a": "x {{ b }} {% for %}",
    "b": ["one", "two"],
    "c": {"d": 3, "e": None},
    "n": 0,
    "no": False,
    "empty": [" ", None],
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ a }}", "x {{ b }} {% for %}"),
        ("{{a}}", "x {{ b }} {% for %}"),
        ("{{ b }}", "one; two"),
        ("{{ b | lines }}", "one\ntwo"),
        ("{{ b | json }}", '["one", "two"]'),
        ("{{ b | json | first 5 }}", '["one'),
        ("{{ a | first 1 }}", "x"),
        ("{{ c }}", '{"d": 3, "e": null}'),
        ("{{ none }}", ""),
        ("{{ n }} {{ no }}", "0 no"),
        ("{{? n }}n{{/ n }}{{? no }}no{{/ no }}{{? empty }}e{{/ empty }}{{? none }}n{{/ none }}", "nno"),
        ("{{? a }}[{{? b }}{{ b }}{{/ b }}]{{/ a }}", "[one; two]"),
        ("{{ '{{' }} {{ a | first 1 }} {{ '}}' }}", "{{ x }}"),
        ("} }} { %} { {", "} }} { %} { {"),
    ],
)
def test_a_template_is_filled_in(text: str, said: str) -> None:
    assert compiled(text).render(VALUES.get) == said


@pytest.mark.parametrize(
    "text",
    ["{{", "{{ a", "{{ a\n}}", "{{ }}", "{{ a | }}", "{{ a | first }}", "{{ a | first -1 }}", "{{ a.b. }}",
     "{{? a }}", "{{/ a }}", "{{? a }}{{/ b }}", "{% x %}", "{{ a }} {% x", "{{ a['b'] }}", "{{ 'x' }}",
     "{{ a" + " | json" * 60 + " }}", "{{? a }}" * 20, "{{ a }}" * 2_000],
)  # fmt: skip
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        compiled(text)


def test_what_is_needed_stands_outside_of_sections() -> None:
    template = compiled("{{ a }}{{? b }}{{ b }}{{ c.d }}{{/ b }}")
    assert (template.paths, template.needed) == (("a", "b", "c.d"), ("a",))


@settings(max_examples=20, deadline=None)
@given(st.text(alphabet="ab{}%?/ |'\"\n", max_size=40), st.text(alphabet="{}%? ab", max_size=20))
def test_a_value_is_appended_as_it_is(value: str, around: str) -> None:
    text = around.replace("{", "").replace("%", "")
    assert compiled(f"{text}{{{{ a }}}}{text}").render({"a": value}.get) == f"{text}{value}{text}"


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="ab{}%?/ |'\"\n", max_size=60))
def test_any_text_is_a_template_or_is_refused(text: str) -> None:
    try:
        compiled(text).render(VALUES.get)
    except TemplateError as error:
        assert error.line >= 1


@pytest.mark.parametrize("piece", ["{{ a }", "{", "{{ '", "{{ a }}", "x", "{{? a }}", "{{ a }}{{/ a }}"])
def test_hostile_templates_are_read_in_linear_time(piece: str) -> None:
    def tried(text: str) -> None:
        with suppress(TemplateError):
            compiled(text)

    assert_linear(repeated(piece), tried)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ a }}", "abcdef"),
        ("{{ a | first 2 }}", "ab"),
        ("{{ a | first 2 }}{{? b }}{{ a | first 4 }}{{/ b }}", "abcd"),
        ("{{ a | first 2 }}{{? b }}{{ a }}{{/ b }}", "abcdef"),
        ("{{ a | json | first 3 }}", '"ab'),
        ("{{ b }}{{? a }}x{{/ a }}", "abcdef"),
        ("{{ a | first 0 }}", ""),
    ],
)
def test_what_is_shown_of_a_value_is_what_answers_are_held_to(text: str, shown: str) -> None:
    assert compiled(text).shown("a", "abcdef") == shown
