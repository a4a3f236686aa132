"""The notebooks: they run from top to bottom, and hold narration and calls, nothing else."""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LOOK = {
    "00_bat_dau.ipynb": """
cases, desk = Out[max(Out) - 1], _
assert cases.wait(60) and desk.wait(60), "still reading"
assert "north-2024-provinces" in cases.text.value
assert "national-2022" in cases.text.value
assert desk.loaded.data is not None and desk.pick.value.name in desk.status.value
""",
    "01_tien_do.ipynb": """
late, early = Out[max(Out) - 1], _
assert late.wait(60) and early.wait(60), "still working"
assert not late.status.value and not early.status.value, late.status.value + early.status.value
def fund(desk):
    rows = desk.completion.chart.picture["rows"]
    return {row["name"]: row["expected"] for row in rows}
national = "Khuyến công quốc gia"
assert fund(late)[national] < fund(early)[national] <= 140_000
assert set(fund(late)) == {national, "Khuyến công địa phương"}
""",
    "02_phuong_an.ipynb": """
from decimal import Decimal
from kc_model import allocate
desk = _
assert desk.wait(60), "still working"
assert desk.shares.chart.picture["heading"] == "Tổng: 170.800 triệu đồng"
desk.sliders["total"].value = Decimal(180_000)
desk.sliders["tech-share:min"].value = Decimal("0.6")
assert desk.wait(60), "still working"
assert desk.shares.chart.picture["heading"] == "Tổng: 180.000 triệu đồng"
tech = desk.plan.cells.query("area == 'TECH'")["amount"].sum()
assert tech >= 0.6 * 180_000 * 10**6 - 10**6
""",
    "03_kiem_chung.ipynb": """
desk = _
assert desk.wait(60), "still working"
assert desk.result.done == ((2025, 3), (2025, 6), (2025, 9))
assert desk.result.explain("vi")[0] in desk.findings.value and desk.result.left == ()
assert "Khuyến công quốc gia" in desk.figures.value
""",
}


def cells(notebook, kind):
    content = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in content if cell["cell_type"] == kind]


@pytest.fixture(autouse=True)
def _package_is_found(monkeypatch, tmp_path):
    # The kernel is another process; it must find the package as this one does.
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))


def test_every_notebook_is_looked_at():
    assert {notebook.name for notebook in NOTEBOOKS} == set(LOOK)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.name)
def test_notebook_runs_and_shows_what_it_says(notebook):
    content = nbformat.read(notebook, as_version=4)
    content.cells.append(nbformat.v4.new_code_cell(LOOK[notebook.name]))
    client = NotebookClient(
        content, timeout=60, resources={"metadata": {"path": str(notebook.parent)}}
    )
    client.execute()
    outputs = [output for cell in content.cells for output in cell.get("outputs", [])]
    assert any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for o in outputs)
    assert not [output for output in outputs if output["output_type"] in {"stream", "error"}]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.name)
def test_notebook_only_imports_shows_and_narrates(notebook):
    allowed = (ast.ImportFrom, ast.Assign, ast.Expr)
    sources = cells(notebook, "code")
    shown = "".join(sources).count("show_") - "".join(sources).count("import show_")
    assert shown == {"00": 3, "01": 3, "02": 1, "03": 1}[notebook.name[:2]]  # 00 imports two
    assert len(sources) <= shown + (notebook.name < "02")  # each cell is one call
    for source in sources:
        assert "read_" not in source  # the call takes a place
        tree = ast.parse(source)
        assert all(isinstance(node, allowed) for node in tree.body)
        maths = (ast.Add, ast.Sub, ast.Mult, ast.Mod, ast.Pow, ast.Lambda, ast.comprehension)
        assert not [node for node in ast.walk(tree) if isinstance(node, maths)]
    for source in cells(notebook, "markdown"):
        assert source.count("<small>*") == source.count("*</small>") == 1, (
            "English after Vietnamese"
        )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.name)
def test_notebook_is_small_and_in_the_newest_form(notebook):
    content = nbformat.read(notebook, as_version=nbformat.NO_CONVERT)
    nbformat.validate(content)
    assert (content.nbformat, content.nbformat_minor) == (4, 5)
    assert notebook.stat().st_size < 10_000
    for source in cells(notebook, "markdown"):
        for name in re.findall(r"\]\(([^)]+\.ipynb)\)", source):
            assert (notebook.parent / name).is_file()
