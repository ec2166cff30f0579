"""What identifies a result: the requests as they are sent, and what judges the answers.

A setting that changes no byte of a paper's requests changes no identity: a cap that no answer reaches, a
glossary whose terms the paper does not have, a room for thinking, a batch's size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from handlers.domain.call import ChatRequest
from handlers.domain.run import RunSpec
from handlers.domain.value import canonical_json, sha256_of_text

_VERSION = "2"
"""Of the form below. The one before, ``RunSpec.fingerprint``, has none in front and is looked up too."""

_MASKING = {"2": "1"}
"""Versions of masking under an earlier one's name: where they mask a paper otherwise its requests differ, and
those are in the identity; where they do not, what is paid for stays paid for."""


def identities(spec: RunSpec) -> Callable[[str, Iterable[ChatRequest]], str]:
    """A function from a paper's ``text_digest`` and its first requests, uncapped, to the fingerprint.

    ``2:`` and the sha256, in hex, of this JSON in UTF-8, keys sorted, no white space, nothing escaped that
    need not be (``domain.value.canonical_json``)::

        [text_digest, [[digest, cap], ...], {"extra_body", "json_mode", "masking", "model", "task",
         "temperature", "tokens_field"}]

    ``digest`` is a request's (roles and texts of its messages), ``cap`` the user's ``max_tokens`` where it is
    below what the answer might take, else null; ``json_mode`` is whether JSON is asked for, ``temperature`` a
    number with a decimal point or null. A result's own fingerprint has the settings as sent: what the
    endpoint does not take is not in them. The text's digest is in it because a field that holds no word to
    translate is not sent and is part of the result all the same.
    """
    fixed = canonical_json(
        {
            "extra_body": spec.extra_body,
            "json_mode": spec.json_mode != "off",
            "masking": _MASKING.get(spec.masking_version, spec.masking_version),
            "model": spec.model,
            "task": spec.task,
            "temperature": None if spec.temperature is None else float(spec.temperature),
            "tokens_field": spec.max_tokens_field,
        }
    )

    def identity(text_digest: str, requests: Iterable[ChatRequest]) -> str:
        asked = ",".join(f'["{each.digest}",{_cap(spec.max_tokens, each)}]' for each in requests)
        return f"{_VERSION}:" + sha256_of_text(f"[{canonical_json(text_digest)},[{asked}],{fixed}]")

    return identity


def as_asked(spec: RunSpec) -> RunSpec:
    """The spec whose requests are digested: without a cap, the language's tag as it is usually written."""
    return spec.model_copy(update={"max_tokens": None, "target_language": usual_tag(spec.target_language)})


def usual_tag(language: str) -> str:
    """``en`` of ``EN``, ``zh-Hans`` of ``zh_hans``, ``pt-BR`` of ``PT-br`` (RFC 5646, 2.1.1)."""
    first, *rest = re.split("[-_]", language.strip())
    return "-".join([first.lower(), *map(_subtag, rest)])


def _subtag(tag: str) -> str:
    if len(tag) == 2:
        return tag.upper()
    return tag.title() if len(tag) == 4 and tag.isalpha() else tag.lower()


def _cap(cap: int | None, request: ChatRequest) -> str:
    return str(cap) if cap is not None and cap < request.max_tokens else "null"
