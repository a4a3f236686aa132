"""YAML as raw items with addresses: every scalar a text, no tags, no repeated keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kc_model.errors import Address, Fault, InputError

__all__ = ["Item", "read_yaml"]

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
