"""A task file is strict: what is wrong with it is said with its line and the nearest name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from handlers.errors import DamagedObjectError
from handlers.tasks.file_task.load_task import bundle_of, load_task
from handlers.tasks.file_task.task_fault import TaskFileError
from tests.builders.growth import assert_linear, repeated
from tests.builders.task_files import FOUR, METHODS, POLISH, SUBJECT, SUMMARY, bundle_in, written

BROKEN = [
    (SUBJECT, 'name = "subject"', 'nome = "subject"', "line 2: nome: unknown; nearest: name"),
    (SUBJECT, 'name = "subject"', 'name = "a b"', "line 2: name"),
    (SUBJECT, 'name = "subject"', "name = 3", "line 2: name"),
    (SUBJECT, "v = 1", "v = 2", "line 1: v: "),
    (SUBJECT, "v = 1", 'v = "1"', "line 1: v: "),
    (SUBJECT, "v = 1\n", "", "v: it is missing"),
    (SUBJECT, "v = 1", "v = 1\nv = 1", "line 2: no TOML"),
    (SUBJECT, "[input]", "[inputs]", "line 3: inputs: unknown; nearest: input"),
    (SUBJECT, "[input]", "[input", "line 3: no TOML"),
    (SUBJECT, "require", "requires", "line 5: input.requires: unknown; nearest: require"),
    (SUBJECT, 'require = ["title"]', 'require = "title"', "line 5: input.require"),
    (SUBJECT, "skip_no_derivatives = false", "most_characters = 0", "line 6: input.most_characters"),
    (SUBJECT, "skip_no_derivatives = false", 'unit = "passage"', "line 9: prompt.user: input.unit is"),
    (
        SUBJECT,
        "{{? abstract }}Abstract",
        "{{ passage }}{{? abstract }}Abstract",
        "passage is not in input.fields",
    ),
    (SUBJECT, "skip_no_derivatives = false", 'unit = "page"', "line 6: input.unit: "),
    (SUBJECT, "skip_no_derivatives = false", 'shape = "table"', "line 6: input.shape"),
    (SUBJECT, "skip_no_derivatives = false", 'languages = ["english!"]', "line 6: input.languages"),
    (SUBJECT, '"keywords"]', '"key"]', "line 9: prompt.user: keywords is not in input.fields; nearest: key"),
    (SUBJECT, "system = ", "sistem = ", "line 8: prompt.sistem: unknown; nearest: system"),
    (SUBJECT, "system = ", "system_file = ", "line 8: prompt.system_file: You file"),
    (SUBJECT, "best.", "best for {{ title }}.", "line 8: prompt.system: line 1 of it"),
    (SUBJECT, "{{ title }}", "{{ title", "line 9: prompt.user: line 1 of it: `{{` has no `}}`"),
    (SUBJECT, "{{ title }}", "{% if title %}", "`{%` is no part of a template: there is {{ field }}"),
    (SUBJECT, "{{ title }}", "{{ title | upper }}", "unknown filter 'upper'; there is json, lines, first N"),
    (
        SUBJECT,
        "{{/ keywords }}",
        "",
        "line 9: prompt.user: line 2 of it: {{? keywords }} has no {{/ keywords }}",
    ),
    (SUBJECT, "{{/ abstract }}", "", "{{? abstract }} has no {{/ abstract }}"),
    (SUBJECT, "[output.fields]", "[output.field]", "line 12: output.field: unknown; nearest: fields"),
    (SUBJECT, "[output.fields]", "[other]", "line 12: other: unknown; there is check"),
    (SUBJECT, '"number 0..1"', '"nomber 0..1"', "line 14: output.fields.confidence: unknown type"),
    (SUBJECT, '"number 0..1"', '"number 1..0"', "line 14: output.fields.confidence"),
    (SUBJECT, '"number 0..1"', '"text 0.5..1"', "line 14: output.fields.confidence: 0.5 is no whole"),
    (SUBJECT, '"number 0..1"', "0.5", "line 14: output.fields.confidence: a type is"),
    (SUBJECT, '"number 0..1"', '["a", "a"]', "line 14: output.fields.confidence: a value stands twice"),
    (SUBJECT, '"number 0..1"', "[]", "line 14: output.fields.confidence: a type is"),
    (SUBJECT, "confidence", "source_x", "line 14: output.fields.source_x: columns of exports"),
    (SUBJECT, "confidence", "answer_x", "columns of exports begin so"),
    (SUBJECT, 'reason = "text 5..300"', "", None),
    (
        METHODS,
        '"methods.system.md"',
        '"/etc/hostname"',
        "line 4: prompt.system_file: /etc/hostname: a path beside",
    ),
    (METHODS, '"methods.system.md"', '"../x"', "line 4: prompt.system_file: ../x: a path beside"),
    (METHODS, '"methods.system.md"', '"./x"', "a path beside"),
    (METHODS, '"methods.system.md"', '".env"', "hidden files are not read"),
    (METHODS, '"methods.system.md"', '"none.md"', "line 4: prompt.system_file: none.md: No such file"),
    (METHODS, '"methods.system.md"', '"a\\u0000b"', "a path beside"),
    (METHODS, '"methods.system.md"', "3", "the name of a file"),
    (METHODS, 'name = "BERT", quote', 'nam = "BERT", quote', "line 8: example[1].output: it is not of"),
    (
        METHODS,
        "abstract = ",
        "abstrakt = ",
        "line 7: example[1].input.abstrakt: the prompt does not use it; nearest: abstract",
    ),
    (
        METHODS,
        ', abstract = "采用BERT模型在MSRA语料上进行实验。"',
        "",
        "line 7: example[1].input: abstract: it is missing",
    ),
    (
        METHODS,
        '"quotes_source"',
        '"quotes"',
        "line 13: check[1].kind: unknown kind 'quotes'; nearest: quotes_source",
    ),
    (METHODS, 'kind = "quotes_source"', 'severity = "warn"', "line 12: check[1].kind: a check has a kind"),
    (
        METHODS,
        '"methods[].quote"',
        '"methods[].quot"',
        "line 14: check[1].field: 'methods[].quot': the answer has no 'quot'; nearest: quote",
    ),
    (METHODS, '"methods[].quote"', '"method[].quote"', "nearest: methods"),
    (METHODS, '"methods[].quote"', '"methods[].name[]"', "is no list"),
    (METHODS, '"quotes_source"', '"quotes_source"\nsource = "body"', "the prompt does not use 'body'"),
    (
        METHODS,
        '"quotes_source"',
        '"plugin"\nplugin = "x"',
        "line 14: check[1].plugin: no check 'x' is installed",
    ),
    (METHODS, '"quotes_source"', '"plugin"', "check[1].plugin: the name of an installed check"),
    (METHODS, '"quotes_source"', '"schema"', "schema: always on"),
    (METHODS, '"quotes_source"', '"regex"\npattern = "(?=x)"', "line 14: check[1].pattern: look-around"),
    (
        METHODS,
        '"quotes_source"',
        '"regex"\npattern = "(?:a{0,300}b{0,300}){10}"',
        "counted repetitions come to",
    ),
    (
        METHODS,
        '"quotes_source"',
        '"regex"\npatern = "x"',
        "line 14: check[1].patern: unknown; nearest: pattern",
    ),
    (METHODS, '"quotes_source"', '"language"\nlanguage = "English"', "check[1].language"),
    (METHODS, '"quotes_source"', '"contains"\ntexts = []', "line 14: check[1].texts"),
    (
        METHODS,
        "[[example]]",
        "[model]\nsamples = 5\n[[example]]",
        "line 7: model.samples: the output has nothing",
    ),
    (
        SUBJECT,
        "[output.fields]",
        "[model]\nsamples = 4\n[output.fields]",
        "line 13: model.samples: an odd number",
    ),
    (
        SUBJECT,
        "[output.fields]",
        "[model]\nsamples = 17\n[output.fields]",
        "model.samples: an odd number from 1 to 15",
    ),
    (
        SUBJECT,
        "[output.fields]",
        "[model]\nsample = 3\n[output.fields]",
        "line 13: model.sample: unknown; nearest: samples",
    ),
    (
        SUBJECT,
        "[output.fields]",
        "[model]\nsamples = 3\ntemperature = 0\n[output.fields]",
        "line 13: model.samples: at a temperature of 0",
    ),
    (SUBJECT, "[output.fields]", "[model]\nsamples = 3\ntemperature = 1.0\n[output.fields]", None),
    (METHODS, "[[example]]", '[model]\nextra_body = "x"\n[[example]]', "line 7: model.extra_body: unknown"),
    (METHODS, "[[example]]", '[model]\nmodel = "gpt"\n[[example]]', "line 7: model.model: unknown"),
    (METHODS, "[[example]]", "[model]\ntemperature = 3\n[[example]]", "line 7: model.temperature"),
    (METHODS, "[[example]]", "[model]\ntemperature = nan\n[[example]]", "line 7: model.temperature"),
    (
        METHODS,
        "[[example]]",
        "[repair]\ntrys = 2\n[[example]]",
        "line 7: repair.trys: unknown; nearest: tries",
    ),
    (METHODS, "[[example]]", "[repair]\ntries = 4\n[[example]]", "line 7: repair.tries"),
    (SUMMARY, "maximum = 60, ", "", "line 4: check[1]: length: a minimum"),
    (SUMMARY, "maximum = 60", "maximum = true", "line 4: check[1].maximum"),
    (SUMMARY, 'kind = "language"', 'kind = "length", maximum = 1', "line 5: check[2].language: unknown"),
    (
        SUMMARY,
        '{ kind = "language", language = "en" },',
        '{ kind = "length", minimum = 1 },',
        "another check is called 'length'",
    ),
    (
        SUMMARY,
        '{ text = "summary" }',
        '{ text = "summary", fields = { a = "text" } }',
        "line 7: output: one of text",
    ),
    (SUMMARY, '{ text = "summary" }', '{ schema = { type = "array" } }', "line 7: output.schema"),
    (
        SUMMARY,
        '{ text = "summary" }',
        '{ schema = { type = "object", properties = { a = { "$ref" = "#" } } } }',
        "line 7: output.schema.properties.a",
    ),
    (SUMMARY, "{{ title }}\\n\\n{{ abstract }}", "nothing", "line 10: prompt.user: it uses no field"),
    (SUMMARY, 'user = "{{ title }}', '#user = "{{ title }}', "line 8: prompt: user, or user_file"),
    (SUMMARY, 'name = "summary"', 'name = "summary"\nkind = "embed"', "check: a vector has none"),
    (
        SUMMARY,
        'name = "summary"',
        'name = "summary"\nkind = "translation"',
        "translation.target_language: it is missing",
    ),
    (
        SUMMARY,
        'name = "summary"',
        'name = "summary"\nkind = "answr"',
        "line 3: kind: unknown 'answr'; nearest: answer",
    ),
    (POLISH, ", masking = true", "", "line 5: check[1].kind: mathematics: it looks for placeholders"),
    (
        POLISH,
        '"text", source = "abstract" },\n  {',
        '"text", source = "title" },\n  {',
        "line 5: check[1].source",
    ),
    (
        POLISH,
        'changed = "yes/no"',
        'changed = "yes"',
        "line 13: output.fields.changed: unknown type 'yes'; nearest: yes/no",
    ),
]


@pytest.mark.parametrize(("text", "old", "new", "said"), BROKEN, ids=[f"{each[3]}"[:60] for each in BROKEN])
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, text: str, old: str, new: str, said: str | None
) -> None:
    assert old in text
    path = written(tmp_path, text.replace(old, new, 1))
    if said is None:
        load_task(path)
        return
    with pytest.raises(TaskFileError) as caught:
        load_task(path)
    assert str(caught.value).startswith("own.toml")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("name", FOUR)
def test_a_bundle_is_read_again_as_it_was(tmp_path: Path, name: str) -> None:
    bundle = bundle_in(tmp_path, FOUR[name])
    again = bundle_of(bundle.content, bundle.digest)
    assert (again.content, again.asks, again.gate) == (bundle.content, bundle.asks, bundle.gate)
    assert again.system == bundle.system


def test_a_bundle_that_was_changed_in_the_store_is_refused(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, SUMMARY)
    with pytest.raises(DamagedObjectError):
        bundle_of(bundle.content.replace(b"60 words", b"90 words"), bundle.digest)


CHANGES = [
    (SUBJECT, 'name = "subject"', 'name = "other"  # of another name', ""),
    (SUBJECT, 'name = "subject"', 'name = "subject"\ndescription = "x"', ""),
    (SUBJECT, "[output.fields]", '[output]\ncarry = ["title"]\n[output.fields]', ""),
    (SUBJECT, "fits best", "fits", "asks"),
    (SUBJECT, "first 4000", "first 3000", "asks"),
    (SUBJECT, '"other"]', '"none"]', "asks"),
    (SUBJECT, "5..300", "5..200", "asks"),
    (SUBJECT, 'require = ["title"]', 'require = ["title", "abstract"]', "gate"),
    (SUBJECT, "skip_no_derivatives = false", "", "gate"),
    (SUBJECT, "skip_no_derivatives = false", "skip_no_derivatives = false\nmasking = true", "asks"),
    (SUMMARY, "maximum = 60", "maximum = 50", "gate"),
    (SUMMARY, "Use at most 60 words.", "Fewer!", "gate"),
    (SUMMARY, "[prompt]", "[repair]\ntries = 2\n[prompt]", "gate"),
    (SUMMARY, "[prompt]", "[model]\nseed = 2\n[prompt]", ""),
]


@pytest.mark.parametrize(("text", "old", "new", "changed"), CHANGES)
def test_what_asks_and_what_judges_have_digests_of_their_own(
    tmp_path: Path, text: str, old: str, new: str, changed: str
) -> None:
    before, after = bundle_in(tmp_path, text), bundle_in(tmp_path, text.replace(old, new, 1))
    assert (before.asks != after.asks, before.gate != after.gate) == (changed == "asks", changed == "gate")


def test_links_pipes_and_large_files_are_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, METHODS.replace("methods.system.md", "it"))
    it, secret = tmp_path / "it", tmp_path / "secret"
    secret.write_text("hidden")
    (tmp_path / "below").mkdir()
    for make, said in (
        (lambda: it.symlink_to(secret), "links are not followed"),
        (lambda: os.mkfifo(it), "no regular file"),
        (it.mkdir, "no regular file"),
        (lambda: it.write_bytes(b"a" * (257 * 1024)), "more than 256 KB"),
        (lambda: it.write_bytes(b"\xff\xfe"), "no UTF-8"),
    ):
        make()
        with pytest.raises(TaskFileError, match=said):
            load_task(path)
        it.rmdir() if it.is_dir() and not it.is_symlink() else it.unlink()


def test_a_file_below_is_read_and_a_link_to_its_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "s.md").write_text("Say it.")
    (tmp_path / "linked").symlink_to(tmp_path / "below")
    assert bundle_in(tmp_path, METHODS.replace("methods.system.md", "below/s.md")).system.startswith(
        "Say it."
    )
    with pytest.raises(TaskFileError, match="links are not followed"):
        bundle_in(tmp_path, METHODS.replace("methods.system.md", "linked/s.md"))


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    for text in (
        "a = " + "1" * 9_000,
        "a = " + "[" * 5_000,
        "a = " + "[" * 3_000 + "]" * 3_000,
        "a = " + "{b = " * 3_000,
    ):
        with pytest.raises(TaskFileError):
            bundle_in(tmp_path, text)


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [("", "a.", "a = 1"), ("b = 1\n[", '"a" . ', "a]"), ("b = {", "a.", "a = 1}")],
)
def test_a_key_of_many_parts_is_refused_in_linear_time(
    tmp_path: Path, before: str, piece: str, after: str
) -> None:
    def refused(many: str) -> None:
        with pytest.raises(TaskFileError, match=r"line [12]: a key has a hundred parts"):
            bundle_in(tmp_path, before + many + after)

    assert_linear(repeated(piece), refused, size=200_000)


def test_no_file_no_bytes_no_trace(tmp_path: Path) -> None:
    with pytest.raises(TaskFileError, match="No such file"):
        load_task(tmp_path / "none.toml")
    with pytest.raises(TaskFileError, match="no regular file"):
        load_task(tmp_path)


PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "own-task.md"


def test_the_files_of_the_guide_are_whole(tmp_path: Path) -> None:
    files = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names = [bundle_in(tmp_path, text).tables.name for text in files]
    assert names == ["subject", "methods", "kind", "methods-of-bodies", "zh-de", "vectors"]
