"""The commands of ``kc``: thin, bilingual, never a traceback."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from kc_model.errors import (
    Fault,
    InfeasibleError,
    InputError,
    KcError,
    NotOptimalError,
    SaveError,
    errors_in,
)
from kc_model.wording import LANGUAGES, say

if TYPE_CHECKING:
    from kc_model.results import Allocation, Forecast

# A command loads what it uses and no more: the rooms that reckon take seconds.
# ruff: noqa: PLC0415

__all__ = ["run"]

_EXIT_CODES = {
    "optimal": 0,
    "infeasible": InfeasibleError.exit_code,
    "limit": NotOptimalError.exit_code,
}


def run(arguments: Sequence[str] | None = None, *, is_stopped: bool = False) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        None: those of the command line.
    is_stopped : bool
        Whether Ctrl-C came before this.

    Returns
    -------
    int
        0 done; 2 bad input, nothing written; 3 the laws contradict each other; 4 no proven optimum
        in the time allowed; 1 anything else: also, whenever Ctrl-C comes, that it was stopped.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        try:
            if is_stopped:
                raise KeyboardInterrupt
            return _code(_parser().parse_args(arguments))
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        exec("")  # noqa: S102 - else `python -m` ends by the signal where it came within an `exec`
        with _too_late():
            _both("stopped")
            sys.stdout.flush()
        return 1
    except BrokenPipeError:  # whoever read our words has heard enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        if arguments is None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process ends: nothing to stop


def _code(options: argparse.Namespace) -> int:
    try:
        return int(options.run(options))
    except (InputError, SaveError) as error:
        _tell_faults(error.faults)
        return error.exit_code
    except KcError as error:
        _say(str(error))
        return error.exit_code
    except BrokenPipeError:
        raise
    except Exception:  # noqa: BLE001 - a planner never sees a traceback
        _both("unexpected", log=_log())
        return 1


@contextmanager
def _too_late() -> Iterator[None]:
    """Let Ctrl-C do nothing: what is done, or being written, is told to the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _log() -> Path:
    """Keep the traceback where somebody who can read it will find it."""
    path = Path(tempfile.gettempdir()) / "kc_model.log"
    with path.open("a", encoding="utf-8") as file:
        file.write(traceback.format_exc())
    return path


# ---------------------------------------------------------------------------- commands


def _run_template(options: argparse.Namespace) -> int:
    from kc_model.template import write_template

    write_template(options.file)
    _both("template.done", path=options.file)
    return 0


def _run_check(options: argparse.Namespace) -> int:
    from kc_model.check import check_together

    with _progress() as progress:
        faults = check_together(options.dataset, options.scenario, progress)
    _tell_faults(faults)
    if errors_in(faults):
        return InputError.exit_code
    _both("check.fine", path=options.dataset)
    return 0


def _run_forecast(options: argparse.Namespace) -> int:
    from kc_model.export import fingerprint
    from kc_model.forecast import forecast
    from kc_model.reading import read_dataset
    from kc_model.results import FORECAST_FILES

    expected = fingerprint(options.out, FORECAST_FILES)
    with _progress() as progress:
        data = read_dataset(options.dataset, progress)
        result: Forecast = forecast(
            data, options.year, options.as_of, arrival=dict(options.arrival), progress=progress
        )
    with _too_late():
        result.save(options.out, expected)
        _tell_faults(result.warnings)
        _both("saved", path=options.out / "forecast.csv")
    return 0


def _run_allocate(options: argparse.Namespace) -> int:
    from kc_model.allocate import allocate
    from kc_model.check import read_together
    from kc_model.export import fingerprint
    from kc_model.results import ALLOCATION_FILES

    expected = fingerprint(options.out, (*ALLOCATION_FILES, "result.json"))
    with _progress() as progress:
        data, scenario = read_together(options.dataset, options.scenario, progress)
        plan: Allocation = allocate(
            data,
            scenario,
            as_of=options.as_of,
            ranges=options.ranges or None,
            time_limit=options.time_limit,
            progress=progress,
        )
    with _too_late():
        if not plan.stopped:
            plan.save(options.out, expected=expected)
        _tell_faults(plan.warnings)
        for language in LANGUAGES:
            _say("\n".join(plan.explain(language)))
        shown = "allocation.xlsx" if plan.status == "optimal" else "result.json"
        _both("stopped" if plan.stopped else "saved", path=options.out / shown)
    return 1 if plan.stopped else _EXIT_CODES[plan.status]


def _run_verify(options: argparse.Namespace) -> int:
    from kc_model.verify import verify

    verification = verify(options.folder)
    for language in LANGUAGES:
        _say("\n".join(verification.sentences(language)))
    return 0 if verification.proven else 1


def _run_report(options: argparse.Namespace) -> int:
    from kc_model.export import fingerprint
    from kc_model.forecast import forecast
    from kc_model.progress import progress
    from kc_model.reading import read_dataset

    out = options.out.resolve()
    expected = fingerprint(out.parent, [out.name])
    with _progress() as tell:
        data = read_dataset(options.dataset, tell)
        outlook: Forecast = forecast(
            data, options.year, options.as_of, arrival=dict(options.arrival), progress=tell
        )
        report = progress(data, outlook)
    with _too_late():
        report.save(out, expected=expected, unit=data.unit)
        _tell_faults(report.warnings)
        for language in LANGUAGES:
            _say("\n".join(report.sentences(language)))
        _both("saved", path=options.out)
    return 0


def _arrival(text: str) -> tuple[str, int]:
    """Read ``KCQG=5``; what is no source or month is refused by the forecast."""
    source, _, month = text.partition("=")
    if not source or not month.isdecimal():
        raise argparse.ArgumentTypeError(_help("bad_arrival"))
    return source, int(month)


def _run_lab(options: argparse.Namespace) -> int:
    from kc_model.workbench.lab import open_lab

    return open_lab(options.folder, options.rest)


def _run_app(options: argparse.Namespace) -> int:
    from kc_model.workbench.app import open_app

    def tell(key: str, values: dict[str, object]) -> None:
        _both(f"app.{key}", **values)
        sys.stdout.flush()  # the page stays open; who reads a file waits for its address

    return open_app(options.folder, tell, port=options.port, browser=options.browser)


# ---------------------------------------------------------------------------- talking


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _both(key: str, **values: object) -> None:
    for language in LANGUAGES:
        _say(say(f"cli.{key}", language, **values))


def _tell_faults(faults: Sequence[Fault]) -> None:
    """List every fault, errors first, each in both languages."""
    for level in ("error", "warning"):
        chosen = [fault for fault in faults if fault.level == level]
        if chosen:
            _both(f"check.{level}s", count=len(chosen))
        for fault in chosen:
            _say(f"  {fault.text('vi')}")
            _say(f"    {fault.found('en')} → {fault.remedy('en')}")


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """Show a bar where somebody watches; silent in a pipe."""
    with tqdm(total=100, disable=None, leave=False, bar_format="{desc} {bar} {n:.0f} %") as bar:

        def tell(step: str, share: float) -> None:
            bar.set_description_str(say(f"cli.steps.{step}") + _gap(step, share))
            bar.update(round(100 * share) - bar.n)

        yield tell


def _gap(step: str, share: float) -> str:
    """Return how near a choice of projects is to the best there can be, once that is known."""
    if step != "choose":
        return ""
    from kc_model.allocate.choice import gap_told
    from kc_model.money import format_number

    gap = gap_told(share)
    shown = "" if gap is None else format_number(round(100 * gap, 2), None, "vi")
    return say("cli.gap", gap=shown) if shown else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kc", description=_help("about"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=_help(name))
        command.set_defaults(run=run)
        return command

    add("template", _run_template).add_argument("file", type=Path)

    command = add("check", _run_check)
    command.add_argument("dataset", type=Path)
    command.add_argument("scenario", type=Path, nargs="?")

    for name, run, out in (("forecast", _run_forecast, "out"), ("report", _run_report, "out_file")):
        command = add(name, run)
        command.add_argument("dataset", type=Path)
        command.add_argument("--year", type=int, required=True, help=_help("year"))
        command.add_argument("--as-of", type=int, required=True, help=_help("as_of"))
        command.add_argument("--out", type=Path, required=True, help=_help(out))
        command.add_argument(
            "--arrival",
            type=_arrival,
            action="append",
            default=[],
            metavar="KCQG=5",
            help=_help("arrival"),
        )

    command = add("allocate", _run_allocate)
    command.add_argument("dataset", type=Path)
    command.add_argument("scenario", type=Path)
    command.add_argument("--out", type=Path, required=True, help=_help("out"))
    command.add_argument("--as-of", type=int, help=_help("as_of"))
    command.add_argument("--ranges", action="store_true", help=_help("ranges"))
    command.add_argument("--time-limit", type=float, default=60.0, help=_help("time_limit"))

    add("verify", _run_verify).add_argument("folder", type=Path)

    command = add("lab", _run_lab)
    command.add_argument("folder", type=Path, nargs="?", default=Path("notebooks"))
    command.add_argument("rest", nargs=argparse.REMAINDER)

    command = add("app", _run_app)
    command.add_argument("folder", type=Path, nargs="?", default=Path(), help=_help("app_folder"))
    command.add_argument("--port", type=int, default=8866, help=_help("app_port"))
    command.add_argument(
        "--no-browser", dest="browser", action="store_false", help=_help("app_no_browser")
    )
    return parser


def _help(key: str) -> str:
    return " / ".join(say(f"cli.help.{key}", language) for language in LANGUAGES).replace("%", "%%")
