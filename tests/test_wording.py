"""Every text in both languages, every key that is asked for, no text that nobody asks for."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

from kc_model.money import Amount
from kc_model.wording import LANGUAGES, say, texts
from kc_model.words import Words

PACKAGE = Path(__file__).parent.parent / "kc_model"
ANY = "\0"  # stands for what only the running program knows


def nodes() -> list[ast.AST]:
    """Return every node of the package's code without docstrings and the pieces of f-strings."""
    files = sorted(PACKAGE.rglob("*.py"))
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return [
        node
        for tree in trees
        for parent in ast.walk(tree)
        for node in ast.iter_child_nodes(parent)
        if not (isinstance(node, ast.Constant) and isinstance(parent, ast.Expr | ast.JoinedStr))
    ]


NODES = nodes()


def patterns_of(node: ast.expr) -> Iterator[str]:
    """Yield the keys an argument may be, with ANY for what an f-string fills in."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else ANY for part in node.values
        )
    elif isinstance(node, ast.IfExp):
        yield from patterns_of(node.body)
        yield from patterns_of(node.orelse)


@cache
def asked() -> set[tuple[str, bool]]:
    """Return every key that is handed to `say` or `both`, as a pattern; and whether to a method.

    A method may put its room's own beginning before the key.
    """
    found = set()
    for node in NODES:
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("say", "both"):
            is_method = isinstance(node.func, ast.Attribute)
            found |= {(pattern, is_method) for pattern in patterns_of(node.args[0])}
    return found


def known_words() -> set[str]:
    """Return what may be filled into a key: words of the code's texts, fields, codes of tables."""
    words = set()
    for node in NODES:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words |= set(re.findall(r"[\w-]+", node.value))
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            words.add(node.target.id)
    for file in PACKAGE.rglob("*.csv"):
        with file.open(encoding="utf-8", newline="") as text:
            words |= {cell for row in csv.reader(text) for cell in row}
    return words


@cache
def composed() -> set[str]:
    """Return the f-strings that may compose a part of a key, such as ``unknown-{kind}``."""
    patterns = {next(patterns_of(node)) for node in NODES if isinstance(node, ast.JoinedStr)}
    return {text for text in patterns if re.search(r"[a-z]{3}", text)}


@cache
def expression(pattern: str, is_end: bool = False) -> re.Pattern[str]:
    """Return the pattern as an expression; its groups are what is filled in."""
    start = r"(?:.+\.)?" if is_end else ""
    return re.compile(start + "(.+)".join(re.escape(part) for part in pattern.split(ANY)))


def fields(text: str, language: str) -> set[str]:
    """Return a text's fields; ``{printed_vi}`` and ``{printed_en}`` are taken for the same."""
    names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    return {name.removesuffix(f"_{language}") for name in names}


@pytest.mark.parametrize("key", sorted(texts()))
def test_text_stands_in_both_languages_with_the_same_fields(key):
    text = texts()[key]
    assert all(text[language].strip() for language in LANGUAGES)
    found = [fields(text[language], language) for language in LANGUAGES]
    assert found[0] == found[1]
    assert all(name.isidentifier() for name in found[0]), "fields are plain names"
    counted = [name for _, name, nouns, _ in Formatter().parse(text["en"]) if nouns]
    assert len(counted) == len(set(counted)), "a number with its noun is told once"


@pytest.mark.parametrize(
    ("pattern", "is_end"), sorted(asked()), ids=lambda value: str(value).replace(ANY, "*")
)
def test_key_that_is_asked_for_exists(pattern, is_end):
    assert any(expression(pattern, is_end).fullmatch(key) for key in texts())


def test_every_text_is_asked_for():
    wholes = {str(node.value) for node in NODES if isinstance(node, ast.Constant)}
    beginnings = [expression(text + ANY) for text in (*wholes, *composed()) if text.endswith(".")]
    keys = asked() | {(text, True) for text in composed() if "." in text}
    pieces, words = [expression(text) for text in composed()], known_words()

    def is_known(part: str) -> bool:
        return part in words or any(piece.fullmatch(part) for piece in pieces)

    def is_asked(key: str) -> bool:
        if key in wholes or any(beginning.fullmatch(key) for beginning in beginnings):
            return True
        found = [match for one in keys if (match := expression(*one).fullmatch(key))]
        return any(all(map(is_known, ".".join(match.groups()).split("."))) for match in found)

    assert [key for key in texts() if not is_asked(key)] == []


def test_every_fault_that_is_raised_has_its_texts():
    codes = {
        str(node.args[0].value)
        for node in NODES
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] == "Fault"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    wanted = {f"faults.{code}.{part}" for code in codes for part in ("found", "remedy")}
    assert codes
    assert wanted <= set(texts())


@pytest.mark.parametrize(
    ("count", "shown"),
    [(1, "1 rule gives"), ("1", "1 rule gives"), (0, "0 rules give"), (21, "21")],
)
def test_english_counts_in_singular_and_plural(count, shown):
    assert say("explain.bare", "en", count=count, names="x").startswith(shown)
    assert say("explain.bare", "vi", count=count, names="x").startswith(f"{count} quy định")


@pytest.mark.parametrize(
    ("vnd", "unit", "shown"),
    [
        (1_234_567_000, "vnd", ("1.234,567 triệu đồng", "1,234.567 million VND")),
        (1_234_567_000, "thousand_vnd", ("1.234,567 triệu đồng", "1,234.567 million VND")),
        (1_234_567_000, "billion_vnd", ("1,234567 tỷ đồng", "1.234567 billion VND")),
        (-12_345, "million_vnd", ("−12.345 đồng", "−12,345 VND")),
    ],
)
def test_an_amount_of_a_message_is_told_in_its_language_and_in_one_unit(vnd, unit, shown):
    values = {"id": "A", "least": Amount(vnd, unit), "cap": "999", "norm": "N04"}
    said = [say("faults.support-over-cap.found", one, **values) for one in LANGUAGES]
    assert all(text in told for text, told in zip(shown, said, strict=True))


@pytest.mark.parametrize(
    ("made", "english"),
    [
        ("Kế hoạch hiện hành 2026 (đã sửa)", "Plan in force 2026 (edited)"),
        ("Kế hoạch 2027 (bản sao 1)", "Plan 2027 (copy 1)"),
        (
            "Mỗi địa bàn giữ ít nhất 85,5 % kế hoạch hiện hành",
            "Every place keeps at least 85.5% of the plan in force",
        ),
        ("Phải chọn đề án DA03 (Lò (2))", "Project DA03 (Lò (2)) has to be chosen"),
        (
            "Không điều chuyển bớt: Nghệ An – Tư vấn, trợ giúp – Khuyến công quốc gia",
            "Not moved away: Nghe An – Consulting – National industrial promotion",
        ),
        ("Kế hoạch của tôi", "Kế hoạch của tôi"),  # a planner's own words stay
        (
            "TTLT 26/2014/TTLT-BTC-BCT Điều 6.2.s (theo văn bản 2014, đã có sửa đổi)",
            "Joint Circular 26/2014/TTLT-BTC-BCT, Art. 6.2.s (text of 2014, amended since)",
        ),
        ("Điều 5 Nghị định số 235/2025/NĐ-CP", "Art. 5, Decree 235/2025/NĐ-CP"),
        ("NĐ 45/2012 Điều 6.2, 6.3; Chỉ đạo", "Decree 45/2012, Art. 6.2, 6.3; Chỉ đạo"),
        ("Nghị quyết 12 của tỉnh", "Nghị quyết 12 của tỉnh"),
    ],
)
def test_what_the_program_wrote_into_a_scenario_is_told_in_the_language_shown(made, english):
    tongues = {one: Words("million_vnd", "34", one) for one in LANGUAGES}
    assert tongues["en"].retold(made) == english
    assert tongues["vi"].retold(made) == made


def test_a_share_is_written_with_a_blank_in_vietnamese_and_without_in_english():
    assert [Words("million_vnd", "34", one).percent(0.574) for one in LANGUAGES] == [
        "57,4 %",
        "57.4%",
    ]
    for key, text in texts().items():
        assert not re.search(r"[\d}] %", text["en"]), key
        assert not re.search(r"[\d}]%", text["vi"]), key
