"""The sliders of a scenario: its total, a bound of every rule that has one; what it rounds to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from kc_model.scenario import Scenario
from kc_model.tables import Dataset
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.levers import Lever, grid_of, levers_of, move, roundings

__all__ = ["Steering"]


class Steering(ipywidgets.VBox):  # type: ignore[misc]
    """Sliders that say a scenario: those asked for in front, the others in a fold.

    Parameters
    ----------
    unit : str
        The dataset's.
    wanted : sequence of str or None
        Rules (by id) whose bounds stand in front beside the total's; None: the directives.
    watch : callable (Slider) -> None
        Told of every slider that is made.
    take : callable (round_to) -> None
        Told what amounts are to be rounded to, once that is chosen.

    Attributes
    ----------
    sliders : dict of str to Slider
        By `Lever.key`; their values are the scenario's own numbers.
    rounding : Dropdown
        What amounts are rounded to, in the dataset's unit; the desk puts it elsewhere.
    """

    def __init__(
        self,
        scenario: Scenario,
        data: Dataset,
        wanted: Sequence[str] | None,
        watch: Callable[[screen.Slider], None],
        take: Callable[..., None],
    ) -> None:
        if wanted is None:
            wanted = [rule.id for rule in scenario.rules if rule.tier == "directive"]
        self._wanted, self._watch = {"", *wanted}, watch
        self._base, self._levers = scenario, levers_of(scenario, data.unit, data.vintage)
        self._unit = data.unit
        self.sliders = {lever.key: self._slider(lever) for lever in self._levers}
        self.rounding = ipywidgets.Dropdown(
            style={"description_width": "initial"}, layout={"width": "250px"}
        )
        self._is_quiet = False
        self._offer_rounding("vi")
        self.rounding.observe(
            lambda change: None if self._is_quiet else take(round_to=change["new"]), "value"
        )
        self._fold = ipywidgets.Accordion()
        super().__init__()
        self._arrange()

    def now(self) -> Scenario:
        """Return the scenario that the sliders say."""
        values = {key: slider.value for key, slider in self.sliders.items()}
        return move(self._base, self._levers, values)

    def stand_at(self, scenario: Scenario, data: Dataset, language: Language) -> None:
        """Start from a scenario; sliders come and go with its bounds."""
        self._base, self._levers = scenario, levers_of(scenario, data.unit, data.vintage)
        known, self.sliders = self.sliders, {}
        for lever in self._levers:
            slider = self.sliders[lever.key] = known.get(lever.key) or self._slider(lever)
            texts = [lever.shown(value, language) for value in lever.choices()]
            slider.offer(lever.choices(), lever.start, texts)
        self._offer_rounding(language)
        if self.sliders.keys() != known.keys():
            self._arrange()
            self.words(language)

    def words(self, language: Language) -> None:
        """Show every text again, in this language."""
        self._fold.set_title(0, say("screen.plan.more_sliders", language))
        for lever in self._levers:
            slider = self.sliders[lever.key]
            slider.texts = [lever.shown(value, language) for value in slider.values]
        self._offer_rounding(language)
        self.label(language)

    def _offer_rounding(self, language: Language) -> None:
        self.rounding.description = say("screen.plan.rounding", language)
        options = tuple(roundings(self._base, self._unit, language))
        self._is_quiet = True  # other options choose the first of them
        if self.rounding.options != options:
            self.rounding.options = options
        self.rounding.value = grid_of(self._base, self._unit)
        self._is_quiet = False

    def label(self, language: Language) -> None:
        """Say over every slider what it stands for now."""
        for lever in self._levers:
            slider = self.sliders[lever.key]
            slider.label = lever.title(slider.value, language)

    def _slider(self, lever: Lever) -> screen.Slider:
        slider = screen.Slider(lever.choices(), lever.start)
        self._watch(slider)
        return slider

    def _arrange(self) -> None:
        first = [key for key in self.sliders if key.rpartition(":")[0] in self._wanted]
        rest = [slider for key, slider in self.sliders.items() if key not in first]
        self._fold.children = [screen.row(*rest)]
        self._fold.selected_index = None
        front = screen.row(*(self.sliders[key] for key in first))
        self.children = [front, *([self._fold] if rest else [])]
