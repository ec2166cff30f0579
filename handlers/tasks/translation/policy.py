"""Papers that are not translated, and why."""

from __future__ import annotations

from handlers.domain.language_names import primary_subtag
from handlers.domain.licenses import refusal_to_derive
from handlers.domain.paper import Paper
from handlers.domain.run import RunSpec
from handlers.domain.writing_systems import scripts_of
from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask
from handlers.tasks.translation.scripts import has_letters

_BEGINNING = 4_000
_EVIDENCE = (("ja", "kana"), ("ko", "hangul"), ("zh", "han"), ("ru", "cyrillic"))


def skip_reason(paper: Paper, spec: RunSpec) -> str | None:
    """One sentence why no call is made for a paper, or None."""
    body = paper.body or "" if spec.full_text else ""
    if not any(text.strip() for text in (paper.title, paper.abstract, body)):
        return "no title and no abstract"
    if spec.skip_no_derivatives and (refusal := refusal_to_derive(paper.license)):
        return refusal
    language = source_language(paper)
    if primary_subtag(language) == primary_subtag(spec.target_language):
        return f"already in {spec.target_language}"
    texts = (paper.title, paper.abstract, *paper.keywords, body)
    shortest_first = sorted(texts, key=len)  # a keyword mostly tells, and costs least
    if not any(has_words(mask(text, version=spec.masking_version).text, language) for text in shortest_first):
        return f"no text in {language}"
    return None


def source_language(paper: Paper) -> str:
    """The paper's own tag, else what its script tells, else English. A body is looked at where there is
    nothing else."""
    if paper.language:
        return paper.language
    text = f"{paper.title} {paper.abstract}"
    if not text.strip() and paper.body:
        text = paper.body[:_BEGINNING]
    for language, script in _EVIDENCE:
        if has_letters(text, (script,)):
            return language
    return "en"


def has_words(masked: str, language: str) -> bool:
    """Whether a masked text holds a letter of the language's script outside of its placeholders."""
    prose = PLACEHOLDER.sub("", masked) if "⟦" in masked else masked
    return has_letters(prose, scripts_of(language))
