"""Task files for tests: four whole ones, and one that a test changes in a place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.paper import Paper
from handlers.domain.run import RunSpec
from handlers.tasks.file_task.file_task import FileTask
from handlers.tasks.file_task.load_task import load_task
from handlers.tasks.file_task.task_bundle import TaskBundle, masking_version
from tests.builders import values

SUBJECT = '''v = 1
name = "subject"
[input]
fields = ["title", "abstract", "keywords"]
require = ["title"]
skip_no_derivatives = false
[prompt]
system = "You file scientific preprints. Choose the one field that fits best."
user = """Title: {{ title }}
{{? keywords }}Keywords: {{ keywords }}
{{/ keywords }}{{? abstract }}Abstract: {{ abstract | first 4000 }}{{/ abstract }}"""
[output.fields]
field = ["physics", "computer science", "other"]
confidence = "number 0..1"
reason = "text 5..300"
'''
METHODS = """v = 1
name = "methods-and-data"
[prompt]
system_file = "methods.system.md"
user = "{{ title }}\\n\\n{{ abstract }}"
[[example]]
input = { title = "基于BERT的命名实体识别", abstract = "采用BERT模型在MSRA语料上进行实验。" }
output = { methods = [{ name = "BERT", quote = "采用BERT模型" }], datasets = [] }
[output.fields]
methods = [{ name = "text 1..200", quote = "text 2..500" }]
datasets = [{ name = "text 1..200", quote = "text 2..500" }]
[[check]]
kind = "quotes_source"
field = "methods[].quote"
"""
SUMMARY = """v = 1
name = "summary"
check = [
  { kind = "length", unit = "words", maximum = 60, message = "Use at most 60 words." },
  { kind = "language", language = "en" },
]
output = { text = "summary" }
[prompt]
system = "Summarise the paper in at most 60 words of English."
user = "{{ title }}\\n\\n{{ abstract }}"
"""
POLISH = """v = 1
name = "polish"
input = { languages = ["en"], masking = true }
check = [
  { kind = "mathematics", field = "text", source = "abstract" },
  { kind = "same_numbers", field = "text", source = "abstract" },
]
[prompt]
system = "Correct grammar and style. Change nothing that is right."
user = "{{ abstract }}"
[output.fields]
text = "text"
changed = "yes/no"
"""
FOUR = {"subject": SUBJECT, "methods": METHODS, "summary": SUMMARY, "polish": POLISH}


def written(folder: Path, text: str, name: str = "own.toml") -> Path:
    """The file, and those beside it that ``METHODS`` and the guide name."""
    for beside in ("methods.system.md", "methods.md"):
        (folder / beside).write_text("Name the methods, each with a quotation.\n", "utf-8")
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def bundle_in(folder: Path, text: str) -> TaskBundle:
    return load_task(written(folder, text))


def spec_of(bundle: TaskBundle, **changes: object) -> RunSpec:
    own = {
        "task": "file",
        "prompt_version": bundle.version,
        "masking_version": masking_version(bundle),
        "task_bundle": bundle.digest,
        "task_asks": bundle.asks,
        "task_gate": bundle.gate,
    }
    return values.spec(**own | changes)


def task_in(folder: Path, text: str, **changes: object) -> FileTask:
    bundle = bundle_in(folder, text)
    return FileTask.of_run(bundle, spec_of(bundle, **changes))


def paper(**fields: object) -> Paper:
    made = {"id": "p1", "title": "On $E=mc^2$", "abstract": "We test 3 methods on MNIST.", "language": "en"}
    return Paper.model_validate(made | fields)


def answering(*answers: str, asked: list[ChatRequest] | None = None) -> Callable[[ChatRequest], ChatAnswer]:
    """Gives one answer after the other, the last again and again."""
    left = list(answers)

    def ask(request: ChatRequest) -> ChatAnswer:
        if asked is not None:
            asked.append(request)
        return ChatAnswer(content=left.pop(0) if len(left) > 1 else left[0], finish_reason="stop")

    return ask


def sampled(samples: int) -> str:
    """A task of one field that so many answers vote on."""
    return f"""v = 1
name = "field"
input = {{ languages = ["zh"] }}
[prompt]
system = "Choose one."
user = "{{{{ title }}}} {{{{ abstract }}}}"
[output.fields]
field = ["physics", "other"]
[model]
temperature = 0.7
samples = {samples}
"""
