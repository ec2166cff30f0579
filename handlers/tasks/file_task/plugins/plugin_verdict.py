"""What a plugin says of an answer; one that breaks or does not end gets a verdict and stops nobody."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from typing import Any

from handlers.tasks.file_task.plugins.installed_checks import PluginFunction

BROKEN = "plugin_error"
"""Name of the verdict on an answer that a plugin could not judge: no repair of the answer mends that."""
LONGEST = 10.0
"""Seconds for one answer."""
_MOST_HANGING = 3
_MOST, _LONGEST_SENTENCE = 4, 300


class PluginBrokenError(Exception):
    """It raised, did not end, or gave back what is no list of sentences."""


class GuardedPlugin:
    """A check's function, called in a thread of its own. A thread cannot be ended: after three that do not
    end none is begun. Thread-safe."""

    def __init__(self, name: str, function: PluginFunction, *, seconds: float = LONGEST) -> None:
        self._name, self._function, self._seconds = name, function, seconds
        self._hanging = 0

    def sentences(
        self, answer: Mapping[str, Any], record: Mapping[str, str], options: Mapping[str, Any]
    ) -> list[str]:
        """What is wrong. It gets copies: nothing that it changes reaches the answer. PluginBrokenError."""
        if self._hanging >= _MOST_HANGING:
            raise PluginBrokenError(f"{self._name} did not end {_MOST_HANGING} times and is not called again")
        given = copy.deepcopy(dict(answer)), dict(record), copy.deepcopy(dict(options))
        said: list[list[str]] = []
        raised: list[BaseException] = []

        def call() -> None:
            try:
                said.append(self._checked(self._function(*given)))  # a list may be a stranger's code, too
            except BaseException as error:  # noqa: BLE001 - exit() of a stranger's code ends no job
                raised.append(error)

        thread = threading.Thread(target=call, name=f"plugin-{self._name}", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if raised and isinstance(raised[0], PluginBrokenError):
            raise raised[0]
        if raised:
            raise PluginBrokenError(f"{self._name} raised {_shown(raised[0])}")
        if not said:
            self._hanging += 1
            raise PluginBrokenError(f"{self._name} did not end within {self._seconds:g} s")
        return said[0]

    def _checked(self, said: object) -> list[str]:
        if not isinstance(said, list) or not all(isinstance(each, str) for each in said[: _MOST + 1]):
            raise PluginBrokenError(
                f"{self._name} gave back {type(said).__name__}, where a list of sentences is wanted"
            )
        return [str.__getitem__(each, slice(_LONGEST_SENTENCE)) for each in said[:_MOST]]


def _shown(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # noqa: BLE001 - its text is the plugin's code as well
        return type(error).__name__
