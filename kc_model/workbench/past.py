"""Where the screen stands, where it stood before, and what of it is safe in a file."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from kc_model.scenario import Scenario
from kc_model.tables import Dataset

__all__ = ["Past", "Stand"]

_UNDO = 20


class Stand(NamedTuple):
    """What the screen stands at: a change of any of it can be undone."""

    scenario: Scenario
    data: Dataset


class Past:
    """Remembers the last 20 stands of a screen.

    Parameters
    ----------
    loaded : Stand
        What it began with.

    Attributes
    ----------
    loaded, here : Stand
        What a reset goes back to, and what is on screen.
    safe : Scenario
        The newest one that stands in a file.
    """

    def __init__(self, loaded: Stand) -> None:
        self.loaded = self.here = loaded
        self.safe = loaded.scenario
        self._before: deque[Stand] = deque(maxlen=_UNDO)
        self._after: list[Stand] = []

    def __len__(self) -> int:
        """Return how many changes can be taken back."""
        return len(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether a change was taken back that can be made again."""
        return bool(self._after)

    @property
    def is_unsaved(self) -> bool:
        """Whether what is on screen stands in no file."""
        return self.here.scenario != self.safe

    def go(self, stand: Stand) -> None:
        """Go on to a stand, as a change that can be taken back."""
        if stand.scenario != self.here.scenario or stand.data is not self.here.data:
            self._before.append(self.here)
            self._after.clear()
        self.here = stand

    def back(self) -> Stand:
        """Go back to the stand before, or stay where there is none."""
        if self._before:
            self._after.append(self.here)
            self.here = self._before.pop()
        return self.here

    def forth(self) -> Stand:
        """Go on again to the stand that was gone back from, or stay where there is none."""
        if self._after:
            self._before.append(self.here)
            self.here = self._after.pop()
        return self.here

    def rest(self, scenario: Scenario) -> None:
        """Stand on a scenario that is now in a file; changed data are in none."""
        self.here = self.here._replace(scenario=scenario)
        self.loaded = self.loaded._replace(scenario=scenario)
        self.safe = scenario
