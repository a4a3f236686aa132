"""Seeded random datasets and scenarios: small, of every kind the contract knows.

A hidden plan on the grid is drawn first; laws are chosen so that it keeps them (unless the instance
is meant to be contradictory), directives and preferences need not be kept.
"""

from __future__ import annotations

import copy
import csv
import random
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from oracle import oracle

AREAS = ("TRAIN", "TECH", "PROD", "CONS", "INFO", "CLUS")
ACTIVITIES = ("demo", "machine", "pilot")
OLD_PLACES = {"08": ("02", "08"), "24": ("24", "27"), "15": ("10", "15"), "19": ("06", "19")}


@dataclass
class Instance:
    """Tables and scenario as text, ready to be written; `hidden` is the plan that was drawn."""

    seed: int
    head: dict[str, Any]
    tables: dict[str, list[dict[str, str]]]
    scenario: dict[str, Any]
    as_of: int | None = None
    hidden: dict[tuple[str, ...], int] = field(default_factory=dict)

    def copy(self) -> Instance:
        return copy.deepcopy(self)

    def problem(self) -> oracle.Problem:
        """Return what the oracle makes of it, without going through files."""
        return oracle.build(self.head, self.tables, self.scenario, self.as_of)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the dataset folder and, inside it, the scenario; return both paths."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dataset.yaml").write_text(yaml.safe_dump(self.head), "utf-8")
        for name, rows in self.tables.items():
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
                writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        scenario = folder.parent / f"{folder.name}.yaml"
        scenario.write_text(yaml.safe_dump(self.scenario, sort_keys=False), "utf-8")
        return folder, scenario


def decimal(value: Fraction, digits: int | None = None) -> str:
    """Write a number in plain decimals: exactly, or cut to `digits` places.

    Never exactly three decimals, which a reader may take for thousands.
    """
    if digits is not None:
        value = Fraction(int(value * 10**digits), 10**digits)
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    if places == 3:
        places = 4
    text = f"{int(abs(value) * 10**places):0{places + 1}d}"
    sign = "-" if value < 0 else ""
    return sign + (f"{text[:-places]}.{text[-places:]}" if places else text)


class _Maker:
    """Draws one instance."""

    def __init__(self, seed: int, *, risky: bool = False) -> None:
        self.seed, self.risky = seed, risky
        self.rng = random.Random(seed)
        self.vintage = self.rng.choice(("34", "34", "63"))
        self.unit_name = self.rng.choice(
            ("vnd", "thousand_vnd", "million_vnd", "million_vnd", "billion_vnd")
        )
        self.unit = oracle.UNITS[self.unit_name]
        self.year = 2024 if self.vintage == "63" else 2026
        coarse = {
            10**9: ("0.01", "0.05"),
            10**6: ("1", "5", "0.5"),
            10**3: ("1000",),
            1: ("1000000",),
        }
        self.round_to = self.rng.choice(coarse[self.unit]) if self.chance(0.3) else None
        self.grid = int(Fraction(self.round_to) * self.unit) if self.round_to else 1
        odd = self.grid == 1 and self.chance(0.3)
        self.step = 1 if odd else max(self.grid, 10**6)

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def money(self, vnd: float, up: bool | None = None) -> str:
        """Write an amount on the step, rounded down, up or to the nearest."""
        ratio = Fraction(vnd) / self.step
        whole = -(-ratio.numerator // ratio.denominator) if up else int(ratio)
        if up is None:
            whole = round(ratio)
        return decimal(Fraction(whole * self.step, self.unit))

    def exact(self, vnd: int) -> str:
        return decimal(Fraction(vnd, self.unit))

    # ------------------------------------------------------------------ tables

    def make(self) -> Instance:
        rng = self.rng
        self.places = sorted(rng.sample(sorted(oracle.REGIONS[self.vintage]), rng.randint(3, 8)))
        self.central = self.chance(0.15)  # the central units: KCQG only, in no region
        areas = sorted(rng.sample(AREAS, rng.randint(2, 4)), key=AREAS.index)
        self.kinds = [(area, "") for area in areas]
        if self.chance(0.3):
            split = rng.choice(areas)
            chosen = rng.sample(ACTIVITIES, rng.randint(2, 3))
            self.kinds = [k for k in self.kinds if k[0] != split] + [(split, a) for a in chosen]
        small = len(self.places) * len(self.kinds) <= 20
        self.years = [self.year, self.year + 1] if small and self.chance(0.3) else [self.year]
        head = {
            "title": f"instance {self.seed}",
            "vintage": self.vintage,
            "unit": self.unit_name,
            "synthetic": "true",
            "sources": ["drawn"],
        }
        self.out = Instance(
            self.seed, head, {}, {"name": f"case-{self.seed}", "year": str(self.year)}
        )
        self.cells()
        self.whole = False
        if self.chance(0.85):
            self.place_table()
        self.absorption()
        self.history()
        self.budgets()
        self.rules()
        self.goals()
        if self.risky:
            self.draws()
            self.risks()
        return self.out

    def cells(self) -> None:
        rng = self.rng
        has = {name: self.chance(p) for name, p in COLUMN_CHANCES.items()}
        none = self.chance(0.05)
        rows = []
        for year in self.years:
            for place in (*self.places, *(["TW"] if self.central else [])):
                for area, activity in self.kinds:
                    for source in ("KCQG", "KCDP"):
                        if self.chance(0.12) or (place == "TW" and source == "KCDP"):
                            continue
                        base = rng.randint(20, 3000) * 10**6 + (
                            rng.randint(0, 999_999) if self.step == 1 else 0
                        )
                        base = base // self.step * self.step
                        if self.chance(0.08) or none:
                            base = 0
                        amount = (
                            int((base or 5 * 10**8) * rng.uniform(0.5, 1.6))
                            // self.step
                            * self.step
                        )
                        if self.chance(0.05):
                            amount = 0
                        row = {"place": place, "area": area, "source": source}
                        if len(self.years) > 1:
                            row = {"year": str(year), **row}
                        if any(a for _, a in self.kinds):
                            row["activity"] = activity
                        self.columns(row, has, base, amount)
                        rows.append(row)
                        self.out.hidden[str(year), place, area, activity, source] = amount
        self.has = has
        self.out.tables["cells"] = rows

    def columns(self, row: dict[str, str], has: dict[str, bool], base: int, amount: int) -> None:
        rng = self.rng
        row["baseline"] = self.exact(base)
        if has["weight"]:
            row["weight"] = "" if self.chance(0.2) else decimal(Fraction(rng.randint(5, 20), 10))
        if has["unit_cost"]:
            row["unit_cost"] = "" if self.chance(0.15) else self.exact(rng.randint(30, 400) * 10**6)
        if has["min"]:
            low = amount * rng.uniform(0, 0.9)
            row["min"] = "" if self.chance(0.5) else self.money(low, up=False)
        if has["max"]:
            row["max"] = (
                "" if self.chance(0.5) else self.money(amount * rng.uniform(1, 2) + 10**7, up=True)
            )
        if has["leverage"]:
            row["leverage"] = decimal(Fraction(rng.randint(2, 40), 10))
        if has["rank"]:
            row["rank"] = rng.choice(("high", "low"))

    def place_table(self) -> None:
        rows: list[dict[str, str]] = []
        self.whole = not self.central
        persons = self.chance(0.5)
        for place in self.places:
            people = self.rng.randint(300, 9000)
            row = {
                "place": place,
                "population": str(people * 1000 + self.rng.randint(0, 999) if persons else people),
                "zone": self.rng.choice(("A", "B", "yes")),
                "difficult": self.rng.choice(("yes", "no")),
                "class": self.rng.choice(("1", "2", "3")),
            }
            rows.append(row)
        if self.chance(0.1) and len(rows) > 2:
            rows[1]["population"] = "0"
        elif self.chance(0.1) and len(rows) > 2:
            del rows[1]
            self.whole = False
        self.out.tables["places"] = rows

    def absorption(self) -> None:
        rng = self.rng
        shared = self.chance(0.5)
        by_year = len(self.years) > 1 and self.chance(0.5)
        groups: dict[tuple[str, ...], int] = {}
        for (year, place, area, activity, source), amount in self.out.hidden.items():
            own = "" if shared and activity and activity != "machine" else activity
            key = (year if by_year else "", place, area, own, source)
            groups[key] = groups.get(key, 0) + amount
        rows = []
        for (year, place, area, activity, source), amount in groups.items():
            top, rate = 0, Fraction(100)
            for _ in range(rng.randint(1, 4)):
                top += (
                    int(max(amount, 10**8) * rng.uniform(0.15, 0.7)) // self.step * self.step
                    + self.step
                )
                rate *= Fraction(rng.randint(50, 100), 100)
                row = {
                    "year": year,
                    "place": place,
                    "area": area,
                    "activity": activity,
                    "source": source,
                }
                row |= {"upto": self.exact(top), "rate": decimal(rate / 100, 4)}
                if not by_year:
                    del row["year"]
                if not any(a for _, a in self.kinds):
                    del row["activity"]
                rows.append(row)
        self.out.tables["absorption"] = rows

    def draws(self) -> None:
        """Draw joint capacities near the hidden plan, some of them of several activities."""
        rng = self.rng
        shared, by_year = self.chance(0.5), len(self.years) > 1 and self.chance(0.5)
        groups: dict[tuple[str, ...], int] = {}
        for (year, place, area, activity, source), amount in self.out.hidden.items():
            own = "" if shared and activity != "machine" else activity
            key = (year if by_year else "", place, area, own, source)
            groups[key] = max(groups.get(key, 0), 0) + amount
        rows = []
        none = self.chance(0.05)
        for d in range(rng.choice((1, 3, 10, 25))):
            good = rng.uniform(0.6, 1.1)  # a year that is good or bad for all
            for key, amount in groups.items():
                share = 0.0 if none or self.chance(0.05) else good * rng.uniform(0.5, 1.5)
                row = dict(zip(oracle.KEYS, key, strict=True))
                if not by_year:
                    del row["year"]
                if not any(a for _, a in self.kinds):
                    del row["activity"]
                rows.append({"draw": str(d + 1), **row, "capacity": self.money(amount * share)})
        self.out.tables["draws"] = rows

    def risks(self) -> None:
        """Put one risk or two among the goals."""
        goals = self.out.scenario.setdefault("goals", [])
        for _ in range(self.rng.choice((1, 1, 2))):
            goal: dict[str, Any] = {"minimise": "risk"}
            where = self.where()
            if where and self.chance(0.4) and self.selects(goal, where):
                goal["where"] = where
            if self.chance(0.7):
                goal["level"] = self.rng.choice(("0", "0.5", "0.75", "0.95"))
            if self.chance(0.5):
                goal["give"] = self.rng.choice(("0.01", "0.05", "0.002"))
            goals.insert(self.rng.randint(0, len(goals)), goal)

    def history(self) -> None:
        """Sometimes a history: the plan in force mid-year, or the only source of the cells."""
        if len(self.years) > 1 or not self.chance(0.35):
            return
        rng = self.rng
        mid = self.chance(0.5)
        old = self.vintage == "34" and not mid and self.chance(0.4)
        self.out.as_of = 6 if mid else None
        newest = self.year if mid else self.year - 1
        times = [(newest - 1, 12, 3), (newest, 3, 1), (newest, 6, 2)]
        if not mid and not old:
            times.append((newest, 12, 3))
        rows = []
        for (_, place, area, activity, source), amount in self.out.hidden.items():
            plan = int((amount or 10**8) * rng.uniform(0.6, 1.4)) // self.step * self.step
            done = int(min(amount, plan) * rng.uniform(0, 0.5)) // self.step * self.step
            parts = OLD_PLACES.get(place, (place,)) if old else (place,)
            for year, month, share in times:
                force = plan if month != 3 else plan // 2 // self.step * self.step
                spent = done * share // 3 // self.step * self.step
                for k, part in enumerate(parts):
                    row = {"year": str(year), "month": str(month), "place": part, "area": area}
                    if any(a for _, a in self.kinds):
                        row["activity"] = activity
                    row |= {"source": source, **({"vintage": "63"} if old else {})}
                    row["plan"] = self.exact(self.part(force, k, len(parts)))
                    row["disbursed"] = self.exact(self.part(spent, k, len(parts)))
                    rows.append(row)
        self.out.tables["history"] = rows
        if not mid:
            self.without_baseline()

    def part(self, amount: int, k: int, n: int) -> int:
        """Split an amount between `n` old provinces."""
        first = amount // n // self.step * self.step
        return amount - (n - 1) * first if k == 0 else first

    def without_baseline(self) -> None:
        """Leave to the history what the baseline is, and sometimes which cells there are."""
        if self.chance(0.6):
            del self.out.tables["cells"]
            self.has = dict.fromkeys(self.has, False)
        elif self.chance(0.5):
            for row in self.out.tables["cells"]:
                if self.chance(0.5):
                    row["baseline"] = ""

    # ------------------------------------------------------------------ scenario

    def plan(self) -> list[int]:
        """Return the hidden plan in the order of the oracle's cells."""
        return [self.out.hidden[cell.key] for cell in self.out.problem().cells]

    def total(self, where: dict[str, Any]) -> int:
        self.out.scenario["budget"] = [{**where, "amount": "0"}]
        return sum(self.plan())

    def purses(self) -> list[dict[str, Any]]:
        """Draw what the budget rows cover: both funds, and sometimes rows across them."""
        rng = self.rng
        rows: list[dict[str, Any]] = []
        per_year = len(self.years) > 1 and self.chance(0.6)
        when: list[dict[str, Any]] = [{"year": str(y)} for y in self.years] if per_year else [{}]
        for span in when:
            rows.append({"source": "KCQG", **span})
            own = [p for p in self.places if self.chance(0.93)]
            pooled = [{"source": "KCDP", **span, "pooled": "true"}]
            if self.chance(0.15):
                rows[-1]["region"] = ["R-N", "R-C"]
                rows.append({"source": "KCQG", **span, "region": "R-S"})
            each = [{"source": "KCDP", "place": p, **span} for p in own]
            rows += pooled if self.chance(0.2) else each
        if self.chance(0.25):
            rows.append({"source": "KCQG", "area": rng.choice(self.kinds)[0]})
        if self.chance(0.15):
            rows.append({"source": ["KCQG", "KCDP"], "pooled": "true"})
        elif self.chance(0.15):
            rows.append({"source": "KCQG", "place": rng.sample(self.places, 2)})
        return rows

    def budgets(self) -> None:
        at_most = self.chance(0.3)
        done = []
        for row in self.purses():
            where = {k: v for k, v in row.items() if k != "pooled"}
            if not oracle._select(self.all_cells(), where):
                continue
            amount = self.total(where)
            if at_most:
                more = int(amount * self.rng.uniform(1, 1.2))
                amount = more // self.step * self.step + self.step
            moved = {"where": {"year": where.pop("year")}} if "year" in where else {}
            pooled = {"pooled": "true"} if "pooled" in row else {}
            done.append({**where, **moved, **pooled, "amount": self.exact(amount)})
        self.out.scenario["budget"] = done
        if at_most:
            self.out.scenario["spend"] = "at_most"
        if self.round_to:
            self.out.scenario["round_to"] = self.round_to

    def all_cells(self) -> list[oracle.Cell]:
        self.out.scenario["budget"] = [{"amount": "0"}]
        return self.out.problem().cells

    def where(self) -> dict[str, Any]:
        """Draw a selection, or none."""
        rng = self.rng
        areas = sorted({area for area, _ in self.kinds})
        options: list[dict[str, Any]] = [
            {"area": rng.choice(areas)},
            {"area": rng.sample(areas, 2)},
            {"source": rng.choice(("KCQG", "KCDP"))},
            {"place": rng.choice(self.places)},
            {"place": rng.sample(self.places, 2)},
            {"region": rng.choice(("R-N", "R-C", "R-S"))},
            {"area": rng.choice(areas), "source": "KCQG"},
            {},
            {},
        ]
        if "places" in self.out.tables:
            options += [{"zone": rng.choice(("A", "B", "yes"))}, {"difficult": "yes"}]
            options.append({"class": rng.choice(("1", ["2", "3"]))})
        if any(activity for _, activity in self.kinds):
            options.append({"activity": rng.choice([a for _, a in self.kinds if a])})
        if len(self.years) > 1:
            options.append({"year": str(rng.choice(self.years))})
        if self.has.get("rank"):
            options.append({"rank": "high"})
        return rng.choice(options)

    def rules(self) -> None:
        rules: list[dict[str, Any]] = []
        broken = self.chance(0.2)
        for k in range(self.rng.randint(1, 7)):
            rule = self.rule(f"r{k}")
            tier = self.rng.choice(("law", "law", "law", "directive", "directive", "preference"))
            if tier != "law":
                rule["tier"] = tier
                if self.chance(0.4):
                    rule["weight"] = self.rng.choice(("0.5", "2", "3"))
            if self.bound(rule, broken and tier == "law" and self.chance(0.6)):
                rules.append(rule)
        self.out.scenario["rules"] = rules

    def rule(self, name: str) -> dict[str, Any]:
        """Draw what a rule adds up, and against what; its bounds come later."""
        rng = self.rng
        rule: dict[str, Any] = {"id": name}
        if where := self.where():
            rule["where"] = where
        each = self.each() if self.chance(0.6) else []
        if each:
            rule["each"] = each[0] if len(each) == 1 else each
        kind = rng.random()
        if kind < 0.35:
            rule["of"] = rng.choice(self.wholes(each))
        elif kind < 0.65:
            columns = ["baseline", "baseline", "previous_year"]
            columns += ["population"] if self.whole else []
            columns += ["leverage"] if self.has.get("leverage") else []
            rule["per"] = rng.choice(columns)
        counts: list[Any] = ["outputs"] if self.has.get("unit_cost") else []
        counts += [{"column": "leverage"}] if self.has.get("leverage") else []
        if rule.get("per") in (None, "population") and counts and self.chance(0.35):
            rule["count"] = rng.choice(counts)
        return rule

    def each(self) -> list[str]:
        keys = [["place"], ["area"], ["source"], ["place", "area"], ["region"], ["place", "source"]]
        if "places" in self.out.tables:
            keys += [["zone"], ["class"], ["class", "area"]]
        if self.has.get("rank"):
            keys.append(["rank"])
        if len(self.years) > 1:
            keys += [["year"], ["year", "place"]]
        return self.rng.choice(keys)

    def wholes(self, each: list[str]) -> list[Any]:
        found: list[Any] = ["all", {"source": "KCQG"}, *({key: "same"} for key in each)]
        if len(each) == 2:
            found.append(dict.fromkeys(each, "same"))
        if each and "source" not in each:
            found.append({each[0]: "same", "source": ["KCQG", "KCDP"]})
        return found

    def bound(self, rule: dict[str, Any], broken: bool) -> bool:
        """Choose the bounds by what the hidden plan does; False if there is nothing to bound."""
        problem, plan = self.out.problem(), self.plan()
        ratios = []
        for line in oracle.expand(problem, {**rule, "min": "1"}):
            base, lhs = line.bound(plan), line.lhs(plan)
            if base > 0:
                ratios.append(lhs / base)
        if not ratios or max(ratios) == 0:
            return False
        rng, tier = self.rng, rule.get("tier", "law")
        if not {"of", "per", "count"} & set(rule) and len(ratios) == 1 and self.chance(0.3):
            rule["min"] = rule["max"] = decimal(ratios[0])  # exactly what the hidden plan has
            return True
        sides = rng.choice((("min",), ("max",), ("min", "max")))
        money = not {"of", "per", "count"} & set(rule)
        for side in sides:
            spread = rng.uniform(0.6, 1) if side == "min" else rng.uniform(1, 1.5)
            if tier != "law" or broken:
                spread = rng.uniform(0.8, 1.6) if side == "min" else rng.uniform(0.5, 1.1)
            value = spread * (float(min(ratios)) if side == "min" else float(max(ratios)))
            if money:
                rule[side] = self.money(value * self.unit, up=side == "max")
            else:
                digits = 4 if value > 0.01 else 8
                rule[side] = decimal(
                    Fraction(value) + (Fraction(1, 10**digits) if side == "max" else 0), digits
                )
        if "min" in rule and "max" in rule and Fraction(rule["min"]) > Fraction(rule["max"]):
            del rule["min"]
        return True

    def goals(self) -> None:
        rng = self.rng
        options: list[dict[str, Any]] = [
            {"maximise": "disbursed"},
            {"maximise": "disbursed"},
            {"minimise": "change"},
            {"minimise": "change"},
            {"maximise": "money"},
        ]
        if "places" in self.out.tables:
            options += [{"maximise": "evenness", "per": "population"}] * 2
        if self.has.get("leverage"):
            options.append({"maximise": {"column": "leverage"}})
        if self.has.get("unit_cost"):
            options.append({"maximise": "outputs"})
        rng.shuffle(options)
        goals: list[dict[str, Any]] = []
        for option in options[: rng.randint(0, 3)]:
            if any(
                g.get("maximise", g.get("minimise"))
                == option.get("maximise", option.get("minimise"))
                for g in goals
            ):
                continue
            goal = dict(option)
            where = self.where()
            if where and self.chance(0.25) and self.selects(goal, where):
                goal["where"] = where
            if self.chance(0.5):
                goal["give"] = rng.choice(("0.01", "0.05", "0.002"))
            goals.append(goal)
        if goals:
            self.out.scenario["goals"] = goals

    def selects(self, goal: dict[str, Any], where: dict[str, Any]) -> bool:
        problem = self.out.problem()
        chosen = oracle._select(problem.cells, where)
        if goal.get("per"):
            return bool(chosen) and problem.column_sum(goal["per"], chosen) > 0
        return bool(chosen)


COLUMN_CHANCES = {
    "weight": 0.4,
    "unit_cost": 0.6,
    "min": 0.4,
    "max": 0.4,
    "leverage": 0.5,
    "rank": 0.3,
}


def draw(seed: int, *, risky: bool = False) -> Instance:
    """Return the instance of a seed, with a risk among its goals or without."""
    return _Maker(seed, risky=risky).make()


# ---------------------------------------------------------------------------- changed instances


def contradict(instance: Instance) -> Instance:
    """Return a copy with one more law, a fifth or more beyond what the others allow."""
    other = instance.copy()
    rng = random.Random(instance.seed)
    problem = other.problem()
    program, _ = oracle.laws(problem)
    if not program.feasible():
        return other
    chosen = rng.sample(range(problem.size), min(problem.size, rng.randint(1, 4)))
    place = problem.cells[chosen[0]].value("place")
    members = oracle._select(problem.cells, {"place": place})
    most = -program.solve(dict.fromkeys(members, -1.0)).value
    least = Fraction(int(most * rng.uniform(1.2, 2) + 10)) * oracle.MILLION / problem.unit
    rules = other.scenario.setdefault("rules", [])
    rules.append({"id": "beyond", "where": {"place": place}, "min": decimal(least)})
    return other


def recode(instance: Instance) -> tuple[Instance, dict[str, str]]:
    """Return a copy with other codes for its places, of the same region, and old code -> new."""
    rng = random.Random(instance.seed)
    regions = oracle.REGIONS[str(instance.head["vintage"])]
    used = {row["place"] for rows in instance.tables.values() for row in rows}
    used.discard("TW")
    renamed = {"TW": "TW"}
    for region in sorted(set(regions.values())):
        old = sorted(p for p in used if regions[p] == region)
        free = sorted(p for p in regions if regions[p] == region)
        new = rng.sample(free, len(old))
        while old and new == old:
            new = rng.sample(free, len(old))
        renamed |= dict(zip(old, new, strict=True))
    other = instance.copy()
    for rows in other.tables.values():
        for row in rows:
            row["place"] = renamed[row["place"]]
    _rename(other.scenario, renamed)
    return other, renamed


def _rename(node: Any, renamed: dict[str, str]) -> None:
    """Put new codes wherever a scenario names places."""
    if isinstance(node, dict) and "place" in node:
        named = node["place"]
        many = isinstance(named, list)
        node["place"] = [renamed[p] for p in named] if many else renamed.get(named, named)
    for part in node.values() if isinstance(node, dict) else node:
        if isinstance(part, (dict, list)):
            _rename(part, renamed)


MONEY_COLUMNS = {*oracle.MONEY, "plan", "disbursed", "upto", "capacity"}


def in_unit(instance: Instance, unit: str) -> Instance:
    """Return the same instance with every amount written in another unit."""
    other = instance.copy()
    factor = Fraction(oracle.UNITS[str(instance.head["unit"])], oracle.UNITS[unit])
    other.head["unit"] = unit

    def move(row: dict[str, Any], name: str) -> None:
        if row.get(name):
            row[name] = decimal(Fraction(row[name]) * factor)

    for rows in other.tables.values():
        for row in rows:
            for name in MONEY_COLUMNS & set(row):
                move(row, name)
    grid = Fraction(
        instance.scenario.get("round_to", Fraction(1) / oracle.UNITS[str(instance.head["unit"])])
    )
    other.scenario["round_to"] = decimal(grid * factor)
    for row in other.scenario["budget"]:
        move(row, "amount")
    for rule in other.scenario.get("rules", []):
        ratio = "of" in rule or rule.get("per") in {"previous_year", *oracle.MONEY}
        if not ratio and rule.get("count") != "outputs":
            move(rule, "min")
            move(rule, "max")
    return other
