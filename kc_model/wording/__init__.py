"""Every word a planner reads, in Vietnamese and English.

The YAML files of this folder hold the texts; each leaf is a mapping ``{vi: ..., en: ...}``
and its key is ``file.path.to.leaf`` (``faults-tables.yaml`` is a part of ``faults``).
Nothing in the package shows a text that is not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Literal

import yaml

__all__ = ["LANGUAGES", "Language", "both", "retold", "say", "texts"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where it was built

Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, ...] = ("vi", "en")


@cache
def texts() -> dict[str, dict[str, str]]:
    """Return every text by key.

    Returns
    -------
    dict
        ``{"faults.unknown-place.found": {"vi": "...", "en": "..."}, ...}``.
    """
    found: dict[str, dict[str, str]] = {}
    for entry in sorted(resources.files(__name__).iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".yaml"):
            tree = yaml.load(entry.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
            _flatten(entry.name.removesuffix(".yaml").split("-")[0], tree, found)
    return found


def _flatten(prefix: str, tree: object, found: dict[str, dict[str, str]]) -> None:
    if not isinstance(tree, dict):
        raise TypeError(f"wording {prefix}: a text needs both languages, found {tree!r}")
    if set(tree) == set(LANGUAGES):
        if prefix in found:
            raise KeyError(f"wording {prefix} stands twice")
        found[prefix] = {language: str(tree[language]) for language in LANGUAGES}
        return
    for key, branch in tree.items():
        _flatten(f"{prefix}.{key}", branch, found)


def say(key: str, language: Language = "vi", /, **values: object) -> str:
    """Return one text with its values filled in.

    Parameters
    ----------
    key : str
        File and path of the text, such as ``"headings.history.plan"``.
    language : {"vi", "en"}
        Default Vietnamese.
    **values
        What the text's ``{name}`` fields are replaced by; shown as they are, never formatted. A
        value that depends on the language is a callable of it. ``{count:rule/rules}`` is the value
        and the word for one, or for any other number. ``basis`` is told as `retold` does.

    Raises
    ------
    KeyError
        If there is no such text, or a field has no value.
    """
    shown = {name: v(language) if callable(v) else v for name, v in values.items()}
    if "basis" in shown:
        shown["basis"] = retold(str(shown["basis"]), language)
    return texts()[key][language].format(**{name: _Value(text) for name, text in shown.items()})


def both(key: str, /, **values: object) -> dict[Language, str]:
    """Return one text by language, see `say`."""
    return {one: say(key, one, **values) for one in LANGUAGES}


# What the program writes into scenarios, which are data and so Vietnamese.
_MADE = (
    "screen.edited",
    "screen.comparing.base",
    "screen.comparing.default",
    "screen.keep.copied",
    "screen.page.basis",
    "screen.page.gioi-han",
    "screen.page.gioi-han-luat",
    "screen.page.next_name",
    "screen.page.san-dia-ban",
    "screen.page.starter_name",
    "screen.projects.rules.basis",
    "screen.projects.rules.in",
    "screen.projects.rules.out",
    "moves.refused.basis",
    "moves.refused.max",
    "moves.refused.min",
    "projects.management.KCDP",
    "projects.management.KCQG",
)
_PART = re.compile(r"(\{\w+\}|\d(?:[\d.,]*\d)?)")  # a field, or a number that may be changed
_TEXTS = ("{cell}", "{id}", "{name}")  # fields that hold no number
_NUMBER, _SWAPPED = re.compile(r"\d[\d.,]*"), str.maketrans(".,", ",.")


@cache
def _made() -> list[tuple[str, Language, re.Pattern[str]]]:
    """Return how each text that the program writes is known again, in either language."""
    return [(key, one, _known_by(texts()[key][one])) for key in _MADE for one in LANGUAGES]


def _known_by(template: str) -> re.Pattern[str]:
    literal = _PART.split(template)[::2]
    parts = [r"(.+)" if part in _TEXTS else r"([\d.,]+)" for part in _PART.findall(template)]
    ends = [re.escape(text) for text in literal]
    return re.compile("".join(a + b for a, b in zip(ends, [*parts, ""], strict=True)))


def retold(text: str, language: Language, tell: Callable[[str], str] = str) -> str:
    """Return a name, rule or ground that the program once wrote, in the language of the screen.

    Parameters
    ----------
    text : str
        Numbers in it may have been changed since. Where a law is all that it names, that is told in
        English too; anything else, such as what a planner typed, is returned as it is.
    tell : callable (str) -> str
        Says names of places, areas and funds in this language.
    """
    for key, written, pattern in _made():
        if not (found := pattern.fullmatch(text)):
            continue
        values = (
            value.translate(_SWAPPED)
            if written != language and _NUMBER.fullmatch(value)
            else retold(tell(value), language, tell)
            for value in found.groups()
        )
        named = dict(zip(_PART.findall(texts()[key][written]), values, strict=True))
        parts = _PART.split(texts()[key][language])
        return "".join(str(named.get(part, part)) for part in parts)
    return _cited(text) if language == "en" else text


@cache
def _of_law() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return how a place in a law is known, and what its words are in English."""
    known = {key: text for key, text in texts().items() if key.startswith("law.")}
    words = {one: text["en"] for text in known.values() for one in text["vi"].split("|")}
    spelled = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    number = r"(?:[\w/.-]*\d[\w/.-]*(?:, \d[\w.]*)*|\w)(?![\w/])"
    return re.compile(rf"({spelled}) (?:số )?({number})[,;]?(?: |$)"), words


def _cited(text: str) -> str:
    """Return grounds that name laws alone in English, other grounds as they are."""
    told = [_in_english(ground) for ground in text.split("; ")]
    return "; ".join(told)


def _in_english(ground: str) -> str:
    places, _, certain = ground.removesuffix(")").partition(" (")
    pattern, words = _of_law()
    if not places or pattern.sub("", places):
        return ground
    named = ", ".join(f"{words[word]} {number}" for word, number in pattern.findall(places))
    known = {text["vi"]: text["en"] for key, text in texts().items() if "certainty." in key}
    return f"{named} ({known.get(certain, certain)})" if certain else named


class _Value(str):
    """What fills a field; behind it goes the noun that its number asks for."""

    __slots__ = ()

    def __format__(self, nouns: str) -> str:
        one, _, more = nouns.partition("/")
        return f"{self!s} {one if self == '1' else more}" if nouns else str(self)
