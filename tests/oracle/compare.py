"""Holds an allocation of the product against the oracle, point by point of the contract.

Tolerances, all stated here:

- a cell: 1e-5 of itself or of the mean cell, whichever is more, and one đồng; on a coarser grid
  three `round_to`, for budgets that overlap may leave no plan among the steps beside the exact one;
- goals and tiers: 1e-6 relative, and what one `round_to` in every cell can change;
- what is recomputed from the rounded plan (lhs, bound, expected, achieved): 1e-9 relative;
- prices: 1e-3 relative and 1e-4 absolute against finite differences that agree at two steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from oracle import oracle

AREA_ORDER = ("TRAIN", "MGMT", "TECH", "PROD", "CONS", "INFO", "CLUS", "INTL", "ADMN", "ALL")
SOURCE_ORDER = ("KCQG", "KCDP", "ALL")


def near(found: float, wanted: float, relative: float, absolute: float = 0.0) -> bool:
    return abs(found - wanted) <= relative * max(abs(found), abs(wanted)) + absolute


class Comparison:
    """One instance: what the oracle says and what the product says."""

    def __init__(self, problem: oracle.Problem, solution: oracle.Solution, result: Any) -> None:
        self.problem, self.solution, self.result = problem, solution, result
        self.unit = problem.unit
        self.plan: list[int] = []
        self.named = {name: cell for cell in problem.cells for name in shown_names(cell)}

    def all(self) -> list[str]:
        """Return every disagreement as a sentence."""
        if self.solution.status != self.result.status:
            return [f"status: {self.result.status}, oracle {self.solution.status}"]
        if self.result.status != "optimal":
            return []
        order = list(self.keys())
        mine = {cell.key: i for i, cell in enumerate(self.problem.cells)}
        if set(order) != set(mine):
            return [f"cells differ: {sorted(set(order) ^ set(mine))[:3]}"]
        amounts = [int(v) for v in self.result.cells["amount"]]
        by_key = dict(zip(order, amounts, strict=True))
        self.plan = [by_key[cell.key] for cell in self.problem.cells]
        self.rows = dict(zip(order, self.result.cells.to_dict("records"), strict=True))
        checks = (
            self.order,
            self.table,
            self.amounts,
            self.budgets,
            self.bounds,
            self.tiers,
            self.goals,
            self.absorbed,
            self.reported_rules,
            self.reported_budgets,
        )
        return [sentence for check in checks for sentence in check()]

    def keys(self) -> Iterator[tuple[str, ...]]:
        for row in self.result.cells.to_dict("records"):
            yield (str(row["year"]), row["place"], row["area"], row["activity"], row["source"])

    def table(self) -> Iterator[str]:
        """The table in the dataset's unit says the same to the đồng."""
        shown = [round(Fraction(float(v)) * self.unit) for v in self.result.table()["amount"]]
        if shown != [int(v) for v in self.result.cells["amount"]]:
            yield "table() and cells differ"

    def order(self) -> Iterator[str]:
        ranks = [
            (
                int(y),
                -1 if p == "TW" else int(p),
                AREA_ORDER.index(a),
                SOURCE_ORDER.index(s) if not t else 0,
            )
            for y, p, a, t, s in self.keys()
        ]
        if ranks != sorted(ranks):
            yield "cells are not in official order"

    def amounts(self) -> Iterator[str]:
        grid = self.problem.grid
        mean = sum(self.plan) / max(1, len(self.plan))
        for cell, amount, exact in zip(
            self.problem.cells, self.plan, self.solution.plan, strict=True
        ):
            wanted = float(exact) * oracle.MILLION
            if amount % grid:
                yield f"{cell.key}: {amount} is no multiple of {grid}"
            if amount < 0:
                yield f"{cell.key}: {amount} is negative"
            if abs(amount - wanted) > 1e-5 * max(wanted, mean) + (3 * grid if grid > 1 else 1):
                yield f"amount {cell.key}: {amount}, oracle {wanted:.1f}"
            baseline = int(self.rows[cell.key]["baseline"])
            if baseline != cell.baseline:
                yield f"baseline {cell.key}: {baseline}, oracle {cell.baseline}"

    def budgets(self) -> Iterator[str]:
        reserve = {str(row["budget"]): row["amount"] for row in self.result.reserve}
        for k, (chosen, amount) in enumerate(self.problem.budgets, 1):
            used = sum(self.plan[i] for i in chosen)
            if used > amount or (self.problem.exact and used != amount):
                yield f"budget {k}: {used} of {amount}"
            kept = reserve.get(f"budget:{k}")
            if not self.problem.exact and (kept is None or kept != amount - used):
                yield f"reserve {k}: {kept}, oracle {amount - used}"

    def bounds(self) -> Iterator[str]:
        for cell, amount in zip(self.problem.cells, self.plan, strict=True):
            if amount < cell.low or (cell.high is not None and amount > cell.high):
                yield f"bound {cell.key}: {amount} outside [{cell.low}, {cell.high}]"
        for line in self.problem.lines:
            if line.tier != "law":
                continue
            missing = line.missing(self.plan)
            allowed = self.slack(line) if line.relative else Fraction(0)
            if missing > allowed:
                yield f"law {line.id} {line.group} {line.side}: misses {float(missing)}"

    def slack(self, line: oracle.Line) -> Fraction:
        """What one `round_to` of money is worth in a line: in the cell that counts most."""
        if line.counted == "money":
            return Fraction(self.problem.grid)
        return self.problem.grid * max(map(abs, line.part.values()), default=Fraction(0))

    def grain(self) -> float:
        """What one `round_to` in every cell can move, million VND."""
        return len(self.plan) * self.problem.grid / oracle.MILLION

    def tiers(self) -> Iterator[str]:
        found = {row["name"]: row for row in self.result.tiers}
        for name, wanted in self.solution.tiers.items():
            if name not in found:
                yield f"tier {name} is not reported"
                continue
            lines = [line for line in self.problem.lines if line.tier == name]
            coefficients = [
                float(line.weight)
                * max((abs(v) for v in oracle.terms(self.problem, line).values()), default=0)
                for line in lines
            ]
            room = 1e-6 * max(1.0, wanted)
            if "best" in found[name] and abs(found[name]["best"] - wanted) > room:
                yield f"tier {name}: best {found[name]['best']}, oracle {wanted}"
            if abs(found[name]["shortfall"] - wanted) > room + self.grain() * sum(coefficients):
                yield f"tier {name}: shortfall {found[name]['shortfall']}, oracle {wanted}"

    def goals(self) -> Iterator[str]:
        reported = list(self.result.goals)
        if len(reported) != len(self.problem.goals):
            yield f"{len(reported)} goals reported of {len(self.problem.goals)}"
            return
        for goal, row, best in zip(self.problem.goals, reported, self.solution.best, strict=True):
            scale = 1.0 if goal.get("maximise") == "outputs" else oracle.MILLION / self.unit
            if not near(row["best"], best * scale, 1e-6, 1e-6 * scale * best_floor(goal)):
                yield f"goal {row['name']}: best {row['best']}, oracle {best * scale}"
            reached = oracle.achieved(self.problem, goal, self.plan) * scale
            if not near(row["achieved"], reached, 1e-8, 1e-9 * scale):
                yield f"goal {row['name']}: achieved {row['achieved']}, oracle {reached}"

    def absorbed(self) -> Iterator[str]:
        for members, wanted in oracle.disbursed(self.problem, self.plan):
            found = [
                float(self.rows[self.problem.cells[i].key]["expected_disbursed"]) for i in members
            ]
            if not near(math.fsum(found), float(wanted), 1e-9, 1.0):
                key = self.problem.cells[members[0]].key
                yield f"expected_disbursed {key}: {found}, oracle {float(wanted)}"

    def reported(self) -> dict[tuple[str, str, str], Mapping[str, Any]]:
        return {
            (str(row["id"]), str(row["group"]), str(row["side"])): row
            for row in self.result.rules().to_dict("records")
        }

    def reported_rules(self) -> Iterator[str]:
        found = self.reported()
        for line in self.problem.lines:
            name = (line.id, line.group, line.side)
            if name not in found:
                yield f"rules.csv lacks {name}"
                continue
            row = found[name]
            scale = 1 if line.counted == "outputs" else self.unit
            lhs, bound = float(line.lhs(self.plan) / scale), float(line.bound(self.plan) / scale)
            missing = float(line.missing(self.plan) / scale)
            tiny = 1e-9 * max(abs(lhs), abs(bound), 1.0 / scale)
            for column, wanted in (
                ("lhs", lhs),
                ("bound", bound),
                ("slack", -missing),
                ("shortfall", max(0.0, missing)),
            ):
                allowed = tiny + (float(self.slack(line) / scale) if column == "shortfall" else 0)
                if abs(float(row[column]) - wanted) > allowed:
                    yield f"rules.csv {name} {column}: {row[column]}, oracle {wanted}"
            yield from self.status(name, row["status"], line, missing * scale)

    def status(
        self, name: tuple[str, ...], status: str, line: oracle.Line, missing: float
    ) -> Iterator[str]:
        """Judge only what is clear: two grains beside the bound, in the rounded and exact plan."""
        room = 2 * float(self.slack(line)) + 1e-6 * abs(float(line.bound(self.plan)))
        exact = [round(float(x) * oracle.MILLION) for x in self.solution.plan]
        both = (missing, float(line.missing(exact)))
        wanted = "missed" if min(both) > room else "met" if max(both) < -room else ""
        if wanted and status != wanted:
            yield f"rules.csv {name}: {status}, oracle {wanted} by {missing}"
        if line.tier == "law" and status == "missed":
            yield f"rules.csv {name}: a law is missed"

    def reported_budgets(self) -> Iterator[str]:
        found = self.reported()
        for k, (chosen, amount) in enumerate(self.problem.budgets, 1):
            rows = [row for (name, _, _), row in found.items() if name == f"budget:{k}"]
            if not rows:
                yield f"rules.csv lacks budget:{k}"
            for row in rows:
                used = sum(self.plan[i] for i in chosen)
                if not near(row["lhs"], used / self.unit, 1e-12) or not near(
                    row["bound"], float(amount / self.unit), 1e-12
                ):
                    yield f"rules.csv budget:{k}: {row['lhs']} of {row['bound']}"

    # ------------------------------------------------------------------ dearer checks

    def prices(self, most: int = 4) -> tuple[list[str], int]:
        """Compare up to `most` binding rows with finite differences; also how many could be."""
        if not self.problem.goals or self.result.status != "optimal":
            return [], 0
        lines = {(line.id, line.group, line.side): line for line in self.problem.lines}
        sentences, judged = [], 0
        rows = [
            (n, r)
            for n, r in self.reported().items()
            if r["status"] != "met" and r["price"] == r["price"]
        ]
        for name, row in rows[:: max(1, len(rows) // most)][:most]:
            target = self.target(name)
            line = lines.get(name)
            outputs = line is not None and line.counted == "outputs"
            wanted = oracle.price(self.problem, self.solution, target, 0.01 if outputs else 0.4)
            if wanted is None:
                continue
            judged += 1
            goal_scale = (
                1.0
                if self.problem.goals[0].get("maximise") == "outputs"
                else oracle.MILLION / self.unit
            )
            wanted *= goal_scale / (1.0 if outputs else oracle.MILLION / self.unit)
            if not near(
                row["price"],
                wanted,
                1e-3,
                1e-4 * goal_scale / (1.0 if outputs else oracle.MILLION / self.unit),
            ):
                sentences.append(f"price {name} {row['status']}: {row['price']}, oracle {wanted}")
        return sentences, judged

    def target(self, name: tuple[str, str, str]) -> tuple[str, ...]:
        """Name of a row in the oracle's words."""
        head, _, rest = name[0].partition(":")
        if head == "budget":
            return ("budget", rest)
        if head == "bound":
            return ("bound", oracle.cell_name(self.named[rest.rpartition(":")[0]]), name[2])
        return name

    def ranges(self, chosen: Iterable[int]) -> list[str]:
        """Compare lowest and highest of some cells.

        The rounded plan is beside the exact one by up to a `round_to` in every cell: the true range
        lies between one that allows nothing for it and one that allows all of it.
        """
        sentences = []
        for i in chosen:
            cell = self.problem.cells[i]
            row = self.rows[cell.key]
            low, high = float(row["lowest"]), float(row["highest"])
            grain = self.problem.grid * self.problem.size / oracle.MILLION
            wide = self.range(i, grain)
            narrow = self.range(i, 1e-7) or (math.inf, -math.inf)
            room = 1e-5 * max(high, sum(self.plan) / len(self.plan)) + 2 * self.problem.grid
            outside = wide is None or low < wide[0] - room or high > wide[1] + room
            amount = float(row["amount"])
            short = low > min(narrow[0], amount) + room or high < max(narrow[1], amount) - room
            if outside or short:
                sentences.append(
                    f"range {cell.key} at {amount}: {low}..{high}, oracle from {narrow} to {wide}"
                )
        return sentences

    def range(self, i: int, room: float) -> tuple[float, float] | None:
        try:
            low, high = oracle.cell_range(self.problem, self.solution, self.plan, i, room)
        except oracle.InfeasibleError:
            return None
        return low * oracle.MILLION, high * oracle.MILLION

    def undecided(self) -> list[str]:
        """Compare the cells that the goals left open, where that is clear."""
        sentences = []
        named = {self.named[str(name)].key for name in self.result.undecided}
        ends = oracle.open_cells(self.problem, self.solution)
        for cell, (low, high) in zip(self.problem.cells, ends, strict=True):
            said = cell.key in named
            width = high - low
            if (width > 1e-3 and not said) or (width < 1e-8 and said):
                sentences.append(f"undecided {cell.key}: {said}, oracle {low}..{high}")
        return sentences


def best_floor(goal: Mapping[str, Any]) -> float:
    """Absolute size below which a best counts as zero: a millionth of it is let pass."""
    return 1e-3 if goal.get("maximise") == "evenness" else 1.0


# ---------------------------------------------------------------------------- contradictions


def law_names(comparison: Comparison) -> dict[str, list[tuple[str, ...]]]:
    """Return the oracle's names behind each id that a conflict may list."""
    problem = comparison.problem
    names: dict[str, list[tuple[str, ...]]] = {}
    for k in range(1, len(problem.budgets) + 1):
        names[f"budget:{k}"] = [("budget", str(k))]
    for cell in problem.cells:
        for side in ("min", "max"):
            for shown in shown_names(cell):
                names[f"bound:{shown}:{side}"] = [("bound", oracle.cell_name(cell), side)]
    for line in problem.lines:
        if line.tier == "law":
            names.setdefault(line.id, []).append((line.id, line.group, line.side))
    return names


def shown_names(cell: oracle.Cell) -> set[str]:
    """Return the ways to write a cell: without the keys that its dataset does not use."""
    year, place, area, activity, source = cell.key
    short = {(place, area, activity, source)} | ({(place, area, source)} if not activity else set())
    return {"|".join(parts) for key in short for parts in (key, (year, *key))}


def conflict_faults(comparison: Comparison) -> list[str]:
    """Check each reported conflict: contradictory, minimal, and its repairs sufficient."""
    conflicts = comparison.result.conflicts
    if not conflicts:
        return ["infeasible without a conflict"]
    names = law_names(comparison)
    sentences = []
    for conflict in conflicts:
        unknown = [rule for rule in conflict["rules"] if rule not in names]
        if unknown:
            sentences.append(f"conflict names what is no law: {unknown}")
            continue
        sentences += _conflict(comparison, conflict["rules"], names)
        alike = _alike(names, [one["rules"] for one in conflicts], conflict["rules"])
        sentences += _repairs(comparison, conflict, names, alike)
    together = conflicts[0]["combination"]
    if together and not _holds(comparison, names, names, loosening(comparison, together, 1.0)):
        sentences.append(f"combination does not mend everything: {together}")
    purses = next((c["purses"] for c in conflicts if any(p["mends_all"] for p in c["purses"])), [])
    if purses and not _holds(comparison, names, names, loosening(comparison, purses, 1.0)):
        sentences.append(f"purses do not mend everything: {purses}")
    single = any(step["mends_all"] for c in conflicts for step in c["repairs"])
    if not (together or purses or single):
        sentences.append("nothing mends everything")
    return sentences


def _holds(
    comparison: Comparison,
    rules: Iterable[str],
    names: Mapping[str, list[tuple[str, ...]]],
    loosen: oracle.Loosened | None = None,
) -> bool:
    keep = [name for rule in rules for name in names[rule]]
    return oracle.laws(comparison.problem, keep, loosen)[0].feasible()


def _conflict(
    comparison: Comparison, rules: list[str], names: Mapping[str, list[tuple[str, ...]]]
) -> Iterator[str]:
    if _holds(comparison, rules, names):
        yield f"conflict is none: {rules}"
        return
    for rule in rules:
        if not _holds(comparison, [r for r in rules if r != rule], names):
            yield f"conflict is not minimal: {rules} without {rule}"


def _alike(
    names: Mapping[str, list[tuple[str, ...]]], conflicts: list[list[str]], rules: list[str]
) -> list[str]:
    """Return what holds once every conflict of a kind is mended: all but what others name too.

    A conflict without budgets and bounds of cells is the only one of its kind.
    """

    def kind_of(one: list[str]) -> set[str]:
        named = {rule for rule in one if not rule.startswith("bound:")}
        return {rule for rule in named if not rule.startswith("budget:")} or named

    kinds, own = [kind_of(one) for one in conflicts], kind_of(rules)
    if own == set(rules):
        return rules
    least = [kind for kind in kinds if not any(other < kind for other in kinds)]
    others = set().union(*(kind for kind in least if not kind <= own)) - set(rules)
    return [rule for rule in names if rule not in others]


def _repairs(
    comparison: Comparison,
    conflict: Mapping[str, Any],
    names: Mapping[str, list[tuple[str, ...]]],
    alike: list[str],
) -> Iterator[str]:
    """Steps of one option go together; each option mends what it says, at the least."""
    options: dict[Any, list[Mapping[str, Any]]] = {}
    for repair in conflict["repairs"]:
        options.setdefault(repair["option"], []).append(repair)
    if not options:
        yield f"no repair: {conflict['rules']}"
    for steps in options.values():
        full, less = loosening(comparison, steps, 1.0), loosening(comparison, steps, 0.99)
        # The least other share need not be the least money.
        is_share = any(step["kind"] == "share" for step in steps)
        rules = names if steps[0]["mends_all"] else conflict["rules"]
        # One that mends every conflict of its kind may be more than its own conflict needs.
        is_more = is_share or (steps[0]["mends_alike"] and not steps[0]["mends_all"])
        if not _holds(comparison, conflict["rules"], names, full):
            yield f"repair does not mend its conflict: {steps}"
        elif not _holds(comparison, rules, names, full):
            yield f"repair leaves the whole contradictory: {steps}"
        elif steps[0]["mends_alike"] and not _holds(comparison, alike, names, full):
            yield f"repair leaves a conflict of its kind: {steps}"
        elif not is_more and _holds(comparison, rules, names, less):
            yield f"repair is more than needed: {steps}"


def loosening(
    comparison: Comparison, steps: Iterable[Mapping[str, Any]], part: float
) -> dict[tuple[str, ...], float]:
    """Return the steps of one repair as the oracle takes them, and a hair more for rounding."""
    found = {}
    for step in steps:
        target = comparison.target((step["rule"], step["group"], step["side"]))
        lines = {(x.id, x.group, x.side): x for x in comparison.problem.lines}
        outputs = target in lines and lines[target].counted == "outputs"
        by = float(step["by"]) * (1.0 if outputs else comparison.unit / oracle.MILLION)
        if target[0] == "budget":
            target = (*target, step["side"])
        found[target] = part * by + 1e-6 * max(1.0, abs(by))
    return found
