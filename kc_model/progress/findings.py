"""What a planner should see first, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from kc_model import reference
from kc_model.money import SHOWN, UNITS, format_money, format_number
from kc_model.progress.lines import STATUSES
from kc_model.results import Forecast
from kc_model.tables import Note, as_rows
from kc_model.wording import Language, both, say
from kc_model.words import DIGITS

__all__ = ["Gone", "tell_findings", "tell_notes"]

_NAMED = 5  # lines at risk named in one sentence
_AHEAD = 0.1  # how far volume and money must lie apart, in shares of their plans,
_TIMES = 2.0  # and how many times the larger must be the smaller

Shown = Callable[[Language], str]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Gone:
    """Lines that disbursed in the same period a year before and are not there any more.

    Parameters
    ----------
    amount : int
        VND they had disbursed.
    """

    count: int
    amount: int


def tell_findings(
    outlook: Forecast,
    rows: pd.DataFrame,
    vintage: str,
    gone: Gone,
    late: Mapping[str, tuple[int, Forecast]],
) -> tuple[Note, ...]:
    """Return the findings of a report, each with the standing of its figures.

    Parameters
    ----------
    rows : DataFrame
        As `Progress.rows`.
    vintage : {"63", "34"}
    late : mapping of source to (month, Forecast)
        Arrival the outlook was made with, and the forecast without it.
    """
    teller = _Teller(outlook, rows, vintage)
    return (
        *teller.done(),
        *teller.gaps(),
        *teller.plans(),
        *teller.compared(gone),
        *teller.kept_apart(),
        *teller.year_end(),
        *teller.arrivals(late),
        *teller.volumes(),
    )


def tell_notes(outlook: Forecast, lines: pd.DataFrame) -> tuple[Note, ...]:
    """Return what the year's end means here, and what is taken for reported.

    Parameters
    ----------
    lines : DataFrame
        As `find_lines` gives them.
    """
    found = [_note("until", "estimate", end=_ending(outlook))]
    unstated = int((lines["disbursed"].notna() & (lines["status"] == "")).sum())
    return (*found, *([_note("unstated", "assumed", count=unstated)] if unstated else []))


def _note(key: str, standing: str, **values: object) -> Note:
    """Return a sentence in both languages; a value that depends on the language is a function."""
    return Note(standing, **both(f"progress.{key}", **values), table="progress")


def _ending(outlook: Forecast) -> Shown:
    return lambda language: say(f"progress.end.{outlook.year_end}", language)


class _Teller:
    """Tells the findings; amounts and names are shown in the language of each sentence."""

    def __init__(self, outlook: Forecast, rows: pd.DataFrame, vintage: str) -> None:
        self.outlook, self.unit = outlook, SHOWN[outlook.unit]
        self.vintage = vintage
        self.rows = rows
        self.all: Row = self.of("all")[0]
        self.total = self.all["n_cells"]

    def of(self, level: str) -> list[dict[str, Any]]:
        """Return the rows of a level; what is missing is None."""
        return as_rows(self.rows[self.rows["level"] == level])

    def money(self, vnd: float, digits: int | None = None) -> Shown:
        """Show an amount to as many digits as a sentence needs."""
        rounded = self.rounded(vnd)
        return lambda language: format_money(rounded, self.unit, language, digits)

    def ends(self, *ends: float) -> tuple[Shown, ...]:
        """Show the ends of a range, all with digits after the mark or none."""
        is_whole = all(self.rounded(vnd) % UNITS[self.unit] == 0 for vnd in ends)
        return tuple(self.money(vnd, None if is_whole else DIGITS[self.unit]) for vnd in ends)

    def rounded(self, vnd: float) -> int:
        """Return an amount as it is shown: the difference of two of these is what a reader sees."""
        step = UNITS[self.unit] // int(10 ** DIGITS[self.unit])
        return round(vnd / step) * step

    def share(self, value: float, digits: int = 1) -> Shown:
        return lambda language: format_number(round(100 * value, digits), digits, language)

    def chance(self, value: float) -> Shown:
        """Show a chance in whole per cent; never as certain while it is not."""
        percent = round(100 * value)
        key = "below" if percent < 1 and value > 0 else "above" if percent > 99 else ""
        if not key or value >= 1:
            return lambda language: say(
                "screen.share", language, number=format_number(percent, 0, language)
            )
        return lambda language: say(f"progress.chance.{key}", language)

    def change(self, ratio: float) -> Shown:
        sign = "+" if ratio >= 1 else "−"
        shown = self.share(abs(ratio - 1), 2)
        return lambda language: f"{sign}{shown(language)}"

    def moved(self, vnd: int) -> Shown:
        """Say by how much an amount rises or falls."""
        if not vnd:
            return lambda language: say("progress.same", language)
        amount = self.money(abs(vnd))
        key = "more" if vnd > 0 else "less"
        return lambda language: say(f"progress.{key}", language, amount=amount(language))

    def name(self, row: Row) -> Shown:
        """Return what a row is of: place, area, activity, fund, as far as it fixes them."""

        def shown(language: Language) -> str:
            place, area, source = row["place"], row["area"], row["source"]
            parts = [
                place and reference.place_name(place, self.vintage, language),
                area and area != "ALL" and reference.area_name(area, language),
                row["activity"],
                source and source != "ALL" and say(f"export.sources.{source}", language),
            ]
            return " – ".join(part for part in parts if part) or say("export.total", language)

        return shown

    # ------------------------------------------------------------------ so far

    def done(self) -> Iterator[Note]:
        """Tell what is done, and of what standing it is."""
        at = {"month": self.all["month"] or self.outlook.as_of, "year": self.outlook.year}
        row, plan = self.all, self.money(self.all["plan"] or 0)
        if row["disbursed"] is None:
            if self.outlook.as_of:
                yield _note("nothing", "real", **at, plan=plan)
            return
        status = row["status"]
        if row["completion"] is not None:
            share, money = self.share(row["completion"]), self.money(row["disbursed"])
            values = {**at, "plan": plan, "share": share, "disbursed": money}
            standing = {"reported": "real", "mixed": "estimate"}.get(status, str(status))
            yield _note(f"done.{status}", standing, **values)
        if status == "mixed":
            yield _note("mixed", "estimate", parts=self.standings)

    def standings(self, language: Language) -> str:
        """List how much of the disbursement is of which standing."""
        cells = self.rows[self.rows["level"] == "cell"]
        parts = []
        for status in STATUSES:
            amount = self.all[f"disbursed_{status}"]
            if amount is not None:
                count = int(cells[f"disbursed_{status}"].notna().sum())
                shown = self.money(amount)(language)
                parts.append(say(f"progress.parts.{status}", language, amount=shown, count=count))
        return "; ".join(parts)

    def gaps(self) -> Iterator[Note]:
        if not self.outlook.as_of:
            return
        cells = self.of("cell")
        bare = [c for c in cells if c["disbursed"] is not None and c["plan"] is None]
        silent = sum(1 for c in cells if c["disbursed"] is None and c["plan"] is not None)
        if silent:
            yield _note("unreported", "real", count=silent, total=self.total)
        if bare:
            amount = self.money(sum(c["disbursed"] for c in bare))
            yield _note("unplanned", "real", count=len(bare), total=self.total, amount=amount)
        if self.all["n_late"]:
            count, month = self.all["n_late"], self.outlook.as_of
            yield _note("late", "estimate", count=count, total=self.total, month=month)

    def plans(self) -> Iterator[Note]:
        """Tell how the plan moved within the year and from the year before."""
        row = self.all
        first, plan = row["plan_first"], row["plan"]
        if first is not None and first != plan and row["completion_first"] is not None:
            yield _note(
                "adjusted",
                "real",
                plan=self.money(plan),
                first=self.money(first),
                change=self.moved(plan - first),
                share=self.share(row["completion_first"]),
            )
        if first is not None and row["plan_of_last_year"] is not None:
            cells = self.rows[self.rows["level"] == "cell"]
            ratio = row["plan_of_last_year"]
            both = int((cells["plan"].notna() & cells["plan_last_year"].notna()).sum())
            share, change = self.share(ratio), self.change(ratio)
            yield _note(
                "plan_of_last_year",
                "real",
                share=share,
                change=change,
                count=both,
                total=self.total,
            )

    def compared(self, gone: Gone) -> Iterator[Note]:
        """Tell how the year stands against the same period of the year before."""
        row = self.all
        counts = {"count": row["n_compared"], "total": row["n_reported"]}
        if row["of_last_year"] is not None:
            ratio = row["of_last_year"]
            share, change = self.share(ratio, 2), self.change(ratio)
            yield _note("of_last_year", "estimate", share=share, change=change, **counts)
        lacking = counts["total"] - counts["count"]
        if lacking:
            yield _note("no_last_year", "real", count=lacking, total=counts["total"])
        if gone.count and counts["count"]:
            yield _note("gone", "real", count=gone.count, amount=self.money(gone.amount))

    def kept_apart(self) -> Iterator[Note]:
        """Tell what is not in the disbursement: money released, advanced, carried over."""
        for row in self.of("source"):
            cells = self.rows[(self.rows["level"] == "cell") & self.rows["released"].notna()]
            cells = cells[cells["source"] == row["source"]]
            plan, released = cells["plan"].sum(), cells["released"].sum()
            if not plan or released >= plan:
                continue
            values = {"source": self.name(row), "plan": self.money(plan)}
            if released == 0:
                yield _note("unreleased", "real", **values)
            else:
                share, count = self.share(released / plan), len(cells)
                values |= {"released": self.money(released), "share": share}
                yield _note("released", "real", **values, count=count)
        cells = self.rows[self.rows["level"] == "cell"]
        for kind in ("advanced", "carried"):
            if self.all[kind]:
                count = int(cells[kind].notna().sum())
                yield _note(kind, "real", amount=self.money(self.all[kind]), count=count)

    # ------------------------------------------------------------------ to the year's end

    def year_end(self) -> Iterator[Note]:
        """Tell where the year will end, the pace that 100 % asks for, and what stays unspent."""
        row = self.all
        if row["completion_expected"] is None:
            return
        lower, upper = self.ends(row["lower_80"], row["upper_80"])
        yield _note(
            "expected",
            "estimate",
            expected=self.money(row["expected"]),
            share=self.share(row["completion_expected"]),
            lower=lower,
            upper=upper,
            **{f"p{share}": self.chance(row[f"probability_{share}"]) for share in (80, 90, 100)},
        )
        yield from self.pace()
        if not row["unspent"]:
            return
        lower, upper = self.ends(row["unspent_lower_80"], row["unspent_upper_80"])
        yield _note(
            "unspent", "estimate", amount=self.money(row["unspent"]), lower=lower, upper=upper
        )
        cells = [c for c in self.of("cell") if c["unspent"]]
        cells.sort(key=lambda c: -c["unspent"])
        if len(cells) > 1:
            told = _note(
                "at_risk",
                "estimate",
                names=lambda language: self.listed("at_risk", cells, language),
            )
            yield replace(told, column="unspent")

    def pace(self) -> Iterator[Note]:
        """Tell what each month to come has to bring."""
        needed, pace = self.all["pace_needed"], self.all["pace"]
        if not needed:
            return
        values = {"needed": self.money(needed), "end": _ending(self.outlook)}
        if pace:
            times = needed / pace
            values |= {"pace": self.money(pace), "times": self.share(times / 100)}
        yield _note("pace" if pace else "pace_from_zero", "estimate", **values)

    def arrivals(self, late: Mapping[str, tuple[int, Forecast]]) -> Iterator[Note]:
        """Tell what the arrival that was set changes for its source."""
        for source, (month, without) in late.items():
            moved, before = (
                self.rounded(_expected(one, source)) for one in (self.outlook, without)
            )
            yield _note(
                "arrival",
                "assumed",
                source=lambda language, code=source: say(f"export.sources.{code}", language),
                month=month,
                expected=self.money(moved),
                before=self.money(before),
                change=self.moved(moved - before),
            )

    def volumes(self) -> Iterator[Note]:
        """Tell where volume and money lie far apart, the largest plans first."""
        ahead: dict[str, list[dict[str, Any]]] = {"work_first": [], "money_first": []}
        for row in self.of("source_activity"):
            work, money = row["outputs_completion"], row["completion"]
            if work is None or money is None or abs(work - money) < _AHEAD:
                continue
            if max(work, money) >= _TIMES * min(work, money):
                ahead["work_first" if work > money else "money_first"].append(row)
        for key, rows in ahead.items():
            if rows:
                rows.sort(key=lambda row: -row["plan"])
                yield _note(
                    key, "real", names=lambda language, of=rows: self.listed("apart", of, language)
                )

    def listed(self, key: str, rows: list[dict[str, Any]], language: Language) -> str:
        """List the first few rows with their figures, and how many more there are."""
        shown = [
            say(
                f"progress.one.{key}",
                language,
                name=self.name(row)(language),
                amount=self.money(row["unspent"] or 0)(language),
                outputs=self.share(row["outputs_completion"] or 0)(language),
                money=self.share(row["completion"] or 0)(language),
            )
            for row in rows[:_NAMED]
        ]
        if len(rows) > _NAMED:
            shown.append(say("progress.others", language, count=len(rows) - _NAMED))
        return "; ".join(shown)


def _expected(outlook: Forecast, source: str) -> int:
    """Return the year-end of a source in VND."""
    mine = outlook.cells["source"].eq(source).to_numpy()
    return round(float(outlook.draws[:, mine].sum(1).mean()) * UNITS["million_vnd"])
