"""Counts that a record states in parts: the values of several paths, of keys that begin alike, of items of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.intake.paths import json_list_path, json_path
from pipelines.intake.profile_rules import Conditional, Constant, Items, Sum
from pipelines.intake.sqltext import literal, number_text, word_of

if TYPE_CHECKING:
    from pipelines.intake.leaves import Leaves
    from pipelines.intake.paths import KeyPath
    from pipelines.intake.profile_rules import Term

_WHOLE = "0|[1-9][0-9]{0,18}"


def want_terms(leaves: Leaves, rule: Constant | Sum | tuple[Term, ...]) -> None:
    """Make sure that the leaves of a field's rule will be there."""
    if isinstance(rule, Constant):
        return
    for term in rule.sum if isinstance(rule, Sum) else rule:
        if isinstance(term, Conditional):
            leaves.want(term.path)
            leaves.want(term.when)
        elif isinstance(term, tuple) and isinstance(rule, Sum) and term[-1].endswith("*"):
            leaves.want_keys(term[:-1])
        elif isinstance(term, tuple):
            leaves.want(term)


def sum_leaf(leaves: Leaves, rule: Sum, integers: str) -> str:
    """The sum as a leaf; NULL where no part is present; the first part that is no whole number, where there is one.

    So a bad part is refused for what it is. `integers` is the profile's mode.
    """
    plain = [leaves.leaf(term) for term in rule.sum if isinstance(term, tuple) and not term[-1].endswith("*")]
    parts = [f"[{', '.join(plain)}]"] if plain else []
    parts += [_keys_that_begin(term) for term in rule.sum if isinstance(term, tuple) and term[-1].endswith("*")]
    parts += [_items(term) for term in rule.sum if isinstance(term, Items)]
    values = parts[0] if len(parts) == 1 else f"flatten([{', '.join(parts)}])"
    texts = f"list_filter(list_transform({values}, lambda t: {number_text('t', integers)}), lambda t: t <> 'null')"
    return (
        f"list_reduce({texts}, lambda a, b: CASE WHEN a IS NULL THEN b "
        f"WHEN NOT regexp_full_match(a, '{_WHOLE}') THEN a WHEN NOT regexp_full_match(b, '{_WHOLE}') THEN b "
        "ELSE (try_cast(a AS HUGEINT) + try_cast(b AS HUGEINT))::VARCHAR END, NULL::VARCHAR)"
    )


def _keys_that_begin(path: KeyPath) -> str:
    parent, start = path[:-1], path[-1][:-1]
    pointer = literal("".join("/" + key.replace("~", "~0").replace("/", "~1") for key in parent) + "/")
    keys = f"list_filter(json_keys(o, {literal(json_path(parent))}), lambda k: starts_with(k, {literal(start)}))"
    value = f"json_extract(o, {pointer} || replace(replace(k, '~', '~0'), '/', '~1'))::VARCHAR"
    return f"coalesce(list_transform({keys}, lambda k: {value}), [])"


def _items(term: Items) -> str:
    items = literal(json_list_path(term.items)[1])
    word = word_of(f"json_extract(i, {literal(json_path(term.when))})::VARCHAR")
    values = ", ".join(literal(str(value)) for value in term.in_)
    value = f"json_extract(i, {literal(json_path(term.value))})::VARCHAR"
    return f"list_transform(list_filter(json_extract(o, {items}), lambda i: {word} IN ({values})), lambda i: {value})"
