"""Why no plan exists: smallest sets of laws that contradict each other, and what mends them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kc_model.allocate.elastic import Elastic
from kc_model.allocate.kept import Fact, needed_facts
from kc_model.allocate.levers import loosest_bounds
from kc_model.allocate.live import Progress
from kc_model.allocate.plain import Contradiction, PlainLaws
from kc_model.allocate.repairs import Mender
from kc_model.cells import MILLION
from kc_model.explain import is_bound, is_purse, kind_of
from kc_model.problem import Problem

__all__ = ["Counting", "find_conflicts"]

_MOST = 10
_VISITS = 400
_WAYS = 20_000  # of leaving out one rule of each known conflict
_LESS = 1 - 1e-6  # of the money in all, by which rules leave less than that


def find_conflicts(
    problem: Problem,
    deadline: float,
    as_of: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return smallest conflicts among the laws, each with its repairs.

    A conflict names rules, budgets and bounds by id; leaving out any one of them lets the others
    hold together. All of them are found by leaving out one rule of each known conflict in every
    way (hitting-set tree, Reiter 1987), up to ten conflicts; those that sums show come first. Where
    any of many budgets would do to set rules against each other, it is one conflict. The
    rules of a conflict that are no amounts (budgets, bounds of cells) are its kind, or else its
    budgets; those of a kind whose rules are among theirs come last.

    Parameters
    ----------
    problem : Problem
    deadline : float
        As in `Solver`.
    as_of : int or None
        Last month known: disbursed money stays.
    progress : callable (name of the step, share done) or None
        What it raises ends the search.

    Returns
    -------
    list of dict
        rules (ids), texts; projects: what holds of projects whatever the rules say and is part of
        it (kind: ``stays``, ``requires`` or ``excludes``, of a grid ``size`` or ``parts``: none of
        its steps fits the project, or its part in each place; project; other: the one needed or
        excluded, ""; stage; amount: what that which stays keeps at least, in the user's unit);
        sums: None, or what can be checked by hand (year or None where it is
        several, needs: the ids that ask for money, needed, total: what there is, both in the
        user's unit, measure);
        repairs: steps (option, rule, group, side; by: what the group lacks, measure its unit; now
        and to: the number of the rule before and after, of the kind ``money``, ``share`` or
        ``number``; also: rules beside the conflict that ask for as much as that; cost: the money
        all groups give up; mends_all: whether it mends every conflict; mends_alike: whether every
        conflict that stays, listed or not, names a rule of another kind; proven;
        cell: keys, for a bound): options are alternatives, cheapest first, steps of one option go
        together and share the number that is typed;
        purses: of the first of its kind, where no single budget does so: steps that raise several
        so that every conflict that stays names a rule of another kind, for the least money; option
        0;
        combination: of the first conflict, where no option mends everything: such steps that do
        so together for the least money, and of those that cost the same by the fewest rules;
        bounds: of the first with its rules and budgets, what these clash with in all: the lowest
        and highest amounts of cells (rule, amount, spent: how much of a lowest one is disbursed, 0
        of a highest; in the user's unit); of a conflict of bounds alone its own;
        smallest (whether that was proven in time), complete (whether there is certainly no
        conflict beside the listed ones), all_kinds (whether certainly every conflict beside them
        has all rules of one of these kinds). Empty if none was found in time.
    """
    elastic = Elastic(problem, deadline, loosest_bounds(problem, as_of))
    tell = Counting(progress)
    search = _Search(elastic, PlainLaws(elastic.laws), tell)
    search.run()
    mender = Mender.of(problem, elastic, as_of, tell)
    texts = {row.id: row.text for row in elastic.laws}
    conflicts: list[dict[str, Any]] = []
    kinds: dict[frozenset[str], set[str]] = {}
    told: set[frozenset[str]] = set()
    for found in search.found:
        kinds.setdefault(_named(found.rules), set()).update(found.rules)
    for found in search.found:
        named, is_first = _named(found.rules), kind_of(found.rules) not in told
        told.add(kind_of(found.rules))
        pressed = kinds.pop(named, set()) if named else set(found.rules)  # the first tells of all
        rest = search.rest(found.rules)
        others = [other.rules for other in search.found if other is not found]
        repairs = mender.options(found.rules, others, rest)
        conflicts.append(
            {
                "rules": list(found.rules),
                "texts": [texts[rule] for rule in found.rules],
                "projects": _facts(problem, elastic, found.rules, tell),
                "sums": _sums(found.sums, problem),
                "spends": _spends(found.spends, problem),
                "repairs": repairs,
                "purses": mender.purses(rest, repairs) if is_first else [],
                "combination": [],
                "bounds": _pressing(problem, search, pressed),
                "smallest": found.is_smallest,
                "complete": search.is_complete,
                "all_kinds": search.has_all_kinds,
            }
        )
    if conflicts and not any(step["mends_all"] for c in conflicts for step in c["repairs"]):
        conflicts[0]["combination"] = mender.combination([found.rules for found in search.found])
    return conflicts


def _named(rules: Collection[str]) -> frozenset[str]:
    return frozenset(rule for rule in rules if not is_bound(rule))


def _pressing(problem: Problem, search: _Search, rules: Collection[str]) -> list[dict[str, Any]]:
    """Return the bounds of all cells that the rules of conflicts of one kind clash with."""
    elastic = search.elastic
    others, every = _named(rules), set(elastic.ids) - _named(elastic.ids)
    pressing = set(rules) - others
    if others and pressing:
        if problem.offered is None:
            pressing |= set(elastic.suspects([*others, *every]) or ()) & every
        else:  # whole numbers have no proof to read, but sums may show it
            pressing |= search.plain.against(others, every)
    told = []
    for row in elastic.laws:
        if row.id in pressing:
            amount, is_low = float(row.const) * row.scale, row.side == "min"
            spare = elastic.room(row.id, "min") * row.scale if is_low else amount
            spent = round(amount - spare, 9)
            told.append({"rule": row.id, "amount": round(amount, 9), "spent": spent})
    return told


def _facts(
    problem: Problem, elastic: Elastic, rules: Collection[str], tell: Callable[[], None]
) -> list[dict[str, Any]]:
    """Return what of the projects contradicts some laws, as results tell it; none out of time."""
    offered = problem.offered
    if offered is None or not elastic.facts:
        return []

    is_sure = True

    def clash(facts: Sequence[Fact]) -> bool:
        nonlocal is_sure
        elastic.hold(facts)
        holds = elastic.judge(rules) if is_sure else None
        is_sure = is_sure and holds is not None
        return holds is False

    found = needed_facts(elastic.facts, clash, tell)
    elastic.hold(elastic.facts)
    if not is_sure:
        return []
    return [
        {
            "kind": fact.kind,
            "project": offered.ids[fact.project],
            "other": "" if fact.other < 0 else offered.ids[fact.other],
            "stage": str(offered.frame["stage"][fact.project]),
            "amount": int(offered.least[fact.project]) / MILLION * problem.million,
        }
        for fact in sorted(found, key=elastic.facts.index)
    ]


def _spends(found: _Spends | None, problem: Problem) -> dict[str, Any] | None:
    if found is None:
        return None
    most, total = (round(x * problem.million, 9) for x in (found.most, found.total))
    return {"rules": list(found.rules), "most": most, "total": total}


def _sums(found: Contradiction | None, problem: Problem) -> dict[str, Any] | None:
    if found is None:
        return None
    cells = found.row.cells[found.row.cells < len(problem.cells)]  # behind them are projects
    years = np.unique(problem.cells.frame["year"].to_numpy()[cells])
    return {
        "year": int(years[0]) if len(years) == 1 else None,
        "needs": list(found.needs),
        "needed": round(found.needed, 9),
        "total": round(found.total, 9),
        "measure": found.row.measure,
    }


class Counting:
    """Tells that the search goes on; how far it is nobody knows."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._steps = progress, 0

    def __call__(self) -> None:
        """Tell it once more."""
        self._steps += 1
        if self._progress is not None:
            self._progress("conflicts", 1 - 0.9 ** (1 + self._steps / 20))


@dataclass(frozen=True)
class _Spends:
    """Rules that leave less to be spent, whatever the budgets, than these ask for together."""

    rules: tuple[str, ...]
    most: float  # million VND
    total: float


@dataclass(frozen=True)
class _Conflict:
    rules: tuple[str, ...]
    sums: Contradiction | None
    is_smallest: bool
    spends: _Spends | None = None


class _Search:
    """Finds conflicts breadth first: first with the bounds of all cells, then with some of them."""

    def __init__(self, elastic: Elastic, plain: PlainLaws, tell: Callable[[], None]) -> None:
        self.elastic, self.plain, self.tell = elastic, plain, tell
        self.found: list[_Conflict] = []
        self.is_complete = self.has_all_kinds = False
        self._known: set[frozenset[str]] = set()  # what may be left out so that the rest holds

    def run(self) -> None:
        """Search; two attributes tell whether it came to the end of kinds, and of conflicts."""
        is_done = self._run(lambda rules: [rule for rule in rules if rule in kind_of(rules)])
        kinds = [any(not is_bound(rule) for rule in one.rules) for one in self.found]
        self.has_all_kinds = is_done and all(kinds)  # bounds alone would hide what else clashes
        if any(len(kind_of(one.rules)) < len(one.rules) for one in self.found):
            is_done = self._run(lambda rules: rules)
        self.is_complete = is_done
        self.has_all_kinds |= is_done

    def _run(self, loose: Callable[[Sequence[str]], Sequence[str]]) -> bool:
        """Search by leaving out rules that are `loose`; tell whether that came to its end."""
        queue: deque[frozenset[str]] = deque([frozenset()])
        seen = {queue[0]}
        visited = 0
        while queue:
            left_out = queue.popleft()
            conflict = next((c for c in self.found if left_out.isdisjoint(self._core(c))), None)
            if conflict is None and left_out in self._known:
                continue
            if conflict is None:
                visited += 1
                self.tell()
                rest = [rule for rule in self.elastic.ids if rule not in left_out]
                # What sums show needs no solver; but most of what is left holds together.
                conflict = None if left_out else self._by_hand(rest)
                if conflict is None and self.elastic.judge(rest):
                    self._known.add(left_out)
                    continue
                if len(self.found) == _MOST or visited > _VISITS:
                    return False
                conflict = conflict or self._by_hand(rest) or self._by_proof(rest)
                if conflict is None:
                    return False
                self.found.append(replace(conflict, spends=self._spending(conflict)))
                conflict = self.found[-1]
            for out in self._ways(conflict, loose):
                further = left_out | out
                if further not in seen and len(seen) < _WAYS:
                    seen.add(further)
                    queue.append(further)
        return len(seen) < _WAYS and all(one.is_smallest for one in self.found)

    def _core(self, conflict: _Conflict) -> tuple[str, ...]:
        """Return what clashes in a conflict: not what brings money where any money would do."""
        spends = conflict.spends
        is_any = spends is not None and spends.most <= self.elastic.nothing
        return spends.rules if spends is not None and is_any else conflict.rules

    def _ways(
        self, conflict: _Conflict, loose: Callable[[Sequence[str]], Sequence[str]]
    ) -> list[frozenset[str]]:
        """Return what may be left out of a conflict; budgets together where any would do."""
        core, spends = self._core(conflict), conflict.spends
        held = core if spends is None else spends.rules
        ways = [frozenset({rule}) for rule in loose(conflict.rules) if rule in held]
        if len(held) < len(core):
            ways.append(frozenset(filter(is_purse, self.elastic.ids)))
        return ways

    def rest(self, rules: Sequence[str]) -> list[str]:
        """Return what is to hold once a conflict is mended: all but the rules of other kinds."""
        own = kind_of(rules)
        if len(own) == len(rules):
            return list(rules)
        kinds = {kind_of(one.rules) for one in self.found}
        least = [kind for kind in kinds if not any(other < kind for other in kinds)]
        others = frozenset[str]().union(*(kind for kind in least if not kind <= own))
        return [rule for rule in self.elastic.ids if rule in rules or rule not in others]

    def _by_hand(self, rules: Collection[str]) -> _Conflict | None:
        found = self.plain.find(rules)
        if found is None:
            return None
        if found.is_smallest:
            return _Conflict(found.rules, found, is_smallest=True)
        return self._shrunk(found.rules)

    def _by_proof(self, rules: Collection[str]) -> _Conflict | None:
        suspects = self.elastic.suspects(rules)
        return None if suspects is None else self._shrunk(suspects)

    def _shrunk(self, rules: Sequence[str]) -> _Conflict:
        """Leave out one after the other what the contradiction does not need."""
        needed, is_sure = self.elastic.smallest(rules, self.tell)
        sums = self.plain.find(needed)
        if sums is not None and set(sums.rules) != set(needed):
            sums = None
        return _Conflict(needed, sums, is_sure)

    def _spending(self, conflict: _Conflict) -> _Spends | None:
        """Return what rules leave to be spent if it is less than budgets ask for in all.

        What can be checked by hand says more than such a sum, but not that no money would do.
        """
        purses = [rule for rule in self.elastic.ids if is_purse(rule)]
        if len(purses) < 2:
            return None
        total = self.elastic.spends(purses, 1) or 0.0
        is_any = not any(map(is_purse, conflict.rules))
        limit = self.elastic.nothing if is_any else total * _LESS

        def least(rules: Sequence[str]) -> float | None:
            self.tell()
            most = self.elastic.spends(rules, -1)
            return most if total and most is not None and most < limit else None

        needed = tuple(rule for rule in conflict.rules if not is_purse(rule))
        most = least(needed)
        if most is None or is_any:
            needed = conflict.rules
        for rule in needed:
            rest = tuple(other for other in needed if other != rule)
            found = least(rest)
            if found is not None:
                needed, most = rest, found
        if most is None or len(needed) == len(conflict.rules):
            return None
        if conflict.sums is not None and most > self.elastic.nothing:
            return None
        return _Spends(needed, most, total)
