"""Saving: a set of files is there whole or not at all, and nobody's work is overwritten.

How a save goes
---------------
1. Under a lock of the folder, the new files and a copy of those they replace are written into
   ``.kc-save`` inside it and forced to disk; then a journal that names them, by one rename.
2. What stands in the folder is held once more against what the caller saw at its start.
3. Each new file is moved over its name (one ``os.replace`` each), stale ones are removed, and the
   journal goes: from here on the save has happened.

What it guarantees
------------------
- *An error or Ctrl-C at any step*: every file is as it was, and nothing of ours is left.
- *The process killed, or the power cut*: every single file is the old or the new one, never a part
  of one. Before 3 the set is the old one, after it the new one. A set cut in the middle of 3 (some
  renames, well under a millisecond) still has its journal: the next save, `fingerprint` or
  `recover_folder` puts the old set back before anything else is read or written. No file system
  that a planner uses renames several files at once, so this is as far as it goes without
  replacing the user's folder itself.
- *Somebody else saving*: two of our commands wait for each other, and `expected` refuses to
  replace what changed since. A program that takes no lock, such as Excel, has to save within the
  microseconds between the last look and the rename to be overwritten; a folder that offers no
  locks (some network shares) leaves our own commands the same gap.
- *Recovery* touches only files that are still exactly what the cut save had written.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from kc_model.errors import Address, Fault, SaveError

__all__ = ["fingerprint", "recover_folder", "save_file", "save_files"]

_STAGE = ".kc-save"
_JOURNAL = "journal.json"
_PATIENCE = 10.0  # seconds to wait for another save of ours
_CODES = {
    errno.ENOSPC: "save-disk-full",
    errno.EDQUOT: "save-disk-full",
    errno.EROFS: "save-read-only",
    errno.EACCES: "save-no-permission",
    errno.EPERM: "save-no-permission",
    errno.EEXIST: "save-not-a-folder",
    errno.ENOTDIR: "save-not-a-folder",
    errno.EISDIR: "save-is-a-folder",
    errno.ENAMETOOLONG: "save-bad-name",
    errno.EINVAL: "save-bad-name",
}

Changes = Mapping[str, bytes | None]


def save_files(
    folder: str | os.PathLike[str],
    files: Mapping[str, bytes],
    remove: Iterable[str] = (),
    expected: Mapping[str, str] | None = None,
) -> None:
    """Put a set of files in a folder, whole or not at all.

    Parameters
    ----------
    folder : path
        Made, with its parents, if it is not there.
    files : mapping of str to bytes
        Content by plain file name; other files of the folder are left alone.
    remove : iterable of str
        Names of files an older save left behind and this one does not have; absent ones are no
        fault. A name in `files` as well is written.
    expected : mapping of str to str or None
        What `fingerprint` said at the start of the command; None replaces whatever is there.

    Raises
    ------
    SaveError
        If it cannot be saved, or somebody else saved in between; the folder is as it was.
    """
    root = Path(folder)
    changes: dict[str, bytes | None] = dict.fromkeys(remove)
    changes.update(files)
    for name in changes:
        if Path(name).name != name or name in ("", "..", _STAGE):
            raise ValueError(f"not a plain file name: {name!r}")
    with _explained(root):
        made = _make(root)
        try:
            with _locked(root):
                _undo(root)
                _swap(root, changes, expected or {})
        except BaseException:
            for path in made:
                with suppress(OSError):
                    path.rmdir()
            raise


def save_file(
    path: str | os.PathLike[str], data: bytes, expected: Mapping[str, str] | None = None
) -> None:
    """Save one file as `save_files` does; a link is followed to the file it stands for."""
    target = Path(path)
    with _explained(target):
        target = target.resolve()
        if target.is_dir():
            raise _refusal("save-is-a-folder", target)
    save_files(target.parent, {target.name: data}, expected=expected)


def fingerprint(folder: str | os.PathLike[str], names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each named file, "" where there is none.

    A command takes it before it starts to work and hands it to `save_files` as `expected`. A save
    that was cut off is cleared up first.
    """
    recover_folder(folder)
    root = Path(folder)
    with _explained(root):
        return {name: _digest(_content(root / name)) for name in names}


def recover_folder(folder: str | os.PathLike[str]) -> bool:
    """Put back what stood in a folder before a save that was cut off; True if there was one."""
    root = Path(folder)
    with _explained(root):
        if not (root / _STAGE).exists():
            return False
        with _locked(root):
            return _undo(root)


def _swap(folder: Path, changes: Changes, expected: Mapping[str, str]) -> None:
    stage = folder / _STAGE
    try:
        _prepare(folder, changes)
        for name, digest in expected.items():
            if _digest(_content(folder / name)) != digest:
                raise _refusal("save-changed-meanwhile", folder / name)
        for name, data in changes.items():
            if data is None:
                (folder / name).unlink(missing_ok=True)
            else:
                (stage / "new" / name).replace(folder / name)
        _sync_folder(folder)
        (stage / _JOURNAL).unlink()
        _sync_folder(stage)
        shutil.rmtree(stage, ignore_errors=True)
    except BaseException:
        try:
            _undo(folder)
        except OSError as error:  # its journal is still there, for the next command
            raise _refusal("save-cut-off", folder, error.strerror or str(error)) from error
        raise


def _prepare(folder: Path, changes: Changes) -> None:
    """Write the new files, copies of the old ones and, last, the journal; all on disk."""
    stage = folder / _STAGE
    for part in (stage, stage / "new", stage / "old"):
        part.mkdir()
    journal = {}
    for name, data in changes.items():
        target = folder / name
        old = _content(target)
        if data is not None:
            _write(stage / "new" / name, data)
        if old is not None:
            if not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
            _write(stage / "old" / name, old)
            shutil.copystat(target, stage / "old" / name)
            if data is not None:
                shutil.copymode(target, stage / "new" / name)
        journal[name] = [_digest(old), _digest(data)]
    _write(stage / "journal.part", json.dumps(journal).encode())
    for part in (stage / "new", stage / "old", stage):
        _sync_folder(part)
    (stage / "journal.part").replace(stage / _JOURNAL)
    _sync_folder(stage)


def _undo(folder: Path) -> bool:
    """Bring the old set back, if a journal says that it was being replaced; clear the stage."""
    stage = folder / _STAGE
    begun = (stage / _JOURNAL).exists()
    if begun:
        journal = json.loads((stage / _JOURNAL).read_text(encoding="utf-8"))
        for name, (before, after) in journal.items():
            now = _digest(_content(folder / name))
            if now == before or now != after:
                continue  # not replaced yet, or no longer ours
            if before:
                (stage / "old" / name).replace(folder / name)
            else:
                (folder / name).unlink()
        _sync_folder(folder)
        (stage / _JOURNAL).unlink()
        _sync_folder(stage)
    shutil.rmtree(stage, ignore_errors=True)
    return begun


def _make(folder: Path) -> list[Path]:
    """Make a folder; return the folders made, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise
    return missing


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except PermissionError:
        if path.is_dir():  # Windows says so of a folder
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
        raise


def _digest(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Force a folder's names to disk, where the system has a way to."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against our other commands; the system lets go when a process dies."""
    handle = _open_lock(folder)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _take_lock(handle):
            if time.monotonic() > deadline:
                raise _refusal("save-in-progress", folder)
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)
        _tidy_lock(folder)


def _take_lock(handle: int) -> bool:
    try:
        _lock(handle)
    except OSError as error:
        busy = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
        return error.errno not in busy  # anything else: no locks are to be had here
    return True


if sys.platform == "win32":
    import msvcrt

    def _open_lock(folder: Path) -> int:
        return os.open(folder / f"{_STAGE}.lock", os.O_RDWR | os.O_CREAT)

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _tidy_lock(folder: Path) -> None:
        with suppress(OSError):  # refused while another command has it open
            (folder / f"{_STAGE}.lock").unlink()

else:
    import fcntl

    def _open_lock(folder: Path) -> int:
        return os.open(folder, os.O_RDONLY)

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _tidy_lock(_folder: Path) -> None:
        """Nothing: the lock is on the folder itself."""


def _refusal(code: str, path: Path, reason: str = "") -> SaveError:
    return SaveError([Fault(code, Address(path.name), {"path": path, "reason": reason})])


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the system says into a fault with a remedy."""
    try:
        yield
    except SaveError:
        raise
    except OSError as error:
        named = error.filename2 or error.filename
        if isinstance(named, str | os.PathLike) and _STAGE not in Path(named).parts:
            path = Path(named)
        code = _CODES.get(error.errno or 0, "save-failed")
        raise _refusal(code, path, error.strerror or str(error)) from error
