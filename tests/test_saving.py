"""Files going out: saved whole or not at all, CSV and JSON."""

from __future__ import annotations

import csv
import errno
import io
import json
import multiprocessing
import os
import re
import signal
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kc_model.errors import Address, Fault, SaveError
from kc_model.export import (
    csv_bytes,
    escape_formula,
    fingerprint,
    json_bytes,
    recover_folder,
    save_file,
    save_files,
    saving,
    unescape_formula,
)
from kc_model.wording import LANGUAGES

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and locks")
# ---------------------------------------------------------------------------- saving

OLD = {"a.csv": b"old a", "b.json": b"old b", "stale.csv": b"stale"}
NEW = {"a.csv": b"new a", "b.json": b"new b", "c.xlsx": b"new c"}
AFTER = {**NEW, "mine.txt": b"mine"}
BEFORE = {**OLD, "mine.txt": b"mine"}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "Kết quả phân bổ (đợt 1)"
    path.mkdir()
    for name, data in BEFORE.items():
        (path / name).write_bytes(data)
    return path


def content(folder):
    """Everything in a folder, temporary files included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def save(folder):
    save_files(folder, NEW, remove=["stale.csv", "never-there.csv"])


def test_save_replaces_adds_removes_and_leaves_the_rest(folder):
    save(folder)
    assert content(folder) == AFTER
    assert {path.name for path in folder.iterdir()} == set(AFTER)


def test_save_makes_folders(tmp_path):
    save(tmp_path / "một" / "hai ba")
    assert content(tmp_path / "một" / "hai ba") == NEW


def test_name_in_both_files_and_remove_is_written(folder):
    save_files(folder, {"a.csv": b"x"}, remove=["a.csv"])
    assert (folder / "a.csv").read_bytes() == b"x"


def test_mode_of_a_replaced_file_is_kept(folder):
    (folder / "a.csv").chmod(0o640)
    before = (folder / "a.csv").stat().st_mode
    save(folder)
    assert (folder / "a.csv").stat().st_mode == before


@pytest.mark.parametrize("name", ["../x", "x/y", "", ".", "..", ".kc-save"])
def test_only_plain_names_are_saved(folder, name):
    with pytest.raises(ValueError, match="plain"):
        save_files(folder, {name: b""})
    assert content(folder) == BEFORE


CALLS = ("mkdir", "open", "fsync", "replace", "unlink", "access")


def break_call(monkeypatch, number, failure):
    """Make the `number`-th call that touches the disk fail, once; tell whether it came to it."""
    seen = {"calls": 0}

    def breaking(real):
        def call(*args, **kwargs):
            seen["calls"] += 1
            if seen["calls"] == number:
                raise failure
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, breaking(getattr(os, name)))
    monkeypatch.setattr(io, "open", breaking(io.open))
    return seen


@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()],
    ids=["disk full", "Ctrl-C", "memory"],
)
def test_a_failure_at_any_step_leaves_everything_as_it_was(tmp_path, monkeypatch, failure):
    expected = SaveError if isinstance(failure, OSError) else type(failure)
    failed = 0
    for number in range(1, 200):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, data in BEFORE.items():
            (folder / name).write_bytes(data)
        with monkeypatch.context() as patch:
            seen = break_call(patch, number, failure)
            try:
                save(folder)
            except expected:
                raised = True
            else:
                raised = False
        found, failed = content(folder), failed + raised
        if raised:  # Ctrl-C while clearing up is passed on although the save has happened
            wanted = (BEFORE,) if expected is SaveError else (BEFORE, AFTER)
            assert found in wanted, f"call {number}"
        else:  # nothing that matters failed
            assert {k: v for k, v in found.items() if ".kc-save" not in k} == AFTER
            assert not (folder / ".kc-save" / "journal.json").exists()
        if seen["calls"] < number:
            break
    assert failed > 15
    assert content(folder) == AFTER


def test_a_failure_in_a_new_folder_leaves_no_folder(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EROFS, "Read-only file system", str(source), None, str(target))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(SaveError, match="save-read-only"):
        save(tmp_path / "one" / "two")
    assert list(tmp_path.iterdir()) == []


def save_until_killed(folder, call, number):
    """Save in another process, which is killed before the `number`-th call of an os function."""
    real, seen = getattr(os, call), []

    def kill(*args, **kwargs):
        seen.append(args)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    def run():
        setattr(os, call, kill)
        save(folder)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@POSIX
@pytest.mark.parametrize(
    ("call", "number"),
    [("fsync", 3), *(("replace", n) for n in (1, 2, 3, 4)), *(("unlink", n) for n in (1, 2, 3))],
)
def test_a_killed_save_is_cleared_up_by_the_next_command(folder, call, number):
    save_until_killed(folder, call, number)
    for name in AFTER.keys() & BEFORE.keys():  # each file is whole at any moment
        assert (folder / name).read_bytes() in (AFTER[name], BEFORE[name])
    seen = fingerprint(folder, NEW)
    assert content(folder) in (BEFORE, AFTER)
    save_files(folder, NEW, remove=["stale.csv"], expected=seen)
    assert content(folder) == AFTER


@POSIX
def test_a_killed_save_is_cleared_up_by_the_next_save(folder):
    save_until_killed(folder, "replace", 3)
    save_files(folder, {"d.csv": b"d"})
    assert content(folder) == {**BEFORE, "d.csv": b"d"}


@POSIX
def test_clearing_up_leaves_what_was_saved_since(folder):
    save_until_killed(folder, "replace", 4)
    assert (folder / "a.csv").read_bytes() == NEW["a.csv"]
    (folder / "a.csv").write_bytes(b"by hand")
    assert recover_folder(folder)
    assert content(folder) == {**BEFORE, "a.csv": b"by hand"}
    assert not recover_folder(folder)


def test_what_somebody_else_saved_is_not_overwritten(folder):
    names = [*NEW, "stale.csv"]
    seen = fingerprint(folder, names)
    assert seen["c.xlsx"] == ""
    for change in ({"a.csv": b"theirs"}, {"c.xlsx": b"theirs"}, {"stale.csv": b"theirs"}):
        for name, data in change.items():
            (folder / name).write_bytes(data)
        with pytest.raises(SaveError, match="save-changed-meanwhile"):
            save_files(folder, NEW, ["stale.csv"], seen)
        assert content(folder) == {**BEFORE, **change}
        for name in change:
            (folder / name).unlink()
            if name in BEFORE:
                (folder / name).write_bytes(BEFORE[name])
    save_files(folder, NEW, ["stale.csv"], seen)
    assert content(folder) == AFTER


def test_a_file_removed_in_between_counts_as_changed(folder):
    seen = fingerprint(folder, NEW)
    (folder / "a.csv").unlink()
    with pytest.raises(SaveError, match="save-changed-meanwhile"):
        save_files(folder, NEW, expected=seen)


@POSIX
def test_two_saves_wait_for_each_other(folder, monkeypatch):
    import fcntl

    monkeypatch.setattr(saving, "_PATIENCE", 0.1)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(SaveError, match="save-in-progress"):
            save(folder)
        assert content(folder) == BEFORE
    finally:
        os.close(handle)
    save(folder)
    assert content(folder) == AFTER


@POSIX
def test_a_folder_without_locks_can_be_saved_into(folder, monkeypatch):
    import fcntl

    def refuse(handle, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    save(folder)
    assert content(folder) == AFTER


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "save-disk-full"),
        (errno.EROFS, "save-read-only"),
        (errno.EACCES, "save-no-permission"),
        (errno.EPERM, "save-no-permission"),
        (errno.EIO, "save-failed"),
    ],
)
def test_what_the_system_refuses_is_said_with_a_remedy(folder, monkeypatch, number, code):
    real = os.replace

    def refuse(source, target):
        if Path(target).name == "b.json":  # open in Excel, say
            raise OSError(number, os.strerror(number), str(source), None, str(target))
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(SaveError) as caught:
            save_files(folder, NEW, ["stale.csv"])
    assert content(folder) == BEFORE
    (fault,) = caught.value.faults
    assert fault.code == code
    assert fault.at.file == "b.json"
    for language in LANGUAGES:
        assert str(folder / "b.json") in fault.found(language) + fault.remedy(language)
    assert str(caught.value) == fault.text("vi")


def test_every_save_fault_has_both_texts():
    codes = {*saving._CODES.values(), "save-failed", "save-cut-off", "save-in-progress"}
    for code in {*codes, "save-changed-meanwhile"}:
        fault = Fault(code, Address(), {"path": "p", "reason": "r"})
        for language in LANGUAGES:
            assert fault.found(language)
            assert fault.remedy(language)


def test_a_file_is_no_folder_and_a_folder_is_no_file(folder):
    with pytest.raises(SaveError, match="save-not-a-folder"):
        save_files(folder / "mine.txt", NEW)
    with pytest.raises(SaveError, match="save-not-a-folder"):
        save_files(folder / "mine.txt" / "below", NEW)
    with pytest.raises(SaveError, match="save-not-a-folder"):
        fingerprint(folder / "mine.txt", NEW)
    (folder / "c.xlsx").mkdir()
    with pytest.raises(SaveError, match="save-is-a-folder"):
        save(folder)
    with pytest.raises(SaveError, match="save-is-a-folder"):
        save_file(folder / "c.xlsx", b"")
    assert content(folder) == BEFORE


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="a folder may always be written by root"
)
def test_a_folder_without_permission(folder):
    folder.chmod(0o500)
    try:
        with pytest.raises(SaveError, match="save-no-permission"):
            save(folder)
    finally:
        folder.chmod(0o700)
    assert content(folder) == BEFORE


def test_a_protected_file_is_not_replaced(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "b.json")
    with pytest.raises(SaveError, match="save-no-permission"):
        save(folder)
    assert content(folder) == BEFORE


def test_one_file(folder):
    save_file(folder / "a.csv", b"x", fingerprint(folder, ["a.csv"]))
    assert content(folder) == {**BEFORE, "a.csv": b"x"}
    save_file(folder / "mới" / "mẫu.xlsx", b"y")
    assert (folder / "mới" / "mẫu.xlsx").read_bytes() == b"y"


@POSIX
def test_one_file_through_a_link(folder):
    (folder / "link.csv").symlink_to(folder / "a.csv")
    save_file(folder / "link.csv", b"x")
    assert (folder / "link.csv").is_symlink()
    assert (folder / "a.csv").read_bytes() == b"x"


# ---------------------------------------------------------------------------- csv, json

DANGEROUS = ("=HYPERLINK(0)", "+1", "-2", "@SUM(A1)", "\tx", "\rx", "\n=1", " =1", "'=1", "＝1")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (1234.0, "1234"),
        (-0.0, "0"),
        (-1234.5, "-1234.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (float("nan"), ""),
        (None, ""),
        (pd.NA, ""),
        (pd.NaT, ""),
        (np.int64(-5), "-5"),
        (True, "true"),
        (np.bool_(False), "false"),
        (date(2024, 5, 3), "2024-05-03"),
        (pd.Timestamp("2024-05-03"), "2024-05-03"),
        (pd.Timestamp("2024-05-03 10:00"), "2024-05-03T10:00:00"),
        ("01", "01"),
        ("R-N", "R-N"),
        ("", ""),
        ("01;04", "01;04"),
        ("bound:01|TECH|KCQG:min", "bound:01|TECH|KCQG:min"),
        ("Đắk Lắk", "Đắk Lắk"),
        ("a,b", '"a,b"'),
        ('a"b', '"a""b"'),
        ("a\rb", '"a\rb"'),
        ("=1+1", "'=1+1"),
        ("-2", "'-2"),
        ("01;=1+1", "01;'=1+1"),
        ("x\n=1+1", '"x\n\'=1+1"'),
    ],
)
def test_csv_fields(value, field):
    frame = pd.DataFrame(
        {"id": pd.Series(["k"], dtype="str"), "x": pd.Series([value], dtype=object)}
    )
    assert csv_bytes(frame).decode() == f"id,x\nk,{field}\n"


def test_csv_of_canonical_columns():
    frame = pd.DataFrame(
        {
            "place": pd.Series(["01", "NA"], dtype="str"),
            "amount": pd.array([10**15, None], dtype="Int64"),
            "rate": [0.5, np.nan],
            "=x": ["a", "b"],
        }
    )
    assert csv_bytes(frame) == b"place,amount,rate,'=x\n01,1000000000000000,0.5,a\nNA,,,b\n"


def test_csv_of_one_blank_column_keeps_its_rows():
    assert csv_bytes(pd.DataFrame({"x": [None, None]})) == b'x\n""\n""\n'


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_number_is_refused(value):
    with pytest.raises(ValueError, match="infinite"):
        csv_bytes(pd.DataFrame({"x": [value]}))
    with pytest.raises(ValueError, match="JSON"):
        json_bytes([value])


texts_with_signs = st.text(
    st.sampled_from(list("a1;=+-@'\t\r\n ,\"|＝\u00a0")) | st.characters(codec="utf-8"), max_size=12
)


@given(texts_with_signs)
def test_escaped_text_is_no_formula_and_comes_back(text):
    escaped = escape_formula(text)
    assert unescape_formula(escaped) == text
    assert not escaped or escaped[0] not in "=+-@\t\r\n＝＋－＠"
    for part in re.split(r"[;\t\r\n]", escaped):
        assert not part.strip(" \u00a0").startswith(tuple("=+-@＝＋－＠"))


@given(
    st.lists(
        st.tuples(texts_with_signs, st.floats(allow_infinity=False), st.integers(-(2**62), 2**62)),
        max_size=5,
    )
)
@settings(max_examples=60)
def test_csv_reads_back_exactly(rows):
    frame = pd.DataFrame(rows, columns=["text", "x", "n"])
    data = csv_bytes(frame)
    assert data == csv_bytes(frame.copy())
    read = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert read[0] == ["text", "x", "n"]
    for (text, x, n), fields in zip(rows, read[1:], strict=True):
        assert unescape_formula(fields[0]) == text
        assert (float(fields[1]) if fields[1] else None) == (None if x != x else x)
        assert int(fields[2]) == n
        assert "e" not in fields[1]
        assert not fields[1].endswith(".0")


def test_json():
    value = {
        "b": [1, 2.5, np.float64("nan"), np.int64(3), None, pd.NA, True, np.bool_(False)],
        "a": {"tên": "Đắk Lắk", "ngày": date(2024, 5, 3), "mảng": np.array([1.0, np.nan])},
        "c": (-0.0, 1e-9),
    }
    data = json_bytes(value)
    assert data == json_bytes(value)
    assert data.endswith(b"}\n")
    assert "Đắk Lắk".encode() in data
    assert json.loads(data, parse_constant=pytest.fail) == {
        "b": [1, 2.5, None, 3, None, None, True, False],
        "a": {"tên": "Đắk Lắk", "ngày": "2024-05-03", "mảng": [1.0, None]},
        "c": [0.0, 1e-9],
    }
    assert list(json.loads(data)) == ["b", "a", "c"]
    assert b"-0.0" not in data
    with pytest.raises(TypeError):
        json_bytes({"x": object()})
