"""The house: which room may lean on which, and what every room owes its reader."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kc_model"
MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "misc", "lib"}


def name_of(module: Path) -> str:
    """Return a file's dotted name."""
    parts = module.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), filename=str(module))


def layers() -> list[str]:
    """Return the rooms as the import contract lists them, the top first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (
        entry for entry in project["tool"]["importlinter"]["contracts"] if entry["type"] == "layers"
    )
    return contract["layers"]


def listing() -> list[str]:
    """Return the rooms as the README lists them, the bottom first."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```\w*\nkc_model/\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert block, "README.md: no fenced block that starts with kc_model/"
    return re.findall(r"^  (\w+(?:\.py|/))", block[1], re.MULTILINE)


# --- Imports -------------------------------------------------------------------------------------


def test_rooms_import_downwards_and_in_no_circle():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_an_upward_import_is_found(tmp_path):
    # The contract itself is tried: a lower room that leans on a higher one must be refused.
    house = tmp_path / "kc_model"
    house.mkdir()
    for room in [*layers(), "__init__"]:
        (house / f"{room}.py").write_text("")
    (house / "money.py").write_text("def late():\n    from kc_model import forecast\n")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    lint = "import importlinter.cli as cli; raise SystemExit(cli.lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", lint], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "kc_model.money -> kc_model.forecast" in done.stdout


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_room_imports_the_whole_package(module):
    # `import kc_model` inside a room would be a circle through the front door.
    rooms = {Path(room).stem for room in layers()}
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            assert all(alias.name != "kc_model" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "kc_model":
            assert {alias.name for alias in node.names} <= rooms
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"


# --- The README's listing ------------------------------------------------------------------------


def test_readme_lists_the_rooms_in_the_order_of_the_contract():
    front = [f"{room}.py" for room in ("__init__", "__main__")]
    rooms = [Path(room).stem for room in listing() if room not in front]
    assert rooms == [room for room in reversed(layers()) if room != "__main__"]


def test_readme_lists_what_is_there():
    there = {f"{entry.parent.name}/" for entry in PACKAGE.glob("*/__init__.py")}
    there |= {entry.name for entry in PACKAGE.glob("*.py")}
    assert sorted(listing()) == sorted(there)


# --- What a room owes its reader ----------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_room_has_a_plain_name(module):
    assert not VAGUE_NAMES & set(name_of(module).split("."))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_room_is_read_at_one_sitting(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 500


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_room_says_what_is_public(module):
    if module.name == "__main__.py":
        return
    tree = tree_of(module)
    assert ast.get_docstring(tree)
    public = importlib.import_module(name_of(module)).__all__
    assert all(hasattr(importlib.import_module(name_of(module)), name) for name in public)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    defined = {node.name for node in tree.body if isinstance(node, kinds)}
    assert {name for name in defined if not name.startswith("_")} <= set(public)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_public_definitions_are_documented(module):
    undocumented = [
        name for name, node in definitions(tree_of(module)) if not ast.get_docstring(node)
    ]
    assert not undocumented


def definitions(tree, prefix=""):
    """Yield public functions, classes and methods with their names, each once."""
    for node in tree.body:
        is_definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if is_definition and not node.name.startswith("_") and not repeats(node):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node, f"{prefix}{node.name}.")


def repeats(node):
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    return "overload" in decorators or any(name.endswith(".setter") for name in decorators)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_library_neither_prints_nor_asserts(module):
    for node in ast.walk(tree_of(module)):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: assert"
        is_print = isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        assert not is_print, f"line {node.lineno}: print"


# --- Notebooks -----------------------------------------------------------------------------------


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.name)
def test_notebook_is_kept_without_outputs(notebook):
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


# --- The two commands ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["python3 start.py", "python3 start.py test"])
def test_readme_gives_the_commands_that_ci_runs(command):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(command)}\s*(#.*)?$", readme, re.MULTILINE)
    assert re.search(rf"^{re.escape(command)}( --no-lab)? </dev/null$", ci, re.MULTILINE)


# --- Loaded when asked for -----------------------------------------------------------------------


@pytest.mark.parametrize("package", ["kc_model", "kc_model.workbench"])
def test_public_names_are_what_their_rooms_hold(package):
    front = importlib.import_module(package)
    seen = {
        alias.name: node.module
        for node in ast.walk(tree_of(Path(front.__file__)))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("kc_model")
        for alias in node.names
    }
    assert sorted(seen) == sorted(front.__all__) == sorted(front._HOME)
    for name, room in seen.items():
        importlib.import_module(room)  # a room must not stand in for its function
        assert getattr(front, name) is getattr(sys.modules[room], name)
    with pytest.raises(AttributeError, match="nowhere"):
        front.nowhere  # noqa: B018


@pytest.mark.parametrize("module", ["kc_model", "kc_model.commands", "kc_model.workbench"])
def test_the_front_doors_load_nothing_heavy(module):
    ask = f"import sys, {module}; print({{'pandas', 'scipy', 'altair', 'pulp'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.strip() == "set()", done.stderr
