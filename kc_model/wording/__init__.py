"""Every word a planner reads, in Vietnamese and English.

The YAML files of this folder hold the texts; each leaf is a mapping ``{vi: ..., en: ...}``
and its key is ``file.path.to.leaf`` (``faults-tables.yaml`` is a part of ``faults``).
Nothing in the package shows a text that is not here.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Literal

import yaml

__all__ = ["LANGUAGES", "Language", "both", "say", "texts"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where it was built

_THOUSANDS, _MARKS = re.compile(r"(?<=\d)\u202f(?=\d{3})"), {"vi": ".", "en": ","}

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
        What the text's ``{name}`` fields are replaced by; shown as they are, never formatted.
        ``{count:rule/rules}`` is the value and the word for one, or for any other number. A narrow
        no-break space between digits becomes the language's mark of thousands.

    Raises
    ------
    KeyError
        If there is no such text, or a field has no value.
    """
    shown = {name: _THOUSANDS.sub(_MARKS[language], str(value)) for name, value in values.items()}
    return texts()[key][language].format(**{name: _Value(text) for name, text in shown.items()})


def both(key: str, /, **values: object) -> dict[Language, str]:
    """Return one text by language; a value that depends on the language is a callable of it."""
    return {
        one: say(key, one, **{name: v(one) if callable(v) else v for name, v in values.items()})
        for one in LANGUAGES
    }


class _Value(str):
    """What fills a field; behind it goes the noun that its number asks for."""

    __slots__ = ()

    def __format__(self, nouns: str) -> str:
        one, _, more = nouns.partition("/")
        return f"{self!s} {one if self == '1' else more}" if nouns else str(self)
