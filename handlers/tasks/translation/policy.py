"""Papers that are not translated, and why."""

from __future__ import annotations

from handlers.domain.language_names import primary_subtag
from handlers.domain.licenses import refusal_to_derive
from handlers.domain.paper import Paper
from handlers.domain.run import RunSpec
from handlers.domain.writing_systems import scripts_of
from handlers.tasks.translation.masking.masking import PLACEHOLDER, mask
from handlers.tasks.translation.scripts import has_letters

_EVIDENCE = (("ja", "kana"), ("ko", "hangul"), ("zh", "han"), ("ru", "cyrillic"))


def skip_reason(paper: Paper, spec: RunSpec) -> str | None:
    """One sentence why no call is made for a paper, or None."""
    if not paper.title.strip() and not paper.abstract.strip():
        return "no title and no abstract"
    if spec.skip_no_derivatives and (refusal := refusal_to_derive(paper.license)):
        return refusal
    language = source_language(paper)
    if primary_subtag(language) == primary_subtag(spec.target_language):
        return f"already in {spec.target_language}"
    texts = [paper.title, paper.abstract, *paper.keywords]
    if spec.full_text and paper.body:
        texts.append(paper.body)
    if not any(has_words(mask(text, version=spec.masking_version).text, language) for text in texts):
        return f"no text in {language}"
    return None


def source_language(paper: Paper) -> str:
    """The paper's own tag, else what its script tells, else English."""
    if paper.language:
        return paper.language
    text = f"{paper.title} {paper.abstract}"
    for language, script in _EVIDENCE:
        if has_letters(text, (script,)):
            return language
    return "en"


def has_words(masked: str, language: str) -> bool:
    """Whether a masked text holds a letter of the language's script outside of its placeholders."""
    prose = PLACEHOLDER.sub("", masked) if "⟦" in masked else masked
    return has_letters(prose, scripts_of(language))
