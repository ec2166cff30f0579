"""Task files whose answers are vectors: what they may say, what they ask, and what they take."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

import pytest

from handlers.domain.call import ChatAnswer, ChatRequest, Usage
from handlers.domain.call_errors import ContentFilteredError, RejectedError, TooLongError
from handlers.domain.money import Price
from handlers.errors import UsageError
from handlers.llm.prices.pricing import CostEstimator
from handlers.results.answer_records import AnswerColumns
from handlers.tasks.file_task.embed.embed_task import EmbedTask
from handlers.tasks.file_task.load_task import bundle_of
from handlers.tasks.file_task.task_kinds import task_of_bundle
from tests.builders.task_files import SUBJECT, bundle_in, paper, spec_of

EMBED = """v = 1
name = "vec"
kind = "embed"
[prompt]
user = "{{ title }}\\n{{ abstract }}"
[embed]
dimensions = 3
"""
SAID = [
    ('[prompt]\nsystem = "Be good."', "line 5: prompt.system: only one text is sent for a vector"),
    ('example = [{ input = {}, output = "a" }]\n[prompt]', "example: a vector has none"),
    ('check = [{ kind = "length", maximum = 3 }]\n[prompt]', "check: a vector has none"),
    ("repair = { tries = 1 }\n[prompt]", "repair: a vector has none"),
    ("model = { temperature = 0.5 }\n[prompt]", "model: a vector has none"),
    ('output = { text = "a" }\n[prompt]', "output: the answer is a vector"),
    ("input = { masking = true }\n[prompt]", "input.masking: a vector of placeholders"),
    ('output = { carry = ["title"] }\n[prompt]', ""),
    ("input = { most_characters = 100 }\n[prompt]", ""),
]


def embed_in(folder: Path, text: str = EMBED) -> EmbedTask:
    bundle = bundle_in(folder, text)
    task = task_of_bundle(bundle, spec_of(bundle))
    assert isinstance(task, EmbedTask)
    return task


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.parametrize(("lines", "said"), SAID)
def test_what_says_nothing_of_a_vector_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    text = EMBED.replace("[prompt]", lines)
    if not said:
        assert bundle_in(tmp_path, text).embeds
        return
    with pytest.raises(UsageError) as caught:
        bundle_in(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ('kind = "embedding"', "unknown 'embedding'; nearest: embed"),
        ('kind = "answer"', "embed: it is for kind"),
    ],
)
def test_the_kind_is_told(tmp_path: Path, changed: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bundle_in(tmp_path, EMBED.replace('kind = "embed"', changed))
    with pytest.raises(UsageError, match="dimensions"):
        bundle_in(tmp_path, EMBED.replace("= 3", "= 0"))


def test_a_stored_bundle_is_the_same_and_others_have_no_word_of_vectors(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, EMBED)
    again = bundle_of(bundle.content, bundle.digest)
    assert (again.asks, again.gate, again.content) == (bundle.asks, bundle.gate, bundle.content)
    assert b"embed" not in bundle_in(tmp_path, SUBJECT).content


@pytest.mark.parametrize(
    ("old", "new", "asks", "gate"),
    [
        ("dimensions = 3", "dimensions = 4", False, True),
        ("dimensions = 3", "", False, True),
        ("{{ title }}", "{{ title }}:", False, True),
        ("dimensions = 3", "dimensions = 3\nnormalise = true", True, True),
        ('name = "vec"', 'name = "other"', True, True),
        ("[prompt]", 'input = { languages = ["en"] }\n[prompt]', True, False),
    ],
)
def test_only_what_decides_the_requests_is_paid_again(
    tmp_path: Path, old: str, new: str, asks: bool, gate: bool
) -> None:
    first, other = bundle_in(tmp_path, EMBED), bundle_in(tmp_path, EMBED.replace(old, new))
    assert (first.asks == other.asks, first.gate == other.gate) == (asks, gate)


def test_a_record_is_one_text_and_costs_its_prompt_alone(tmp_path: Path) -> None:
    task = embed_in(tmp_path)
    request = task.first_request(paper())
    (message,) = request.messages
    assert message.content == "On $E=mc^2$\nWe test 3 methods on MNIST."
    assert (request.kind, request.dimensions) == ("embed", 3)
    price, estimator = Price(prompt=10, completion=10**9, cached=10), CostEstimator()
    estimator.learn(request, Usage(prompt_tokens=9, completion_tokens=0))
    assert estimator.expect(request, price) <= estimator.worst(request, price) < 10
    changed = task.with_settings(task._spec.model_copy(update={"temperature": 0.7, "max_tokens": 9}))
    assert changed.fingerprint(paper()) == task.fingerprint(paper())


def of(task: EmbedTask, content: str) -> tuple[str, str | None, dict[str, object]]:
    result = task.run(paper(), lambda _: ChatAnswer(content=content))
    return result.status, result.error, result.fields


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packed(1, 2), "2 dimensions"),
        (packed(1, 2, 3, 4), "4 dimensions"),
        (packed(0, 0, 0), "are 0"),
        (packed(1, float("nan"), 2), "not finite"),
        (packed(1, float("inf"), 2), "not finite"),
        ("", "no vector"),
        ("no vector", "no vector"),
        ("é", "no vector"),
    ],
)
def test_a_vector_that_is_none_is_flagged(tmp_path: Path, content: str, said: str) -> None:
    task = embed_in(tmp_path)
    result = task.run(paper(), lambda _: ChatAnswer(content=content))
    assert (result.status, result.error, result.fields) == ("flagged", "vector", {})
    assert said in result.checks[0].detail


def test_a_vector_is_kept_as_it_came(tmp_path: Path) -> None:
    content = packed(0.5, -1, 2)
    assert of(embed_in(tmp_path), content) == ("done", None, {"vector": content})
    free = embed_in(tmp_path, EMBED.replace("dimensions = 3", ""))
    assert of(free, packed(1, 2))[0] == "done"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TooLongError("too many tokens", code="too_long"), "too_long"),
        (ContentFilteredError("filtered", code="content_filter"), "content_filter"),
        (RejectedError("no vector", code="bad_vectors"), "bad_vectors"),
    ],
)
def test_a_refused_text_flags_its_record(tmp_path: Path, error: Exception, name: str) -> None:
    def ask(_: ChatRequest) -> ChatAnswer:
        raise error

    result = embed_in(tmp_path).run(paper(), ask)
    assert (result.status, result.error) == ("flagged", name)
    long = embed_in(tmp_path, EMBED.replace("[prompt]", "input = { most_characters = 5 }\n[prompt]"))
    assert long.run(paper(), ask).error == "too_long"


def test_exports_have_a_column_of_numbers(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, EMBED)
    columns = AnswerColumns(bundle.columns, normalise=True)
    assert columns.types(("id", "vector")) == {"id": "VARCHAR", "vector": "FLOAT[]"}
    assert columns.vectors == ("vector",)
    assert columns.values({"vector": packed(0, 3, 4)})["vector"] == pytest.approx([0, 0.6, 0.8])
    assert columns.values({})["vector"] is None
