"""Plans that follow the screen: amounts at once, then prices, then reasons; projects in a while."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

from kc_model.allocate.choice import gap_told
from kc_model.money import format_number
from kc_model.results import Allocation
from kc_model.scenario import Scenario
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.errand import Aside, Errand
from kc_model.workbench.making import TIME_LIMIT, Maker
from kc_model.workbench.newest import Newest, Progress, Step

__all__ = ["Following", "Pending"]

Pending = Literal["", "prices", "reasons", "moves", "apart"]
"""What is still being worked out of a plan that is shown: prices and reasons, or reasons alone.

``moves``: it is one of least change, and that of few moves follows, with all else; ``apart``: it
was to follow, and does not.
"""

_PATIENCE = 2.0  # seconds after which it is said how long prices still take
_BREATH = 0.005  # seconds in which a total goes out before the rest is worked out
_CALM = 0.1  # seconds without a move before prices are worked out


class _Owner(Protocol):
    """The desk whose screen is followed."""

    language: Language
    status: screen.Text
    work: Newest

    def scenario_now(self) -> Scenario: ...
    def show_total(self, plan: Allocation) -> None: ...
    def show(self, plan: Allocation, pending: Pending = "") -> None: ...
    def grey(self, *, is_stopped: bool = False) -> None: ...


class Following:
    """Makes the plans of what is on screen; one that a newer move has overtaken is dropped.

    Parameters
    ----------
    after : callable () or None
        Waited for before the first plan.

    Attributes
    ----------
    maker : Maker
    pricing : Aside
        How far a plan or its prices are, where they take their time.
    solving : Errand
        Chooses projects: seconds, or a minute where there are thousands.
    """

    def __init__(self, owner: _Owner, maker: Maker, after: Callable[[], None] | None) -> None:
        self._owner, self.maker, self._after = owner, maker, after
        lock = owner.work.lock
        self.pricing = Aside(lock, _PATIENCE)
        self.solving = Errand(self._begin_choice, owner.show, lock, TIME_LIMIT)

    def words(self, language: Language) -> None:
        """Show every text again, in this language."""
        self.pricing.words(language)
        self.solving.words(say("screen.plan.solve", language), language)

    def start(self) -> None:
        """Follow what the screen says now."""
        owner, maker, scenario = self._owner, self.maker, self._owner.scenario_now()
        is_choice = bool(len(maker.data.projects)) and scenario.projects != "ignore"
        self.solving.layout.display = None if is_choice else "none"
        if is_choice:
            self.solving.button.click()
            return
        owner.status.value = screen.message([say("screen.working", owner.language)])
        made: list[Allocation] = []

        def plan(progress: Progress, *, detail: bool) -> Allocation | None:
            def partly(plan: Allocation, pending: Pending) -> None:
                with owner.work.lock:
                    progress("partly", 1.0)  # nothing is shown of a plan that a move has overtaken
                    made[0] = plan
                    owner.show(plan, pending)

            found: Allocation | None = self.pricing.run(
                lambda told: maker.plan(scenario, told, detail=detail, partly=partly),
                progress,
                keeps=detail,
                most=TIME_LIMIT,
            )
            return found

        def soon(progress: Progress) -> Allocation | None:
            self._wait_for_others()
            made.extend([found] if (found := plan(progress, detail=False)) is not None else [])
            return made[0] if made else None

        def in_full(progress: Progress) -> Allocation | None:
            if not made or made[0].status != "optimal":
                return None
            found = plan(progress, detail=True)
            return made[0] if found is None or found.status == "limit" else found

        def show(found: Allocation | None, asked: Pending, otherwise: Pending) -> None:
            is_asked = found is None or found.scenario.goals == scenario.goals
            self._show(found, asked if is_asked else otherwise)

        owner.work.start(
            Step(soon, self._show_total),
            Step(
                lambda _progress: made[0] if made else None,
                partial(show, asked="prices", otherwise="moves"),
                pause=_BREATH,
            ),
            Step(in_full, partial(show, asked="", otherwise="apart"), pause=_CALM),
        )

    def _show_total(self, found: Allocation | None) -> None:
        if found is not None:
            self._owner.show_total(found)

    def _show(self, found: Allocation | None, pending: Pending) -> None:
        if found is not None:
            self._owner.show(found, pending)
        elif pending:
            self._owner.grey(is_stopped=True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for projects being chosen; tell whether they were in time (seconds)."""
        return self.solving.wait(timeout)

    def _begin_choice(self) -> Callable[[Progress], Allocation]:
        owner, maker, scenario = self._owner, self.maker, self._owner.scenario_now()
        owner.grey()

        def work(progress: Progress) -> Allocation:
            def tell(step: str, share: float) -> None:
                progress(step, share)
                gap = gap_told(share) if step == "choose" else None
                if gap is not None:
                    with owner.work.lock:
                        self._tell_gap(gap)

            self._wait_for_others()
            try:
                return maker.plan(scenario, tell, detail=True)
            except KeyboardInterrupt:
                with owner.work.lock:
                    owner.grey(is_stopped=True)
                raise

        return work

    def _tell_gap(self, gap: float) -> None:
        language = self._owner.language
        shown = format_number(round(100 * gap, 2), None, language)
        self._owner.status.value = screen.message([say("screen.plan.gap", language, gap=shown)])

    def _wait_for_others(self) -> None:
        """Let what stands in front begin; two at once would only keep each other waiting."""
        if self._after is not None:
            self._after()
            self._after = None
