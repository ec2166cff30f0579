"""What endpoints do not take, remembered in a state's ledger for all its jobs and later runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, ValidationError

from handlers.domain.value import Frozen, canonical_json, sha256_of_text
from handlers.llm.dialects.request_form import Form, TokensField
from handlers.ports import Clock, EndpointNotes

logger = logging.getLogger(__name__)

LeftOut = Literal["response_format", "temperature", "system", "stream"]
_TURN = 60.0
"""Seconds for which others wait for a job that tries forms, and leave it at that if it found none."""
_POLL = 0.2
_LONGEST = 4_096
"""Characters of a note: a longer one is none of ours."""


class DialectNote(Frozen):
    """As it is stored, in JSON. ``at`` comes first: of two notes the later is the greater text."""

    at: float = Field(default=0.0, ge=0, lt=1e11, allow_inf_nan=False)
    left_out: tuple[LeftOut, ...] = Field(default=(), max_length=4)
    tokens_field: TokensField | None = None
    cap: int | None = Field(default=None, ge=1)
    trying_until: float = Field(default=0.0, ge=0, lt=1e11, allow_inf_nan=False)
    in_vain: bool = False
    """True if no form was answered: others need not try before ``trying_until``."""

    def apply(self, form: Form, *, keep_json: bool = False) -> Form:
        """The form without what is remembered; with JSON mode all the same where the user insists on it."""
        for parameter in self.left_out:
            if parameter != "response_format" or not keep_json:
                form = form.without(parameter)
        if self.tokens_field is not None:
            form = replace(form, tokens_field=self.tokens_field)
        caps = [cap for cap in (self.cap, form.cap) if cap is not None]
        return replace(form, cap=min(caps)) if caps else form

    def plus(self, before: Form, found: Form, *, by_trying: bool, at: float) -> DialectNote:
        """With what was found. A cap that a refusal states may be one paper's: each job hears it itself."""
        gone = {
            "response_format": before.json_mode and not found.json_mode,
            "temperature": before.temperature is not None and found.temperature is None,
            "system": before.system and not found.system,
            "stream": before.stream and not found.stream,
        }
        names = [name for name, is_gone in gone.items() if is_gone]
        left_out = list(dict.fromkeys((*self.left_out, *names)))
        new: dict[str, Any] = {"at": at, "trying_until": 0.0, "left_out": left_out}
        if found.tokens_field != before.tokens_field:
            new["tokens_field"] = found.tokens_field
        if by_trying and found.cap is not None:
            new["cap"] = min(found.cap, self.cap or found.cap)
        return DialectNote.model_validate(self.model_dump() | new)


class DialectMemory:
    """One endpoint's, for one model and what is merged into its requests. A ledger that cannot be reached is
    told and costs what was forgotten: nothing here fails a call."""

    def __init__(self, notes: EndpointNotes, clock: Clock, key: str, *, keep_json: bool = False) -> None:
        self._notes = notes
        self._clock = clock
        self._key = key
        self._keep_json = keep_json

    def apply(self, form: Form) -> Form:
        """The form without what the endpoint is known not to take."""
        return read_note(self._recall()).apply(form, keep_json=self._keep_json)

    def learn(self, before: Form, found: Form, *, by_trying: bool = False) -> None:
        """Add what a refusal or a try has shown: by what the form changed."""
        for _ in range(10):  # another job may write at the same moment
            known = self._recall()
            note = read_note(known).plus(before, found, by_trying=by_trying, at=self._clock.now())
            if self._write(note, known):
                return

    def take_turn(self, form: Form, deadline: float) -> bool:
        """Whether to try simpler forms of a request that was refused in ``form``: one job at a time does, the
        others wait for what it finds. False if that came to be known, or another job has just tried in
        vain, or time is up (``deadline``, of the clock's monotonic seconds)."""
        while self._clock.monotonic() < deadline:
            known = self._recall()
            note, now = read_note(known), self._clock.now()
            if note.apply(form, keep_json=self._keep_json) != form:
                return False
            if note.at <= now < note.trying_until <= now + _TURN:
                if note.in_vain:
                    return False
                self._clock.sleep(_POLL)
            elif self._write(_tried(note, now), known):
                return True
            else:
                self._clock.sleep(_POLL)
        return False

    def give_turn_back(self, *, in_vain: bool) -> None:
        """No form was answered, ``in_vain``: the others need not try for a while. Otherwise another may."""
        known, now = self._recall(), self._clock.now()
        note = read_note(known)
        free = note.model_copy(update={"at": now, "trying_until": 0.0, "in_vain": False})
        self._write(_tried(note, now, in_vain=True) if in_vain else free, known)

    def _recall(self) -> str | None:
        try:
            return self._notes.recall(self._key)
        except Exception:  # whatever the ledger has: the call at hand does not hang on it
            logger.warning("what is remembered of the endpoint cannot be read", exc_info=True)
            return None

    def _write(self, note: DialectNote, known: str | None) -> bool:
        """True if it stands, or no ledger can be reached to say otherwise."""
        try:
            return self._notes.note(self._key, note.model_dump_json(), known=known)
        except Exception:  # as above
            logger.warning("what was found of the endpoint cannot be remembered", exc_info=True)
            return True


def endpoint_key(endpoint: str, model: str, extra_body: Mapping[str, Any], temperature: float | None) -> str:
    """Under which an endpoint is remembered: a digest, as addresses may hold secrets. One that refuses a
    temperature may take another."""
    return sha256_of_text(canonical_json([endpoint, model, dict(extra_body), temperature]))


def _tried(note: DialectNote, now: float, *, in_vain: bool = False) -> DialectNote:
    return note.model_copy(update={"at": now, "trying_until": now + _TURN, "in_vain": in_vain})


def read_note(text: str | None) -> DialectNote:
    """An empty note if there is none, or if it makes no sense, which is told."""
    if text is None:
        return DialectNote()
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        return DialectNote.model_validate_json(text)
    except (ValidationError, ValueError):
        logger.warning("what was remembered of the endpoint is damaged: it is found out anew")
        return DialectNote()
