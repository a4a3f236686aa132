"""Why a project is not chosen: what choosing it all the same would break, cost and put out.

The stages are climbed again with the project in. The first that cannot keep what the plan has is
what speaks against it; the plan they lead to, ties going by the order of the law as ever, says
which projects would make room.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.allocate.choice import Choice, by_purse, by_rank, staying
from kc_model.allocate.conflicts import find_conflicts
from kc_model.allocate.glance import Glance
from kc_model.allocate.kept import Fact
from kc_model.allocate.live import Live, Progress
from kc_model.allocate.sized import size_plan
from kc_model.allocate.wholes import WholeLadder
from kc_model.cells import MILLION
from kc_model.money import told
from kc_model.offered import LITTLE, Offered
from kc_model.program import FROZEN, Stage
from kc_model.rules import Row, Sums, rule_rows
from kc_model.scenario import Rule
from kc_model.solver import GAP, Outcome, Status
from kc_model.standing import goal_unit

__all__ = ["COLUMNS", "find_whys", "seen_whys"]

COLUMNS = (
    *("id", "kind", "short", "tight", "budget", "stage", "loss", "at_most"),
    *("out", "joins", "changes", "rules", "links", "barred", "based"),
    *("full", "here", "last", "there", "proven"),
)
_KINDS = {
    "short": "Int64",
    "tight": "Int64",
    "at_most": "bool",
    "proven": "bool",
    **dict.fromkeys(("loss", "here", "there"), "float64"),
}
_SEEN = ("short", "out", "joins", "full")
_LEFT = ("stage", "loss", "at_most", "out", "joins")  # in the way of one whose purse is filled
_FEW = 60  # projects up to which all may make room for one
_NEAR = 12
_DIRECT = 2  # facts of a project that stays and excludes another: these two
_LAWS = 12  # contradictions that are looked into; of others it is said that there is one

Mask = NDArray[np.bool_]


def seen_whys(glance: Glance, numbers: Iterable[int]) -> pd.DataFrame:
    """Return what `find_whys` does as far as it is seen without solving: nothing is proven."""
    return _table([_row(glance, p) for p in numbers])


def find_whys(
    live: Live, choice: Choice, glance: Glance, numbers: Collection[int], tell: Progress
) -> pd.DataFrame:
    """Return why projects that may be chosen are not.

    Parameters
    ----------
    live : Live
        Of the problem, projects not decided.
    choice : Choice
        Proven.
    glance : Glance
        Of the plan made of it.
    numbers : collection of int
        Of the projects.
    tell : callable (name of the step, share done)

    Returns
    -------
    DataFrame
        id; kind: ``law`` (the laws allow no plan with it), ``loss`` (a tier or goal would be
        worse than later ones may make it), ``tie`` (none would: the order of the law decides),
        ``gain`` (of one that is `barred`: one would be better), ``open`` (not proven in time);
        short (Int64 VND: what its purse lacks beside the least of
        the projects chosen and of the other cells, 0 for nothing) and tight (see `Glance.row`) of
        `budget`; stage (name of the tier or goal), loss (float64, in the user's unit: of its best)
        and at_most (bool: choosing the project costs no more, perhaps less); out, joins (ids
        joined by ``;``: other projects that would make room, or come in as well; where the laws
        allow no plan those that have to stay and exclude it); changes (``X=n`` joined by ``;``:
        what each project, and each cell without any, gets more or less in that plan, and what each
        budget then leaves more or less, VND, on the grid; "" where no plan is known); rules (ids of
        the laws, joined by ``;``; where the purse is one of them stage, loss, out and joins are
        what is left in its way once `short` is there, loss 0 where that is nothing); links (what of
        the projects keeps it out besides, joined by ``;``: ``K`` has to stay, ``K>R`` needs,
        ``R!X`` excludes; of ``law`` those that the contradiction rests on, else see `Glance.row`);
        barred (ids of rules that
        allow it in no plan, as a planner's tick makes one, joined by ``;``: all else is told of
        plans without them); based (``number=best`` joined by ``;``: goals that give way and whose
        best, in the user's unit, would be less, though no less than they may become: a plan made
        with the project gives way from there); full (ids of other laws that leave no room beside
        those chosen); here, last, there (see `Glance.row`);
        proven (bool). Of what is not proven
        (``open``) short, tight, out, joins are those of `Glance.row`.

    Notes
    -----
    Those first by rank are looked into first, where there are many those of which nothing is seen
    without solving. Of those that no time is left for, or after a KeyboardInterrupt, what is seen
    is said (``open``). Where there are many, only
    the projects nearest in the same purse may make room, the others stay as they are: the loss is
    then the most that choosing the project costs. A project that may get nothing at all counts as
    one here: what a chosen one gets beside it, 1,000 đồng, is nobody's loss.
    """
    seek, solver = _Search(live, choice, glance), live.solver
    rank = seek.offered.rank
    rows = {p: _row(glance, p) for p in numbers}
    many = len(numbers) > _FEW
    seen = {p: many and any(row[key] for key in _SEEN) for p, row in rows.items()}
    with solver.clock.stoppable():
        for k, p in enumerate(sorted(numbers, key=lambda p: (seen[p], rank[p]))):
            try:
                tell("why", k / len(numbers))
            except KeyboardInterrupt:
                solver.clock.stop()
            found = seek.row(p)
            rows[p] = found if found["proven"] else rows[p]
    live.ladder.back()
    return _table([rows[p] for p in numbers])


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(_KINDS)


def _row(glance: Glance, p: int) -> dict[str, Any]:
    """Return what is seen of a project."""
    found: dict[str, Any] = {**dict.fromkeys(COLUMNS, ""), "kind": "open", "loss": np.nan}
    flags = {"id": glance.offered.ids[p], "at_most": False, "proven": False}
    return {**found, **flags, **glance.row(p)}


class _Search:
    """Asks again with a project in; where rules that bar it are dropped, it may be a gain."""

    def __init__(
        self, live: Live, choice: Choice, glance: Glance, *, is_barred: bool = False
    ) -> None:
        if live.problem.offered is None or choice.chosen is None:
            raise ValueError("the problem has no projects, or none were chosen")
        self.live, self.problem, self.choice = live, live.problem, choice
        self.best, self.is_barred = choice.best, is_barred
        self.offered, self.chosen = live.problem.offered, choice.chosen
        self.columns = live.columns("z", range(len(self.offered)))
        twins = [r for r, name in enumerate(live.rows) if name.startswith("twins_")]
        self.twins = np.array(twins, dtype=np.int64)
        self.order, self.ids = by_purse(self.problem), self.offered.ids
        self.laws, self.glance = 0, glance
        self.noise = LITTLE / MILLION * int(glance.is_little.sum())

    def row(self, p: int) -> dict[str, Any]:
        """Return why a project is not chosen; where its purse alone is short, what is left then.

        Of one that is barred what would be if it were not.
        """
        if barring := self.glance.barring(p):
            rows = tuple(row for row in self.problem.rows if all(row is not one for one in barring))
            return self._beside(rows, is_barred=True)._asked(p)
        return self._asked(p)

    def _beside(self, rows: tuple[Row, ...], *, is_barred: bool) -> _Search:
        """Return the same search by other rows."""
        sums = Sums.of(rows, len(self.problem.cells))
        live = Live(replace(self.problem, rows=rows, sums=sums), self.live.solver.clock)
        return _Search(live, self.choice, self.glance, is_barred=is_barred)

    def _asked(self, p: int) -> dict[str, Any]:
        found = self._sought(p)
        paid = found["kind"] == "law" and found["short"] and found["rules"] == found["budget"]
        if not paid:
            return found
        added = found["short"] / MILLION
        rows = tuple(
            replace(row, given=row.given - added) if row.id == found["budget"] else row
            for row in self.problem.rows
        )
        then = self._beside(rows, is_barred=True)._sought(p)  # the best plan that has the money
        if then["kind"] == "law":
            both = {key: (found[key], then[key]) for key in ("rules", "links")}
            return found | {key: ";".join(filter(None, told)) for key, told in both.items()}
        if then["kind"] in ("gain", "tie"):  # with the money and the project no goal is worse
            then |= {"stage": "", "loss": 0.0}
        return found | ({key: then[key] for key in _LEFT} if then["proven"] else {})

    def _sought(self, p: int) -> dict[str, Any]:
        found = {**_row(self.glance, p), "kind": "tie", "proven": True}
        found |= {**dict.fromkeys(("out", "joins", "rules"), ""), **self.glance.missing([p])}
        ladder, solver = self.live.ladder, self.live.solver
        if not isinstance(ladder, WholeLadder) or not solver.clock.is_running:
            return {**found, "proven": False}
        ladder.back()
        still = self._away(p)
        stays = self.chosen[still].astype(np.float64)
        solver.set_columns(self.columns[still], stays, stays)
        free = np.full(len(self.twins), np.inf)  # an order between equals would speak of both
        solver.set_rows(self.twins, -free, free)
        own, one = self.columns[[p]], np.ones(1)
        solver.set_columns(own, one, one)
        outcome = None
        kept, based = list[Stage](), list[str]()
        for s, stage in enumerate(self.live.stages):
            outcome = ladder.solve(s)
            is_told = found["kind"] != "tie"
            if outcome.status is not Status.OPTIMAL:
                return {**found, **({} if is_told else self._without_plan(p, outcome))}
            column = np.array([ladder.columns[s]])
            worst = stage.worst(outcome.objective)
            kept.append(stage.after_choice(outcome.objective, is_near=False))
            if is_told:  # what comes after it is as good as it can be
                ladder.cap_at(ladder.columns[s], worst)
                continue
            size = max(solver.scale, abs(self.best[s]))
            hair = FROZEN * max(size, abs(outcome.objective))
            high = max(stage.highest(self.best[s]), outcome.objective + hair)
            solver.set_columns(column, solver.col_low[column], np.array([high]))
            slight = max(GAP, outcome.gap) * size + self.noise
            loss = outcome.objective - self.best[s]
            unit = goal_unit(self.problem, stage) if stage.goal is not None else 1.0
            if outcome.objective - stage.worst(self.best[s]) > slight:
                kind = "loss"
            elif self.is_barred and -loss > slight + self.choice.gap * size:
                kind = "gain"
            else:
                if loss > slight and stage.goal is not None:
                    best = stage.sign * stage.scale * unit * outcome.objective
                    based.append(f"{stage.goal + 1}={told(best)}")
                continue
            found |= {"kind": kind, "stage": stage.name, "loss": abs(loss) * stage.scale * unit}
            found["at_most"] = len(still) > 0
            ladder.cap_at(ladder.columns[s], worst)
        found["based"] = ";".join(based)
        if outcome is None:
            outcome = ladder.solve(None)
            if outcome.status is not Status.OPTIMAL:
                return {**found, **self._without_plan(p, outcome)}
        return {**found, **self._instead(p, outcome, still, kept)}

    def _away(self, p: int) -> NDArray[np.int64]:
        """Return the projects that stay as they are: none where there are few."""
        known = self.columns >= 0
        if known.sum() <= _FEW:
            return np.zeros(0, dtype=np.int64)
        at = int(np.flatnonzero(self.order == p)[0])
        start = min(max(0, at - _NEAR // 2), max(0, len(self.order) - _NEAR))
        opened = {p, *self.order[start : start + _NEAR].tolist()}
        size = 0
        while len(opened) > size:  # what it needs comes with it
            size = len(opened)
            opened |= {b for a, b in self.offered.requires.tolist() if a in opened}
        opened |= {b for a, b in self.offered.excludes.tolist() if a == p}
        opened |= {a for a, b in self.offered.excludes.tolist() if b == p}
        known[list(opened)] = False
        return np.flatnonzero(known)

    def _instead(
        self, p: int, found: Outcome, still: NDArray[np.int64], kept: Sequence[Stage]
    ) -> dict[str, str]:
        """Return which others go and come in the plan that is first by rank of those that stand.

        And what each gets more or less, with stages kept as they are here.
        """
        open_ = self.columns.copy()
        open_[still] = -1
        first = by_rank(self.live, open_, np.argsort(self.offered.rank), found)
        values = first.values
        if not len(values):
            return {}
        now = (self.columns >= 0) & (values[self.columns] > 0.5)
        joins = now & ~self.chosen
        joins[p] = False
        other = Choice(Status.OPTIMAL, now, (), tuple(kept), 0.0, (), *staying(self.live, first))
        return {
            "out": self._ids(self.chosen & ~now),
            "joins": self._ids(joins),
            "changes": self._changes(other),
        }

    def _changes(self, other: Choice) -> str:
        """Return who gets more and who less by another choice, its amounts made like the plan's."""
        problem = other.made(self.problem)
        sized = size_plan(Live(problem, self.live.solver.clock, other.stages)).rounded
        if sized is None:
            return ""
        changed = self.glance.changes(sized.cells, sized.projects)
        return ";".join(f"{name}={vnd}" for name, vnd in changed)

    def _ids(self, some: Mask) -> str:
        return ";".join(self.ids[p] for p in np.flatnonzero(some))

    def _without_plan(self, p: int, outcome: Outcome) -> dict[str, Any]:
        """Return what speaks against a project, if laws or projects that stay do."""
        if outcome.status is Status.INFEASIBLE and (links := self._kept_against(p)):
            kept = [fact for fact in links if fact.kind == "stays"]
            return {"kind": "law", "out": self._ids(_mask(kept, self.chosen)), **self._told(links)}
        if outcome.status is not Status.INFEASIBLE or len(self._away(p)):
            return {"proven": False}  # others might make room that stay as they are
        self.laws += 1
        return {"kind": "law", "links": "", **(self._against(p) if self.laws <= _LAWS else {})}

    def _kept_against(self, p: int) -> list[Fact]:
        """Return how projects that have to stay shut a project out: who stays, needs, excludes.

        Those that exclude it themselves, if any do; else the first chain.
        """
        offered = self.offered
        kept, needed = _chains(offered, offered.must), _chains(offered, _one(p, len(offered)))
        found = []
        for pair in offered.excludes.tolist():
            for one, other in (pair, pair[::-1]):
                if one in kept and other in needed:
                    steps = [*kept[one], Fact("excludes", one, other), *needed[other]]
                    found.append([fact for fact in steps if fact.other >= 0 or fact.project != p])
        found.sort(key=len)
        direct = [fact for steps in found if len(steps) == _DIRECT for fact in steps]
        return direct or (found[0] if found else [])

    def _told(self, facts: Sequence[Fact]) -> dict[str, str]:
        """Return facts as the column of links has them; who stays goes without saying for `out`."""
        if len(facts) % _DIRECT == 0 and all(f.kind != "requires" for f in facts):
            facts = [fact for fact in facts if fact.kind == "excludes"]
        sign = {"stays": "", "requires": ">", "excludes": "!"}
        links = (
            f"{self.ids[one.project]}{sign[one.kind]}{'' if one.other < 0 else self.ids[one.other]}"
            for one in facts
        )
        return {"links": ";".join(links)}

    def _against(self, p: int) -> dict[str, str]:
        """Return the laws that leave no room for a project, and what stays beside them."""
        problem, one = self.problem, self.ids[p]
        forced = Rule(id=f"in-{one}", where={"id": (one,)}, count="projects", min=Decimal(1))
        added = rule_rows(problem.cells, forced, problem.unit, [], self.offered)
        rows = (*problem.rows, *added)
        scenario = replace(problem.scenario, rules=(*problem.scenario.rules, forced))
        sums = Sums.of(rows, len(problem.cells))
        again = replace(problem, scenario=scenario, rows=rows, sums=sums)
        conflicts = find_conflicts(again, self.live.solver.deadline)
        if not conflicts:
            return {}
        named = (str(rule) for rule in conflicts[0]["rules"])
        found = {"rules": ";".join(rule for rule in named if rule != forced.id)}
        number = {one: k for k, one in enumerate(self.ids)}
        facts = [
            Fact(one["kind"], number[one["project"]], number.get(one["other"], -1))
            for one in conflicts[0]["projects"]
        ]
        return {**found, **self._told(facts)}


def _chains(offered: Offered, some: Mask) -> dict[int, list[Fact]]:
    """Return how every project that some need is reached: who stays, then who needs whom."""
    found = {p: [Fact("stays", p)] for p in np.flatnonzero(some).tolist()}
    queue = list(found)
    for p in queue:  # those that are added are looked into in their turn
        for one, other in offered.requires[offered.requires[:, 0] == p].tolist():
            if other not in found:
                found[other] = [*found[p], Fact("requires", one, other)]
                queue.append(other)
    return found


def _one(p: int, count: int) -> Mask:
    return np.asarray(np.arange(count) == p)


def _mask(facts: Sequence[Fact], like: Mask) -> Mask:
    found = np.zeros_like(like)
    found[[fact.project for fact in facts]] = True
    return found
