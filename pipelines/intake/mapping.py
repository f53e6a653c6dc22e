"""The rules of a profile as SQL expressions over the leaves of a record: columns, conditions, metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines.intake.leaves import Leaves
from pipelines.intake.paths import KeyPath, json_list_path
from pipelines.intake.profile_rules import Conditional, Constant, Count, Membership, Sum, Term
from pipelines.intake.sqltext import json_literal, literal, word_of
from pipelines.intake.sums import sum_leaf, want_terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.intake.profile_rules import AnyOf, Scalar
    from pipelines.intake.profiles import Profile


def values_sql(values: Iterable[Scalar]) -> str:
    """The values of a condition as a list of SQL literals."""
    return ", ".join(literal(str(value).lower() if isinstance(value, bool) else str(value)) for value in values)


def first_of(leaves: Leaves, terms: Sequence[Term], *, empty_is_absent: bool = False) -> str:
    """The first value that is present and not null; for texts an empty one counts as absent."""
    found = [_term(leaves, term) for term in terms]
    if empty_is_absent:
        found = [f"nullif({leaf}, '\"\"')" for leaf in found]
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def _term(leaves: Leaves, term: Term) -> str:
    if isinstance(term, Count):
        first, items = json_list_path(term.count)
        number = f"len(json_extract(o, {literal(items)}))::VARCHAR"
        return f"CASE WHEN json_type(o, {literal(first)}) = 'ARRAY' THEN {number} END"
    if isinstance(term, Constant):
        return json_literal(term.const)
    if isinstance(term, Conditional):
        holds = f"{word_of(leaves.leaf(term.when))} IN ({values_sql(term.in_)})"
        return f"CASE WHEN {holds} THEN {leaves.leaf(term.path)} END"
    return leaves.leaf(term)


def membership(leaves: Leaves, rules: AnyOf) -> str:
    """True where any path of any of the rules passes its test; never NULL."""
    tests = [f"coalesce({_test(rule, leaves.leaf(path))}, false)" for rule in rules for path in rule.path]
    return "(" + " OR ".join(tests) + ")"


def _test(rule: Membership, leaf: str) -> str:
    if rule.present:
        return f"nullif({leaf}, '\"\"') IS NOT NULL"
    if rule.in_:
        return f"{word_of(leaf)} IN ({values_sql(rule.in_)})"
    number = f"try_cast({word_of(leaf)} AS BIGINT)"
    bounds = [f"{number} >= {rule.min}"] if rule.min is not None else []
    bounds += [f"{number} <= {rule.max}"] if rule.max is not None else []
    return "(" + " AND ".join(bounds) + ")"


def is_stated(leaves: Leaves, rules: AnyOf) -> str:
    """True where a record says anything about a condition, whether it holds or not."""
    stated = [leaves.leaf(path) for rule in rules if not rule.present for path in rule.path]
    return f"coalesce({', '.join(stated)}) IS NOT NULL" if stated else "false"


def field_leaf(
    leaves: Leaves, profile: Profile, column: str, *, empty_is_absent: bool = False, integers: str = "strict"
) -> str:
    """The leaf of a mapped column; NULL where the profile does not map it."""
    rule = profile.fields.get(column)
    if rule is None:
        return "NULL::VARCHAR"
    if isinstance(rule, Constant):
        return json_literal(rule.const)
    if isinstance(rule, Sum):
        return sum_leaf(leaves, rule, integers)
    return first_of(leaves, rule, empty_is_absent=empty_is_absent)


def plain_paths(profile: Profile, column: str) -> tuple[KeyPath, ...]:
    """The paths of a column that is mapped by paths alone, else none."""
    rule = profile.fields.get(column)
    if not isinstance(rule, tuple) or not all(isinstance(term, tuple) for term in rule):
        return ()
    return tuple(term for term in rule if isinstance(term, tuple))


def want_all(profile: Profile, metadata_keys: tuple[str, ...]) -> Leaves:
    """Every path of a profile, plus the allowed keys of request_metadata."""
    leaves = Leaves()
    rules = [
        profile.time.path,
        profile.version,
        profile.account.try_ if profile.account else None,
        profile.operation.paths if profile.operation else None,
    ]
    rules += [item.path for condition in _conditions(profile) for item in condition]
    rules += list(profile.dedup) if isinstance(profile.dedup, tuple) else []
    rules += list(profile.dedup_else.columns) if profile.dedup_else else []
    for paths in rules:
        for path in paths or ():
            leaves.want(path)
    for column, rule in profile.fields.items():
        if column != "request_metadata":
            want_terms(leaves, rule)
    for path in plain_paths(profile, "request_metadata"):
        for key in metadata_keys:
            leaves.want((*path, key))
    return leaves


def _conditions(profile: Profile) -> list[AnyOf]:
    found = (
        profile.leaf,
        profile.error,
        profile.not_final,
        profile.gateway_cache_hit,
        profile.cancelled,
        profile.welcome,
    )
    return [condition for condition in found if condition]


def metadata_json(leaves: Leaves, profile: Profile, metadata_keys: tuple[str, ...]) -> str:
    """A JSON object of the allowed keys that are present, keys in the configured order; NULL when there is none."""
    paths = plain_paths(profile, "request_metadata")
    if not paths or not metadata_keys:
        return "NULL::JSON"
    parts = []
    for key in metadata_keys:
        value = first_of(leaves, tuple((*path, key) for path in paths))
        parts.append(f"{literal(json.dumps(key, ensure_ascii=False) + ':')} || {value}")
    return (
        f"CASE WHEN concat_ws(',', {', '.join(parts)}) <> '' THEN ('{{' || concat_ws(',', "
        f"{', '.join(parts)}) || '}}')::JSON END"
    )
