"""What models put around an answer that is otherwise good."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from handlers.model_server.habits.turn import Habit, Turn
from handlers.model_server.reply import encoded

Texts = dict[str, str]
_WORD = re.compile(r"(?<=[a-z] )[a-z]{4,}(?= [a-z])")
_SPACE = re.compile(r"(?<=[a-z]{3}) (?=[a-z]{3})")


def _texts(write: Callable[[Texts], str]) -> Callable[[Turn], None]:
    """An answer written in another way; one that is not the plain JSON any more stays."""

    def act(turn: Turn) -> None:
        texts = turn.texts()
        if texts is not None:
            turn.text = write(texts)

    return act


def _text(write: Callable[[str], str]) -> Callable[[Turn], None]:
    def act(turn: Turn) -> None:
        turn.text = write(turn.text)

    return act


def _keys(change: Callable[[str], str]) -> Callable[[Texts], str]:
    return lambda texts: encoded({change(key): text for key, text in texts.items()})


def _curly(texts: Texts) -> str:
    pairs = (f"“{key}”:“{encoded(text)[1:-1]}”" for key, text in texts.items())
    return "{" + ",".join(pairs) + "}"


def _bare_quotes(text: str) -> str:
    return _WORD.sub(r'"\g<0>"', text, count=1)


def _raw_newline(text: str) -> str:
    return _SPACE.sub("\n", text, count=1)


def _rows(texts: Texts) -> str:
    return encoded([{"key": key, "translation": text} for key, text in texts.items()])


def _habit(name: str, description: str, act: Callable[[Turn], None]) -> Habit:
    return Habit(name, description, "answer", act)


WRAPPING = (
    _habit("frame", "the answer in the question's frame",
           _texts(lambda texts: encoded({"target_language": "en", "segments": texts}))),
    _habit("remark", "the answer under a key, with a remark beside it",
           _texts(lambda texts: encoded({"translation": texts, "notes": "none"}))),
    _habit("capital_keys", "keys with a capital", _texts(_keys(lambda key: key[:1].upper() + key[1:]))),
    _habit("other_separators", "keys with another separator",
           _texts(_keys(lambda key: key.replace("/", "_")))),
    _habit("objects", "each text in an object",
           _texts(lambda texts: encoded({key: {"translation": text} for key, text in texts.items()}))),
    _habit("rows", "a list of keys and texts", _texts(_rows)),
    _habit("python_quotes", "Python's quotes for JSON's", _texts(str)),
    _habit("curly_quotes", "curly quotes for JSON's", _texts(_curly)),
    _habit("bare_quotes", "a word in quotes that are not escaped", _text(_bare_quotes)),
    _habit("raw_newline", "a line break inside a text that is not escaped", _text(_raw_newline)),
    _habit("trailing_comma", "a comma before the closing brace",
           _text(lambda text: re.sub(r"\}\s*$", ",}", text))),
    _habit("fence", "a fence of three backticks", _text(lambda text: f"```json\n{text}\n```")),
    _habit("prose", "a sentence with braces before, one behind",
           _text(lambda text: f"Here is {{it}}:\n{text}\nI hope this helps.")),
    _habit("twice", "the whole answer twice", _text(lambda text: f"{text}\n{text}")),
    _habit("byte_order_mark", "a byte order mark before the answer", _text(lambda text: f"\ufeff{text}")),
    _habit("in_a_string", "the JSON as a string of JSON",
           _text(lambda text: json.dumps(text, ensure_ascii=False))),
)  # fmt: skip
