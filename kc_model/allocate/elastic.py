"""The laws with room to be loosened: whether some hold together, and what it takes that they do."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.allocate.fewest import fewest_owners
from kc_model.allocate.kept import Fact, Options
from kc_model.allocate.levers import Lever, find_levers, is_amount, is_stuck, sides_of, step_of
from kc_model.arrays import Model
from kc_model.problem import Problem
from kc_model.program import shared_wholes
from kc_model.rules import Row
from kc_model.solver import Outcome, Solver, Status

__all__ = ["Elastic"]

_NOTHING = 1e-8
_NEAR = 1e-5
_FAR = 100.0
_AWAY = 1e4  # of the solver's unit, a hundredth of a mean cell
_SAME = 1e-9
_FEW = 2

Money = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Elastic:
    """The laws of a problem, each with room at a cost.

    Columns: money of the cells (and of projects, with whether each is chosen, in whole numbers),
    the wholes B that laws share, the room of every law and side, and for a rule of several rows
    one column that loosens them all. A plan is the money of the cells, with projects behind it.

    Parameters
    ----------
    problem : Problem
    deadline : float
        As in `Solver`.
    most : mapping of (rule, side) to float
        The most that bounds may be loosened, million VND.
    on_grid : bool
        Whether amounts are whole steps of the grid; shares and counts then hold within one of them.

    Attributes
    ----------
    laws : tuple of Row
    ids : tuple of str
        Rules, budgets and bounds, each once.
    levers : mapping of (rule, side) to Lever
    facts : tuple of Fact
        What holds of projects whatever the laws say.
    """

    def __init__(
        self,
        problem: Problem,
        deadline: float,
        most: Mapping[tuple[str, str], float],
        *,
        on_grid: bool = False,
    ) -> None:
        self._start = len(problem.cells)
        self.laws = tuple(self._over(row) for row in problem.rows if row.is_law)
        self.ids = tuple(dict.fromkeys(row.id for row in self.laws))
        number = {rule: k for k, rule in enumerate(self.ids)}
        self._owner = np.array([number[row.id] for row in self.laws], dtype=np.int64)
        self._number, self._now = number, list(self.laws)
        self._low, self._high = _bounds(self.laws)
        if on_grid:
            room = problem.sums.tolerances(problem.grid)[problem.sums.law]
            self._low, self._high = self._low - room, self._high + room
        self._choice = Options.of(problem, on_grid=on_grid)
        self.n = self._start + (0 if self._choice is None else self._choice.width)
        self.facts = () if self._choice is None else tuple(self._choice.facts)
        self.nothing = _NOTHING * problem.size
        # Rows of outputs and of money weigh alike if each is measured by its own coefficients.
        self.unit = np.array(
            [max(1e-9, np.max(np.abs(row.coef), initial=0.0)) for row in self.laws]
        )
        self._whole = shared_wholes(self.laws)
        wholes = sorted({w for w in self._whole if w is not None})
        self._b = {w: self.n + k for k, w in enumerate(wholes)}
        rooms = [(r, side) for r, row in enumerate(self.laws) for side in sides_of(row)]
        self._by = self.n + len(wholes) + np.arange(len(rooms))
        self._row = np.array([r for r, _ in rooms], dtype=np.int64)
        self.levers, self._width = find_levers(self.laws, rooms, self._by.tolist())
        self._most = np.array(
            [
                0.0 if is_stuck(self.laws[r]) else most.get((self.laws[r].id, side), math.inf)
                for r, side in rooms
            ]
        )
        self._model = self._compiled(rooms, wholes)
        self.solver = Solver(self._model, deadline, problem.size)
        self.solver.ask(0.0)

    def _compiled(self, rooms: Sequence[tuple[int, str]], wholes: Sequence[int]) -> Model:
        entries = [
            (r, column, value)
            for r, row in enumerate(self.laws)
            for column, value in self._terms(r, row).items()
        ]
        for k, w in enumerate(wholes):
            row, at = self.laws[w], len(self.laws) + k
            base = zip(row.base.tolist(), row.base_coef.tolist(), strict=True)
            entries += [(at, i, value) for i, value in base]
            entries.append((at, self._b[w], -1.0))
        signs = [1.0 if side == "min" else -1.0 for _, side in rooms]
        entries += zip(self._row.tolist(), self._by.tolist(), signs, strict=True)
        for lever in self.levers.values():
            if len(lever.rows) > 1:
                sign = 1.0 if lever.side == "min" else -1.0
                for r in lever.rows:
                    size = 1.0 if lever.is_share else self.laws[r].const
                    entries.append((r, lever.column, sign * size))
        height = len(self.laws) + len(wholes)
        choice = self._choice
        extra = 0 if choice is None else len(choice.model.rows)
        entries += [] if choice is None else choice.entries(height)
        rows, columns, values = zip(*entries, strict=True)
        height += extra
        matrix = sparse.coo_array((values, (rows, columns)), shape=(height, self._width)).tocsr()
        none = np.zeros(len(wholes))
        top = np.zeros(self._width)
        top[: self.n + len(wholes)] = math.inf
        bottom = np.where(np.arange(self._width) < self.n, 0.0, np.where(top > 0, -math.inf, 0.0))
        whole = np.zeros(self._width, dtype=bool)
        more_low = more_high = none[:0]
        if choice is not None:
            held = slice(self._start, self.n)
            bottom[held], top[held] = 0.0, 0.0
            bottom[choice.at], top[choice.at] = choice.model.col_low, choice.model.col_high
            whole[choice.at] = choice.model.whole
            more_low, more_high = choice.model.row_low, choice.model.row_high
        return Model(
            tuple(f"c_{i}" for i in range(self._width)),
            tuple(f"row_{r}" for r in range(height)),
            sparse.csr_array(matrix),
            np.concatenate([self._low, none, more_low]),
            np.concatenate([self._high, none, more_high]),
            bottom,
            top,
            whole,
        )

    def _over(self, row: Row) -> Row:
        return row.over_projects(self._start)

    def _terms(self, r: int, row: Row) -> dict[int, float]:
        whole = self._whole[r]
        cells, coef = row.coefficients() if whole is None else (row.cells, row.coef)
        terms = dict(zip(cells.tolist(), coef.tolist(), strict=True))
        if whole is not None:
            terms[self._b[whole]] = -row.factor
        return terms

    # ------------------------------------------------------------------ numbers

    def stand(self, rows: Sequence[Row]) -> None:
        """Take the numbers of laws that are otherwise alike, in their order."""
        rows = [self._over(row) for row in rows]
        moved = [r for r, row in enumerate(rows) if row is not self._now[r]]
        for r in moved:
            if len(rows[r].base) and rows[r].factor != self._now[r].factor:
                self.solver.set_coefficients(r, self._terms(r, rows[r]))
            self._now[r] = rows[r]
        if moved:
            low, high = _bounds([rows[r] for r in moved])
            self._low[moved], self._high[moved] = low, high

    def hold(self, facts: Collection[Fact]) -> None:
        """Let only these of `facts` hold."""
        choice = self._choice
        if choice is None:
            return
        first = len(self._low) + len(self._b)
        for fact, k in choice.facts.items():
            is_held = fact in facts
            if fact.kind == "stays":
                at, low = choice.at[[k]], float(is_held)
                self.solver.set_columns(at, np.array([low]), self.solver.col_high[at])
                continue
            row, high = np.array([first + k]), choice.model.row_high[[k]]
            self.solver.set_rows(row, choice.model.row_low[[k]], high if is_held else high + np.inf)

    def _set(self, on: Mask, high: Mapping[int, float], low: Mapping[int, float]) -> None:
        """Only the rows of a mask count; columns of rooms are open as far as `high` says."""
        solver = self.solver
        rows = np.arange(len(self.laws))
        least, most = np.where(on, self._low, -math.inf), np.where(on, self._high, math.inf)
        moved = rows[(solver.row_low[rows] != least) | (solver.row_high[rows] != most)]
        solver.set_rows(moved, least[moved], most[moved])
        columns = np.arange(int(self._by[0]), self._width)
        bottom, top = np.zeros(len(columns)), np.zeros(len(columns))
        for bounds, named in ((top, high), (bottom, low)):
            bounds[[c - columns[0] for c in named]] = list(named.values())
        moved = (solver.col_low[columns] != bottom) | (solver.col_high[columns] != top)
        solver.set_columns(columns[moved], bottom[moved], top[moved])

    def _solve(
        self,
        on: Mask,
        cost: Mapping[int, float],
        high: Mapping[int, float],
        low: Mapping[int, float] | None = None,
    ) -> Outcome:
        self._set(on, high, low or {})
        costs = np.zeros(self._width)
        costs[list(cost)] = list(cost.values())
        self.solver.set_cost(costs)
        return self.solver.run()

    def _among(self, rules: Collection[str]) -> Mask:
        chosen = np.zeros(len(self.ids), dtype=bool)
        chosen[[self._number[rule] for rule in rules]] = True
        return chosen[self._owner]

    # ------------------------------------------------------------------ contradictions

    def suspects(self, rules: Collection[str]) -> list[str] | None:
        """Ids of those laws that one proof of their contradiction uses; None if there is none."""
        outcome = self._loosest(rules)
        if outcome.status is not Status.OPTIMAL or outcome.objective <= self.nothing:
            return None
        if not len(outcome.row_duals):  # whole numbers have none
            return [rule for rule in self.ids if rule in set(rules)]
        used = np.abs(outcome.row_duals[: len(self.laws)]) > _NOTHING
        hit = np.unique(self._owner[used & self._among(rules)])
        return [self.ids[k] for k in hit]

    def judge(self, rules: Collection[str]) -> bool | None:
        """Whether these laws alone are proven to hold together; None: neither they do nor not."""
        outcome = self._loosest(rules)
        if outcome.status is not Status.OPTIMAL:
            return None
        return outcome.objective <= self.nothing

    def is_impossible(self) -> bool:
        """Whether not even laws that all give way leave a plan."""
        return self._loosest(self.ids).status is Status.INFEASIBLE

    def smallest(
        self, rules: Sequence[str], tell: Callable[[], None]
    ) -> tuple[tuple[str, ...], bool]:
        """Leave out what a contradiction does not need; also whether the rest is proven smallest.

        Parameters
        ----------
        rules : sequence of str
            Laws that contradict each other.
        tell : callable
            Called before each try.
        """
        needed, is_sure = list(rules), True
        for rule in rules:
            if rule not in needed:
                continue
            rest = [other for other in needed if other != rule]
            tell()
            holds = self.judge(rest)
            is_sure &= holds is not None
            if holds is False:
                # Of what is left only the suspects of one more proof can be needed.
                needed = self.suspects(rest) or rest
        return tuple(needed), is_sure

    def _loosest(self, rules: Collection[str]) -> Outcome:
        """Least loosening of these laws, each row on its own; the others do not count."""
        price = self._prices()
        return self._solve(self._among(rules), price, dict.fromkeys(price, math.inf))

    def _prices(self) -> dict[int, float]:
        """Return what each room costs, so that laws in any unit weigh alike."""
        return dict(zip(self._by.tolist(), (1 / self.unit[self._row]).tolist(), strict=True))

    # ------------------------------------------------------------------ loosening

    def plan(self, rules: Collection[str]) -> Money | None:
        """Return any plan that keeps these laws, million VND; None if there is none."""
        return self._money(self._solve(self._among(rules), {}, {}))

    def spends(self, rules: Collection[str], sign: int) -> float | None:
        """Return the least money in all under laws (sign -1: the most), million VND, if any."""
        outcome = self._solve(self._among(rules), dict.fromkeys(range(self._start), sign), {})
        return sign * outcome.objective if outcome.status is Status.OPTIMAL else None

    def _money(self, outcome: Outcome) -> Money | None:
        if outcome.status is not Status.OPTIMAL:
            return None
        return np.maximum(outcome.values[: self.n], 0.0)

    def mended(self, lever: Lever, rules: Collection[str]) -> Money | None:
        """Return a plan that keeps these laws with the least other number of one of them.

        The number is what `number` reads off the plan; None: no other number mends it. Where B is
        fixed the rule's rows are, for that number, loosened as little as possible in all.
        """
        on, room = self._among(rules), self._room(lever)
        # First whether any number would do: a program that always has a plan is solved faster.
        price = self._prices()
        free = {lever.column: math.inf, **room}
        others = {by: cost for by, cost in price.items() if by not in free}
        outcome = self._solve(on, others, {**dict.fromkeys(price, math.inf), **free})
        if outcome.status is not Status.OPTIMAL or outcome.objective > self.nothing:
            return None
        if lever.is_share:
            return self._least_share(lever, on)
        column = lever.column
        high = room.get(column, math.inf)
        outcome = self._solve(on, {column: 1.0}, {column: high})
        plan = self._money(outcome)
        if plan is None or len(lever.rows) == 1:
            return plan
        amount = float(outcome.values[column])
        hair = _SAME * self.solver.scale
        top = {
            by: amount * self.laws[r].const + hair * self.unit[r]
            for by, r in zip(lever.by, lever.rows, strict=True)
        }
        spread = self._money(self._solve(on, dict.fromkeys(lever.by, 1.0), top))
        return plan if spread is None else spread

    def room(self, rule: str, side: str) -> float:
        """Return by how much a law of one row may be loosened, million VND."""
        return next(iter(self._room(self.levers[rule, side]).values()))

    def _room(self, lever: Lever) -> dict[int, float]:
        first = int(self._by[0])
        return {by: float(self._most[by - first]) for by in lever.by}

    def _least_share(self, lever: Lever, on: Mask) -> Money | None:
        """From a number that does to the best that a plan beating it has, until none does.

        Numbers are in steps of `step_of` (Dinkelbach 1967, on a grid; what does not do ends it).
        """
        number = self.laws[lever.rows[0]].factor
        step = step_of(number)
        sign = -1 if lever.side == "min" else 1
        best, found = self._shifted(lever, on, 0.0)
        if best is not None and found is None:  # nothing that the share could be of: from far away
            self._try(lever, _FAR * max(1.0, number))
            best, found = self._shifted(lever, on, -math.inf)
        does = None if found is None else sign * math.ceil(sign * found / step - _NEAR)
        last = sign * math.floor(sign * number / step + _NEAR)
        asked, jump = does, 1
        while does is not None and asked is not None and sign * (asked - last) > 0:
            self._try(lever, float(asked * Decimal(repr(step))))
            plan, found = self._shifted(lever, on, -math.inf)
            if plan is None or found is None:
                last, jump = asked, 1
            else:
                best, jump = plan, 2 * jump
                does = sign * min(sign * asked, sign * math.ceil(sign * found / step - _NEAR))
            # Of many groups each lets the others beat it by little: further each time it does.
            asked = does - sign * max(1, min(jump, sign * (does - last) - 1))
        self.stand(self.laws)
        return None if does is None else best

    def _try(self, lever: Lever, number: float) -> None:
        rows = list(self._now)
        for r in lever.rows:
            rows[r] = replace(rows[r], factor=number, exact=None)
        self.stand(rows)

    def _shifted(self, lever: Lever, on: Mask, low: float) -> tuple[Money | None, float | None]:
        """Return a plan nearest to the standing number in money, or beating it; and its own number.

        Below 0 it may beat it, and must keep it.
        """
        column = lever.column
        outcome = self._solve(on, {column: 1.0}, {column: math.inf}, {column: low})
        if outcome.status is Status.OPTIMAL and low < 0 and outcome.objective > self.nothing:
            return None, None
        if outcome.status is not Status.OPTIMAL and low < 0:
            # Money without end may beat it without end: the least money that beats it by far.
            far, least = {column: -_AWAY * self.solver.scale}, dict.fromkeys(range(self.n), 1.0)
            outcome = self._solve(on, least, far, far)
        plan = self._money(outcome)
        if plan is None:
            return None, None
        return plan, self.number(lever, plan)

    def number(self, lever: Lever, plan: Money) -> float | None:
        """Return the number with which a plan keeps a lever's laws just so; None: no number does.

        m of a rule; for budgets and bounds the amount in million VND.
        """
        found = []
        for r in lever.rows:
            row = self.laws[r]
            left = float(row.coef @ plan[row.cells])
            base = row.const + float(row.base_coef @ plan[row.base])
            if is_amount(row):
                found.append(left)
            elif base > self.nothing * self.unit[r]:
                found.append(left / base)
            elif lever.side == "max" and left > self.nothing * self.unit[r]:
                return None
        if not found:
            return None
        return min(found) if lever.side == "min" else max(found)

    def missed(self, lever: Lever, plan: Money) -> Iterator[tuple[int, float]]:
        """Yield the laws that a plan misses on this side, by how much (in the row's unit)."""
        sign = 1.0 if lever.side == "min" else -1.0
        for r in lever.rows:
            row = self.laws[r]
            cells, net = row.coefficients()
            by = sign * (row.right - float(net @ plan[cells]))
            if by > self.nothing * self.unit[r]:
                yield r, by

    def cost(self, plan: Money) -> float:
        """Return what a plan takes from all laws together, million VND."""
        return sum(
            by / float(self.unit[r])
            for lever in self.levers.values()
            for r, by in self.missed(lever, plan)
        )

    def cheapest_of(self, levers: Sequence[Lever], rules: Collection[str]) -> Money | None:
        """Return the plan that keeps rules and misses only these levers' least; None: none does."""
        rooms = {by: room for lever in levers for by, room in self._room(lever).items()}
        price = self._prices()
        return self._money(self._solve(self._among(rules), {by: price[by] for by in rooms}, rooms))

    def cheapest(self, conflicts: Sequence[Collection[str]]) -> Money | None:
        """Return the plan that misses all laws together by the least money, million VND.

        Of those that cost the same, one that touches the fewest rules, if that is proven in time.
        Where it misses several groups of one rule they share the loosening, if that costs no more.

        Parameters
        ----------
        conflicts : sequence of sets of str
            Laws that are known to contradict each other.
        """
        on = np.ones(len(self.laws), dtype=bool)
        price = self._prices()
        rooms = dict(zip(self._by.tolist(), self._most.tolist(), strict=True))
        plan = self._money(self._solve(on, price, rooms))
        if plan is None:
            return None
        least = self.cost(plan) * (1 + _NEAR) + self.nothing
        rooms |= dict.fromkeys(self._by[~self._giving(plan, least, conflicts)].tolist(), 0.0)
        few = self._money(self._solve(on, price, rooms))
        plan = plan if few is None or self.cost(few) > least else few
        cost, high = {}, {}
        for lever in self.levers.values():
            missed = dict(self.missed(lever, plan))
            if missed and len(lever.rows) > 1 and not lever.is_share:
                cost[lever.column] = sum(self.laws[r].const / float(self.unit[r]) for r in missed)
                high[lever.column] = math.inf
            elif missed:
                cost |= {by: price[by] for by in lever.by}
                high |= {by: rooms[by] for by in lever.by}
        even = self._money(self._solve(on, cost, high))
        if even is not None and self.cost(even) <= self.cost(plan) * 1.001 + self.nothing:
            return even
        return plan

    def _giving(self, plan: Money, least: float, conflicts: Sequence[Collection[str]]) -> Mask:
        """Mask of the rooms of the fewest rules that pay a price; all where nothing is gained."""
        owner = self._owner[self._row]
        missed = {r for lever in self.levers.values() for r, _ in self.missed(lever, plan)}
        used = {int(self._owner[r]) for r in missed}
        free = self._most > 0
        if len(used) <= _FEW:  # one rule alone was tried before
            return free
        model = self._model
        top = model.col_high.copy()
        top[self._by] = np.minimum(self._most, least * self.unit[self._row])
        chosen = fewest_owners(
            replace(model, col_high=top),
            self._by[free],
            (1 / self.unit[self._row])[free],
            owner[free],
            least,
            [{self._number[rule] for rule in conflict} for conflict in conflicts],
            self.solver.deadline,
        )
        if chosen is None or len(chosen) >= len(used):
            return free
        return np.isin(owner, list(chosen))


def _bounds(rows: Sequence[Row]) -> tuple[Money, Money]:
    right = np.array([row.right for row in rows])
    sides = np.array([row.side for row in rows], dtype=str)
    return np.where(sides == "max", -math.inf, right), np.where(sides == "min", math.inf, right)
