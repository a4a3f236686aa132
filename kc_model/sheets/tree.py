"""YAML as raw items with addresses: every scalar a text, no tags, no repeated keys."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kc_model.errors import Address, Fault, InputError

__all__ = ["Item", "list_of", "mapping_of", "read_yaml", "tell_unknown", "text_of"]

_LARGEST = 5 * 2**20
_MOST_NODES = 200_000


@dataclass(frozen=True)
class Item:
    """A raw value and where it stands.

    Parameters
    ----------
    value : str, list of Item or dict of str to Item
    """

    value: Any
    at: Address


def read_yaml(path: Path, faults: list[Fault]) -> dict[str, Item]:
    """Return the keys of a YAML file, every scalar as text: ``01`` stays ``01``.

    Parameters
    ----------
    faults : list of Fault
        yaml-tag and repeated-key are added to it.

    Raises
    ------
    InputError
        missing-file, file-locked, file-too-large, not-utf8, broken-yaml or not-a-mapping.
    """
    at = Address(path.name)
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError([Fault("file-too-large", at, {"limit": _LARGEST // 2**20})])
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise InputError([Fault("missing-file", at, {"name": path.name})]) from None
    except (PermissionError, IsADirectoryError):
        raise InputError([Fault("file-locked", at)]) from None
    except UnicodeDecodeError:
        raise InputError([Fault("not-utf8", at)]) from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else ""
        raise InputError([Fault("broken-yaml", Address(path.name, cell=line))]) from None
    if root is None:
        return {}
    try:
        item = _Reader(path.name, faults).item(root, "")
    except RecursionError:  # nested without end, or an anchor that holds itself
        raise InputError([Fault("broken-yaml", at)]) from None
    if not isinstance(item.value, dict):
        raise InputError([Fault("not-a-mapping", at, {"key": path.name})])
    return item.value


def text_of(item: Item | None, faults: list[Fault]) -> str:
    """Return an item's text, "" for none; not-a-text is added to the faults."""
    return str(_of(str, "not-a-text", item, faults) or "")


def list_of(item: Item | None, faults: list[Fault]) -> list[Item]:
    """Return an item's parts, none where it is blank; not-a-list is added to the faults."""
    return _of(list, "not-a-list", item, faults) or []


def mapping_of(item: Item | None, faults: list[Fault]) -> dict[str, Item]:
    """Return an item's keys, none where it is blank; not-a-mapping is added to the faults."""
    return _of(dict, "not-a-mapping", item, faults) or {}


def _of(kind: type, code: str, item: Item | None, faults: list[Fault]) -> Any:
    if item is None or item.value == "" or isinstance(item.value, kind):
        return item and item.value
    faults.append(Fault(code, item.at, {"key": item.at.column}))
    return None


def tell_unknown(key: str, item: Item, known: Sequence[str], faults: list[Fault]) -> list[str]:
    """Add that a key is unknown to the faults; return the known one it seems to mean, if any."""
    near = difflib.get_close_matches(key, known, 1, 0.5)
    values = {"key": key, "near": near[0] if near else ", ".join(known)}
    faults.append(Fault("unknown-key", item.at, values))
    return near


class _Reader:
    """Turns nodes into items and keeps count, so that a file of references cannot explode."""

    def __init__(self, file: str, faults: list[Fault]) -> None:
        self.file, self.faults, self.seen = file, faults, 0

    def item(self, node: yaml.Node, path: str) -> Item:
        at = Address(self.file, cell=f"line {node.start_mark.line + 1}", column=path)
        self.seen += 1
        if self.seen > _MOST_NODES:
            raise InputError([Fault("broken-yaml", at)])
        if not node.tag.startswith("tag:yaml.org,2002:") or ":python" in node.tag:
            self.faults.append(Fault("yaml-tag", at, {"tag": node.tag}))
            return Item("", at)
        if isinstance(node, yaml.MappingNode):
            return Item(self._mapping(node, path), at)
        if isinstance(node, yaml.SequenceNode):
            parts = enumerate(node.value, start=1)
            return Item([self.item(part, f"{path}[{i}]") for i, part in parts], at)
        return Item(str(node.value).strip(), at)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value).strip()
            item = self.item(value_node, f"{path}.{key}" if path else key)
            if key in found:
                self.faults.append(Fault("repeated-key", item.at, {"key": key}))
            found.setdefault(key, item)
        return found
