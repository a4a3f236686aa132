"""What budgets and rules are called: by their own words, or by what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product

from kc_model.money import SHOWN, UNITS, format_number, unit_name
from kc_model.scenario import Budget, Rule
from kc_model.wording import LANGUAGES, Language, say
from kc_model.words import Words

__all__ = [
    "budget_groups",
    "budget_texts",
    "is_bound",
    "is_purse",
    "renumbered",
    "rule_label",
    "rule_texts",
]

_FIRST = {"source", "place", "area"}
_CHANGED = re.compile(r" \(đổi thành [^()]*\)$")  # said of an earlier change


def is_purse(rule: str) -> bool:
    """Whether a law is a budget."""
    return rule.startswith("budget:")


def is_bound(rule: str) -> bool:
    """Whether a law is a cell's own lowest or highest amount."""
    return rule.startswith("bound:")


def rule_label(rule_id: str, text: str, language: Language = "vi") -> str:
    """Return a rule, budget or bound as a planner knows it.

    Parameters
    ----------
    rule_id : str
        As in ``rules.csv``.
    text : str
        What it is called, see `rule_texts` and `budget_texts`; "" where it has no name.
    """
    if text:
        return text
    if rule_id == "round_to":
        return say("explain.round_to", language)
    kind, _, rest = rule_id.partition(":")
    if kind == "budget" and rest:
        return say("explain.budget", language, number=rest)
    if kind == "bound" and rest:
        cell, _, side = rest.rpartition(":")
        return say(f"explain.bound.{side}", language, cell=cell.replace("|", ", "))
    return rule_id


def budget_texts(budgets: Sequence[Budget], words: Words) -> dict[str, str]:
    """Return what budgets are called, by their ids.

    By their own words if these name the place or fund, else by what they are for, with the words as
    a remark behind it.
    """
    texts = {}
    for number, row in enumerate(budgets, 1):
        name = words.selection(row.where)
        told = f"{name} ({row.text})" if row.text else name
        texts[f"budget:{number}"] = row.text if _is_name(row, words.vintage) else told
    return texts


def budget_groups(budgets: Sequence[Budget], words: Words) -> dict[str, tuple[str, str]]:
    """Return the names without their place, and the place's code, of budgets named after one.

    Budgets whose names differ in the place alone are then one, each place a group of it.
    """
    found = {}
    for row, (key, name) in zip(budgets, budget_texts(budgets, words).items(), strict=True):
        (code, *others) = row.where.get("place", ("",))
        spelled = (Words("vnd", words.vintage, one).name(code, "place") for one in LANGUAGES)
        place = next((one for one in spelled if code and one in name), "")
        if place and not others:
            without = re.sub(rf"\s*[–-]\s*{re.escape(place)}", "", name)
            found[key] = (without.replace(place, "").strip(" –-"), code)
    return found


def _is_name(row: Budget, vintage: str) -> bool:
    """Whether a budget's words tell which it is: its place, of several places' money its fund."""
    key = next((key for key in ("place", "source") if len(row.where.get(key, ())) == 1), "")
    (code,) = row.where[key] if key else ("ALL",)
    if code == "ALL" or not row.text:  # nothing to tell it by
        return bool(row.text)
    names = [Words("vnd", vintage, one).name(code, key) for one in LANGUAGES]
    if key == "source":  # quốc gia, National: the rest is in every fund's name
        names = [names[0].split(" ", 2)[-1], names[1].split(" ", 1)[0]]
    return any(name.casefold() in row.text.casefold() for name in (code, *names))


def rule_texts(rules: Iterable[Rule], words: Words) -> dict[str, str]:
    """Return what rules are called, by their ids: by their own words, else by what they say.

    "" where neither is there: `rule_label` then tells the id.
    """
    return {rule.id: words.retold(rule.text) or "; ".join(_sides(rule, words)) for rule in rules}


def _sides(rule: Rule, words: Words) -> Iterator[str]:
    kinds = _kinds(rule)
    whole = {} if rule.of is None else {k: v for k, v in rule.of.items() if v != ("same",)}
    of_each = [key for key in rule.of or {} if key not in whole]
    for side, kind in kinds.items():
        bound: Decimal | None = getattr(rule, side)
        if bound is None:
            continue
        number = {"fall": 1 - bound, "rise": bound - 1}.get(kind, bound)
        if number < 0:  # at least more than the baseline: no word for it
            return
        yield say(
            f"explain.naming.{kind}",
            words.language,
            what=_what(rule.where, rule.each, words),
            number=words.rule_number(rule.kind, float(number)),
            whole=_what(whole, of_each, words),
        )


def _kinds(rule: Rule) -> dict[str, str]:
    """Return what the sides of a rule are told by; none for what no words are made for."""
    if rule.count == "projects" and rule.of is None and not rule.per:
        return {"min": "projects", "max": "most_projects"}
    if rule.count or rule.per not in ("", "baseline") or (rule.per and rule.of is not None):
        return {}
    if rule.per:
        return {"min": "fall", "max": "rise"}
    tail = "" if rule.of is None else "_share"
    return {"min": f"least{tail}", "max": f"most{tail}"}


def _what(where: Mapping[str, Sequence[str]], each: Sequence[str], words: Words) -> str:
    """Return whose money it is: its fund, then its place, then its area, then anything else."""
    parts = []
    for key in ("source", "place", "area", *sorted({*where, *each} - _FIRST)):
        names = ", ".join(words.name(code, key) for code in where.get(key, ()))
        if key in each:
            every = say(f"explain.naming.every.{key}", words.language) if key in _FIRST else ""
            names = f"{names}, {every}" if names and every else names or every
        if key == "source":
            names = names or say("explain.naming.all", words.language)
            names = names[:1].lower() + names[1:]  # what it is a kind of stands before it
        if key in _FIRST and names:
            parts.append(say(f"explain.naming.of.{key}", words.language, name=names))
        elif names or key in each:
            column = words.column(key)
            parts.append(f"({column}: {names})" if names else f"({column})")
    return " ".join(parts)


def renumbered(text: str, old: Decimal | None, new: Decimal, kind: str, unit: str = "") -> str:
    """Return a rule's own words once its number is another: in its place, or told behind them.

    Parameters
    ----------
    old, new : Decimal
        In the dataset's unit, or a share or number; None: there was none.
    kind : str
        See `kc_model.scenario.Rule.kind`.
    unit : str
        The dataset's; "" where it is not known. Money may be told in it or as people are told it.
    """
    if not text or old == new:
        return text
    is_money = kind == "money" and unit
    scale = Decimal(UNITS[unit]) / UNITS[SHOWN[unit]] if is_money else 100 if kind == "share" else 1
    for size, one in product(dict.fromkeys((scale, 1 if is_money else scale)), LANGUAGES):
        was = "" if old is None else re.escape(format_number(size * old, None, one))
        sign = r"(?=\s?%)" if kind == "share" else ""
        pattern = rf"(?<![\d.,]){was}(?!\d|[.,]\d){sign}"
        if was and len(re.findall(pattern, text)) == 1:
            return re.sub(pattern, format_number(size * new, None, one), text)
    number = format_number(scale * new)
    unit = " %" if kind == "share" else f" {unit_name(SHOWN[unit])}" if is_money else ""
    plain = _CHANGED.sub("", text)
    return say("explain.naming.changed", "vi", text=plain, number=f"{number}{unit}")
