# ruff: noqa: S608  -- names and quoted literals of a validated profile only; data stays in the relations
"""What credits and accounts share: typed columns by a small table of column kinds, and their reasons."""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.vocabulary import Reason
from pipelines.intake import classify_usage, mapping, records, sqltext
from pipelines.intake.classify_usage import Shape, event_key, id_leaves, time_leaf
from pipelines.intake.sqltext import BAD, NAIVE, NEGATIVE, RANGE, case_of, literal

BIGGEST = 10**15
"""Most tokens, or minor units of money, of one credit: no sum of a posting comes near 64 bits."""


@dataclass(frozen=True)
class Columns:
    """The mapped columns of a kind by type; integers with their lower and upper bound."""

    texts: tuple[str, ...]
    integers: dict[str, tuple[int, int]]
    booleans: tuple[str, ...]
    times: tuple[str, ...]
    money: tuple[str, ...] = ()


def typed_sql(shape: Shape, columns: Columns, main_time: str) -> str:
    """Records with every column of `columns` typed, `main_time` from [time], account_id, and status columns s_*."""
    profile = shape.profile
    leaves = mapping.want_all(profile, ())
    found = classify_usage.ids(leaves, profile)
    found["x_account_id"] = classify_usage.account_leaf(leaves, profile)
    for column in (*columns.texts, *columns.integers, *columns.booleans):
        found["x_" + column] = mapping.field_leaf(
            leaves, profile, column, empty_is_absent=column in columns.texts, integers=shape.integers
        )
    found["x_" + main_time] = time_leaf(shape.flags, leaves, profile)
    for column in columns.money:
        found["x_" + column] = classify_usage.money_leaf(shape, leaves, column)
    for column in columns.times:
        paths = mapping.plain_paths(profile, column)
        found["x_" + column] = time_leaf(shape.flags, leaves, profile, paths) if paths else "NULL::VARCHAR"
    found["is_leaf"] = mapping.membership(leaves, profile.leaf) if profile.leaf else "true"
    found["is_welcome"] = mapping.membership(leaves, profile.welcome) if profile.welcome else "false"
    step = (
        f"SELECT i, file_id, line_no, record_no, line, body, o, is_blank, shape, {_aliased(found)} FROM "
        f"({records.parsed_sql(profile, leaves, shape.flags)})"
    )
    return _typed(shape, columns, main_time, step)


def _typed(shape: Shape, columns: Columns, main_time: str, step: str) -> str:
    times = (main_time, *columns.times)
    unit, naive = shape.profile.time.unit, shape.profile.time.naive_time == "UTC"
    texts = {f"n_{column}": sqltext.number_text(f"x_{column}", shape.integers) for column in columns.integers}
    for column in times:
        texts[f"n_{column}"] = sqltext.time_text(f"x_{column}")
    for column in columns.money:
        texts[f"t_{column}"] = sqltext.time_text(f"x_{column}")
    values = {column: sqltext.text_of(f"x_{column}") for column in ("account_id", *columns.texts)}
    plain = {f"n_{column}": sqltext.plain_decimal(f"t_{column}") for column in columns.money}
    statuses: dict[str, str] = {}
    for column, (low, high) in columns.integers.items():
        values[column] = sqltext.integer_of(f"n_{column}", low, high)
        statuses["s_" + column] = sqltext.integer_status(f"n_{column}", column, low)
    for column in columns.booleans:
        values[column] = sqltext.boolean_of(f"x_{column}", texts=shape.integers == "text")
    for column in times:
        plain[f"p_{column}"] = "NULL::VARCHAR" if unit == "iso" else sqltext.plain_decimal(f"n_{column}")
        values[column] = sqltext.time_of(
            f"n_{column}", f"x_{column}", sqltext.epoch_micros(f"p_{column}", unit), naive_utc=naive
        )
        statuses["s_" + column] = sqltext.time_status(f"n_{column}", column, f"p_{column}")
    values |= {name.removeprefix("x_"): sqltext.text_of(name) for name in id_leaves(shape.profile)}
    if isinstance(shape.profile.dedup, tuple):
        values["event_key"] = event_key(shape.profile, shape.source, shape.file_sha256)
        values["own_id"] = _own_id([f"({sqltext.text_of(x)})" for x in id_leaves(shape.profile)])
    # Of a bucket's dimensions some are flags or absent: they only have to be equal.
    own_ids = () if shape.profile.kind == "provider_usage" else id_leaves(shape.profile)
    checked = [*_identifiers(columns), *(name.removeprefix("x_") for name in own_ids)]
    numbers = f"SELECT *, {_aliased(plain)} FROM (SELECT *, {_aliased(texts)} FROM ({step}))"
    typed = f"SELECT *, {_aliased(statuses)} FROM (SELECT *, {_aliased(values)} FROM ({numbers}))"
    return f"SELECT *, {classify_usage.odd_text(checked)} AS odd_text FROM ({typed})"


def _own_id(parts: list[str]) -> str:
    """The record's id as a text: several values joined by colons, their own colons escaped, so no two ids are one."""
    if len(parts) == 1:
        return parts[0]
    escaped = [f"replace(replace({part}, '\\', '\\\\'), ':', '\\:')" for part in parts]
    return f"concat_ws(':', {', '.join(escaped)})"


def _identifiers(columns: Columns) -> list[str]:
    """The text columns that must be clean; a description may hold anything."""
    return ["account_id", *(column for column in columns.texts if column != "description")]


def _aliased(expressions: dict[str, str]) -> str:
    return ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())


def first_reasons(shape: Shape, main_time: str) -> list[tuple[str, str]]:
    """Framing, leaf filter, id, main time and account, in order."""
    # A credit or an account dated ahead waits for its date: only usage must not be newer than its billing date.
    window_end = "TIMESTAMPTZ '2200-01-01 00:00:00+00'"
    pairs = [("shape IS NOT NULL", "shape"), ("is_blank", "NULL"), ("NOT is_leaf", f"'{Reason.NOT_A_LEAF}'")]
    pairs += [(f"{x} IS NULL", f"'{Reason.MISSING_ID}'") for x in id_leaves(shape.profile)]
    pairs += [(sqltext.text_is_bad(x), f"'{Reason.INVALID_TEXT}'") for x in id_leaves(shape.profile)]
    pairs += classify_usage.time_reasons(f"n_{main_time}", f"s_{main_time}", main_time, window_end)
    pairs += [("x_account_id IS NULL", f"'{Reason.MISSING_ACCOUNT}'"), ("odd_text", f"'{Reason.INVALID_TEXT}'")]
    return pairs


def value_reasons(columns: Columns) -> list[tuple[str, str]]:
    """Integers, booleans and further times."""
    reasons = ((BAD, Reason.INVALID_INTEGER), (NEGATIVE, Reason.NEGATIVE_COUNT), (RANGE, Reason.AMOUNT_OUT_OF_RANGE))
    pairs = [
        (" OR ".join(f"s_{column} = {code}" for column in columns.integers), f"'{reason}'") for code, reason in reasons
    ]
    pairs += [
        (f"x_{column} IS NOT NULL AND {column} IS NULL", f"'{Reason.INVALID_BOOLEAN}'") for column in columns.booleans
    ]
    for column in columns.times:
        pairs.append((f"s_{column} = {NAIVE}", f"'{Reason.NAIVE_TIME}'"))
        pairs.append((f"s_{column} = {BAD}", f"'{Reason.INVALID_TIME}'"))
        pairs.append(
            (
                f"s_{column} = {RANGE} OR {column} < TIMESTAMPTZ '2015-01-01 00:00:00+00'",
                f"'{Reason.TIME_OUT_OF_RANGE}'",
            )
        )
    return pairs


def detail_sql(columns: Columns, main_time: str, *more: tuple[str, str]) -> str:
    """Which columns were at fault."""
    bad = ", ".join(
        f"CASE WHEN s_{column} > 0 THEN '{column}' END" for column in (*columns.integers, main_time, *columns.times)
    )
    odd = ", ".join(
        f"CASE WHEN {classify_usage.odd_text([column])} THEN '{column}' END" for column in _identifiers(columns)
    )
    named = [
        Reason.INVALID_INTEGER, Reason.NEGATIVE_COUNT, Reason.AMOUNT_OUT_OF_RANGE, Reason.NAIVE_TIME,
        Reason.INVALID_TIME, Reason.TIME_OUT_OF_RANGE,
    ]  # fmt: skip
    return case_of(
        [
            ("reason IS NULL", "NULL::VARCHAR"),
            (f"reason IN ({', '.join(literal(reason) for reason in named)})", f"concat_ws(', ', {bad})"),
            (f"reason = '{Reason.INVALID_TEXT}'", f"concat_ws(', ', {odd})"),
            *more,
        ]
    )
