"""The rows of one rule: one for every group and side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kc_model.cells import Cells
from kc_model.errors import Fault, errors_in
from kc_model.money import UNITS
from kc_model.offered import Offered
from kc_model.rules.measures import Base, Measure, Whole, measure_of, plain_whole
from kc_model.rules.row import NIL, NONE, SIDES, Row
from kc_model.scenario import Rule
from kc_model.wording import LANGUAGES
from kc_model.words import Words

__all__ = ["rule_rows", "with_rule"]

_FEW = 3  # groups named in a warning that is mostly what was meant
_NO = np.array([], dtype=bool)


def rule_rows(
    cells: Cells, rule: Rule, unit: str, faults: list[Fault], offered: Offered | None = None
) -> tuple[Row, ...]:
    """Return the rows of one rule: one for every group and side.

    A rule that counts projects selects by cells and, with keys that no cell has (``kind``), by
    projects; a project over several places counts once in every group that one of them is in. One
    that only keeps what it was paid is not carried out and does not count.

    Parameters
    ----------
    cells : Cells
        The plan's cells; `cells.select` has not removed any since the budgets were read.
    unit : str
        The dataset's unit.
    faults : list of Fault
        Unknown names, missing values and selections that are empty are added to it.
    offered : Offered or None
        The projects that a plan may choose.
    """
    before = errors_in(faults)
    if rule.count == "projects" and offered is None:
        faults.append(Fault("no-projects", rule.at, {"id": rule.id}))
    counting = _Counting.of(rule, cells, unit, offered)
    rule = counting.rule
    selected = cells.select(rule.where, rule.at, faults)
    for key in rule.each:
        if cells.attribute(key) is None:
            faults.append(cells.unknown(key, rule.at))
        else:
            faults.extend(cells.left_out(key, selected & cells.missing(key), rule.at))
    counted = selected
    if rule.of is not None:
        of = plain_whole(cells, rule, faults)
        counted = selected | of
        if not (of & counting.listed_base).any():
            faults.append(Fault("empty-whole", rule.at, {"id": rule.id}))
    measure = measure_of(cells, rule, counted, unit, faults)
    whole = Whole(cells, rule, measure, unit, faults)
    if errors_in(faults) > before:
        return ()
    rows: list[Row] = []
    empty: list[str] = []
    for group, members in _groups(cells, rule):
        chosen = members[selected[members]]
        name = "|".join(_shown(value) for value in group.values())
        if not counting.listed[chosen].any():
            if all(value in rule.where.get(key, (value,)) for key, value in group.items()):
                empty.append(name)
            continue
        base = whole.of(group, chosen)
        found = _sides(rule, name, chosen, measure, base)
        rows.extend(counting.counted(row, base) for row in found)
    faults.extend(_of_nothing(rule, empty, cells.vintage, is_all=not rows))
    return tuple(rows)


def _of_nothing(rule: Rule, groups: list[str], vintage: str, *, is_all: bool) -> Iterator[Fault]:
    """Yield what is to be said of groups in which a rule selects nothing."""
    if is_all:
        yield Fault("empty-rule", rule.at, {"id": rule.id})
    elif groups:
        more = "…" if len(groups) > _FEW else ""
        values: dict[str, object] = {"id": rule.id, "count": len(groups)}
        values["groups"] = ", ".join(groups[:_FEW]) + more
        for one in LANGUAGES:
            words = Words("vnd", vintage, one)
            values[f"rule_{one}"] = words.retold(rule.text) or rule.id
            values[f"names_{one}"] = "; ".join(map(words.group, groups[:_FEW])) + more
        yield Fault("empty-groups", rule.at, values, level="warning")


@dataclass(frozen=True)
class _Counting:
    """A rule without the part that speaks of projects; which of them it and its ``of`` mean.

    `listed` and `listed_base` are the cells that these name; all cells where none are counted, or
    none are selected by what they are.
    """

    rule: Rule
    listed: NDArray[np.bool_]
    listed_base: NDArray[np.bool_]
    selected: NDArray[np.bool_] = field(default_factory=lambda: _NO)
    base: NDArray[np.bool_] = field(default_factory=lambda: _NO)
    offered: Offered | None = None

    @classmethod
    def of(cls, rule: Rule, cells: Cells, unit: str, offered: Offered | None) -> _Counting:
        is_money = bool(rule.project) and cells.attribute("id") is None
        if offered is not None and is_money:
            rule = _of_one(rule, offered, unit)
        if rule.count != "projects" or offered is None:
            every = np.ones(len(cells), dtype=bool)
            return cls(rule, every, every)
        asked = offered.asked(rule.where, cells), offered.asked(rule.of or {}, cells)
        where, of = (
            {key: values for key, values in part.items() if key not in keys}
            for part, keys in zip((rule.where, rule.of or {}), asked, strict=True)
        )
        plain = replace(rule, where=where, of=None if rule.of is None else of)
        selected, base = offered.matching(asked[0]), offered.matching(asked[1])
        every = np.ones(len(cells), dtype=bool)  # cells alone make a group, which counts none
        listed, listed_base = (
            offered.cells_of(some, cells) if keys else every
            for keys, some in zip(asked, (selected, base), strict=True)
        )
        counts = ~offered.ends | is_money  # what was paid is money of one that goes no further
        return cls(plain, listed, listed_base, selected & counts, base & counts, offered)

    def counted(self, row: Row, base: Base) -> Row:
        """Return a row with the projects that it counts in place of its cells."""
        if self.offered is None:
            return row
        return replace(
            row,
            cells=NONE,
            coef=NIL,
            base=NONE,
            base_coef=NIL,
            projects=np.flatnonzero(self.offered.paying(row.cells) & self.selected),
            base_projects=np.flatnonzero(self.offered.paying(base.cells) & self.base),
        )


def _of_one(rule: Rule, offered: Offered, unit: str) -> Rule:
    """Return the part of a rule on one project's money that says whether it is chosen.

    What it gets if it is has been bounded already, see `kc_model.offered.offered_of`.
    """
    p = offered.ids.index(rule.project) if rule.project in offered.ids else -1
    most = None if rule.max is None else int(rule.max * UNITS[unit])
    is_below = p >= 0 and most is not None and most < offered.least[p]
    return replace(
        rule,
        count="projects",
        min=None if rule.min is None else Decimal(1),
        max=None if rule.max is None else Decimal(0 if is_below else 1),
    )


def _shown(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _groups(cells: Cells, rule: Rule) -> Iterator[tuple[dict[str, object], NDArray[np.int64]]]:
    if not rule.each:
        yield {}, np.arange(len(cells))
        return
    grouped = cells.frame.groupby(list(rule.each), sort=False, dropna=True).indices
    for key, members in sorted(grouped.items(), key=lambda item: int(item[1][0])):
        group = dict(zip(rule.each, key if isinstance(key, tuple) else (key,), strict=True))
        if all(value != "" or name == "activity" for name, value in group.items()):
            yield group, np.asarray(members, dtype=np.int64)


def _sides(
    rule: Rule, name: str, chosen: NDArray[np.int64], measure: Measure, base: Base
) -> Iterator[Row]:
    for side in SIDES:
        if getattr(rule, side) is None:
            continue
        blank = Row(
            rule.id,
            name,
            side,
            rule.tier,
            1.0,
            chosen,
            measure.coef[chosen],
            base.cells,
            base.coef,
            base.const,
            0.0,
            1 / measure.one,
            None,
            rule.count or ("money" if rule.of is None else "share"),
            whole=base.exact,
        )
        yield with_rule(blank, rule)


def with_rule(row: Row, rule: Rule) -> Row:
    """Return a rule's row with its number, weight and words."""
    number = getattr(rule, row.side)
    return replace(
        row,
        weight=float(rule.weight),
        factor=float(number),
        exact=None if row.whole is None else Fraction(number) * row.whole,
        text=rule.text,
        basis=rule.basis,
        at=rule.at,
    )
