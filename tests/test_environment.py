"""A fresh machine: what is declared, locked and started."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from rattler import MatchSpec

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.lock", "requirements-dev.lock")


def declared(group: str | None = None) -> dict[str, SpecifierSet]:
    """Return the bounds of the runtime dependencies, or of a dependency group, by name."""
    entries = PROJECT["dependency-groups"][group] if group else PROJECT["project"]["dependencies"]
    requirements = [Requirement(entry) for entry in entries if isinstance(entry, str)]
    return {requirement.name: requirement.specifier for requirement in requirements}


def pins(lock: str) -> dict[tuple[str, str], tuple[str, frozenset[str]]]:
    """Return version and hashes by (name, marker); one package may be pinned once per Python."""
    found = {}
    entries = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    for entry in entries.splitlines():
        pinned, *hashes = entry.split("--hash=")
        requirement = Requirement(pinned)
        key = canonicalize_name(requirement.name), str(requirement.marker or "")
        found[key] = str(requirement.specifier), frozenset(text.strip() for text in hashes)
    return found


# --- Conda ---------------------------------------------------------------------------------------


def test_conda_environment_agrees_with_the_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge"]
    # Every entry is a conda spec (no pip section); all names are the same on conda-forge.
    specs = [MatchSpec(entry, strict=True) for entry in environment["dependencies"]]
    bounds = {str(spec.name.normalized): SpecifierSet(str(spec.version or "")) for spec in specs}
    assert len(bounds) == len(specs)
    expected = {
        "python": SpecifierSet(PROJECT["project"]["requires-python"]),
        "pip": SpecifierSet(),
        **declared(),
        **declared("build"),
    }
    assert bounds == expected


# --- Locks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_versions_and_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|@|--(?!hash=sha256:)|\.(org|com|net|io)\b", text)
    for (name, _), (version, hashes) in pins(lock).items():
        assert version.startswith("=="), name
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), name


@pytest.mark.parametrize(
    ("lock", "groups"), [(LOCKS[0], [None, "build"]), (LOCKS[1], [None, "build", "dev"])]
)
def test_lock_meets_every_declared_bound(lock, groups):
    locked: dict[str, list[str]] = {}
    for (name, _), (version, _) in pins(lock).items():
        locked.setdefault(name, []).append(version.removeprefix("=="))
    for group in groups:
        for name, bounds in declared(group).items():
            assert locked[canonicalize_name(name)], name
            assert all(bounds.contains(version) for version in locked[canonicalize_name(name)]), (
                name
            )


def test_development_lock_contains_the_runtime_lock():
    # start.py takes an environment of the development lock as ready for the main job.
    runtime, development = pins(LOCKS[0]), pins(LOCKS[1])
    by_name = {(name, version) for (name, _), (version, _) in development.items()}
    assert {(name, version) for (name, _), (version, _) in runtime.items()} <= by_name


def test_build_backend_is_locked():
    # The package itself is installed without build isolation.
    assert PROJECT["build-system"]["requires"] == PROJECT["dependency-groups"]["build"]


# --- Imports -------------------------------------------------------------------------------------

IMPORT_NAMES = {"pyyaml": "yaml", "vl-convert-python": "vl_convert"}
NEVER_IMPORTED = {
    "defusedxml",  # openpyxl uses it where it is installed
    "jupyterlab",  # started as a program
}


def imported(files: list[Path]) -> set[str]:
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(str(node.module).partition(".")[0])
    return names - sys.stdlib_module_names - {"kc_model"}


def test_the_package_imports_what_it_declares():
    used = imported(sorted((ROOT / "kc_model").rglob("*.py")))
    expected = {IMPORT_NAMES.get(name, name) for name in set(declared()) - NEVER_IMPORTED}
    assert used == expected


# --- start.py ------------------------------------------------------------------------------------


def start_source() -> str:
    return (ROOT / "start.py").read_text(encoding="utf-8")


def test_start_needs_python_alone():
    assert imported([ROOT / "start.py"]) == set()


def test_start_can_tell_an_old_python_that_it_is_old():
    tree = ast.parse(start_source(), feature_version=(3, 7))
    before = []
    for node in tree.body:
        if isinstance(node, ast.If) and "version_info" in ast.unparse(node.test):
            break
        before.append(node)
    assert [ast.unparse(node) for node in before[1:]] == ["import sys"]


def test_main_job_is_the_published_cases_and_the_sample():
    import start

    cases = {dataset for dataset, _, _ in start.RUNS}
    published = {
        f"data/published/{file.parent.name}" for file in ROOT.glob("data/published/*/dataset.yaml")
    }
    assert cases == published | {"data/sample"}
    for dataset, job, _ in start.RUNS:
        verb, scenario, *_ = job.split()
        assert verb == "forecast" or (ROOT / dataset / scenario).is_file(), job
    assert len({out for _, _, out in start.RUNS}) == len(start.RUNS)


def test_texts_of_start_take_the_same_values_in_both_languages():
    import start

    for key, (vietnamese, english) in start.TEXTS.items():
        fields = [sorted(re.findall(r"{(\w+)}", text)) for text in (vietnamese, english)]
        assert fields[0] == fields[1], key


@pytest.mark.parametrize(
    ("amount", "unit", "shown"),
    [
        ("170800", "million_vnd", "170,80"),
        ("1234567890000", "vnd", "1.234,57"),
        ("329", "billion_vnd", "329,00"),
        ("", "vnd", "–"),
    ],
)
def test_amounts_are_shown_in_billion(amount, unit, shown):
    import start

    assert start.show(amount, start.Decimal(10) ** -start.UNITS[unit]) == shown


# --- A double click ------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="a desktop entry is for Linux")
def test_the_desktop_entry_starts_the_page_in_its_own_folder(tmp_path):
    folder, tools = tmp_path / "dự án có dấu cách", tmp_path / "bin"
    folder.mkdir()
    tools.mkdir()
    (tools / "python3").write_text('#!/bin/sh\necho "$PWD $*"\n')
    (tools / "python3").chmod(0o755)
    entry = (ROOT / "khuyen-cong.desktop").read_text(encoding="utf-8")
    (line,) = re.findall(r"^Exec=(.*)$", entry, re.MULTILINE)
    # As the desktop reads it: quotes and escapes of the entry's own, then %k, the file itself.
    words = [word.replace("\\$", "$") for word in shlex.split(line.replace("\\\\", "\\"))]
    command = [str(folder / "khuyen-cong.desktop") if word == "%k" else word for word in words]
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    done = subprocess.run(
        command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{folder} start.py app"


def test_the_batch_file_starts_the_page_in_its_own_folder():
    lines = (ROOT / "khuyen-cong.bat").read_bytes().decode("ascii").split("\r\n")
    assert 'pushd "%~dp0"' in lines  # the folder of the file, blanks, network and all
    assert "if not exist start.py goto away" in lines  # as where it is opened inside a zip file
    assert any("start.py app" in line for line in lines)
    assert not any("\n" in line for line in lines)
