"""Why there is no plan, and a button for every way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ipywidgets

from kc_model.allocate import apply_repair, repair_cells
from kc_model.explain import BY_CELLS, is_bound, rule_label, rule_texts, troubles
from kc_model.money import SHOWN, UNITS, format_money
from kc_model.results import Allocation
from kc_model.scenario import Rule, Scenario
from kc_model.tables import Dataset, Note
from kc_model.wording import LANGUAGES, Language, say
from kc_model.words import Words
from kc_model.workbench import screen

__all__ = ["Mending", "Steps", "mended"]

Steps = Sequence[Mapping[str, Any]]

_TIER = "tier"
_MOST = 3  # rules that may be directives instead


class Mending(ipywidgets.VBox):  # type: ignore[misc]
    """Tells conflict by conflict what clashes, and offers what mends it, each way on a button.

    Parameters
    ----------
    take : callable (steps) -> None
        Told which way was chosen.

    Attributes
    ----------
    told : list of Text
    ways : list of Button
    """

    def __init__(self, take: Callable[[Steps], None]) -> None:
        self._take = take
        self.told: list[screen.Text] = []
        self.ways: list[ipywidgets.Button] = []
        super().__init__()

    def show(self, plan: Allocation | None, language: Language) -> None:
        """Show what keeps a plan from being; nothing where there is one."""
        self.told, self.ways = [], []
        parts: list[ipywidgets.Widget] = []
        for trouble in [] if plan is None else troubles(plan, language):
            offers = say("screen.mending.offers", language)
            self.told.append(screen.Text(screen.message(trouble.told, "stop", trouble.more)))
            parts.append(self.told[-1])
            parts += [screen.Text(f"<p>{offers}</p>")] if trouble.ways else []
            parts += [self._way(text, steps) for text, steps in trouble.ways]
        parts += [] if plan is None else [self._lower(rule, plan, language) for rule in _held(plan)]
        self.children = parts

    def _lower(self, rule: Rule, plan: Allocation, language: Language) -> ipywidgets.Button:
        text = rule_texts([rule], Words.of(plan, language))[rule.id]
        told = say("screen.mending.directive", language, rule=rule_label(rule.id, text, language))
        return self._way(told, ({"rule": rule.id, "side": _TIER, "to": "directive"},))

    def _way(self, text: str, steps: Steps) -> ipywidgets.Button:
        button = ipywidgets.Button(description=text[:1].upper() + text[1:], icon="wrench")
        button.add_class("kc-way")
        button.on_click(lambda _button: self._take(steps))
        self.ways.append(button)
        return button


def _held(plan: Allocation) -> list[Rule]:
    """Return the rules that are in every contradiction there is: without one there is none."""
    if not all(one.get("all_kinds") for one in plan.conflicts):
        return []
    every = set.intersection(*(set(one["rules"]) for one in plan.conflicts))
    return [rule for rule in plan.scenario.rules if rule.id in every][:_MOST]


def mended(scenario: Scenario, data: Dataset, steps: Steps) -> tuple[Scenario, Dataset]:
    """Return scenario and data after a way out; changed bounds of cells are noted with the data.

    That is other numbers, a rule made a directive, or the list of projects set aside.

    Parameters
    ----------
    steps : sequence of mapping
        Of one option, see `kc_model.allocate.apply_repair`; of a tier: rule, side "tier", to.
    """
    if BY_CELLS in steps:
        return replace(scenario, projects="ignore"), data
    tiers = {step["rule"]: str(step["to"]) for step in steps if step["side"] == _TIER}
    if tiers:
        rules = (replace(one, tier=tiers.get(one.id, one.tier)) for one in scenario.rules)
        return replace(scenario, rules=tuple(rules)), data
    changed = repair_cells(data, steps)
    own = [step for step in steps if not is_bound(step["rule"])]
    if changed is not data:
        bounds = [step for step in steps if is_bound(step["rule"])]
        changed = replace(changed, notes=(*data.notes, *(_note(one, data.unit) for one in bounds)))
    return (apply_repair(scenario, own, data.unit) if own else scenario), changed


def _note(step: Mapping[str, Any], unit: str) -> Note:
    def told(language: Language) -> str:
        now, to = (
            format_money(Decimal(repr(step[key])) * UNITS[unit], SHOWN[unit], language)
            for key in ("now", "to")
        )
        what = f"{rule_label(step['rule'], '', language)}: {now} → {to}"
        return say("screen.mending.bound", language, what=what)

    texts = [told(language) for language in LANGUAGES]
    return Note("assumed", texts[0], texts[1], table="cells", column=step["side"])
