"""Set up kc_model and run it, with Python alone (3.11 or newer).

``python3 start.py``
    Sets up ``.venv`` beside this file, works out the published cases and the sample into ``out/``,
    and opens the notebooks if somebody sits at the terminal (``--no-lab``: does not).
``python3 start.py app``
    Opens the planner's page in the browser (what a double click on ``khuyen-cong`` does).
``python3 start.py lab``
    Opens the notebooks.
``python3 start.py test``
    Runs every check and test; what follows is handed to pytest.

Standard library only. The grammar is kept old, so that an old Python can read this file and say
that it is too old. It speaks both languages itself because the package and its wording are not
installed yet.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Cần Python 3.11 trở lên; máy này đang chạy %s.\n"
        "Python 3.11 or newer is needed; this is %s." % ((sys.version.split()[0],) * 2)
    )

import argparse
import csv
import hashlib
import os
import re
import shutil
import subprocess
import time
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "kc-model.stamp"
LOG = VENV / "kc-model-setup.log"
RUNTIME = ROOT / "requirements.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"

# The main job: dataset, what is done with it, and the folder under out/ it goes to.
RUNS = (
    ("data/published/south-2016", "forecast --year 2016 --as-of 6", "south-2016"),
    ("data/published/north-2024", "forecast --year 2024 --as-of 6", "north-2024"),
    ("data/published/north-2024-provinces", "allocate base.yaml", "north-2024-provinces"),
    ("data/published/bac-kan-2014-2018", "allocate two-years.yaml", "bac-kan-2014-2018"),
    ("data/published/bac-kan-2019-2020", "allocate full.yaml", "bac-kan-2019-2020/full"),
    ("data/published/bac-kan-2019-2020", "allocate smaller.yaml", "bac-kan-2019-2020/smaller"),
    ("data/published/nghe-an-2002-2018", "allocate base.yaml", "nghe-an-2002-2018"),
    ("data/published/national-2022", "forecast --year 2022 --as-of 5", "national-2022"),
    ("data/sample", "forecast --year 2026 --as-of 6", "sample/forecast"),
    ("data/sample", "allocate base.yaml", "sample/base"),
)

REPORT = "bao_cao_tien_do.xlsx"  # the printed progress report beside every forecast

NOTEBOOKS = sorted(
    str(file) for folder in ("notebooks", "kc_model") for file in (ROOT / folder).rglob("*.ipynb")
)

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("codespell", "."),
    ("nbstripout", "--verify", *NOTEBOOKS),
    ("pytest", "--numprocesses", "auto", "--dist", "loadfile"),
)

TEXTS = {
    "no-venv": (
        "Python này thiếu mô-đun venv. Trên Debian, Ubuntu: apt install python3-venv",
        "This Python lacks the venv module. On Debian, Ubuntu: apt install python3-venv",
    ),
    "venv-failed": (
        "Không tạo được {folder}: {reason}",
        "{folder} could not be made: {reason}",
    ),
    "setting-up": (
        "Đang cài đặt vào {folder} (lần đầu mất vài phút, cần mạng)",
        "Setting up {folder} (a few minutes the first time, needs the network)",
    ),
    "installing": (
        "Đang chép các gói vào thư mục",
        "  Installing the packages",
    ),
    "pip-failed": (
        "Không cài được các gói; toàn văn: {log}\n"
        "Thường là do không có mạng (qua proxy thì đặt HTTPS_PROXY), ổ đĩa đầy, hoặc Python quá "
        "mới, chưa có gói dựng sẵn.",
        "The packages could not be installed; in full: {log}\n"
        "Mostly there is no network (behind a proxy, set HTTPS_PROXY), the disk is full, or this "
        "Python is too new for ready-made packages.",
    ),
    "ready": ("Đã cài đặt xong.", "Set up."),
    "working": ("Đang chạy các trường hợp:", "Working out the cases:"),
    "results": (
        "Kết quả, tỷ đồng (dự báo kèm khoảng 80 %)",
        "Results, billion VND (forecasts with their 80 % range)",
    ),
    "run-failed": (
        "Số trường hợp không chạy được: {count}; lý do ở trên.",
        "Cases that failed: {count}; the reasons are above.",
    ),
    "open-lab": (
        "Mở bàn làm việc: {app}\nMở sổ tính: {command}",
        "To open the planner's page: {app}\nTo open the notebooks: {command}",
    ),
    "passed": ("Mọi kiểm tra đều đạt.", "Every check passed."),
    "failed": ("Không đạt: {checks}", "Failed: {checks}"),
    "stopped": ("Đã dừng theo yêu cầu.", "Stopped on request."),
}

HEADINGS = (
    ("Số liệu", "Dataset"),
    ("Việc", "Job"),
    ("Kế hoạch, phân bổ", "Plan, allocated"),
    ("Giải ngân cả năm", "Disbursed by year-end"),
    ("Tệp", "File"),
)

UNITS = {"vnd": 9, "thousand_vnd": 6, "million_vnd": 3, "billion_vnd": 0}


class StartError(Exception):
    """Something outside this program has to be mended first; the text says what."""


def tell(key: str, **values: object) -> str:
    """Return a text in both languages, one line each."""
    return "\n".join(text.format(**values) for text in TEXTS[key])


def environment() -> dict[str, str]:
    """Return the environment of every program started here: UTF-8, and a pip that never asks."""
    quiet = {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_USER": "0",
        "PYTHONUTF8": "1",
    }
    kept = {key: os.environ[key] for key in os.environ if key not in {"PYTHONHOME", "PYTHONPATH"}}
    path = os.pathsep.join([str(SCRIPTS), kept.get("PATH", os.defpath)])
    return {**kept, **quiet, "PATH": path, "VIRTUAL_ENV": str(VENV)}


# --- Setting up ---------------------------------------------------------------------------------


def digest(lock: Path) -> str:
    """Return what an installation rests on: the lock, the package's metadata, Python, the place."""
    parts = [lock.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode()]
    return hashlib.sha256(b"\0".join([*parts, str(ROOT).encode()])).hexdigest()


def is_ready(lock: Path) -> bool:
    """Tell whether everything the lock names is installed; the development lock holds both."""
    if not (STAMP.is_file() and PYTHON.is_file()):
        return False
    return STAMP.read_text() in {digest(lock), digest(DEVELOPMENT)}


def set_up(lock: Path) -> None:
    """Install what the lock names and the package itself into ``.venv``, unless it is there."""
    if is_ready(lock):
        return
    print(tell("setting-up", folder=VENV), flush=True)
    make_venv()
    install("--require-hashes", "--only-binary", ":all:", "--requirement", str(lock))
    # Built with the locked hatchling: no isolated build, hence nothing is fetched.
    install("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    # What charts need in the browser is made once; better now than while somebody waits for a page.
    warm_up = [str(PYTHON), "-c", "from kc_model.workbench.screen import ChartView; ChartView()"]
    subprocess.call(warm_up, cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL)
    STAMP.write_text(digest(lock))
    print(tell("ready"), flush=True)


def make_venv() -> None:
    """Make ``.venv`` for this Python and this folder, keeping one that already serves."""
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships Python without it
        import venv  # noqa: PLC0415
    except ImportError:
        raise StartError(tell("no-venv")) from None
    try:
        if VENV.exists() and not serves():
            shutil.rmtree(VENV)
        if not VENV.exists():
            venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(VENV)
        STAMP.unlink(missing_ok=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StartError(tell("venv-failed", folder=VENV, reason=error)) from None


def serves() -> bool:
    """Tell whether ``.venv`` runs, has pip, and is of this Python's version and this folder."""
    ask = [str(PYTHON), "-I", "-c", "import pip, sys; print(sys.version)"]
    try:
        version = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        made_by = (VENV / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except (OSError, subprocess.SubprocessError):
        return False
    return version.strip() == sys.version and str(VENV) in made_by


def install(*arguments: str) -> None:
    """Run ``pip install``, showing how far it is; keep all it says in the log."""
    said = []
    with subprocess.Popen(
        [str(PYTHON), "-m", "pip", "install", "--no-color", *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        for line in pip.stdout or ():
            said.append(line)
            show_progress(line)
    with LOG.open("a", encoding="utf-8") as log:
        log.writelines(said)
    if pip.returncode:
        raise StartError("".join(said[-4:]) + "\n" + tell("pip-failed", log=LOG))


def show_progress(line: str) -> None:
    """Show which package pip has come to: on a terminal always on the same line."""
    end = "\r" if sys.stdout.isatty() else "\n"
    if line.startswith("Collecting "):
        print(f"  {line.split()[1].partition('==')[0]:<60}", end=end, flush=True)
    elif line.startswith("Installing collected"):
        print(f"  {tell('installing')}", flush=True)


# --- The main job -------------------------------------------------------------------------------


def run_cases() -> int:
    """Work out every run, show what came out, and return how many failed."""
    print("\n" + tell("working"), flush=True)
    rows = [row for row in (run_case(*run) for run in RUNS) if row]
    if rows:
        print("\n" + tell("results") + "\n")
        print_table(rows)
    failed = len(RUNS) - len(rows)
    if failed:
        print("\n" + tell("run-failed", count=failed))
    return failed


def run_case(dataset: str, job: str, out: str) -> tuple[str, ...] | None:
    """Check a dataset, do one job with it, and return its row of the table; None if it failed."""
    verb, *options = job.split()
    if verb == "allocate":
        options[0] = f"{dataset}/{options[0]}"
    scenario = options[:1] if verb == "allocate" else []
    print(f"  kc {verb} {' '.join([dataset, *options])} ", end="", flush=True)
    started = time.monotonic()
    commands = [
        ["check", dataset, *scenario],
        [verb, dataset, *options, "--out", f"out/{out}"],
    ]
    if verb == "allocate":
        commands.append(["verify", f"out/{out}"])
    if verb == "forecast":
        commands.append(["report", dataset, *options, "--out", f"out/{out}/{REPORT}"])
    for arguments in commands:
        done = subprocess.run(
            [str(PYTHON), "-m", "kc_model", *arguments],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            print(f"✗ {arguments[0]}: {done.returncode}\n{done.stdout}", flush=True)
            return None
    print(f"✓ {time.monotonic() - started:.1f} s", flush=True)
    read = read_allocation if verb == "allocate" else read_forecast
    return (Path(dataset).name, job, *read(Path("out", out), scale(dataset)))


def scale(dataset: str) -> Decimal:
    """Return what an amount of the dataset is multiplied by to be in billion VND."""
    header = (ROOT / dataset / "dataset.yaml").read_text(encoding="utf-8")
    unit = re.search(r"^unit:\s*(\w+)", header, re.MULTILINE)
    if unit is None:
        raise StartError(f"{dataset}/dataset.yaml: unit?")
    return Decimal(10) ** -UNITS[unit[1]]


def read_forecast(folder: Path, factor: Decimal) -> tuple[str, str, str]:
    """Return plan, expected year-end with its range, of a forecast's total, and its report."""
    file = folder / "forecast.csv"
    total = next(row for row in read_rows(file) if row["level"] == "all")
    low, middle, high = (show(total[key], factor) for key in ("lower_80", "expected", "upper_80"))
    range_ = f"{middle} ({low} – {high})"
    return show(total["plan"], factor), range_, (folder / REPORT).as_posix()


def read_allocation(folder: Path, factor: Decimal) -> tuple[str, str, str]:
    """Return allocated money, what of it is expected to be disbursed, and the Excel file."""
    rows = read_rows(folder / "allocation.csv")
    sums = [total([row[key] for row in rows]) for key in ("amount", "expected_disbursed")]
    return show(sums[0], factor), show(sums[1], factor), (folder / "allocation.xlsx").as_posix()


def total(amounts: list[str]) -> str:
    """Return the exact sum of written amounts; "" if one of them is not known."""
    return str(sum(map(Decimal, amounts), Decimal(0))) if all(amounts) else ""


def read_rows(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file that kc wrote."""
    with (ROOT / file).open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def show(amount: str, factor: Decimal) -> str:
    """Return an amount in billion VND, written the Vietnamese way; a dash where there is none."""
    if not amount:
        return "–"
    return f"{Decimal(amount) * factor:,.2f}".translate(str.maketrans(",.", ".,"))


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Print rows under their headings in both languages."""
    lines = [*zip(*HEADINGS, strict=True), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))


# --- Commands -----------------------------------------------------------------------------------


def run(no_lab: bool) -> int:
    """Set up, work out the cases, and open the notebooks for whoever sits at the terminal."""
    set_up(RUNTIME)
    failed = run_cases()
    if failed or no_lab or not (sys.stdin.isatty() and sys.stdout.isatty()):
        start = f"{Path(sys.executable).name} start.py"
        print("\n" + tell("open-lab", app=f"{start} app", command=f"{start} lab"))
        return min(failed, 1)
    return lab()


def lab() -> int:
    """Set up and open the notebooks."""
    set_up(RUNTIME)
    return subprocess.call([str(PYTHON), "-m", "kc_model", "lab"], cwd=ROOT, env=environment())


def app() -> int:
    """Set up and open the planner's page."""
    set_up(RUNTIME)
    return subprocess.call([str(PYTHON), "-m", "kc_model", "app"], cwd=ROOT, env=environment())


def test() -> int:
    """Set up for development and run every check, the later ones too when an earlier one fails."""
    set_up(DEVELOPMENT)
    failed = []
    for program, *arguments in CHECKS:
        name = " ".join([program, *arguments[:1]])
        print(f"\n=== {name}", flush=True)
        command = [shutil.which(program, path=str(SCRIPTS)) or program, *arguments]
        if subprocess.call(command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL):
            failed.append(name)
    print("\n" + (tell("failed", checks=", ".join(failed)) if failed else tell("passed")))
    return min(len(failed), 1)


def main(arguments: list[str]) -> int:
    """Read the command line, do what it says and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=("run", "app", "lab", "test"), default="run")
    parser.add_argument("--no-lab", action="store_true", help="do not open the notebooks")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "run":
            return run(chosen.no_lab)
        return {"app": app, "lab": lab, "test": test}[chosen.command]()
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n" + tell("stopped"), file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
