# ruff: noqa: S608  -- names and quoted literals of a validated profile only; data stays in the relations
"""The first steps of classification, the same for every kind: framed line, JSON, object, record, leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.vocabulary import Reason
from pipelines.intake.sqltext import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pipelines.intake.mapping import Leaves
    from pipelines.intake.profiles import Profile

_STRINGS = '"([^"\\\\]|\\\\.)*"'
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
            f"SELECT i, record_no, file_id, line_no, line, line AS body, o, is_blank, {problem} END AS "
            f"shape FROM ({lines})"
        )
    path = literal("$" + "".join("." + part.replace("[]", "[*]") for part in profile.records.split(".")))
    first = literal("$." + profile.records.split("[]", maxsplit=1)[0])
    exploded = (
        f"SELECT *, unnest(items) AS item, generate_subscripts(items, 1)::INTEGER AS part FROM (SELECT *, "
        f"CASE WHEN len(found) > 0 THEN found ELSE [NULL]::JSON[] END AS items FROM (SELECT *, "
        f"json_extract(o, {path}) AS found, "
        f"json_type(o, {first}) = 'ARRAY' AS has_array FROM ({lines})))"
    )
    return (
        "SELECT i, part AS record_no, file_id, line_no, line, coalesce(item::VARCHAR, line) AS body, "
        "CASE WHEN starts_with(item::VARCHAR, '{') THEN item::VARCHAR END AS o, "
        "is_blank OR (o IS NOT NULL AND len(found) = 0 AND coalesce(has_array, false)) AS is_blank, "
        f"{problem} WHEN len(found) = 0 AND coalesce(has_array, false) THEN NULL WHEN len(found) = 0 "
        f"THEN '{Reason.MISSING_RECORDS}' "
        f"WHEN NOT starts_with(item::VARCHAR, '{{') THEN '{Reason.NOT_AN_OBJECT}' END AS shape FROM ({exploded})"
    )


def has_repeated_keys(con: DuckDBPyConnection, profile: Profile, leaves: Leaves) -> bool:
    """Whether in some record of the registered batch a key stands twice in one object on the way to a mapped leaf."""
    flags = BatchFlags(lenient_json=False, long_numbers=False, repeated_keys=False, text_values=False)
    found = records_sql(profile, flags)
    paths = leaves.object_paths()
    keys = f"json_keys(o, {_path_list(leaves)})"
    printed = f"{keys}::VARCHAR" if len(paths) > 1 else "json_keys(o)::VARCHAR"
    # A printed list quotes its texts, so equal print is equal list; one record of each list is looked into.
    examples = con.execute(f"SELECT min(i) FROM ({found}) WHERE o IS NOT NULL GROUP BY {printed}").fetchall()
    if not examples:
        return False
    repeated = (
        f"SELECT count(*) FROM (SELECT unnest({keys}) AS keys FROM (SELECT o FROM ({found}) WHERE i "
        f"IN ({', '.join(str(row[0]) for row in examples)}))) "
        "WHERE len(keys) <> list_unique(keys)"
    )
    return bool(con.execute(repeated).fetchall()[0][0])


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
