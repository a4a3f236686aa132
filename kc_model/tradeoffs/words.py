"""Numbers and names as the sentences of this room show them."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from kc_model import reference
from kc_model.money import UNITS, format_money, format_number
from kc_model.results import Allocation
from kc_model.wording import Language, say

__all__ = ["Words"]

_DIGITS = {"vnd": 0, "thousand_vnd": 0, "million_vnd": 1, "billion_vnd": 3}
_MONEY = (" money", " disbursed", " change")
_SHOWN = 5


class Words:
    """Shows what belongs to a plan in one language.

    Parameters
    ----------
    plan : Allocation
        Whose unit and places are meant.
    language : {"vi", "en"}
    """

    def __init__(self, plan: Allocation, language: Language) -> None:
        self.plan, self.language = plan, language

    def say(self, key: str, **values: object) -> str:
        """Return a text of the room."""
        return say(f"tradeoffs.{key}", self.language, **values)

    def money(self, amount: float) -> str:
        """Show an amount given in the user's unit."""
        unit = self.plan.unit
        return format_money(_plain(amount, _DIGITS[unit]) * UNITS[unit], unit, self.language)

    def per_unit(self, amount: float) -> str:
        """Show money, given in the user's unit, for one head or other unit of a column: in đồng."""
        return format_money(_plain(amount * UNITS[self.plan.unit], 0), "vnd", self.language)

    def signed(self, amount: float) -> str:
        """Show a change of money with its sign."""
        return ("−" if amount < 0 else "+") + self.money(abs(amount))

    def number(self, value: float) -> str:
        """Show a number to four figures."""
        digits = 1 if abs(value) >= 1000 or not value else 3 - math.floor(math.log10(abs(value)))
        return format_number(_plain(value, max(1, digits)), None, self.language)

    def percent(self, share: float) -> str:
        """Show a share: 57,4 %."""
        return f"{format_number(_plain(100 * share, 2), None, self.language)} %"

    def value(self, goal: str, value: float) -> str:
        """Show what is achieved of a goal."""
        if goal.endswith(" evenness"):
            return self.say("per_unit", amount=self.per_unit(value))
        return self.money(value) if goal.endswith(_MONEY) else self.number(value)

    def signed_value(self, goal: str, value: float) -> str:
        """Show a change of what is achieved of a goal."""
        return ("−" if value < 0 else "+") + self.value(goal, abs(value))

    def goal(self, name: str) -> str:
        """Show a goal's name."""
        what, _, column = name.split(" ", 1)[1].partition(":")
        what = "least_money" if name == "minimise money" else what
        return say(f"explain.goals.{what}", self.language, column=column)

    def name(self, code: str) -> str:
        """Show a place, area or source; anything else as it is."""
        if code in reference.place_order(self.plan.vintage):
            return reference.place_name(code, self.plan.vintage, self.language)
        if code in reference.area_order():
            return reference.area_name(code, self.language)
        if code in reference.source_order():
            return reference.source_name(code, self.language)
        return code

    def listed(self, names: list[str]) -> str:
        """Show the first few names and how many more there are."""
        more = len(names) - _SHOWN
        tail = self.say("and_more", count=more) if more > 0 else ""
        return ", ".join(names[:_SHOWN]) + tail


def _plain(value: float, digits: int) -> Decimal:
    """Round half up after dropping the noise of arithmetic, without zeros at the end."""
    exact = Decimal(repr(round(float(value), 8) + 0.0))
    return exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP).normalize()
