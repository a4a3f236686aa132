"""A long list with boxes to tick: folded by group, filtered by words, thousands of lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import traitlets

from kc_model.workbench.screen import Part

__all__ = ["Picked", "Picks"]


@dataclass(frozen=True)
class Picked:
    """One line of `Picks`.

    Parameters
    ----------
    key : str
        Unlike any other line's.
    group : str
    cells : tuple of str
        What stands in it; the first names the line.
    state : str
        ``on`` or ``off``: what the list can be filtered by, and how the line looks.
    ticked : str
        Code of the box that is ticked; "" for none.
    open : tuple of str
        Codes of the boxes that can be ticked.
    """

    key: str
    group: str
    cells: tuple[str, ...]
    state: str = ""
    ticked: str = ""
    open: tuple[str, ...] = ()


class Picks(Part):
    """A list of lines in groups, each with boxes of which at most one is ticked.

    Parameters
    ----------
    tick : callable (key, code) -> None
        Told which box was ticked; "" where one was cleared.
    undo : callable () -> None

    Attributes
    ----------
    label : str
    told : str
        How many lines there are; ``{shown}`` stands for those that the filter leaves.
    """

    _file = "picks.js"
    label = traitlets.Unicode("").tag(sync=True)
    told = traitlets.Unicode("").tag(sync=True)
    sought = traitlets.Unicode("").tag(sync=True)
    heads = traitlets.List(traitlets.Dict()).tag(sync=True)
    ticks = traitlets.List(traitlets.Dict()).tag(sync=True)
    views = traitlets.List(traitlets.Dict()).tag(sync=True)
    groups = traitlets.List(traitlets.Dict()).tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, tick: Callable[[str, str], None], undo: Callable[[], None]) -> None:
        super().__init__()
        self._tick, self._undo = tick, undo

    def name(
        self,
        label: str,
        sought: str,
        heads: Sequence[tuple[str, str]],
        ticks: Mapping[str, str],
        views: Mapping[str, str],
    ) -> None:
        """Set what everything is called.

        Parameters
        ----------
        label, sought : str
            Of the list and of its filter.
        heads : sequence of (text, kind)
            Columns; a kind is ``text``, ``number`` or ``fixed``.
        ticks, views : mapping of code to text
            Boxes; what the list can be narrowed to ("" for everything, ``ticked``, or a state).
        """
        with self.hold_sync():
            self.label, self.sought = label, sought
            self.heads = [{"label": text, "kind": kind} for text, kind in heads]
            self.ticks = _labelled(ticks)
            self.views = _labelled(views)

    def show(self, groups: Mapping[str, str], rows: Sequence[Picked], told: str) -> None:
        """Show lines, in one message.

        Parameters
        ----------
        groups : mapping of group to text
            In order, with what stands over each.
        rows : sequence of Picked
        told : str
        """
        with self.hold_sync():
            self.groups = [{"name": name, "told": text} for name, text in groups.items()]
            self.rows = [asdict(row) for row in rows]
            self.told = told

    def _told(self, content: Any) -> None:
        if "undo" in content:
            self._undo()
        else:
            key, code = content["tick"]
            self._tick(str(key), str(code))


def _labelled(texts: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"code": code, "label": text} for code, text in texts.items()]
