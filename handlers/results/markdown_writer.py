"""Results as a folder of Markdown, a file for each paper that has a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from handlers.atomic_file import replacing_folder
from handlers.domain.paper import TERMINAL
from handlers.errors import UsageError
from handlers.ports import Backend
from handlers.results.export import Counts, chunked
from handlers.results.export_shape import ExportShape, folder_of
from handlers.results.paper_names import PaperNames
from handlers.tasks.translation.masking.masking import mask, unmask

MARKER = "paperfleet-export.txt"
"""In the folder: it may be written anew. It begins with the number of files in it, itself among them."""
_HEAD = (
    "id", "status", "title", "source_title", "keywords", "license", "url", "model", "notice", "segments",
)  # fmt: skip
_TEXTS = ("abstract", "body")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""What JSON lets stand in a string and YAML does not."""
_BREAKS = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+\s*")
_BLOCK_MARKS = re.compile(
    r"((?:^|(?<=\r))[ \t]*)(?=#{1,6}(?:\s|$)|>|`{3}|~{3}|(?:=+|-+)[ \t]*(?:\r|$))", re.MULTILINE
)
"""What would make a heading, a quote or code of a line of prose."""
_CLOSING = re.compile(r"(?<=\s)(?=#+\s*\Z)")


def export_markdown(
    backend: Backend, run_id: str, output: Path, *, drafts: bool = False
) -> tuple[Counts, int]:
    """Write ``<id>.md`` for each paper with a text into a folder, which is replaced whole; papers by status,
    and how many files. Each has a front matter of JSON values and then the body as it was joined, byte for
    byte; of a paper without a body title and abstract. UsageError if the folder has other files in it."""
    target = folder_of(output, MARKER)
    counts: Counts = dict.fromkeys((*TERMINAL, "pending"), 0)
    names, files = PaperNames(), 0
    chunks = chunked(backend, run_id, ExportShape((*_HEAD, *_TEXTS), drafts))
    try:
        with replacing_folder(target) as folder:
            for status, record in chain.from_iterable(chunks):
                counts[status] += 1
                if not any(record[name] for name in ("title", *_TEXTS)):
                    continue
                content = "".join(markdown_lines(record)).encode("utf-8", "replace")
                with (folder / f"{names.name(record['id'])}.md").open("xb") as file:
                    file.write(content)
                files += 1
            marker = f"{files + 1} files of an export: the folder may be written anew.\n"
            (folder / MARKER).write_text(marker, encoding="ascii")
    except OSError as error:
        raise UsageError(f"--output {output}: cannot be written ({error.strerror})") from error
    return counts, files


def markdown_lines(record: Mapping[str, Any]) -> Iterator[str]:
    """One paper's file."""
    yield "---\n"
    for name in _HEAD:
        yield f"{name}: {_scalar(record[name])}\n"
    yield "---\n\n"
    text = record["body"] or _title_and_abstract(record)
    yield text
    if not text.endswith("\n"):
        yield "\n"


def _scalar(value: Any) -> str:
    """JSON on one line, which is YAML too: nothing in it ends the line or the front matter."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: _escaped(found[0]), text)


def _escaped(char: str) -> str:
    """Half a surrogate pair is no character, in YAML neither."""
    return "?" if "\ud800" <= char <= "\udfff" else f"\\u{ord(char):04x}"


def _title_and_abstract(record: Mapping[str, Any]) -> str:
    title = _BREAKS.sub(" ", record["title"] or "").strip()
    heading = "# " + _CLOSING.sub(r"\\", title) if title else ""
    return "\n\n".join(filter(None, (heading, _prose(record["abstract"] or ""))))


def _prose(text: str) -> str:
    """No line of it is a heading, a quote or code; formulas and other masked pieces are as they are."""
    masked = mask(text)
    return unmask(_BLOCK_MARKS.sub(r"\1\\", masked.text), masked.spans)
