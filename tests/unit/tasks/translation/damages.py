"""Kinds of damage that models do to a translation, each a function of a good pair and chance; None where
it cannot be done to the pair."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.unit.tasks.translation.pairs import PROMPT, MaskedPair


@dataclass(frozen=True)
class Damaged:
    content: str
    finish_reason: str = "stop"


Damage = Callable[[MaskedPair, random.Random], Damaged | None]


def _json(fields: dict[str, str]) -> str:
    return json.dumps(fields, ensure_ascii=False)


def _with(pair: MaskedPair, key: str, text: str) -> Damaged:
    assert text != pair.target[key], f"{pair.id}: no damage was done"
    return Damaged(_json({**pair.target, key: text}))


def _one_of(pair: MaskedPair, pattern: str, rng: random.Random) -> tuple[str, re.Match[str]] | None:
    """Any match in any text of the translation."""
    found = [(key, match) for key, text in pair.target.items() for match in re.finditer(pattern, text)]
    return rng.choice(found) if found else None


def _replaced(pair: MaskedPair, key: str, match: re.Match[str], text: str) -> Damaged:
    whole = pair.target[key]
    return _with(pair, key, whole[: match.start()] + text + whole[match.end() :])


_PLACEHOLDER = r"⟦(\d+)⟧"
_NUMBER = r"(?<![\w.,⟦^-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w⟧])"
_DECIMAL = r"(?<![\w.,⟦^-])\d+\.\d+(?![\w⟧])"


def placeholder_dropped(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    found = _one_of(pair, _PLACEHOLDER, rng)
    return found and _replaced(pair, *found, "")


def placeholder_doubled(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    found = _one_of(pair, _PLACEHOLDER, rng)
    return found and _replaced(pair, *found, f"{found[1][0]} {found[1][0]}")


def placeholder_renumbered(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    found = _one_of(pair, _PLACEHOLDER, rng)
    return found and _replaced(pair, *found, f"⟦{int(found[1][1]) + rng.choice((1, 2, 50))}⟧")


def placeholder_moved(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    found = _one_of(pair, _PLACEHOLDER, rng)
    if found is None:
        return None
    key, match = found
    other = rng.choice([name for name in pair.target if name != key])
    text = pair.target[key]
    moved = {key: text[: match.start()] + text[match.end() :], other: f"{pair.target[other]} {match[0]}"}
    return Damaged(_json({**pair.target, **moved}))


def digit_changed(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    found = _one_of(pair, _NUMBER, rng)
    if found is None:
        return None
    number = found[1][0]
    place = rng.choice([at for at, mark in enumerate(number) if mark.isdigit()])
    digit = rng.choice([mark for mark in "123456789" if mark != number[place]])
    return _replaced(pair, *found, number[:place] + digit + number[place + 1 :])


def number_dropped(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    """A number that the source has in digits."""
    found = [
        (key, match)
        for key, text in pair.target.items()
        for match in re.finditer(_NUMBER, text)
        if re.search(rf"(?<![\d.]){re.escape(match[0])}(?![\d.万亿])", pair.source[key])
        and len(re.findall(rf"(?<![\d.]){re.escape(match[0])}(?![\d.])", text)) == 1
    ]
    return _replaced(pair, *rng.choice(found), "") if found else None


def decimal_point_moved(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    found = _one_of(pair, _DECIMAL, rng)
    if found is None:
        return None
    whole, _, rest = found[1][0].partition(".")
    return _replaced(pair, *found, f"{whole}{rest[0]}.{rest[1:] or '0'}")


def number_invented(pair: MaskedPair, rng: random.Random) -> Damaged:
    words = pair.target["abstract"].split(" ")
    place = rng.randrange(1, len(words))
    number = rng.choice(("17.3", "46", "3,471", "0.62", "1987", "28%"))
    return _with(pair, "abstract", " ".join([*words[:place], number, *words[place:]]))


def sentence_left(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    """A Chinese sentence stands where its translation should."""
    chinese = [part for part in re.split(r"(?<=。)", pair.source["abstract"]) if part.strip()]
    english = re.split(r"(?<=[.!?]) ", pair.target["abstract"])
    place = rng.randrange(min(len(chinese), len(english)))
    return _with(pair, "abstract", " ".join([*english[:place], chinese[place], *english[place + 1 :]]))


def phrase_left(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    phrases = re.findall(r"[\u4e00-\u9fff]{3,8}", pair.source["abstract"])
    words = pair.target["abstract"].split(" ")
    place = rng.randrange(1, len(words))
    return _with(pair, "abstract", " ".join([*words[:place], rng.choice(phrases), *words[place + 1 :]]))


def source_echoed(pair: MaskedPair, rng: random.Random) -> Damaged:
    return Damaged(_json(pair.source))


def half_cut(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    """The second half of the abstract is gone: at a word, or cleanly at a sentence's end."""
    text = pair.target["abstract"]
    ends = [found.end() for found in re.finditer(r"[.!?](?= )", text) if found.end() <= 0.6 * len(text)]
    if ends and rng.random() < 0.5:
        return _with(pair, "abstract", text[: ends[-1]])
    return _with(pair, "abstract", text[: len(text) // 2].rpartition(" ")[0])


def cut_at_length(pair: MaskedPair, rng: random.Random) -> Damaged:
    content = pair.content()
    return Damaged(content[: rng.randrange(len(content) // 4, len(content) - 1)], "length")


def sentence_repeated(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    sentences = re.split(r"(?<=[.!?]) ", pair.target["abstract"])
    plain = [sentence for sentence in sentences if "⟦" not in sentence]
    if not plain:
        return None
    sentence = rng.choice(plain)
    return _with(pair, "abstract", pair.target["abstract"].replace(sentence, " ".join([sentence] * 8)))


def word_loop(pair: MaskedPair, rng: random.Random) -> Damaged:
    words = pair.target["abstract"].split(" ")
    place = rng.randrange(1, len(words))
    loop = rng.choice(("and", "the model", "of the system")).split() * 12
    return _with(pair, "abstract", " ".join([*words[:place], *loop, *words[place:]]))


def refusal(pair: MaskedPair, rng: random.Random) -> Damaged:
    words = rng.choice(
        (
            "I'm sorry, but I can't help with translating this text.",
            "As an AI language model, I cannot translate this document.",
            "很抱歉，我无法翻译这段文字。",
        )
    )
    return Damaged(words if rng.random() < 0.5 else _json(dict.fromkeys(pair.target, words)))


def prompt_echoed(pair: MaskedPair, rng: random.Random) -> Damaged:
    line = rng.choice(PROMPT.strip().split("\n"))
    return _with(pair, "abstract", f"{line} {pair.target['abstract']}")


def json_broken(pair: MaskedPair, rng: random.Random) -> Damaged:
    content = pair.content()
    return Damaged(
        rng.choice(
            (
                content.replace('"', ""),
                content[: content.rindex('"')],
                content.replace('":', '"', 2),
                "\n\n".join(pair.target.values()),
            )
        )
    )


def key_missing(pair: MaskedPair, rng: random.Random) -> Damaged:
    gone = rng.choice(list(pair.target))
    return Damaged(_json({key: text for key, text in pair.target.items() if key != gone}))


def segments_swapped(pair: MaskedPair, rng: random.Random) -> Damaged:
    other = rng.choice([key for key in pair.target if key != "abstract"])
    swapped = {"abstract": pair.target[other], other: pair.target["abstract"]}
    return Damaged(_json({**pair.target, **swapped}))


def unit_power_changed(pair: MaskedPair, rng: random.Random) -> Damaged | None:
    """万 is taken for a thousand: the translated number is ten times too small."""
    for key, source in pair.source.items():
        for found in re.finditer(r"(\d+(?:\.\d+)?)[余多]?(万|亿)", source):
            value = float(found[1]) * {"万": 1e4, "亿": 1e8}[found[2]]
            for right, wrong in zip(_written(value), _written(value / 10), strict=True):
                if match := re.search(rf"(?<![\d.,]){re.escape(right)}(?![\d,]*\d)", pair.target[key]):
                    return _replaced(pair, key, match, wrong)
    return None


def _written(value: float) -> list[str]:
    return [
        f"{value:,.0f}",
        f"{value:.0f}",
        f"{value / 1e3:g} thousand",
        f"{value / 1e6:g} million",
        f"{value / 1e9:g} billion",
    ]


DAMAGES: dict[str, Damage] = {
    damage.__name__: damage
    for damage in (
        placeholder_dropped,
        placeholder_doubled,
        placeholder_renumbered,
        placeholder_moved,
        digit_changed,
        number_dropped,
        decimal_point_moved,
        number_invented,
        sentence_left,
        phrase_left,
        source_echoed,
        half_cut,
        cut_at_length,
        sentence_repeated,
        word_loop,
        refusal,
        prompt_echoed,
        json_broken,
        key_missing,
        segments_swapped,
        unit_power_changed,
    )
}
