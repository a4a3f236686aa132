"""How many lines a text takes: the letters' widths, since no program tells before it shows them."""

from __future__ import annotations

import unicodedata
from functools import cache

__all__ = ["lines_of"]

_WIDTHS = {  # of Times New Roman, in parts of its size (from its metrics); all others are 0.5
    0.25: " ,.·",
    0.28: "ijlt/:;\\",
    0.33: "!()-I[]frs`'",
    0.44: "?acez“”",
    0.56: "FPSJ+−<=>×",
    0.61: "ELTZ",
    0.67: "BCR",
    0.72: "ADGHKNOQUVXYwĐ",
    0.8: "m&%",
    0.92: "MW@",
    1.0: "…—→",
}
_OF = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
_SPARE = 1.04  # bold is wider, and hooks are


@cache
def _width(letter: str) -> float:
    return _SPARE * _OF.get(unicodedata.normalize("NFD", letter)[0], 0.5)


def lines_of(text: str, width: float) -> int:
    """Return the lines that a text takes in a column, broken between words.

    Parameters
    ----------
    text : str
    width : float
        Of the column, in sizes of its font (ems).
    """
    lines = 0
    for line in text.split("\n"):
        lines, used = lines + 1, 0.0
        for word in line.split(" "):
            length = sum(map(_width, word))
            if used and used + length > width:
                lines, used = lines + 1, 0.0
            over = max(0, int((length - 1e-9) // width))  # a word longer than a line
            lines, used = lines + over, used + length - over * width + _width(" ")
    return lines
