"""The console script: its exit codes, what it writes and what it leaves alone, in two languages."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import openpyxl
import pytest

from kc_model import cli
from kc_model.errors import SaveError
from kc_model.results import ALLOCATION_FILES, FORECAST_FILES

ROOT = Path(__file__).parent.parent

HEAD = """\
title: Bộ số liệu thử
vintage: "63"
unit: million_vnd
synthetic: true
sources: [tài liệu thử]
"""
SHEET_HEAD = [
    ["title", "Bộ số liệu thử"],
    ["vintage", "63"],
    ["unit", "million_vnd"],
    ["synthetic", "true"],
    ["sources", "tài liệu thử"],
]
CELLS = """\
place,area,source,baseline,max
01,TECH,KCQG,100,
01,PROD,KCQG,60,80
02,TECH,KCQG,20,
"""
ABSORPTION = """\
place,area,source,upto,rate
01,TECH,KCQG,400,0.9
01,PROD,KCQG,400,0.8
02,TECH,KCQG,400,0.95
"""
HISTORY = "year,month,place,area,source,plan,disbursed\n" + "".join(
    f"{year},{month},{place},{area},KCQG,{plan},{plan * month // 13}\n"
    for year in (2021, 2022, 2023)
    for month in (3, 6, 9, 12, 13)
    for place, area, plan in (("01", "TECH", 100), ("01", "PROD", 60), ("02", "TECH", 20))
)
SCENARIO = """\
name: thử
year: 2024
budget: [{source: KCQG, amount: 200}]
rules: [{id: tech, where: {area: TECH}, of: all, min: 0.5}]
goals: [{maximise: disbursed}, {minimise: change}]
"""


@pytest.fixture
def folder(tmp_path):
    """Return a dataset's folder with a scenario beside its tables."""
    path = tmp_path / "data"
    path.mkdir()
    files = {
        "dataset.yaml": HEAD,
        "cells.csv": CELLS,
        "absorption.csv": ABSORPTION,
        "history.csv": HISTORY,
        "base.yaml": SCENARIO,
    }
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def run(capsys):
    """Run one command; return its exit code and everything it said."""

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out + said.err

    return run


def allocated(run, folder, *more):
    out = folder.parent / "out"
    code, said = run("allocate", folder, folder / "base.yaml", "--out", out, *more)
    return code, said, out


def write_book(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


def files_of(path):
    return {file.name for file in path.iterdir()} if path.exists() else set()


PLAN = {*ALLOCATION_FILES, "result.json", "run.json"} - {"projects.csv"}  # no projects


# --- 0: done -------------------------------------------------------------------------------------


def test_allocate(run, folder):
    code, said, out = allocated(run, folder)
    assert code == 0
    assert files_of(out) == PLAN
    assert json.loads((out / "result.json").read_text("utf-8"))["status"] == "optimal"
    assert "200 triệu đồng" in said
    assert "200 million VND" in said
    assert str(out / "allocation.xlsx") in said


def test_allocate_with_its_options(run, folder):
    out = folder.parent / "deep" / "er"
    arguments = ["--as-of", "0", "--ranges", "--time-limit", "30"]
    code, _ = run("allocate", folder, folder / "base.yaml", "--out", out, *arguments)
    assert code == 0
    assert files_of(out) == PLAN
    assert json.loads((out / "result.json").read_text("utf-8"))["as_of"] == 0


def test_allocate_from_one_workbook(run, folder, tmp_path):
    sheets = {
        "dataset": SHEET_HEAD,
        "cells": [line.split(",") for line in CELLS.strip().splitlines()],
        "absorption": [line.split(",") for line in ABSORPTION.strip().splitlines()],
        "scenario": [["name", "thử"], ["year", 2024]],
        "budget": [["source", "amount"], ["KCQG", 200]],
        "rules": [["id", "where", "of", "min"], ["tech", "area=TECH", "all", 0.5]],
        "goals": [["sense", "what"], ["maximise", "disbursed"], ["minimise", "change"]],
    }
    path = tmp_path / "book.xlsx"
    write_book(path, sheets)
    assert run("check", path)[0] == 0
    assert run("allocate", path, path, "--out", tmp_path / "a")[0] == 0
    assert allocated(run, folder)[0] == 0
    tables = [d / "allocation.csv" for d in (tmp_path / "a", folder.parent / "out")]
    assert tables[0].read_text("utf-8") == tables[1].read_text("utf-8")


def test_forecast(run, folder):
    out = folder.parent / "out"
    code, _ = run("forecast", folder, "--year", 2023, "--as-of", 6, "--out", out)
    assert code == 0
    assert files_of(out) == {*FORECAST_FILES, "run.json"}


def test_template(run, tmp_path):
    code, said = run("template", tmp_path / "mẫu.xlsx")
    assert code == 0
    assert (tmp_path / "mẫu.xlsx").exists()
    assert said.count("mẫu.xlsx") == 2


def test_check_of_what_is_fine(run, folder):
    code, said = run("check", folder, folder / "base.yaml")
    assert code == 0
    assert "Dùng được" in said
    assert "Usable" in said
    assert files_of(folder.parent) == {"data"}


def test_check_tells_warnings_and_lets_pass(run, folder):
    text = SCENARIO.replace("{source: KCQG,", "{source: KCQG, area: [TECH, PROD], place: '01',")
    (folder / "base.yaml").write_text(text, encoding="utf-8")
    code, said = run("check", folder, folder / "base.yaml")
    assert code == 0
    assert "[outside-plan]" in said
    assert "02|TECH|KCQG" in said
    assert "Worth knowing: 1" in said


# --- 2: bad input --------------------------------------------------------------------------------

BAD = {
    "no dataset": ("dataset.yaml", None),
    "no number": ("cells.csv", CELLS.replace(",100,", ",nhiều,")),
    "no such place": ("cells.csv", CELLS.replace("02,", "99,")),
    "the same cell twice": ("cells.csv", CELLS + "02,TECH,KCQG,5,\n"),
    "scenario: comma": ("base.yaml", SCENARIO.replace("200", "'2,5'")),
    "scenario: no such place": ("base.yaml", SCENARIO.replace("area: TECH", "place: '99'")),
    "scenario: unknown key": ("base.yaml", SCENARIO + "spent: all\n"),
    "scenario: not there": ("base.yaml", None),
    "absorption that rises": ("absorption.csv", ABSORPTION + "01,TECH,KCQG,500,0.95\n"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("older", [False, True])
def test_bad_input_writes_nothing(run, folder, case, older):
    out = folder.parent / "out"
    if older:
        assert allocated(run, folder)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()} if older else {}
    name, text = BAD[case]
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    code, said, out = allocated(run, folder)
    assert code == 2
    assert out.exists() == older
    assert not older or {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert re.search(r"\[[a-z0-9-]+\]", said)
    assert "Lỗi phải sửa" in said
    assert "Faults to mend" in said
    assert run("check", folder, folder / "base.yaml")[0] == 2


def test_every_fault_is_told_at_once_in_both_languages(run, folder):
    (folder / "cells.csv").write_text(
        CELLS.replace(",100,", ",nhiều,").replace("PROD", "PRODD"), encoding="utf-8"
    )
    text = SCENARIO.replace("200", "'2,5'").replace("min: 0.5", "mim: 0.5")
    (folder / "base.yaml").write_text(text, encoding="utf-8")
    code, said = run("check", folder, folder / "base.yaml")
    assert code == 2
    # cells.csv B3 and D2; base.yaml: the amount, and the key that is none: not a missing bound too.
    for address in ("cells.csv!D2", "cells.csv!B3", "base.yaml!line 3", "base.yaml!line 4"):
        assert address in said, address
    lines = said.splitlines()
    vietnamese = [k for k, line in enumerate(lines) if re.match(r"  \S.*\[[a-z0-9-]+\]", line)]
    assert len(vietnamese) == 4
    assert f"Lỗi phải sửa: {len(vietnamese)}" in said
    for k in vietnamese:
        assert lines[k + 1].startswith("    ")
        assert " → " in lines[k]
        assert " → " in lines[k + 1]


BOTH = "cells.csv!D2: bad-number"
ONE_CODE = {
    "an unknown attribute beside another fault of the scenario": (
        {"base.yaml": SCENARIO.replace("200", "nhiều").replace("area: TECH", "khu: TECH")},
        ["base.yaml!line 3: scenario-number", "base.yaml!line 4: unknown-attribute"],
    ),
    "an unknown attribute beside a fault of the data": (
        {
            "cells.csv": CELLS.replace(",100,", ",nhiều,"),
            "base.yaml": SCENARIO.replace("area: TECH", "khu: TECH"),
        },
        [BOTH, "base.yaml!line 4: unknown-attribute"],
    ),
    "an unknown name beside a fault of the data and of the year": (
        {
            "cells.csv": CELLS.replace(",100,", ",nhiều,"),
            "base.yaml": SCENARIO.replace("2024", "20x4").replace("TECH", "TEHC"),
        },
        [BOTH, "base.yaml!line 2: scenario-number", "base.yaml!line 4: unknown-name"],
    ),
    "budgets that select nothing, and a rule": (
        {"base.yaml": SCENARIO.replace("KCQG", "KCX").replace("area: TECH", "khu: TECH")},
        ["base.yaml!line 3: unknown-name", "base.yaml!line 4: unknown-attribute"],
    ),
    "a key that is nearly one": (
        {"base.yaml": SCENARIO.replace("budget:", "budgets:")},
        ["base.yaml!line 3: unknown-key"],
    ),
    "a key of the dataset that is nearly one": (
        {"dataset.yaml": HEAD.replace("unit:", "units:")},
        ["dataset.yaml!line 3: unknown-key"],
    ),
    "evenness of nothing": (
        {"base.yaml": SCENARIO.replace("disbursed", "evenness")},
        ["base.yaml!line 5: evenness-per"],
    ),
    "attributes nobody can know": (
        {
            "cells.csv": "\x00",
            "base.yaml": SCENARIO.replace("area: TECH", "khu: TECH").replace("200", "x"),
        },
        ["cells.csv: not-utf8", "base.yaml!line 3: scenario-number"],
    ),
}


@pytest.mark.parametrize("case", ONE_CODE)
def test_every_fault_has_one_code_and_waits_for_no_other(run, folder, case):
    files, wanted = ONE_CODE[case]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for command in (["check"], ["allocate", "--out", folder.parent / "out"]):
        code, said = run(command[0], folder, folder / "base.yaml", *command[1:])
        found = re.findall(
            r"^  (\S+?(?:!line \d+|![A-Z]+\d+)?)(?: \(.*?\))?: \[([a-z0-9-]+)\]", said, re.MULTILINE
        )
        assert code == 2
        assert sorted(f"{at}: {fault}" for at, fault in found) == sorted(wanted)
    assert not (folder.parent / "out").exists()


def test_what_keeps_projects_out_is_a_warning_of_check(run, folder):
    head = "id,name,place,area,source,cost,support,score,kind,end\n"
    rows = "A1,Máy,01,TECH,KCQG,100,30,5,normal,2019-05-01\n"
    (folder / "projects.csv").write_text(head + rows, encoding="utf-8")
    code, said = run("check", folder)
    assert code == 0, said
    assert "projects.csv!J2 (end): [project-over]" in said
    assert "projects.csv!J2 (end): [project-over]" in run("check", folder, folder / "base.yaml")[1]


@pytest.mark.parametrize(
    ("paid", "code"), [(7, "paid-beside-projects"), (12, "paid-not-in-history"), (9, "")]
)
def test_check_holds_money_disbursed_by_projects_against_the_history(run, folder, paid, code):
    history = "year,month,place,area,source,plan,disbursed\n"
    history += "2024,6,01,TECH,KCQG,40,5\n2024,9,01,TECH,KCQG,40,9\n2023,12,01,TECH,KCQG,30,30\n"
    (folder / "history.csv").write_text(history, encoding="utf-8")
    head = "id,name,place,area,source,cost,support,score,kind,disbursed\n"
    rows = f"A1,Máy,01,TECH,KCQG,100,30,5,normal,{paid}\n"
    (folder / "projects.csv").write_text(head + rows, encoding="utf-8")
    for arguments in ((), (folder / "base.yaml",)):
        status, said = run("check", folder, *arguments)
        assert status == 0, said
        found = {one for one in ("paid-beside-projects", "paid-not-in-history") if one in said}
        assert found == ({code} if code else set())


def test_allocate_tells_the_faults_of_data_and_scenario_together(run, folder):
    (folder / "cells.csv").write_text(CELLS.replace("PROD", "PRODD"), encoding="utf-8")
    (folder / "base.yaml").write_text(SCENARIO + "spent: all\n", encoding="utf-8")
    code, said, _ = allocated(run, folder)
    assert code == 2
    assert "PRODD" in said
    assert "spent" in said


def test_check_of_a_workbook_reads_the_scenario_in_it(run, tmp_path):
    sheets = {
        "dataset": SHEET_HEAD,
        "cells": [line.split(",") for line in CELLS.strip().splitlines()],
    }
    path = tmp_path / "book.xlsx"
    write_book(path, sheets)
    code, said = run("check", path)
    assert code == 0, said  # a workbook need not hold a scenario
    sheets["scenario"] = [["name", "thử"], ["year", 2024]]
    sheets["budget"] = [["source", "amount"], ["KCQG", "nhiều"]]
    write_book(path, sheets)
    code, said = run("check", path)
    assert code == 2
    assert "book.xlsx!budget!B2" in said


@pytest.mark.parametrize("month", [-1, 13, 99])
def test_a_month_that_does_not_exist(run, folder, month):
    code, _, out = allocated(run, folder, "--as-of", month)
    assert code == 2
    assert not out.exists()
    code, _ = run("forecast", folder, "--year", 2023, "--as-of", month, "--out", out)
    assert code == 2
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["guess"], ["allocate"], ["allocate", "a", "b"], ["forecast", "a", "--out", "b"]],
)
def test_a_command_that_does_not_exist(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert files_of(tmp_path) == set()
    assert "usage" in capsys.readouterr().err


def test_help_is_in_both_languages(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "lập phương án phân bổ" in said
    assert "allocate the budget" in said


# --- 3 and 4: no plan ----------------------------------------------------------------------------


def without_plan(folder, out, code, said, status):
    assert files_of(out) <= {"result.json", "run.json", "mine.txt"}
    assert not files_of(out) & set(ALLOCATION_FILES)
    result = json.loads((out / "result.json").read_text("utf-8"))
    assert result["status"] == status
    assert str(out / "result.json") in said
    return result


@pytest.mark.parametrize("older", [False, True])
def test_laws_that_contradict_each_other(run, folder, older):
    out = folder.parent / "out"
    if older:
        allocated(run, folder)
        (out / "mine.txt").write_text("giữ lại", encoding="utf-8")
    text = SCENARIO.replace("rules: [", "rules: [{id: floor, each: place, min: 120}, ")
    (folder / "base.yaml").write_text(text, encoding="utf-8")
    code, said, out = allocated(run, folder)
    assert code == 3
    result = without_plan(folder, out, code, said, "infeasible")
    assert result["conflicts"][0]["rules"] == ["budget:1", "floor"]
    assert "mâu thuẫn" in said
    assert "contradict" in said
    assert (out / "mine.txt").exists() == older
    # Not an input fault: the files themselves are sound.
    assert run("check", folder, folder / "base.yaml")[0] == 0


def test_an_impossible_grid(run, folder):
    (folder / "base.yaml").write_text(SCENARIO + "round_to: 30\n", encoding="utf-8")
    code, said, out = allocated(run, folder)
    assert code == 3
    result = without_plan(folder, out, code, said, "infeasible")
    assert result["conflicts"][0]["rules"][:2] == ["round_to", "budget:1"]


@pytest.mark.parametrize("older", [False, True])
def test_no_time(run, folder, older):
    if older:
        allocated(run, folder)
    code, said, out = allocated(run, folder, "--time-limit", 0)
    assert code == 4
    result = without_plan(folder, out, code, said, "limit")
    assert result["goals"] == []
    assert "không đưa ra số liệu" in said


# --- 1: anything else ----------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """Make allocate fail in a way; logs go to a folder of the test."""

    def broken(error):
        def fail(*_arguments, **_options):
            raise error

        monkeypatch.setattr(importlib.import_module("kc_model.allocate"), "allocate", fail)
        monkeypatch.setattr(importlib.import_module("tempfile"), "tempdir", str(tmp_path))

    return broken


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("chia cho 0"),
        KeyError("x"),
        MemoryError(),
        RecursionError(),
        OSError("ổ đĩa"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_nobody_expected(run, folder, broken, error, tmp_path):
    allocated(run, folder)
    out = folder.parent / "out"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    broken(error)
    code, said, out = allocated(run, folder)
    assert code == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert "Có lỗi ngoài dự kiến" in said
    assert "Something unexpected" in said
    (log,) = tmp_path.glob("*.log")
    assert str(log) in said
    assert type(error).__name__ in log.read_text("utf-8")


def test_stopped_by_hand(run, folder, broken):
    broken(KeyboardInterrupt())
    code, said, out = allocated(run, folder)
    assert code == 1
    assert "Đã dừng" in said
    assert not out.exists()


LISTED = "id,name,place,area,source,cost,support,min_support,score,kind,requires,excludes\n"
LISTED += "".join(f"P{n},việc {n},01,TECH,KCQG,{80 + n},{40 + n},,1,normal,,\n" for n in range(6))


@pytest.fixture
def interruptible():
    """Let Ctrl-C interrupt, also where the tests were started beside others."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("room", "step"),
    [
        ("check", "read_together"),
        ("allocate.planner", "build_problem"),
        ("allocate.planner", "choose"),
        ("allocate.planner", "size_plan"),
        ("allocate.planner", "certify"),
        ("allocate.planner", "find_whys"),
        ("allocate.whynot", "_Search"),
        ("results.allocation", "allocation_workbook"),
    ],
)
def test_ctrl_c_at_any_moment_writes_nothing_and_ends_with_one_code(
    run, folder, monkeypatch, room, step
):
    (folder / "projects.csv").write_text(LISTED, encoding="utf-8")
    code, _, out = allocated(run, folder)
    assert (code, "projects.csv" in files_of(out)) == (0, True)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    module, pressed = importlib.import_module(f"kc_model.{room}"), []
    known = getattr(module, step)

    def press(*arguments, **options):
        if not pressed:
            pressed.append(step)
            signal.raise_signal(signal.SIGINT)
        return known(*arguments, **options)

    monkeypatch.setattr(module, step, press)
    (folder / "projects.csv").write_text(LISTED.replace("việc", "đề án"), encoding="utf-8")
    code, said, out = allocated(run, folder)
    assert pressed
    if step == "allocation_workbook":  # being saved already: whole, and told so
        assert (code, "Đã ghi" in said, "Đã dừng" in said) == (0, True, False)
        return
    assert (code, "Đã dừng theo yêu cầu, không ghi gì." in said) == (1, True)
    assert "Đã ghi" not in said
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_the_command_loads_ends_it_with_one_code_and_no_traceback():
    code = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Press:  # of a key, at the first module that the commands need
    def find_spec(self, name, path=None, target=None):
        if name == "kc_model.commands":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Press())
from kc_model.cli import main
sys.exit(main(["check", "nowhere"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=False)
    said = done.stdout.decode()
    assert (done.returncode, done.stderr) == (1, b"")
    assert said.splitlines()[0] == "Đã dừng theo yêu cầu, không ghi gì."


@pytest.mark.parametrize("module", ["kc_model", "kc_model.cli"])
def test_ctrl_c_within_text_that_python_runs_ends_with_one_code_too(module, tmp_path):
    # As while a class of data is made: `python -m` remembers it, though it was caught.
    (tmp_path / "sitecustomize.py").write_text("""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Press:
    def find_spec(self, name, path=None, target=None):
        if name == "kc_model.verify":
            exec("signal.raise_signal(signal.SIGINT)")

sys.meta_path.insert(0, Press())
""")
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-m", module, "verify", "nowhere"]
    env = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, capture_output=True, env=env, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.decode().splitlines()[0] == "Đã dừng theo yêu cầu, không ghi gì."


@pytest.mark.parametrize("words", [["--help"], ["verify", "nowhere"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_heard_enough_sees_no_traceback(words, unbuffered):
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [sys.executable, "-m", "kc_model", *words],
        stdout=writes,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        cwd=ROOT,
        check=False,
    )
    os.close(writes)
    assert done.stderr == b""


def test_the_module_of_the_command_runs_it():
    command = [sys.executable, "-m", "kc_model.cli", "check", "nowhere"]
    assert subprocess.run(command, capture_output=True, cwd=ROOT, check=False).returncode == 2


def test_a_folder_that_cannot_be_written(run, folder):
    out = folder.parent / "out"
    out.write_text("tệp", encoding="utf-8")
    code, said, _ = allocated(run, folder)
    assert code == SaveError.exit_code == 1
    assert out.read_text("utf-8") == "tệp"
    assert "[save-not-a-folder]" in said


def test_what_somebody_else_saved_meanwhile(run, folder, monkeypatch):
    allocated(run, folder)
    out = folder.parent / "out"
    honest = importlib.import_module("kc_model.allocate").allocate

    def slow(*arguments, **options):
        (out / "allocation.csv").write_text("của người khác", encoding="utf-8")
        return honest(*arguments, **options)

    monkeypatch.setattr(importlib.import_module("kc_model.allocate"), "allocate", slow)
    code, _, _ = allocated(run, folder)
    assert code == 1
    assert (out / "allocation.csv").read_text("utf-8") == "của người khác"


# --- The script itself ---------------------------------------------------------------------------


def test_kc_is_this_script():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    module, _, name = scripts["kc"].partition(":")
    assert getattr(importlib.import_module(module), name) is cli.main


def test_python_m_is_the_same_on_any_console(run, folder, tmp_path):
    # Another process, hash seed, clock, locale and a console that knows no Vietnamese.
    assert allocated(run, folder)[0] == 0
    other = tmp_path / "other"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kc_model", "allocate"),
            *(str(folder), str(folder / "base.yaml"), "--out", str(other)),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONHASHSEED": "7",
            "TZ": "Asia/Ho_Chi_Minh",
            "LC_ALL": "C",
            "PYTHONIOENCODING": "ascii",
            "PYTHONUTF8": "0",
        },
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stdout + done.stderr
    for name in ("allocation.csv", "rules.csv", "result.json", "proof.json"):
        assert (other / name).read_bytes() == (folder.parent / "out" / name).read_bytes(), name
