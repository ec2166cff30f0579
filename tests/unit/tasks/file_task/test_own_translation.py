"""``kind = "translation"``: short for a file of fields, masks and checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handlers.errors import UsageError
from handlers.tasks.file_task.load_task import bundle_of
from tests.builders.task_files import answering, bundle_in, paper, task_in

OWN = """v = 1
name = "zh-en"
kind = "translation"
[translation]
source_language = "zh"
target_language = "en"
fields = ["title", "abstract"]
[prompt]
system = "Into {{ target_language }}, tersely."
"""
RECORD = paper(title="关于能量", abstract="我们得到 $E=mc^2$，共有 3 万个样本。", language="zh")
GOOD = {"title": "On energy", "abstract": "We obtain ⟦1⟧ with 30,000 samples."}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('target_language = "en"\n', "", "translation.target_language"),
        ('"en"', '"not a language"', "translation.target_language"),
        ("fields =", "feilds =", "line 7: translation.feilds: unknown; nearest: fields"),
        ('"title", "abstract"', '"a b"', "translation.fields"),
        ('["title", "abstract"]', "[]", "translation.fields"),
        ('"title", "abstract"', '"title", "title"', "line 7: translation.fields: a field is named twice"),
        ("[prompt]", "[prompt]\nuser = '{{ title }}'", "prompt.user: translation.fields says"),
        ("[prompt]", "[output.fields]\na = 'text'\n[prompt]", "output: the answer has the fields"),
        ("[prompt]", "[[check]]\nkind = 'no_copy'\n[prompt]", "check: translation has its own"),
        ("[prompt]", "[input]\nmasking = false\n[prompt]", "input.masking: formulas are always"),
        ("[prompt]", "[input]\nlanguages = ['zh']\n[prompt]", "input.languages: translation.source_language"),
        ('kind = "translation"', "", "translation: it is for kind"),
        ("{{ target_language }}", "{{ title }}", "a system prompt takes no field"),
        ("[prompt]\nsystem =", "[prompt]\nsystem = 3 #", "prompt.system: a text is wanted"),
    ],
)
def test_what_it_says_itself_is_refused_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        bundle_in(tmp_path, OWN.replace(old, new))
    assert said in str(caught.value)


def test_it_becomes_a_task_that_answers_and_is_stored_as_one(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, OWN)
    assert bundle.system.startswith("Into English, tersely.\n\nThe user message is one JSON object of texts.")
    assert list(bundle.columns) == ["title", "abstract"]
    assert bundle.tables.input.languages == ["zh"]
    assert bundle_of(bundle.content, bundle.digest).asks == bundle.asks
    assert bundle_in(tmp_path, OWN.replace('"en"', '"de"')).asks != bundle.asks
    unknown = bundle_in(tmp_path, OWN.replace('"en"', '"am"'))
    assert "language title" not in [each.table.name for each in unknown.checks]


def test_fields_are_masked_one_after_the_other_and_put_back(tmp_path: Path) -> None:
    task = task_in(tmp_path, OWN)
    asked = json.loads(task.first_request(RECORD).messages[-1].content)
    assert asked == {"title": "关于能量", "abstract": "我们得到 ⟦1⟧，共有 3 万个样本。"}
    result = task.run(RECORD, answering(json.dumps(GOOD)))
    assert result.status == "done", result.checks
    assert result.fields["abstract"] == "We obtain $E=mc^2$ with 30,000 samples."


@pytest.mark.parametrize(
    ("field", "text", "error"),
    [
        ("abstract", "We obtain it with 30,000 samples.", "mathematics"),
        ("abstract", "We obtain ⟦1⟧ ⟦1⟧ with 30,000 samples.", "mathematics"),
        ("abstract", "We obtain ⟦1⟧ with 3,000 samples.", "same_numbers"),
        ("abstract", "我们得到 ⟦1⟧，共有 3 万个样本。", "no_copy"),
        ("abstract", "我们共有 30,000 个样本与 ⟦1⟧ 之能量", "language"),
        ("title", "关于能量", "no_copy"),
        ("title", "", "schema"),
        ("title", "I cannot help with that request, as an AI language model.", "refusal"),
    ],
)
def test_damage_is_caught(tmp_path: Path, field: str, text: str, error: str) -> None:
    answer = json.dumps(GOOD | {field: text}, ensure_ascii=False)
    result = task_in(tmp_path, OWN).run(RECORD, answering(answer))
    assert result.status == "flagged"
    assert error in " ".join(each.name for each in result.checks if each.verdict == "fail")


@pytest.mark.parametrize(
    ("changes", "why"), [({"language": "en"}, "in en"), ({"abstract": ""}, "no abstract"), ({}, None)]
)
def test_records_are_skipped_by_language_and_by_what_they_lack(
    tmp_path: Path, changes: dict[str, str], why: str | None
) -> None:
    assert task_in(tmp_path, OWN).skip_reason(RECORD.model_copy(update=changes)) == why
