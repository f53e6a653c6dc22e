"""The paths of a profile as one parse of each record: every leaf that the profile names, by SQL expression."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pipelines.intake.profiles import Constant, KeyPath, Membership, Profile
from pipelines.intake.sqltext import json_literal, literal, word_of


@dataclass
class _Node:
    wanted: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


def _json_path(path: KeyPath) -> str:
    return "$" + "".join('."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in path)


class Leaves:
    """Collects the paths in use; then `schema` is the shape for one `from_json`, `leaf(path)` each value's expression.

    A path that a struct cannot carry (inside another wanted path, or beside a key that differs only in case) is
    extracted by itself.
    """

    def __init__(self) -> None:
        self._root = _Node()
        self._separate: dict[KeyPath, None] = {}

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

    def schema(self) -> str:
        """The shape that `from_json` reads, as an SQL literal; NULL-safe when nothing is wanted."""
        shape = _shape(self._root)
        return literal(json.dumps(shape or {"": "JSON"}, ensure_ascii=False))

    def leaf(self, path: KeyPath) -> str:
        """The leaf at a path, over a relation with columns f (the struct) and o (the object)."""
        if path in self._separate:
            return f"nullif(json_extract(o, {literal(_json_path(path))})::VARCHAR, 'null')"
        return "f" + "".join('."' + key + '"' for key in path) + "::VARCHAR"

    def first_of(self, paths: tuple[KeyPath, ...], *, empty_is_absent: bool = False) -> str:
        """The first leaf that is present and not null; for texts an empty one counts as absent."""
        leaves = [f"nullif({self.leaf(path)}, '\"\"')" if empty_is_absent else self.leaf(path) for path in paths]
        return leaves[0] if len(leaves) == 1 else f"coalesce({', '.join(leaves)})"

    def object_paths(self) -> list[str]:
        """JSON paths of every object on the way to a leaf, the record first: where repeated keys would matter."""
        found: dict[KeyPath, None] = {(): None}
        found.update(dict.fromkeys(_inner_paths(self._root, ())))
        for path in self._separate:
            found.update({path[:depth]: None for depth in range(1, len(path))})
        return [_json_path(path) for path in found]


def _shape(node: _Node) -> dict[str, object]:
    shapes = {key: "JSON" if child.wanted else _shape(child) for key, child in node.children.items()}
    return {key: shape for key, shape in shapes.items() if shape}


def _inner_paths(node: _Node, prefix: KeyPath) -> list[KeyPath]:
    found = []
    for key, child in node.children.items():
        if child.children:
            found += [(*prefix, key), *_inner_paths(child, (*prefix, key))]
    return found


def membership(leaves: Leaves, rule: Membership) -> str:
    """True where any of the rule's paths holds one of its values; never NULL."""
    values = ", ".join(literal(str(value).lower() if isinstance(value, bool) else str(value)) for value in rule.in_)
    tests = [f"coalesce({word_of(leaves.leaf(path))} IN ({values}), false)" for path in rule.path]
    return "(" + " OR ".join(tests) + ")"


def field_leaf(leaves: Leaves, profile: Profile, column: str, *, empty_is_absent: bool = False) -> str:
    """The leaf of a mapped column; NULL where the profile does not map it."""
    rule = profile.fields.get(column)
    if rule is None:
        return "NULL::VARCHAR"
    if isinstance(rule, Constant):
        return json_literal(rule.const)
    return leaves.first_of(rule, empty_is_absent=empty_is_absent)


def want_all(profile: Profile, metadata_keys: tuple[str, ...]) -> Leaves:
    """Every path of a profile, plus the allowed keys of request_metadata."""
    leaves = Leaves()
    rules = [
        profile.time.path,
        profile.version,
        profile.account.try_,
        profile.operation.paths if profile.operation else None,
    ]
    rules += [
        item.path
        for item in (profile.leaf, profile.error, profile.gateway_cache_hit, profile.cancelled, profile.welcome)
        if item
    ]
    rules += [
        rule
        for column, rule in profile.fields.items()
        if column != "request_metadata" and not isinstance(rule, Constant)
    ]
    rules += list(profile.dedup) if isinstance(profile.dedup, tuple) else []
    for paths in rules:
        for path in paths or ():
            leaves.want(path)
    for path in metadata_paths(profile):
        for key in metadata_keys:
            leaves.want((*path, key))
    return leaves


def metadata_paths(profile: Profile) -> tuple[KeyPath, ...]:
    """Where request_metadata may stand."""
    rule = profile.fields.get("request_metadata")
    return () if rule is None or isinstance(rule, Constant) else rule


def metadata_json(leaves: Leaves, profile: Profile, metadata_keys: tuple[str, ...]) -> str:
    """A JSON object of the allowed keys that are present, keys in the configured order; NULL when there is none."""
    paths = metadata_paths(profile)
    if not paths or not metadata_keys:
        return "NULL::JSON"
    parts = []
    for key in metadata_keys:
        value = leaves.first_of(tuple((*path, key) for path in paths))
        parts.append(f"{literal(json.dumps(key, ensure_ascii=False) + ':')} || {value}")
    return (
        f"CASE WHEN concat_ws(',', {', '.join(parts)}) <> '' THEN ('{{' || concat_ws(',', "
        f"{', '.join(parts)}) || '}}')::JSON END"
    )
