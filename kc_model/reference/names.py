"""Finding a place, an area or a source by any of its spellings, and never guessing one.

Two spellings are the same when they differ only in what typing differs in: Unicode composition,
case, spaces and dashes, where the tone mark stands (Hoà, Hòa), a title in front (Tỉnh, TP.). A text
without any Vietnamese mark is compared without marks. Everything else is unknown, with suggestions.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

from kc_model.errors import KcError
from kc_model.wording import LANGUAGES, Language, say

__all__ = ["Names", "UnknownNameError", "fold", "plain"]

_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")  # grave, acute, tilde, hook, dot below
_BETWEEN = re.compile(r"[^\w\u0300-\u036f]+|_")
_TITLES = (
    *("tỉnh", "thành phố", "tp", "t", "thủ đô", "khu vực", "vùng"),
    *("nguồn", "kinh phí", "vốn", "nội dung", "hoạt động"),
)


class UnknownNameError(KcError, ValueError):
    """A text names nothing, or more than one thing.

    Parameters
    ----------
    kind : {"place", "area", "source", "region", "norm"}
    text : str
        As it was given.
    suggestions : tuple of str
        Names the text may have meant, likeliest first; may be empty.
    ambiguous : bool
        True if the text names every one of `suggestions`.
    successor : str
        Code the place was merged into, if it is a place of the other vintage; else "".
    """

    exit_code = 2

    def __init__(
        self,
        kind: str,
        text: str,
        suggestions: tuple[str, ...] = (),
        *,
        ambiguous: bool = False,
        successor: str = "",
    ) -> None:
        self.kind, self.text, self.suggestions = kind, text, suggestions
        self.ambiguous, self.successor = ambiguous, successor
        super().__init__(self.message())

    def message(self, language: Language = "vi") -> str:
        """Return what was found and what was likely meant, in one sentence."""
        if self.successor:
            key = "merged"
        elif self.ambiguous:
            key = "ambiguous"
        else:
            key = "near" if self.suggestions else "unknown"
        kind = say(f"reference.kind.{self.kind}", language)
        near = "; ".join(self.suggestions)
        return say(f"reference.find.{key}", language, kind=kind, text=self.text, near=near)

    @property
    def near(self) -> dict[str, str]:
        """The fields ``near_vi`` and ``near_en`` of a remedy, blank where no name is near."""
        names = "; ".join(self.suggestions)
        return {
            f"near_{one}": say("reference.find.near_names", one, names=names) if names else ""
            for one in LANGUAGES
        }


def plain(text: str) -> str:
    """Return a text without its Vietnamese marks: "Đắk Lắk" gives "Dak Lak"."""
    bare = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in bare if not unicodedata.combining(letter))


_TITLE = re.compile("^(?:(?:" + "|".join({*_TITLES, *map(plain, _TITLES)}) + ") )+")


def fold(text: str) -> str:
    """Return what every spelling of a name has in common.

    Parameters
    ----------
    text : str
        Any composition, case, spacing and tone-mark position, with or without a title.

    Returns
    -------
    str
        Lower-case words, each with its tone mark moved behind its letters; "" for no word.
    """
    # U+00D0 (Eth) looks like Đ and stands for it in texts converted from old fonts
    text = unicodedata.normalize("NFC", text).casefold().replace("ð", "đ")
    words = _TITLE.sub("", " ".join(_BETWEEN.sub(" ", text).split())).split()
    return " ".join(_tone_last(word) for word in words)


def _tone_last(word: str) -> str:
    letters = unicodedata.normalize("NFD", word)
    base = "".join(letter for letter in letters if letter not in _TONES)
    return unicodedata.normalize("NFC", base) + "".join(c for c in letters if c in _TONES)


class Names:
    """The spellings of one kind of thing.

    Parameters
    ----------
    kind : {"place", "area", "source", "region", "norm"}
    spellings : iterable of (str, str, iterable of str)
        Code, the name shown for it, and every other way it is written. The code itself counts.
    """

    def __init__(self, kind: str, spellings: Iterable[tuple[str, str, Iterable[str]]]) -> None:
        self.kind = kind
        self.shown: dict[str, str] = {}
        self._marked: dict[str, set[str]] = {}
        self._plain: dict[str, set[str]] = {}
        for code, name, others in spellings:
            self.shown[code] = name
            for spelling in (code, name, *others):
                if not (key := fold(spelling)):
                    continue
                self._marked.setdefault(key, set()).add(code)
                self._plain.setdefault(plain(key), set()).add(code)

    def codes(self, text: str) -> set[str]:
        """Return the codes a text names: none, one, or several when it is ambiguous."""
        key = fold(text)
        return self._marked.get(key) or self._plain.get(key) or set()

    def find(self, text: str) -> str:
        """Return the one code that a text names.

        Raises
        ------
        UnknownNameError
            If it names nothing, or more than one thing.
        """
        found = self.codes(text)
        if len(found) == 1:
            return next(iter(found))
        if found:
            several = tuple(sorted(self.shown[code] for code in found))
            raise UnknownNameError(self.kind, text, several, ambiguous=True)
        raise UnknownNameError(self.kind, text, self._near(text))

    def _near(self, text: str) -> tuple[str, ...]:
        keys = difflib.get_close_matches(plain(fold(text)), self._plain, n=6, cutoff=0.7)
        names = (self.shown[code] for key in keys for code in sorted(self._plain[key]))
        return tuple(dict.fromkeys(names))[:3]
