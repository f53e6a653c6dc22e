"""The paths of a profile as one parse of each record: every leaf that the profile names, by SQL expression."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.intake.paths import json_path
from pipelines.intake.sqltext import literal

if TYPE_CHECKING:
    from pipelines.intake.paths import KeyPath


@dataclass
class _Node:
    wanted: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


class Leaves:
    """Collects the paths in use; then `schema` is the shape for one `from_json`, `leaf(path)` each value's expression.

    A path that a struct cannot carry (inside another wanted path, or beside a key that differs only in case) is
    extracted by itself.
    """

    def __init__(self) -> None:
        self._root = _Node()
        self._separate: dict[KeyPath, None] = {}
        self._objects: dict[KeyPath, None] = {}

    def want(self, path: KeyPath) -> None:
        """Make sure `leaf(path)` will work."""
        node = self._root
        for key in path:
            twin = next((k for k in node.children if k != key and k.casefold() == key.casefold()), None)
            if twin is not None or node.wanted or '"' in key or "\\" in key:
                self._separate[path] = None
                return
            node = node.children.setdefault(key, _Node())
        if node.children:
            self._separate[path] = None
        else:
            node.wanted = True

    def want_keys(self, path: KeyPath) -> None:
        """Make sure that the object at a path, whose keys are listed elsewhere, is looked at for repeated ones."""
        self._objects.update({path[:depth]: None for depth in range(1, len(path) + 1)})

    def schema(self) -> str:
        """The shape that `from_json` reads, as an SQL literal; NULL-safe when nothing is wanted."""
        shape = _shape(self._root)
        return literal(json.dumps(shape or {"_": "JSON"}, ensure_ascii=False))

    def leaf(self, path: KeyPath) -> str:
        """The leaf at a path, over a relation with columns f (the struct) and o (the object)."""
        if path in self._separate:
            return f"nullif(json_extract(o, {literal(json_path(path))})::VARCHAR, 'null')"
        return "f" + "".join('."' + key + '"' for key in path) + "::VARCHAR"

    def object_paths(self) -> list[str]:
        """JSON paths of every object on the way to a leaf, the record first: where repeated keys would matter."""
        found: dict[KeyPath, None] = {(): None}
        found.update(dict.fromkeys(_inner_paths(self._root, ())))
        for path in self._separate:
            found.update({path[:depth]: None for depth in range(1, len(path))})
        found.update(self._objects)
        return [json_path(path) for path in found]


def _shape(node: _Node) -> dict[str, object]:
    shapes = {key: "JSON" if child.wanted else _shape(child) for key, child in node.children.items()}
    return {key: shape for key, shape in shapes.items() if shape}


def _inner_paths(node: _Node, prefix: KeyPath) -> list[KeyPath]:
    found = []
    for key, child in node.children.items():
        if child.children:
            found += [(*prefix, key), *_inner_paths(child, (*prefix, key))]
    return found
