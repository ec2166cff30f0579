"""A task file, resolved: what it asks and what judges, under two digests, as one JSON value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from handlers.domain.call import AnswerForm, Message
from handlers.domain.tasks.reads import Reads
from handlers.domain.value import sha256_of
from handlers.tasks.file_task.answer_form import FORM_VERSION, form_in_words, strict_schema
from handlers.tasks.file_task.answer_schema import AnswerSchema
from handlers.tasks.file_task.answers.answer_checks import CompiledCheck
from handlers.tasks.file_task.answers.check_kinds import PluginCheck
from handlers.tasks.file_task.by_passage.joined_answers import joined_columns
from handlers.tasks.file_task.embed.vector_form import COLUMNS, EMBED_VERSION, NOT_OF_VECTORS
from handlers.tasks.file_task.plugins.installed_checks import loaded_check
from handlers.tasks.file_task.plugins.plugin_verdict import GuardedPlugin
from handlers.tasks.file_task.samples.ballots import AGREEMENT, SHARE, voting_fields
from handlers.tasks.file_task.task_tables import EMBED, TaskTables
from handlers.tasks.file_task.template import Template
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.passages import BODY_VERSION

RENDER_VERSION = f"file-{FORM_VERSION}"
"""``prompt_version`` of a run: other words around the file's own are another version."""
BODY, OF_PASSAGE = "body", ("passage", "section")
"""The field that is cut into passages, and what a prompt has of each."""
ANSWER_GATE = "2"
"""Version of reading, putting right and checking."""
MASK_RULE = (
    "⟦1⟧, ⟦2⟧ and so on stand for formulas, citations, links and markup. Where you use a text that has them,"
    " copy each exactly as it is; add none."
)


@dataclass(frozen=True)
class TaskBundle:
    """What ``resolve`` makes of the tables; compiled and known to be whole."""

    tables: TaskTables
    user: Template
    schema: AnswerSchema
    checks: tuple[CompiledCheck, ...]
    examples: tuple[Message, ...]

    @property
    def text_field(self) -> str | None:
        """The one field that the answer is as it stands; None where JSON is asked for."""
        return self.tables.output.text

    @property
    def embeds(self) -> bool:
        """Whether the answers are vectors."""
        return self.tables.kind == EMBED

    @property
    def version(self) -> str:
        """``prompt_version`` of a run: of what stands around the file's own words."""
        return EMBED_VERSION if self.embeds else RENDER_VERSION

    @cached_property
    def content(self) -> bytes:
        """As it is stored: read again, it makes the same bundle."""
        left_out = set(NOT_OF_VECTORS) if self.embeds else {"embed"}
        value = self.tables.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=left_out)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    @cached_property
    def digest(self) -> str:
        """sha256 of the stored bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def system(self) -> str:
        """The system prompt as sent: the file's, the rule of placeholders, the form of the answer."""
        if self.embeds:
            return ""
        parts = [(self.tables.prompt.system or "").strip()]
        if self.tables.input.masking:
            parts.append(MASK_RULE)
        if self.tables.prompt.describe and self.text_field is None:
            parts.append(form_in_words(self.schema.schema))
        return "\n\n".join(filter(None, parts))

    @cached_property
    def head(self) -> tuple[Message, ...]:
        """The messages before a record's own."""
        system = (Message(role="system", content=self.system),) if self.system else ()
        return system + self.examples

    @cached_property
    def asks(self) -> str:
        """Digest of what decides the requests."""
        if self.embeds:
            return sha256_of([EMBED_VERSION, self.tables.prompt.user, self.tables.embed.dimensions])
        masking = MASKING_VERSION if self.tables.input.masking else None
        said = [[each.role, each.content] for each in self.head]
        schema = None if self.text_field else json.dumps(self.schema.schema, ensure_ascii=False)
        asked = [RENDER_VERSION, said, self.tables.prompt.user, schema, self.text_field, masking]
        return sha256_of([*asked, BODY_VERSION] if self.by_passage else asked)

    @cached_property
    def gate(self) -> str:
        """Digest of what judges answers, and of which records are asked about."""
        rules = self.tables.input
        judged = [each.table.model_dump(mode="json") for each in self.checks]
        asked = [rules.require, rules.languages, rules.skip_no_derivatives, rules.most_characters]
        said = [ANSWER_GATE, judged, self.tables.repair.tries, asked]
        return sha256_of([*said, self.samples] if self.samples > 1 else said)

    def armed(self, allowed: Iterable[str]) -> TaskBundle:
        """The same with the plugins that it judges by. UsageError if one is not of an ``allowed``
        distribution, or of another version than the bundle's."""
        if not any(isinstance(each.table, PluginCheck) for each in self.checks):
            return self
        names = tuple(allowed)
        return replace(self, checks=tuple(_armed(each, names) for each in self.checks))

    @property
    def samples(self) -> int:
        """Answers to each record at most. More of them judge what there is: no request changes."""
        return self.tables.model.samples

    @property
    def voted_on(self) -> tuple[str, ...]:
        """Fields of which several answers can say the same."""
        return tuple(voting_fields(self.schema.schema))

    @cached_property
    def reads(self) -> Reads:
        """What identifies a record."""
        rules, required = self.tables.input, self.required
        fields = tuple(sorted({*self.user.paths, *required} - set(self.of_passage)))
        return Reads(shape=rules.shape, fields=fields, required=required, id=rules.id, title=rules.title)

    @property
    def required(self) -> tuple[str, ...]:
        """Fields without which a record is not asked about."""
        given = self.tables.input.require
        wanted = self.user.needed if given is None else given
        if not self.by_passage:
            return tuple(wanted)
        return tuple(dict.fromkeys((*(name for name in wanted if name not in self.of_passage), BODY)))

    @property
    def by_passage(self) -> bool:
        """Whether each passage of a record's body is asked about by itself."""
        return self.tables.input.unit == "passage"

    @property
    def of_passage(self) -> tuple[str, ...]:
        """What the prompt uses that is a passage's and no field of the record."""
        return OF_PASSAGE if self.by_passage else ()

    @property
    def columns(self) -> Mapping[str, Mapping[str, Any]]:
        """Fields of the answers → their schemas."""
        if self.embeds:
            return COLUMNS
        properties: Mapping[str, Mapping[str, Any]] = self.schema.schema["properties"]
        if self.by_passage:
            return joined_columns(properties)
        return {**properties, AGREEMENT: SHARE} if self.samples > 1 else properties

    @cached_property
    def form(self) -> AnswerForm:
        """What a request says of its answer beside the messages."""
        if self.text_field is not None or self.embeds:
            return AnswerForm(plain=True)
        schema = self.schema.schema
        return AnswerForm(
            name=self.tables.name.replace("-", "_"),
            bounds=strict_schema(schema, bounds=True),
            shape=strict_schema(schema, bounds=False),
        )

    def extra_body(self) -> dict[str, Any]:
        """What ``[model]`` adds to each request, but for temperature and cap."""
        given = self.tables.model.model_dump(exclude_none=True)
        return {
            name: value
            for name, value in given.items()
            if name not in ("temperature", "max_tokens", "samples")
        }


def _armed(check: CompiledCheck, allowed: tuple[str, ...]) -> CompiledCheck:
    table = check.table
    if not isinstance(table, PluginCheck):
        return check
    function = loaded_check(table.plugin, (table.distribution, table.version), allowed)
    return replace(check, plugin=GuardedPlugin(table.plugin, function))


def masking_version(bundle: TaskBundle) -> str:
    """``masking_version`` of a run."""
    return MASKING_VERSION if bundle.tables.input.masking else "off"
