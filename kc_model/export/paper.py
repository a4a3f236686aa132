"""How much room texts and rows take on paper, and where its pages are broken."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

__all__ = ["DIGIT", "EDGES", "LINE", "PAGE", "SIZE", "Layout", "length_of", "lines_of"]

SIZE = 11  # of the font, points
LINE = 15.0 / SIZE  # points of a line of text per point of its size
DIGIT, EDGES = 5.25, 3.75  # points of a column's width: for each character, and beside them
PAGE = (724.0, 495.0)  # points of A4 landscape, across and down, with some to spare
_FULL = 0.6  # of a page: with less on it none is broken between groups


@dataclass
class Layout:
    """What is known of a sheet before it is printed."""

    widths: list[float]
    heights: dict[int, float] = field(default_factory=dict)
    tied: set[int] = field(default_factory=set)
    heads: dict[int, int] = field(default_factory=dict)  # of groups, with how deep they lie
    warned: int | None = None  # row of a warning that every page repeats

    @property
    def scale(self) -> float:
        """How much smaller it is printed to be one page wide."""
        return min(1.0, PAGE[0] / sum(DIGIT * width + EDGES for width in self.widths))

    def height(self, rows: Iterable[int]) -> float:
        """Return the points that some rows take."""
        return sum(self.heights.get(row, LINE * SIZE) for row in rows)

    def pages(self, room: float, last: int, heading: float, starts: Sequence[int]) -> list[int]:
        """Return the rows that begin a page after the first.

        A row that is tied to the next one is not left at the end of a page. Pages are broken
        between groups where those before are still well filled and no more pages are needed.
        """
        filled = self._pages(room, last, heading, starts, 1.0)
        apart = self._pages(room, last, heading, starts, _FULL)
        return apart if len(apart) == len(filled) else filled

    def _pages(
        self, room: float, last: int, heading: float, starts: Sequence[int], least: float
    ) -> list[int]:
        """Break pages before the groups that lie least deep, or where they are full."""
        pages, begin, used = [], 0, 0.0
        for row in range(last + 1):
            height = self.height([row])
            if row in starts or used + height > room:
                at = row
                while row not in starts and at - 1 > begin and at - 1 in self.tied:
                    at -= 1
                if row not in starts:
                    before = used - self.height(range(at, row))
                    at = self._head(begin, at, before - least * room)
                pages.append(at)
                begin, used = at, heading + self.height(range(at, row))
            used += height
        return pages

    def _head(self, begin: int, at: int, spare: float) -> int:
        """Return the head of a group before which so much of a page may be left, or `at`."""
        found = [
            row
            for row in self.heads
            if begin < row <= at and row - 1 not in self.tied
            and self.height(range(row, at)) <= spare
        ]  # fmt: skip
        return min(found, key=lambda row: (self.heads[row], -row), default=at)


# --- how many lines a text takes ------------------------------------------------------------------


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
_SPARE = 1.04  # hooks are wider


@cache
def _width(letter: str) -> float:
    return _SPARE * _OF.get(unicodedata.normalize("NFD", letter)[0], 0.5)


def length_of(text: str) -> float:
    """Return how long a text is on one line, in sizes of its font (ems)."""
    return sum(map(_width, text))


def lines_of(text: str, width: float) -> int:
    """Return the lines that a text takes in a column, broken between words.

    Parameters
    ----------
    width : float
        Of the column, in sizes of its font (ems).
    """
    lines = 0
    for line in text.split("\n"):
        lines, used = lines + 1, 0.0
        for word in line.split(" "):
            length = length_of(word)
            if used and used + length > width:
                lines, used = lines + 1, 0.0
            over = max(0, int((length - 1e-9) // width))  # a word longer than a line
            lines, used = lines + over, used + length - over * width + _width(" ")
    return lines
