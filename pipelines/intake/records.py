# ruff: noqa: S608  -- names and quoted literals of a validated profile only; data stays in the relations
"""The first steps of classification, the same for every kind: framed line, JSON, object, record, leaves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.vocabulary import Reason
from pipelines.intake.paths import json_list_path, json_path, one_path
from pipelines.intake.sqltext import literal
from pipelines.parsed_sql import run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pipelines.intake.leaves import Leaves
    from pipelines.intake.profiles import Profile

_STRINGS = '"([^"\\\\]|\\\\.)*"'
_PAIRS = '[{"key":"JSON","value":"JSON"}]'
_FORBIDDEN = r"(?i)nan|inf|,\s*[\]}]"


@dataclass(frozen=True)
class BatchFlags:
    """Which slow exact tests a batch needs, and how its values are spelled."""

    lenient_json: bool
    long_numbers: bool
    repeated_keys: bool
    text_values: bool
    records_given: bool = False
    """The lines are records already exploded (a retry)."""


def valid_json(flags: BatchFlags) -> str:
    """True where `line` is JSON by the standard: the parser also takes NaN, Infinity and trailing commas."""
    valid = "json_valid(line)"
    if not flags.lenient_json:
        return valid
    bare = f"regexp_replace(line, {literal(_STRINGS)}, '\"\"', 'g')"
    return (
        f"CASE WHEN regexp_matches(line, {literal(_FORBIDDEN)}) AND regexp_matches({bare}, {literal(_FORBIDDEN)}) "
        f"THEN false ELSE {valid} END"
    )


def lines_sql(flags: BatchFlags, relation: str = "intake_batch") -> str:
    """Lines with j (valid JSON text or NULL), o (object text or NULL), is_blank."""
    # CASE, because AND would trim every line as well, a fifth of the cost of classification.
    blank = "CASE WHEN starts_with(line, '{') THEN false ELSE frame_reason IS NULL AND trim(line, E' \\t\\r') = '' END"
    return (
        "SELECT *, CASE WHEN starts_with(ltrim(j), '{') THEN j END AS o FROM (SELECT *, "
        f"{blank} AS is_blank, "
        f"CASE WHEN frame_reason IS NULL AND ({valid_json(flags)}) THEN line END AS j FROM {relation})"
    )


def records_sql(profile: Profile, flags: BatchFlags, relation: str = "intake_batch") -> str:
    """One row per record: i, file_id, line_no, record_no (1..n), line, body (the record's text), o, is_blank, shape."""
    lines = lines_sql(flags, relation)
    problem = (
        f"CASE WHEN frame_reason IS NOT NULL THEN frame_reason WHEN is_blank THEN NULL WHEN j IS NULL "
        f"THEN '{Reason.INVALID_JSON}' "
        f"WHEN o IS NULL THEN '{Reason.NOT_AN_OBJECT}'"
    )
    if profile.records is None or flags.records_given:
        return (
            f"SELECT i, record_no, file_id, line_no, line, line AS body, {_prepared('o', profile)} AS o, is_blank, "
            f"{problem} END AS shape FROM ({lines})"
        )
    return _exploded(profile, lines, problem)


def _exploded(profile: Profile, lines: str, problem: str) -> str:
    """The records inside the lines; what the profile carries over from the line stands first in each."""
    records = profile.records or ""
    first, path = (literal(text) for text in json_list_path(records))
    item = "item::VARCHAR"
    for name, keys in reversed(profile.carry.items()):
        values = [f"{literal(json.dumps(key) + ':')} || coalesce({_key_of('o', key)}, 'null')" for key in keys]
        joined = " || ',' || ".join(values)
        item = _with_first(item, name, f"'{{' || {joined} || '}}'")
    # Where nothing is billed, a line without the list is an error message or a heading, not a lost call.
    absent = f" OR json_type(o, {first}) IS NULL" if profile.kind == "provider_usage" else ""
    exploded = (
        f"SELECT *, unnest(items) AS item, generate_subscripts(items, 1)::INTEGER AS part FROM (SELECT *, "
        f"CASE WHEN len(found) > 0 THEN found ELSE [NULL]::JSON[] END AS items FROM (SELECT *, "
        f"json_extract(o, {path}) AS found, "
        f"coalesce(json_type(o, {first}) = 'ARRAY', false){absent} AS is_empty FROM ({lines})))"
    )
    shaped = (
        f"SELECT i, part AS record_no, file_id, line_no, line, is_blank, is_object, "
        f"CASE WHEN is_object THEN {item} ELSE coalesce(item::VARCHAR, line) END AS body, "
        f"{problem} WHEN len(found) = 0 AND is_empty THEN '{Reason.NO_RECORDS}' WHEN len(found) = 0 "
        f"THEN '{Reason.MISSING_RECORDS}' "
        f"WHEN NOT is_object THEN '{Reason.NOT_AN_OBJECT}' END AS shape "
        f"FROM (SELECT *, coalesce(starts_with(item::VARCHAR, '{{'), false) AS is_object FROM ({exploded}))"
    )
    return (
        f"SELECT i, record_no, file_id, line_no, line, body, is_blank, shape, "
        f"CASE WHEN is_object THEN {_prepared('body', profile)} END AS o FROM ({shaped})"
    )


def _key_of(record: str, key: str) -> str:
    return f"json_extract({record}, {literal(json_path((key,)))})::VARCHAR"


def _with_first(record: str, name: str, value: str) -> str:
    """The text of an object with one more key before its own; a key of that name already there counts as repeated."""
    head = literal("{" + json.dumps(name) + ":")
    return (
        f"{head} || {value} || CASE WHEN regexp_full_match(ltrim({record}), '\\{{\\s*\\}}') THEN '}}' "
        f"ELSE ',' || substr(ltrim({record}), 2) END"
    )


def _prepared(record: str, profile: Profile) -> str:
    """The record as the paths see it: embedded texts and lists of pairs as objects."""
    return _with_pairs(_with_embedded(record, profile), profile)


def _with_embedded(record: str, profile: Profile) -> str:
    """The record with each text that the profile says holds a JSON object as that object; other texts stay."""
    for key in profile.embedded:
        at = literal(json_path((key,)))
        text = f"json_extract_string({record}, {at})"
        patch = f"json_merge_patch({record}, {literal('{' + json.dumps(key) + ':')} || {text} || '}}')::VARCHAR"
        record = (
            f"CASE WHEN json_type({record}, {at}) = 'VARCHAR' THEN CASE WHEN json_valid({text}) THEN "
            f"CASE WHEN starts_with({text}, '{{') THEN {patch} ELSE {record} END ELSE {record} END ELSE {record} END"
        )
    return record


def _with_pairs(record: str, profile: Profile) -> str:
    """The record with each list of {key, value} that the profile names as one object more, its values bare.

    A value that is an object of one member, as protocols write typed values, stands for that member.
    """
    found = record
    for name, path in reversed(profile.pairs.items()):
        at = literal(json_path(one_path(path)))
        listed = f"from_json(json_extract({record}, {at}), '{_PAIRS}')"
        value = "coalesce(json_extract(p.value, '$.*')[1]::VARCHAR, p.value::VARCHAR, 'null')"
        named = f"list_filter({listed}, lambda p: json_type(p.key) = 'VARCHAR')"
        texts = f"list_transform({named}, lambda p: p.key::VARCHAR || ':' || {value})"
        found = _with_first(found, name, f"'{{' || coalesce(array_to_string({texts}, ','), '') || '}}'")
    return found if found == record else f"CASE WHEN {record} IS NOT NULL THEN {found} END"


def has_repeated_keys(con: DuckDBPyConnection, profile: Profile, leaves: Leaves) -> bool:
    """Whether in some record of the registered batch a key stands twice in one object on the way to a mapped leaf."""
    flags = BatchFlags(lenient_json=False, long_numbers=False, repeated_keys=False, text_values=False)
    found = records_sql(profile, flags)
    paths = leaves.object_paths()
    keys = f"json_keys(o, {_path_list(leaves)})"
    printed = f"{keys}::VARCHAR" if len(paths) > 1 else "json_keys(o)::VARCHAR"
    # A printed list quotes its texts, so equal print is equal list; one record of each list is looked into.
    examples = run(con, f"SELECT min(i) FROM ({found}) WHERE o IS NOT NULL GROUP BY {printed}").fetchall()
    if not examples:
        return False
    repeated = (
        f"SELECT count(*) FROM (SELECT unnest({keys}) AS keys FROM (SELECT o FROM ({found}) WHERE i "
        "IN (SELECT unnest($examples::BIGINT[])))) "
        "WHERE len(keys) <> list_unique(keys)"
    )
    return bool(run(con, repeated, {"examples": [row[0] for row in examples]}).fetchall()[0][0])


def _path_list(leaves: Leaves) -> str:
    return "[" + ", ".join(literal(path) for path in leaves.object_paths()) + "]"


def parsed_sql(profile: Profile, leaves: Leaves, flags: BatchFlags) -> str:
    """The records with f, the struct of all mapped leaves, and the final shape problem."""
    shape = "shape"
    if flags.repeated_keys:
        repeated = f"len(list_filter(json_keys(o, {_path_list(leaves)}), lambda k: len(k) <> list_unique(k))) > 0"
        shape = f"CASE WHEN shape IS NULL AND {repeated} THEN '{Reason.DUPLICATE_JSON_KEY}' ELSE shape END"
    return (
        f"SELECT * EXCLUDE (shape), {shape} AS shape, from_json(o, {leaves.schema()}) AS f FROM "
        f"({records_sql(profile, flags)})"
    )
