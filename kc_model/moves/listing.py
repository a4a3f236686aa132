"""A plan as a list of moves: from where to where, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from kc_model.errors import Fault, InputError
from kc_model.explain import budget_texts, rule_label, rule_texts
from kc_model.money import UNITS, Amount, to_unit
from kc_model.moves.decisions import RANKS, Decision, who_decides
from kc_model.moves.pairs import fewest_pairs
from kc_model.plan import Plan
from kc_model.reading import linked_ids
from kc_model.tables import CELL_KEYS
from kc_model.wording import Language, say
from kc_model.words import Words, grounds

__all__ = [
    "called",
    "changed",
    "code_of",
    "find_moves",
    "keys_of",
    "moves",
    "pair_of",
    "refusal_id",
    "step_of",
    "transfers",
]

End = Mapping[Any, Any]

_ENDS = ("place", "area", "activity", "project")
_APART = 0.005  # of chances that are shown as different
_SLOW = 0.5  # of what is added: where less is expected to be disbursed, the reason says so
_OUTSIDE = ("more", "more_rule", "kept", "kept_rule", "cut")  # reasons of what has one end
_UNTOLD = (
    "rule",
    "goal",
    "joint",
    "unfound",
)  # say nothing of the rate
_PART = 0.25  # of a move: what a rule or goal must have done of it to be named


def moves(plan: Plan, language: Language = "vi") -> pd.DataFrame:
    """Return what a mid-year plan moves against the plan in force.

    Parameters
    ----------
    plan : Allocation
        Without a plan there is no move.
    language : {"vi", "en"}
        Of the reasons.

    Returns
    -------
    DataFrame
        One row per move, the largest gain first; its index numbers them for
        `kc_model.refuse`. from_place, from_area, to_place, to_area ("" where the money is
        new, or goes into the reserve), source; from_activity, to_activity, from_project,
        to_project, to_source, year only where there are any; amount, gain (float64 in the dataset's
        unit: disbursement expected by year-end that the move adds, NaN where no absorption is
        known), reason (text), who_decides (minister, agency, department or province), basis
        (articles), chance (float64: the share of the amount expected to be disbursed where it goes;
        NaN where that is not known), is_cut (bool: the money goes nowhere, because its purse has
        that much less to give), refusable (bool: not so what goes into the reserve because nobody
        can use it; refused or not, it would; nor what a project that was paid needs, nor what a
        project leaves that no plan can keep, nor what was refused and has to come back: its reason
        says so; nor what rounding moves).

    Raises
    ------
    InputError
        Of a plan for the whole year, which changes no plan in force.

    Notes
    -----
    Money moves within a purse only: the national money, or a province's own, or what a budget row
    pools. In each purse what is given is what is taken, to the đồng, in as few transfers as
    are found. A cell that changes by several moves gains or loses in each at
    its mean rate, so that the gains add up to that of the whole plan.
    """
    found = find_moves(plan, language).drop(columns=["from_cell", "to_cell"])
    return found.assign(**{name: to_unit(found[name], plan.unit) for name in ("amount", "gain")})


def find_moves(plan: Plan, language: Language = "vi") -> pd.DataFrame:
    """Return what `moves` returns, amount (Int64) and gain (float64) in VND.

    And from_cell, to_cell: rows of ``plan.cells``, -1 for none.
    """
    if plan.as_of is None:
        raise InputError([Fault("moves-whole-year", values={"year": plan.year})])
    rows = []
    for giver, taker, amount, is_apart in transfers(plan):
        row = _row(plan, giver, taker, amount, language)
        is_back = is_apart and amount >= step_of(plan)
        rows.append(_come_back(row, language) if is_back else row)
    columns = [*(f"{side}_{key}" for side in ("from", "to") for key in _ENDS)]
    columns += ["source", "to_source", "year", "amount", "gain", "reason", "who_decides", "basis"]
    columns += ["chance", "is_cut", "refusable", "from_cell", "to_cell"]
    kinds = {"amount": "Int64", **dict.fromkeys(("gain", "chance"), "float64")}
    kinds |= dict.fromkeys(("is_cut", "refusable"), "bool")
    frame = pd.DataFrame(rows, columns=columns).astype(kinds)
    frame = frame.sort_values(["gain", "amount"], ascending=False, kind="stable", ignore_index=True)
    for key in ("activity", "project"):
        if not (frame[[f"from_{key}", f"to_{key}"]] != "").any(axis=None):
            frame = frame.drop(columns=[f"from_{key}", f"to_{key}"])
    same = (frame["to_source"] == frame["source"]).all()
    one = len(set(frame["year"])) <= 1
    return frame.drop(columns=[*(["to_source"] if same else []), *(["year"] if one else [])])


def transfers(plan: Plan) -> Iterator[tuple[End, End, int, bool]]:
    """Yield who gives and who takes how much (VND), and whether a refusal keeps the two apart.

    An end is a row of `changed`, or the outside: money that comes to the purse, stays as a reserve
    or leaves it, of cell -1.
    """
    for _, purse in changed(plan).groupby("purse", sort=False):
        ends: list[End] = [*purse.to_dict("records"), *_outside(plan, purse)]
        apart = _refused_before(plan, ends)
        amounts, kin = [int(end["change"]) for end in ends], [str(end["project"]) for end in ends]
        for giver, taker, amount in fewest_pairs(amounts, apart, kin):
            yield ends[giver], ends[taker], amount, (giver, taker) in apart


def pair_of(giver: End, taker: End) -> tuple[int, str, int, str]:
    """Return what tells a transfer from any other: cell and project of both ends."""
    return (*(end[key] for end in (giver, taker) for key in ("cell", "project")),)


def changed(plan: Plan) -> pd.DataFrame:
    """Return what changes: one row per cell that does, or per project that a cell pays.

    Returns
    -------
    DataFrame
        cell (row of ``plan.cells``), year, place, area, activity, project (id, "" for money that
        no project has), source, purse (text), before, after, change, had, has (of all the
        project's cells), idle (of `before`: what nobody can use any more; Int64 VND), stops (bool:
        the project ends, whatever it was paid), rate (float64: the mean chance that the money
        given or taken is disbursed by year-end; what is idle has none).
    """
    keys = ["cell", "year", "place", "area", "activity", "source", "purse"]
    money = ["before", "after", "change", "had", "has", "idle"]
    columns = [*keys[:5], "project", *keys[5:], *money, "stops", "rate"]
    if plan.cells.empty:
        return pd.DataFrame(columns=columns)
    cells = plan.cells.rename_axis("cell").reset_index()
    is_known = plan.as_of is not None and len(plan.parts)
    parts = plan.parts if is_known else pd.DataFrame(columns=["cell"])
    frame = cells[~cells["cell"].isin(parts["cell"])]
    frame = frame.assign(project="", before=frame["baseline"], after=frame["amount"], idle=0)
    if len(parts):
        frame = pd.concat([frame, parts.merge(cells[keys], on="cell")], ignore_index=True)
    whole = frame["project"].where(frame["project"] != "", frame["cell"])
    sums = frame.groupby(whole)[["before", "after"]].transform("sum")
    frame = frame.assign(
        change=frame["after"] - frame["before"], had=sums["before"], has=sums["after"]
    )
    frame = frame.astype(dict.fromkeys(money, "Int64"))
    frame = frame.assign(stops=frame["project"].isin(_stopping(plan)), rate=_rates(cells, frame))
    frame = frame[frame["change"] != 0].sort_values(["cell", "project"], kind="stable")
    return frame[columns].reset_index(drop=True)


def _stopping(plan: Plan) -> set[str]:
    """Return the projects that were stopped, or get nothing beyond what they were paid."""
    offered = plan.data.projects
    stopped = set(offered.loc[offered["stage"] == "stopped", "id"])
    return stopped.union(plan.ended)


def _rates(cells: pd.DataFrame, parts: pd.DataFrame) -> pd.Series:
    """Return what a million more or less of each part's change gives; where none, of the next.

    What is idle would not have been disbursed, so the others share what their cell gains.
    """
    idle = parts.groupby("cell")["idle"].sum().reindex(cells["cell"], fill_value=0).to_numpy()
    change = (cells["amount"] - cells["baseline"] + idle).astype("float64")
    gain = cells["expected_disbursed"] - cells["expected_baseline"]
    rate = (gain / change.where(change != 0)).fillna(cells["chance_last"])
    given = (-parts["change"]).astype("float64")
    used = 1.0 - parts["idle"].astype("float64") / given.where(given > 0)
    used = used.fillna(1.0).clip(0.0, 1.0)
    found = used.to_numpy() * rate.set_axis(cells["cell"])[parts["cell"]].to_numpy()
    return pd.Series(np.where(used == 0, 0.0, found), parts.index)


def _outside(plan: Plan, purse: pd.DataFrame) -> list[End]:
    """Return what the purse as a whole gets, keeps as a reserve or loses, as ends of moves."""
    first = purse.iloc[0]
    nowhere = dict.fromkeys(_ENDS, "") | {"cell": -1, "rate": 0.0, "idle": 0}
    nowhere |= {"year": first["year"], "source": first["source"]}
    change = -int(purse["change"].sum())
    kept = min(change, max(0, _reserve(plan, str(first["purse"])))) if change > 0 else change
    parts = ((kept, False), (change - kept, True))
    return [{**nowhere, "change": vnd, "is_cut": is_cut} for vnd, is_cut in parts if vnd]


def _reserve(plan: Plan, purse: str) -> int:
    """Return what the budget rows of a purse leave, VND."""
    rows = set(plan.cells.loc[plan.cells["purse"] == purse, "budget"])
    return sum(int(row["amount"]) for row in plan.reserve if row["budget"] in rows)


def _refused_before(plan: Plan, ends: Sequence[End]) -> set[tuple[int, int]]:
    """Return which givers and takers a refusal keeps apart; the outside holds nothing itself."""
    ids = {rule.id for rule in plan.scenario.rules}
    held = [
        end["cell"] >= 0
        and refusal_id("min" if end["change"] < 0 else "max", code_of(plan, end)) in ids
        for end in ends
    ]
    givers, takers = (
        [k for k, end in enumerate(ends) if sign * end["change"] > 0] for sign in (-1, 1)
    )
    outside = [end["cell"] < 0 for end in ends]
    return {
        (g, t)
        for g in givers
        for t in takers
        if (held[g] or outside[g]) and (held[t] or outside[t]) and (held[g] or held[t])
    }


def _come_back(row: dict[str, Any], language: Language) -> dict[str, Any]:
    """Return a move that was refused and that nothing else could stand in for."""
    return row | {"refusable": False, "reason": say("moves.reason.back", language)}


def _row(plan: Plan, giver: End, taker: End, amount: int, language: Language) -> dict[str, Any]:
    end = giver if giver["cell"] >= 0 else taker
    gain = amount * (taker["rate"] - giver["rate"])
    sources = dict.fromkeys(one["source"] for one in (giver, taker) if one["cell"] >= 0)
    decisions = _decisions(plan, giver, taker)
    return {
        **{f"from_{key}": giver[key] for key in _ENDS},
        **{f"to_{key}": taker[key] for key in _ENDS},
        "source": end["source"],
        "to_source": next(reversed(sources)),
        "year": end["year"],
        "amount": amount,
        "gain": gain,
        "reason": _reason(plan, giver, taker, amount, language),
        "who_decides": decisions[0].who,
        "basis": grounds(found.basis for found in decisions),
        "chance": taker["rate"] if taker["cell"] >= 0 else np.nan,
        "is_cut": taker["cell"] < 0 and taker["is_cut"],
        "refusable": (taker["cell"] >= 0 or giver["change"] + giver["idle"] < 0)
        and not (_needed_by(plan, taker) or _shut_out(plan, giver))
        and amount >= step_of(plan),
        "from_cell": giver["cell"],
        "to_cell": taker["cell"],
    }


_decision = cache(who_decides)  # asked of every move


def _decisions(plan: Plan, giver: End, taker: End) -> list[Decision]:
    """Return who decides a move: both ends are asked, in each fund the highest authority wins."""
    day = date(plan.year, max(plan.as_of or 1, 1), 1)
    kinds = plan.data.projects.set_index("id")["kind"]
    highest: dict[str, list[Decision]] = {}
    for end, other in ((giver, taker), (taker, giver)):
        if end["cell"] >= 0:
            changes = _changes(end, other, gives=end is giver)
            kind = str(kinds.get(end["project"]) or "normal")
            asked = [*highest.get(end["source"], []), _decision(end["source"], changes, kind, day)]
            top = min(RANKS.index(found.who) for found in asked)
            highest[end["source"]] = [found for found in asked if RANKS.index(found.who) == top]
    found = [decision for decisions in highest.values() for decision in decisions]
    return sorted(found, key=lambda decision: RANKS.index(decision.who))


def _changes(end: End, other: End, *, gives: bool) -> frozenset[str]:
    """Return what a move changes at one end, in the words of `CHANGES` of the decisions.

    Of a project it is its total, or that it is added or stopped, whatever it was paid before (Điều
    11.2.a, 11.3); where that stays, or its own places exchange, its place. Money
    that no project has changes area or place, unless it comes from a project or goes to one, or to
    the reserve: then it is another project's total.
    """
    if end["project"]:
        found = set()
        if end["has"] != end["had"]:
            goes_on = end["has"] and not end["stops"]
            up, down = "more" if end["had"] else "added", "less" if goes_on else "stopped"
            found.add(up if end["has"] > end["had"] else down)
        if not found or end["project"] == other["project"]:
            found.add("place")
        return frozenset(found)
    if other["project"] or other["cell"] < 0:
        return frozenset({"less" if gives else "more"})
    return frozenset({key for key in ("area", "place") if end[key] != other[key]} or {"same"})


def _reason(plan: Plan, giver: End, taker: End, amount: int, language: Language) -> str:
    rates = {"here": giver["rate"], "there": taker["rate"]}
    told_as = Words.of(plan, language).shared
    shown = {name: "" if np.isnan(rate) else told_as(abs(rate)) for name, rate in rates.items()}
    kind, values = "joint", dict[str, str]()
    if chain := _needed_by(plan, taker):
        one, *others = (called(plan, id_) for id_ in chain)
        kind, values = "needed", {"one": one, "others": ", ".join(others)}
        kind = kind if shown["there"] else "needed_unknown"
    elif why := _shut_out(plan, giver):
        kind, key = ("barred", "barred") if why["barred"] else ("shut_out_rule", "rules")
        rules = [_called_rule(plan, name, language) for name in why[key].split(";") if name]
        kind = kind if rules else "shut_out"
        values = {"one": called(plan, str(giver["project"])), "rule": "; ".join(rules)}
    elif amount < step_of(plan):
        kind, values = "rounding", {"step": Amount(step_of(plan), plan.unit)(language)}
    elif giver["idle"] and giver["idle"] >= -giver["change"]:
        to_cell = "idle" if shown["there"] else "idle_unknown"
        kind = to_cell if taker["cell"] >= 0 else "idle_cut" if taker["is_cut"] else "idle_kept"
    else:
        kind, values = _cause(plan, giver, taker, amount, language)
    told = say(f"moves.reason.{kind}", language, **{**shown, "rule": "", **values})
    if kind in _UNTOLD and taker["cell"] >= 0 and not np.isnan(rates["there"]):
        is_better = rates["there"] - rates["here"] >= _APART
        also = "chance" if is_better else "slow" if rates["there"] < _SLOW else ""
        told += f" {say(f'moves.reason.{also}', language, **shown)}" if also else ""
    return told


def _cause(
    plan: Plan, giver: End, taker: End, amount: int, language: Language
) -> tuple[str, dict[str, str]]:
    """Return what made a move that money could have gone without, and what is said of it."""
    here, there = giver["rate"], taker["rate"]
    kind, values = _driver(plan, giver, taker, amount, language)
    if taker["cell"] < 0:
        kind = "cut" if taker["is_cut"] else "kept_rule" if kind == "rule" else "kept"
    elif giver["cell"] < 0:
        kind = "more_rule" if kind == "rule" and not there >= _SLOW else "more"
    elif kind != "rule" and there - here >= _APART:
        kind = "chance"
    return (f"{kind}_unknown" if kind in _OUTSIDE and np.isnan(there + here) else kind), values


def called(plan: Plan, project: str) -> str:
    """Name a project by its number and its name."""
    names = plan.data.projects.set_index("id")["name"]
    return f"“{project}. {names[project]}”"


def step_of(plan: Plan) -> int:
    """Return the grid of the plan's amounts, VND."""
    return int((plan.scenario.round_to or 0) * UNITS[plan.unit])


def _needed_by(plan: Plan, taker: End) -> list[str]:
    """Return the chain of links that adds a project to the plan; empty: none does."""
    return _chain(plan, str(taker["project"])) if taker["project"] and not taker["had"] else []


def _shut_out(plan: Plan, giver: End) -> dict[str, Any]:
    """Return why a project goes that the laws leave no plan with; empty where they do."""
    whys = plan.whys
    if giver["project"] and not giver["has"] and not whys.empty:
        own = whys[(whys["id"] == giver["project"])]
        for row in own[(own["kind"] == "law") | (own["barred"] != "")].to_dict("records"):
            return {str(key): value for key, value in row.items()}
    return {}


def _chain(plan: Plan, one: str) -> list[str]:
    """Return a project that was paid and those it needs, up to one of them; empty: none does.

    What was accepted needs nothing more.
    """
    found = plan.projects.set_index("id")["reason"]
    done = plan.data.projects.set_index("id")["stage"] == "accepted"
    void = {str(fault.values["id"]) for fault in plan.warnings if fault.code == "links-void"}
    needs = plan.data.projects.set_index("id")["requires"]
    kept = [str(id_) for id_ in found.index[found == "paid"] if not done[id_] and id_ not in void]
    chains = [[id_] for id_ in kept]
    seen = set(kept) - {one}
    for chain in chains:  # those that are added are looked into in their turn
        if chain[-1] == one:
            return chain if len(chain) > 1 else []
        for other in linked_ids(str(needs[chain[-1]] or "")):
            if other not in seen:
                seen.add(other)
                chains.append([*chain, other])
    return []


def _driver(
    plan: Plan, giver: End, taker: End, amount: int, language: Language
) -> tuple[str, dict[str, str]]:
    """Return the rule or goal that did most of a move, if one did a good part of it.

    Of projects, whose choice one rule less may turn over: what would be broken if the move were not
    made, unless more is disbursed where it goes.
    """
    effects = plan.effects
    if effects.empty and plan.projects.empty:
        return "unfound", {}
    if effects.empty:
        held = plan.held.get(pair_of(giver, taker))
        is_better = taker["cell"] >= 0 and taker["rate"] - giver["rate"] >= _APART
        if held is None or (held and is_better):
            return "joint", {}
        goals = dict.fromkeys(_called_goal(plan, k, language) for k in range(len(plan.goals)))
        told = [_called_rule(plan, name, language) for name in held] or [*goals]
        return ("rule" if held else "goal" if told else "joint"), {"rule": "; ".join(told)}
    effects = effects[[name for name in effects if not str(name).startswith("budget:")]]
    ends = ((1, taker["cell"]), (-1, giver["cell"]))
    parts = [sign * effects.loc[cell].to_numpy() for sign, cell in ends if cell >= 0]
    toward = np.max(parts, axis=0)
    if not len(toward) or toward.max() < _PART * amount:
        return "joint", {}
    name = str(effects.columns[int(toward.argmax())])
    if name.startswith("goal|"):
        return "goal", {"rule": _called_goal(plan, int(name[5:]) - 1, language)}
    if not _speaks_of(plan, name, giver, taker):  # what it frees or takes goes through others
        return "joint", {}
    return "rule", {"rule": _called_rule(plan, name, language)}


def _called_goal(plan: Plan, number: int, language: Language) -> str:
    what, _, column = plan.goals[number]["name"].split(" ", 1)[1].partition(":")
    return say(f"explain.goals.{what}", language, column=column)


def _called_rule(plan: Plan, name: str, language: Language) -> str:
    """Return a rule by its own label; of bounds of cells what they all are called."""
    if name.startswith("bound|"):
        return say(f"explain.bounds.{name[6:]}", language)
    texts = plan.rule_rows.loc[plan.rule_rows["id"] == name, "text"]
    words = Words.of(plan, language)
    named = rule_texts(plan.scenario.rules, words) | budget_texts(plan.scenario.budget, words)
    return rule_label(name, named.get(name) or str(texts.iloc[0]), language)


def _speaks_of(plan: Plan, name: str, *ends: End) -> bool:
    """Whether a rule is about one end of a move; True where its words tell no cells apart.

    What goes to the reserve or comes from it makes the whole smaller or larger that a share is of.
    """
    rule = next((rule for rule in plan.scenario.rules if rule.id == name), None)
    if rule is None:
        return True
    cells = [end["cell"] for end in ends if end["cell"] >= 0]
    abouts = [rule.where, *([rule.of or {}] if len(cells) < len(ends) else [])]
    own = plan.cells.loc[cells]
    return any(
        np.any(
            np.all(
                [
                    own[key].isin(codes)
                    for key, codes in about.items()
                    if key in own and codes != ("same",)
                ],
                axis=0,
            )
        )
        for about in abouts
    )


def code_of(plan: Plan, end: End) -> str:
    """Return what a refusal calls an end of a move: its project, else its cell."""
    return str(end["project"]) or "-".join(map(str, plan.cells.loc[end["cell"], keys_of(plan)]))


def keys_of(plan: Plan) -> list[str]:
    """Return the keys that tell the cells of a plan apart, and the source."""
    return [key for key in CELL_KEYS if key == "source" or len(set(plan.cells[key])) > 1]


def refusal_id(side: str, code: str) -> str:
    """Return the id of the rule that a refusal makes for an end of a move."""
    return f"refuse-{side}-{code}"
