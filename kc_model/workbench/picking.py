"""A long list with boxes to tick: folded by group, filtered by words, thousands of lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import traitlets

from kc_model.wording import Language, say
from kc_model.workbench.screen import Part

__all__ = ["Group", "Picked", "Picks"]


@dataclass(frozen=True)
class Group:
    """Lines that are folded together.

    Parameters
    ----------
    name : str
        Unlike any other's.
    told : str
        What stands over it.
    over : str
        The group that it is a part of; "" for none. That one has no lines of its own.
    is_shut : bool or None
        Whether it stands folded at first; None: where the list is long.
    """

    name: str
    told: str
    over: str = ""
    is_shut: bool | None = None


@dataclass(frozen=True)
class Picked:
    """One line of `Picks`.

    Parameters
    ----------
    key : str
        Unlike any other line's.
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

    Until it is shown something it is not there.

    Parameters
    ----------
    tick : callable (key, code) -> None
        Told which box was ticked; "" where one was cleared.

    Attributes
    ----------
    label : str
    told : str
        How many lines there are; ``{shown}`` stands for those that the filter leaves.
    greyed : bool
        Whether they are of what was asked before.
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
    greyed = traitlets.Bool(False).tag(sync=True)

    def __init__(self, tick: Callable[[str, str], None]) -> None:
        super().__init__(layout={"display": "none"})
        self._tick = tick

    def name(
        self,
        room: str,
        unit: str,
        heads: Mapping[str, str],
        ticks: Sequence[str],
        views: Mapping[str, str],
        language: Language,
    ) -> None:
        """Set what everything is called.

        Parameters
        ----------
        room : str
            Of the texts ``screen``: title, sought, heads, ticks and views.
        unit : str
            That the title names.
        heads : mapping of key to kind
            Columns; a kind is ``text``, ``number`` or ``fixed``.
        ticks : sequence of str
            Codes of the boxes.
        views : mapping of code to key
            What the list can be narrowed to ("" for everything, ``ticked``, or a state).
        """

        def told(key: str, **values: str) -> str:
            return say(f"screen.{room}.{key}", language, **values)

        with self.hold_sync():
            self.label, self.sought = told("title", unit=unit), told("sought")
            self.heads = [
                {"label": told(f"heads.{key}"), "kind": kind} for key, kind in heads.items()
            ]
            self.ticks = [{"code": code, "label": told(f"ticks.{code}")} for code in ticks]
            self.views = [
                {"code": code, "label": told(f"views.{key}")} for code, key in views.items()
            ]

    def show(self, groups: Sequence[Group], rows: Sequence[Picked], told: str) -> None:
        """Show lines, in one message.

        Parameters
        ----------
        groups : sequence of Group
            In order; a group stands before its parts.
        """
        with self.hold_sync():
            self.groups = [asdict(group) for group in groups]
            self.rows = [asdict(row) for row in rows]
            self.told = told
        self.layout.display = ""

    def _told(self, content: Any) -> None:
        key, code = content["tick"]
        self._tick(str(key), str(code))
