r"""A text as its writer meant it: entities, escapes and white space read by what the source has.

JSON turns ``\tau`` with one backslash into a tab and ``au``. Where the source has that very command it is
put back; elsewhere the text is damaged and says so. Nothing here guesses: what has two readings is refused.
"""

from __future__ import annotations

import json
import re
from html.entities import html5

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.reading.placeholders import as_placeholders
from handlers.tasks.translation.reading.symbols import sign_in

_COMMAND = re.compile(r"\\(?:[A-Za-z]+|.)", re.DOTALL)
_ENTITY = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));")
_TIMES = 3
_EATEN = re.compile(r"([\b\f\t\n\r])([A-Za-z]*)")
_LETTERS = {"\b": "b", "\f": "f", "\t": "t", "\n": "n", "\r": "r"}
_LOST = {
    "t": (
        "tau theta times tilde text textbf textit textrm texttt to top tan tanh tfrac therefore triangle tr "
        "trace thinspace tag tbinom tiny"
    ),
    "n": (
        "nu nabla neq ne ni not notin nmid natural nearrow nwarrow nleq ngeq nparallel nsim nexists "
        "nonumber normalsize newline newcommand nolimits nsubseteq"
    ),
    "r": (
        "rho right rangle rm rightarrow rightleftharpoons rceil rfloor rvert rVert rbrace rbrack ref root "
        "rtimes"
    ),
    "b": "",
    "f": "",
}
"""Commands by the letter that JSON eats."""
_TAILS = {letter: frozenset(name[1:] for name in names.split()) for letter, names in _LOST.items()}
_UNICODE = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_ESCAPED = re.compile(r"\\([%_&#*.!\"'/<>+|`=?:@])|(?:\\[nt](?![A-Za-z])\s*)+")
_SIGN = rare_pattern(r"\$\s?(\\[A-Za-z]+)\s?\$|\\\(\s?(\\[A-Za-z]+)\s?\\\)|(?<!\\)(\\[A-Za-z]+)(?![A-Za-z{])")
_ACCENT = re.compile(r"(?<![A-Za-z])[A-Za-z]*[A-Za-z]\\[\"'`~^](?=[A-Za-z])[A-Za-z]*")
_APOSTROPHE = rare_pattern(
    r".*[A-Za-z]\\'(?:s|t|d|m|re|ve|ll|S)|(?:[dlocjmnst]|qu|O|D|L)\\'[A-Za-z]+", re.DOTALL
)
_STRAY = rare_pattern(r"(?<!\\)\\(?=[\u3400-\u9fff])")
"""A backslash between two words of the source's, in place of a slash: before a word of the translation or a
blank it is the same one."""
_ADDED = re.compile(r"\\(?:[A-Za-z]{2,}|[()\[\]])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_BREAK = re.compile(r"[^\S\n]*\n\s*")
_CJK = rare_pattern(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")


class DamagedTextError(ValueError):
    """What is wrong with a text, as the end of a sentence."""


def as_meant(text: str, source: str) -> str:
    """The text without what JSON, HTML or Markdown did to it; raises ``DamagedTextError``.

    ``source``: the masked text that it translates. Linear in both.
    """
    if "\\" not in text and "&" not in text and text.isprintable():
        return as_placeholders(text.strip(), source)
    if not text.isprintable() and _SURROGATE.search(text):
        raise DamagedTextError("it has half a surrogate pair")
    if "&" in text:
        text = _without_entities(text, source)
    commands = frozenset(_COMMAND.findall(source)) if "\\" in source else frozenset[str]()
    if not text.isprintable():
        text = _CONTROL.sub("", _with_breaks(_restored(text, source, commands), source))
    if "\\" in text:
        text = _unescaped(text, source, commands)
    return as_placeholders(text.strip(), source)


def _without_entities(text: str, source: str) -> str:
    """``&amp;lt;`` too; an entity that the source itself has stays as it is."""
    own = {match[0] for match in _ENTITY.finditer(source)} if "&" in source else set[str]()
    for _ in range(_TIMES):
        plain = _ENTITY.sub(lambda match: match[0] if match[0] in own else _character(match), text)
        if plain == text:
            break
        text = plain
    return text


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        found = html5.get(f"{name};", match[0])
    else:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        found = chr(code) if code < 0x110000 else ""
    if found == "\xa0":
        return " "
    return found if found.isprintable() and found else match[0]


def _restored(text: str, source: str, commands: frozenset[str]) -> str:
    """Control characters that were a command's first letter, as that command if the source has it."""
    breaks = text.count("\n") > source.count("\n")

    def command(match: re.Match[str]) -> str:
        mark, letters = match.groups()
        whole = f"\\{_LETTERS[mark]}{letters}"
        if letters and whole in commands:
            return whole
        sign = sign_in(source, whole) if mark != "\n" or breaks else None
        if sign is not None and not (mark == "\n" and _stands_alone(letters, source)):
            return sign
        lost = letters in _TAILS[_LETTERS[mark]] and (mark != "\n" or breaks or len(letters) > 2)
        if lost or mark in "\b\f":
            raise DamagedTextError(f"a backslash is lost: {whole[:24]} (write it twice in JSON)")
        return f"{mark}{letters}"

    return _EATEN.sub(command, text.replace("\r\n", "\n"))


def _stands_alone(letters: str, source: str) -> bool:
    """Then a line break before them may be one."""
    return re.search(rf"(?<![A-Za-z]){letters}(?![A-Za-z])", source) is not None


def _with_breaks(text: str, source: str) -> str:
    """Tabs and line breaks only where the source has some."""
    if "\r" in text:
        text = text.replace("\r", "\n")
    if "\t" in text and "\t" not in source:
        text = text.replace("\t", " ")
    if "\n" not in text or "\n" in source:
        return text
    return _LINE_BREAK.sub(_space, text.strip())


def _space(match: re.Match[str]) -> str:
    around = match.string[match.start() - 1] + match.string[match.end() : match.end() + 1]
    return "" if len(_CJK.findall(around)) == 2 else " "


def _unescaped(text: str, source: str, commands: frozenset[str]) -> str:
    """Escapes of JSON, Markdown and LaTeX that the source does not have."""
    known = commands.issuperset(_COMMAND.findall(text)) and "\\\\" not in text
    if known or text.strip() == source.strip():
        return text
    if "\\u" in text and "\\u" not in source:
        text = _UNICODE.sub(_of_unicode, text)
    text = _signs(text, source, commands)
    for accent in _ACCENT.findall(text):
        if "\\'" not in accent or not _APOSTROPHE.fullmatch(accent):
            mark = accent[accent.index("\\") : accent.index("\\") + 2]
            if mark not in commands:
                raise DamagedTextError(f"a letter has its accent as a command: {accent[:24]}")
    text = _ESCAPED.sub(lambda match: match[1] or " " if _is_foreign(match[0], commands) else match[0], text)
    strays = len(_STRAY.findall(source))
    for command in _COMMAND.findall(text):
        if command == "\\ " and strays:
            strays -= 1
        elif command not in commands and not _ADDED.fullmatch(command):
            raise DamagedTextError(f"a backslash stands that the source has not: {command[:24]}")
    return text


def _signs(text: str, source: str, commands: frozenset[str]) -> str:
    r"""``\tau``, ``$\tau$`` and ``\(\tau\)`` for a sign that the source has as plain text."""

    def sign(match: re.Match[str]) -> str:
        command = match[1] or match[2] or match[3]
        found = None if command in commands else sign_in(source, command)
        return match[0] if found is None or (match[1] and "$" in source) else found

    return _SIGN.sub(sign, text)


def _of_unicode(match: re.Match[str]) -> str:
    found = json.loads(f'"{match[0]}"')
    if _SURROGATE.search(found):
        raise DamagedTextError("it has half a surrogate pair")
    return str(found) if str(found).isprintable() else match[0]


def _is_foreign(escape: str, commands: frozenset[str]) -> bool:
    return commands.isdisjoint(_COMMAND.findall(escape))
