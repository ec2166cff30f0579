"""From the tables of a task file, or of a stored bundle, to a bundle that is known to be whole."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from handlers.domain.call import Message
from handlers.domain.tasks.reads import is_filled
from handlers.domain.writing_systems import is_script_known
from handlers.tasks.file_task.answer_schema import AnswerSchema
from handlers.tasks.file_task.answers import check_kinds as kinds
from handlers.tasks.file_task.answers.answer_checks import CompiledCheck
from handlers.tasks.file_task.answers.answer_places import steps_of
from handlers.tasks.file_task.by_passage.joined_answers import KEY, PASSAGES
from handlers.tasks.file_task.embed.vector_form import SCHEMA, check_embed
from handlers.tasks.file_task.own_translation import TABLE, as_answers
from handlers.tasks.file_task.patterns import PatternError, compiled_pattern
from handlers.tasks.file_task.samples.ballots import voting_fields
from handlers.tasks.file_task.schema_subset import checked_schema
from handlers.tasks.file_task.short_form import Schema, schema_of_fields
from handlers.tasks.file_task.task_bundle import BODY, OF_PASSAGE, TaskBundle
from handlers.tasks.file_task.task_fault import Path, TaskFault, nearest, shown
from handlers.tasks.file_task.task_tables import ANSWER, EMBED, MOST_PROMPT, OutputTable, TaskTables
from handlers.tasks.file_task.template import Template, TemplateError, compiled

MOST_BUNDLE = 1024 * 1024
MOST_SAMPLES = 15
_KINDS = (ANSWER, TABLE, EMBED)
_TAG = re.compile(r"\{\{\s*[?/]?\s*\w|\{%")
_ALWAYS = ("refusal", "repetition")


def resolve(value: dict[str, Any]) -> TaskBundle:
    """TaskFault names the first thing that is wrong. ``value``: the tables, without files."""
    _refuse_unbuilt(value)
    if value.get("kind") == TABLE:
        value = as_answers(value)
    tables = kinds.read_table(TaskTables, value, ())
    _check_prompt(tables)
    embeds = tables.kind == EMBED
    if embeds:
        check_embed(value, tables)
    schema = SCHEMA if embeds else _schema_of(tables.output)
    output = OutputTable(text=tables.output.text, carry=tables.output.carry)
    if output.text is None and not embeds:
        output = OutputTable(schema_=schema, carry=tables.output.carry)
    user = _template(tables)
    answer = AnswerSchema.of(schema)
    _check_samples(tables, schema)
    _check_passages(tables, schema, user)
    checks = () if embeds else _compiled_checks(tables, schema, user)
    examples = _examples(tables, user, answer)
    bundle = TaskBundle(tables.model_copy(update={"output": output}), user, answer, checks, examples)
    if len(bundle.content) > MOST_BUNDLE:
        raise TaskFault((), f"with the files that it names it has more than {MOST_BUNDLE // 1024 // 1024} MB")
    return bundle


def _refuse_unbuilt(value: dict[str, Any]) -> None:
    """What is designed and not there: said before anything else, so that nobody looks for a slip."""
    kind = value.get("kind", "answer")
    if kind not in _KINDS:
        raise TaskFault(("kind",), f"unknown {str(kind)[:40]!r}{nearest(str(kind), _KINDS)}")
    if TABLE in value and kind != TABLE:
        raise TaskFault((TABLE,), f'it is for kind = "{TABLE}"')
    if "embed" in value and kind != EMBED:
        raise TaskFault(("embed",), f'it is for kind = "{EMBED}"')


def _check_prompt(tables: TaskTables) -> None:
    prompt = tables.prompt
    for name, text in (("system", prompt.system), ("user", prompt.user)):
        if text is not None and len(text.encode("utf-8", "surrogatepass")) > MOST_PROMPT:
            raise TaskFault(("prompt", name), f"it has more than {MOST_PROMPT // 1024} KB")
    if prompt.user is None or not prompt.user.strip():
        raise TaskFault(("prompt",), "user, or user_file, says what is asked about a record: it is missing")
    if tag := _TAG.search(prompt.system or ""):
        line = (prompt.system or "").count("\n", 0, tag.start()) + 1
        raise TaskFault(
            ("prompt", "system"),
            f"line {line} of it: a system prompt takes no field of a record: it is the same for all of them",
        )


def _schema_of(output: OutputTable) -> Schema:
    given = {name for name in ("text", "fields", "schema_") if getattr(output, name) is not None}
    if len(given) != 1:
        raise TaskFault(("output",), "one of text, fields, schema and schema_file is wanted")
    if output.text is not None:
        schema: Schema = {"type": "object", "properties": {output.text: {"type": "string"}}}
        schema |= {"required": [output.text], "additionalProperties": False}
        path: Path = ("output", "text")
        schema = checked_schema(schema, path)
    elif output.fields is not None:
        path = ("output", "fields")
        try:
            schema = checked_schema(schema_of_fields(output.fields, path), path)
        except TaskFault as fault:  # of a schema that the file does not spell out
            short = [0 if part == "items" else part for part in fault.path if part != "properties"]
            raise TaskFault(short, fault.sentence) from None
    else:
        path = ("output", "schema")
        schema = checked_schema(output.schema_, path)
    for name in schema["properties"]:
        if name.startswith(("source_", "answer_")):
            raise TaskFault((*path, name), "columns of exports begin so: call it otherwise")
    return schema


def _check_samples(tables: TaskTables, schema: Schema) -> None:
    """Several answers need something to differ in, and something to agree on."""
    samples, temperature = tables.model.samples, tables.model.temperature
    path: Path = ("model", "samples")
    if samples == 1:
        return
    if samples % 2 == 0 or not 1 <= samples <= MOST_SAMPLES:
        raise TaskFault(
            path, f"an odd number from 1 to {MOST_SAMPLES} is wanted, so that most of them decide"
        )
    if temperature == 0:
        raise TaskFault(
            path, "at a temperature of 0 all answers are one: give model.temperature, 0.7 for one"
        )
    if tables.output.text is not None or not any(voting_fields(schema)):
        why = "the output has nothing to vote on: a list of texts to choose from, yes/no or integer"
        raise TaskFault(path, why)


def _check_passages(tables: TaskTables, schema: Schema, user: Template) -> None:
    """A prompt that says which passage, and answers that can be joined."""
    if tables.input.unit != "passage":
        return
    passage = OF_PASSAGE[0]
    if passage not in user.paths:
        why = f'input.unit is "passage", and the prompt shows none: {{{{ {passage} }}}} does'
        raise TaskFault(("prompt", "user"), why)
    if whole := next((path for path in user.paths if path.split(".")[0] == BODY), None):
        raise TaskFault(("prompt", "user"), f"{whole}: it is cut: {{{{ {passage} }}}} shows each passage")
    for name in (PASSAGES, KEY):
        if name in schema["properties"]:
            raise TaskFault(("output",), f"{name}: joined answers have that name: call it otherwise")
    if tables.model.samples > 1:
        raise TaskFault(
            ("model", "samples"), "of a passage one answer is asked for: leave it or input.unit out"
        )


def _template(tables: TaskTables) -> Template:
    try:
        user = compiled(tables.prompt.user or "")
    except TemplateError as error:
        raise TaskFault(("prompt", "user"), f"line {error.line} of it: {error}") from None
    if not user.paths:
        raise TaskFault(("prompt", "user"), "it uses no field of a record: {{ title }} puts one in")
    allowed = tables.input.fields
    of_passage = OF_PASSAGE if tables.input.unit == "passage" else ()
    for path in user.paths if allowed is not None else ():
        if path in of_passage:
            continue
        if path not in (allowed or ()) and path.split(".")[0] not in (allowed or ()):
            raise TaskFault(
                ("prompt", "user"), f"{shown(path)} is not in input.fields{nearest(path, allowed or ())}"
            )
    return user


def _compiled_checks(tables: TaskTables, schema: Schema, user: Template) -> tuple[CompiledCheck, ...]:
    checks = kinds.read_checks(tables.check)
    made = []
    for place, check in enumerate(checks):
        path = ("check", place)
        try:
            made.append(CompiledCheck(check, steps_of(check.field, schema)))
        except ValueError as error:
            raise TaskFault((*path, "field"), str(error)) from None
        _check_own(check, user, path, masking=tables.input.masking)
    given = {check.kind for check in checks}
    return tuple(_always(each) for each in _ALWAYS if each not in given) + tuple(made)


def _always(kind: str) -> CompiledCheck:
    return CompiledCheck(kinds.AlwaysCheck(kind=kind, name=kind), ("*",))


def _check_own(check: kinds.CheckTable, user: Template, path: Path, *, masking: bool) -> None:
    if isinstance(check, kinds.RegexCheck):
        try:
            compiled_pattern(check.pattern)
        except PatternError as error:
            raise TaskFault((*path, "pattern"), str(error)) from None
    if isinstance(check, kinds.LanguageCheck) and not is_script_known(check.language):
        why = f"the script of {check.language!r} is not known: every answer in it would be refused"
        raise TaskFault((*path, "language"), why)
    source = getattr(check, "source", None)
    if source is not None and source not in user.paths:
        why = f"the prompt does not use {shown(source)!r}, so no answer can be held to it"
        raise TaskFault((*path, "source"), why + nearest(source, user.paths))
    if isinstance(check, kinds.MathematicsCheck) and not masking:
        raise TaskFault((*path, "kind"), "mathematics: it looks for placeholders: set input.masking = true")


def _examples(tables: TaskTables, user: Template, schema: AnswerSchema) -> tuple[Message, ...]:
    made: list[Message] = []
    for place, example in enumerate(tables.example):
        path = ("example", place)
        for name in example.input:
            if name not in {each.split(".")[0] for each in user.paths} and name not in user.paths:
                raise TaskFault(
                    (*path, "input", name), f"the prompt does not use it{nearest(name, user.paths)}"
                )
        for name in user.needed:
            if not is_filled(value_in(example.input, name)):
                raise TaskFault((*path, "input"), f"{shown(name)}: it is missing")
        output = _example_output(example.output, tables.output.text, schema, (*path, "output"))
        text = user.render(partial(value_in, example.input))
        made += [Message(role="user", content=text), Message(role="assistant", content=output)]
    return tuple(made)


def value_in(values: dict[str, Any], name: str) -> object:
    """By the whole name, else by its parts."""
    if name in values:
        return values[name]
    value: object = values
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _example_output(output: object, text_field: str | None, schema: AnswerSchema, path: Path) -> str:
    if text_field is not None:
        text = output.get(text_field) if isinstance(output, dict) else output
        if not isinstance(text, str) or not text.strip():
            raise TaskFault(path, "a text is wanted, as the answer is one")
        return text
    if not schema.is_valid(output):
        faults = schema.faults(output, 0)
        raise TaskFault(path, f"it is not of the output's schema: {faults[0] if faults else 'no object'}")
    return json.dumps(output, ensure_ascii=False)
