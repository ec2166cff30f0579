"""The fixed settings of a run, from flags, files and the corpus."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlers.corpus.ingest import IngestResult
from handlers.domain.language_names import has_name, normalise_language
from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.llm.providers import thinking_off
from handlers.setting_sources import PREFIX
from handlers.settings import Settings
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.prompt import PROMPT_VERSION

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle

_NO_LANGUAGE = re.compile("(?:und|mul|mis|zxx|x|i|q[a-t][a-z])(?![a-z0-9])")
_OF_TRANSLATION = ("glossary", "target_language", "full_text")
_LONGEST_CODE = 3
"""Letters of ISO 639's codes at most: what is longer is a name."""


def specification(settings: Settings, corpus: IngestResult, bundle: TaskBundle | None = None) -> RunSpec:
    """``bundle``: what the settings' task file was resolved into. UsageError if no model is named or the
    glossary cannot be read."""
    if settings.model is None:
        raise UsageError("no model: give --model NAME or set PAPERFLEET_MODEL")
    if bundle is not None:
        return _of_task(settings, settings.model, corpus, bundle)
    if settings.task is not None:
        raise UsageError("--task: this command translates papers and takes no task file")
    return RunSpec(
        corpus_sha256=corpus.sha256,
        corpus=corpus.key,
        prompt_version=PROMPT_VERSION,
        masking_version=MASKING_VERSION,
        model=settings.model,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        max_tokens_field=settings.max_tokens_field,
        json_mode=settings.json_mode,
        extra_body=_extra_body(settings),
        target_language=_target_language(settings.target_language),
        glossary=read_glossary(settings.glossary) if settings.glossary else {},
        skip_no_derivatives=settings.skip_no_derivatives,
        full_text=settings.full_text,
        body_version=BODY_VERSION if settings.full_text else None,
        batch_papers=settings.batch_papers,
    )


def _of_task(settings: Settings, model: str, corpus: IngestResult, bundle: TaskBundle) -> RunSpec:
    """The file's ``[model]`` gives defaults: what flag, variable or settings file say goes before it."""
    from handlers.tasks.file_task.task_bundle import masking_version  # for such runs alone

    for name in _OF_TRANSLATION:
        if getattr(settings, name) != Settings.model_fields[name].default:
            flag = "--" + name.replace("_", "-")
            variable = PREFIX + name.upper()
            raise UsageError(
                f"{flag} ({variable}) belongs to translation and says nothing beside --task: leave it out"
            )
    said, given = bundle.tables.model, settings.model_fields_set
    cap = said.max_tokens
    temperature = said.temperature
    if "temperature" in given or temperature is None:
        temperature = settings.temperature
    if bundle.samples > 1 and temperature == 0:
        raise UsageError(
            f"the task asks for {bundle.samples} answers to each record, which are one at a temperature of 0:"
            " give --temperature 0.7, or [model] temperature in the task file"
        )
    return RunSpec(
        corpus_sha256=corpus.sha256,
        corpus=corpus.key,
        task="file",
        prompt_version=bundle.version,
        masking_version=masking_version(bundle),
        model=model,
        temperature=temperature,
        max_tokens=settings.max_tokens if settings.max_tokens is not None else cap,
        max_tokens_field=settings.max_tokens_field,
        json_mode=settings.json_mode,
        extra_body=bundle.extra_body() | _extra_body(settings),
        skip_no_derivatives=bundle.tables.input.skip_no_derivatives,
        full_text=bundle.by_passage,
        body_version=BODY_VERSION if bundle.by_passage else None,
        task_bundle=bundle.digest,
        task_asks=bundle.asks,
        task_gate=bundle.gate,
        batch_papers=settings.batch_papers,
    )


def _target_language(tag: str) -> str:
    """The tag as given, or a name that people write (English, 中文); UsageError if it is no language, for the
    words "into xx" would be sent with every paper, and paid."""
    meant = normalise_language(tag)
    if _NO_LANGUAGE.match(tag.lower()):
        raise UsageError(
            f"--target-language {tag!r}: a tag for no language in particular; e.g. en or zh-Hant"
        )
    is_name = len(tag) > _LONGEST_CODE or not tag.isascii()
    if _is_registered(tag) or (meant is not None and meant != tag and is_name):
        return tag
    near = f"; is it {meant} that is meant?" if meant is not None and _is_registered(meant) else ""
    raise UsageError(
        f"--target-language {tag!r}: no language tag of BCP 47, e.g. en, de, pt-BR or zh-Hant{near}"
    )


def _is_registered(tag: str) -> bool:
    """Whether it is a tag of BCP 47. Its registry takes a thirtieth of a command's start to load."""
    if has_name(tag):
        return True
    from langcodes import tag_is_valid

    return tag_is_valid(tag)


def _extra_body(settings: Settings) -> dict[str, Any]:
    """What is merged into every request; what was given by hand goes before a preset."""
    preset = thinking_off(settings.base_url) if settings.thinking == "off" else {}
    return preset | settings.extra_body


def read_glossary(path: Path) -> dict[str, str]:
    """JSON ``{"source term": "target term"}`` or CSV with two columns, without a header."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            return _terms(json.loads(text).items(), path)
        return _terms((row for row in csv.reader(text.splitlines()) if row), path)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, AttributeError) as error:
        raise UsageError(f"glossary {path}: cannot be read: {error}") from error


def _terms(rows: Iterable[Sequence[object]], path: Path) -> dict[str, str]:
    terms: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if len(row) != 2 or not all(isinstance(cell, str) and cell.strip() for cell in row):
            raise UsageError(
                f"glossary {path}, entry {number}: source term and target term wanted, found {row!r}"
            )
        terms[str(row[0]).strip()] = str(row[1]).strip()
    return terms
