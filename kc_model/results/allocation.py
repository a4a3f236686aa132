"""What an allocation gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from kc_model.explain import budget_groups, budget_texts, explain, loosening, rule_texts, why_left
from kc_model.export import Stamp, allocation_workbook, csv_bytes, json_bytes, save_files
from kc_model.money import to_unit
from kc_model.moves import find_moves
from kc_model.plan import Plan
from kc_model.results.forecast import Forecast
from kc_model.results.provenance import Provenance, run_of, told
from kc_model.wording import LANGUAGES, Language, retold, say
from kc_model.words import Words

__all__ = ["ALLOCATION_FILES", "Allocation"]

_BOOK = "allocation.xlsx"
_TOLD = ("id", "text", "group")
ALLOCATION_FILES = (
    *("allocation.csv", "projects.csv", "rules.csv"),
    *(_BOOK, "proof.json", "run.json"),
)
"""What a plan is saved as, beside ``result.json``; removed where there is none."""


@dataclass(frozen=True, kw_only=True)
class Allocation(Plan):
    """A plan with its proof, or why there is none: what `kc_model.plan.Plan` has, and what made it.

    Parameters
    ----------
    outlook : Forecast or None
        What the plan was made from; the forecast only where the absorption rests on one.
    proof : callable or None
        Gives what `kc_model.verify` proves the plan from; None without a plan.
    provenance : Provenance
    seconds : float
        How long it took.
    """

    outlook: Forecast | None = field(repr=False, compare=False)
    provenance: Provenance
    proof: Callable[[], Mapping[str, Any]] | None = field(default=None, repr=False, compare=False)
    seconds: float = field(default=0.0, compare=False)

    def table(self) -> pd.DataFrame:
        """Return the plan as ``allocation.csv`` has it: amounts in the dataset's unit.

        Returns
        -------
        DataFrame
            The cell keys (year and activity only where there are any), amount, baseline,
            expected_disbursed, lowest, highest.
        """
        if self.cells.empty:
            return pd.DataFrame()
        keys = ["year", "place", "area", "activity", "source"]
        if (self.cells["year"] == self.year).all():
            keys.remove("year")
        if not (self.cells["activity"] != "").any():
            keys.remove("activity")
        money = ["amount", "baseline", "expected_disbursed", "lowest", "highest"]  # whole đồng
        values = {name: to_unit(self.cells[name].round(), self.unit) for name in money}
        return self.cells[keys].assign(**values)

    def rules(self) -> pd.DataFrame:
        """Return ``rules.csv``: the contract's columns, then measure, factor, text and basis."""
        return self.rule_rows

    def project_table(self, language: Language = "vi") -> pd.DataFrame:
        """Return the projects as forms take them: id, chosen, amount (Int64 VND), reason (text)."""
        found: dict[str, dict[str, str]] = {}
        for fault in self.warnings:
            found.setdefault(str(fault.values.get("id")), {})[fault.code] = fault.found(language)
        found.update({one: {"left": text} for one, text in why_left(self, language).items()})
        reasons = [
            " ".join(
                found.get(one, {}).get(code) or say(f"explain.projects.why.{code}", language)
                for code in codes.split(";")
                if code
            )
            for one, codes in zip(self.projects["id"], self.projects["reason"], strict=True)
        ]
        return self.projects.assign(reason=reasons)

    def assigned_table(self, language: Language = "vi") -> pd.DataFrame:
        """Return `project_table` with what each place of a project gets: split, pairs with VND."""
        chosen = self.project_table(language)
        return chosen.assign(split=chosen["id"].map(self._splits()))

    def explain(self, language: Language = "vi") -> list[str]:
        """Return the plan, or why there is none, in sentences; see `kc_model.explain`."""
        return explain(self, language)

    def summary(self) -> dict[str, Any]:
        """Return what ``result.json`` holds: everything but the tables."""
        reserve = [{**row, "amount": to_unit(row["amount"], self.unit)} for row in self.reserve]
        return {
            "status": self.status,
            "scenario": self.scenario_name,
            "title": self.data.title,
            "year": self.year,
            "as_of": self.as_of,
            "unit": self.unit,
            "vintage": self.vintage,
            "synthetic": self.data.synthetic,
            "goals": list(self.goals),
            "tiers": list(self.tiers),
            "bounds": list(self.bounds),
            "gap": self.gap,
            **({"reached": [dict(stage) for stage in self.reached]} if self.reached else {}),
            "certificate": dict(self.certificate),
            "undecided": list(self.undecided),
            "reserve": reserve,
            "conflicts": list(self.conflicts),
            "rounding": {
                **self.rounding,
                **{
                    name: to_unit(self.rounding[name], self.unit)
                    for name in ("step", "moved")
                    if name in self.rounding
                },
            },
            "defaults": [dict(default) for default in self.defaults],
            "warnings": told(self.warnings),
            "notes": [asdict(note) for note in self.notes],
            "sentences": {language: self.explain(language) for language in LANGUAGES},
            "provenance": asdict(self.provenance),
        }

    def save(
        self,
        folder: str | Path,
        language: Language = "vi",
        expected: Mapping[str, str] | None = None,
        *,
        book: str = _BOOK,
    ) -> None:
        """Write the result into a folder, whole or not at all.

        Without a plan only ``result.json`` is written, and the files of an older plan are removed.

        Parameters
        ----------
        folder : path
        language : {"vi", "en"}
            Language of the workbook.
        expected : mapping or None
            Fingerprints of the files as they were when the command began.
        book : str
            Name of the workbook; any but the usual one is a print, in the unit that screens show.

        Raises
        ------
        SaveError
            If it cannot be saved, or somebody else saved in between.
        """
        files = {"result.json": json_bytes(self.summary())}
        if self.status == "optimal":
            files["run.json"] = json_bytes(run_of(self.seconds))
            files["allocation.csv"] = csv_bytes(self.table())
            files["rules.csv"] = csv_bytes(self.rules())
            # The file that the contract names is in the dataset's unit, as tables are.
            files[book] = self.workbook(language, self.unit if book == _BOOK else None)
            if len(self.projects):
                projects = self.assigned_table(language)
                amount = to_unit(projects["amount"], self.unit)
                split = projects["split"].map(self._in_unit, na_action="ignore")
                files["projects.csv"] = csv_bytes(projects.assign(amount=amount, split=split))
        if self.proof is not None:
            head = {"provenance": asdict(self.provenance), "as_of": self.as_of}
            files["proof.json"] = json_bytes({**head, **self.proof()}, indent=None)
        stale = [name for name in ALLOCATION_FILES if name not in files]
        save_files(folder, files, stale, expected)

    def workbook(self, language: Language = "vi", unit: str | None = None) -> bytes:
        """Return the plan as an office prints it.

        Parameters
        ----------
        language : {"vi", "en"}
        unit : str or None
            What its money is in; None: what screens show it in.
        """
        words = Words.of(self, language)
        rules = self.rule_rows.assign(told=loosening(self, language))
        named = self._budgets(language) | rule_texts(self.scenario.rules, words)
        names = rules["id"].map(named).fillna("")
        rules["text"] = rules["text"].where(names == "", names)
        groups = budget_groups(self.scenario.budget, words)
        own = [groups.get(row[0], row[1:]) for row in zip(*map(rules.get, _TOLD), strict=True)]
        rules["text"], rules["group"] = zip(*own, strict=True)
        moves = None if self.as_of is None else find_moves(self, language)
        projects = None
        if len(self.projects) and self.projects["chosen"].any():
            projects = self.data.projects, self.assigned_table(language)
        stamp = self.stamp(language)
        return allocation_workbook(stamp, self.cells, rules, language, moves, projects, unit)

    def _splits(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """Return what chosen projects over several places give each, VND, by id."""
        projects = self.data.projects
        several = set(projects.loc[projects["place"].str.contains(";"), "id"])
        given = self.parts[self.parts["after"] > 0]
        given = given.assign(
            place=self.cells["place"].to_numpy()[given["cell"].to_numpy(dtype=int)]
        )
        sums = given.groupby(["project", "place"], sort=False)["after"].sum().reset_index()
        found: dict[str, list[tuple[str, int]]] = {}
        for project, place, vnd in sums.itertuples(index=False, name=None):
            found.setdefault(project, []).append((place, int(vnd)))
        return {one: tuple(split) for one, split in found.items() if one in several}

    def _in_unit(self, split: tuple[tuple[str, int], ...]) -> tuple[tuple[str, float], ...]:
        return tuple((place, to_unit(vnd, self.unit)) for place, vnd in split)

    def _budgets(self, language: Language) -> dict[str, str]:
        return budget_texts(self.scenario.budget, Words.of(self, language))

    def stamp(self, language: Language = "vi") -> Stamp:
        """Return what every print of the plan says about itself."""
        budgets = self._budgets(language)
        return Stamp(
            title=self.data.called,
            scenario=retold(self.scenario_name, language),
            year=self.year,
            as_of=self.as_of,
            unit=self.unit,
            vintage=self.vintage,
            synthetic=self.data.synthetic,
            dataset_hash=self.provenance.dataset,
            scenario_hash=self.provenance.scenario,
            versions=self.provenance.versions,
            seed=self.provenance.seed,
            baseline_year=self.baseline_year,
            summary=tuple(self.explain(language)),
            reserve=tuple((budgets[row["budget"]], row["amount"]) for row in self.reserve),
            notes=self.notes,
            warnings=self.warnings,
            sources=self.data.sources,
            defaults=tuple(default[language] for default in self.defaults),
            step=int(self.rounding.get("step", 0)),
            latest=self.data.latest,
        )
