# ruff: noqa: S608  -- names and quoted literals of a validated profile only; data stays in the relations
"""Usage records: mapped columns, one reason code per record, the first failing rule in a fixed order.

The order: framing; JSON; object; repeated keys; leaf filter (ignored); id; version; time; before the books' start
(ignored); texts; integers; booleans; operation; then, on complete records, account, usage, subsets, images and
last whether the account is known. Nothing here raises on any data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.vocabulary import OPERATION_ALIASES, Operation, Reason
from pipelines.intake import mapping, records, sqltext
from pipelines.intake.profiles import USAGE_COUNTS, USAGE_TEXTS, Profile
from pipelines.intake.sqltext import BAD, NAIVE, NEGATIVE, RANGE, case_of, literal

if TYPE_CHECKING:
    from pipelines.intake.leaves import Leaves
    from pipelines.intake.sources import ReadContext

MAX_TOKENS = 10**12
MAX_IMAGES = 10**6
MAX_ID_CHARACTERS = 512
ERROR_MESSAGE_CHARACTERS = 200
CONTROL = r"[\p{Cc}\p{Cf}]"


@dataclass(frozen=True)
class Shape:
    """What the SQL of a batch depends on besides the data."""

    profile: Profile
    context: ReadContext
    flags: records.BatchFlags
    source: str
    file_sha256: str

    @property
    def integers(self) -> str:
        """The profile's mode; in CSV every value is a text."""
        return "text" if self.flags.text_values else self.profile.integers


def mapped_sql(shape: Shape) -> tuple[str, Leaves]:
    """One row per record: nullable mapped columns, reason, detail, and i, line_no, record_no, is_blank."""
    profile = shape.profile
    leaves = mapping.want_all(profile, shape.context.metadata_keys)
    parsed = records.parsed_sql(profile, leaves, shape.flags)
    leaf_columns = ", ".join(f"{expression} AS {name}" for name, expression in _leaves(shape, leaves).items())
    step_leaves = (
        f"SELECT i, file_id, line_no, record_no, line, body, o, is_blank, shape, {leaf_columns} FROM ({parsed})"
    )
    texts = ", ".join(f"{expression} AS {name}" for name, expression in _texts(shape).items())
    step_texts = f"SELECT *, {texts} FROM ({step_leaves})"
    numbers = ", ".join(f"{expression} AS {name}" for name, expression in _numbers(shape).items())
    step_numbers = f"SELECT *, {numbers} FROM ({step_texts})"
    values = ", ".join(f"{expression} AS {name}" for name, expression in _values(shape).items())
    step_values = f"SELECT *, {values} FROM ({step_numbers})"
    statuses = ", ".join(f"{expression} AS {name}" for name, expression in _statuses(profile).items())
    step_statuses = f"SELECT *, {statuses} FROM ({step_values})"
    checked = f"SELECT *, {odd_text(_text_columns(profile))} AS odd_text FROM ({step_statuses})"
    return f"SELECT *, {_reason(shape)} AS reason, {_detail(shape)} AS detail FROM ({checked})", leaves


def _text_columns(profile: Profile) -> list[str]:
    names = (*id_leaves(profile), *other_id_leaves(profile))
    return ["account_id", *mapped(profile, USAGE_TEXTS), *(name.removeprefix("x_") for name in names)]


def id_leaves(profile: Profile) -> list[str]:
    """Names of the leaf columns that hold the id values."""
    return [f"x_id{k}" for k in range(len(profile.dedup))] if isinstance(profile.dedup, tuple) else []


def other_id_leaves(profile: Profile) -> list[str]:
    """Names of the leaf columns that hold the id values of a record without those of `dedup`."""
    return [f"x_alt{k}" for k in range(len(profile.dedup_else.columns))] if profile.dedup_else else []


def _leaves(shape: Shape, leaves: Leaves) -> dict[str, str]:
    profile = shape.profile
    found: dict[str, str] = {}
    found.update(ids(leaves, profile))
    found["x_account_id"] = account_leaf(leaves, profile)
    for column in mapped(profile, USAGE_TEXTS):
        found["x_" + column] = mapping.field_leaf(leaves, profile, column, empty_is_absent=True)
    for column in (*mapped(profile, USAGE_COUNTS), "success", "error_message"):
        found["x_" + column] = mapping.field_leaf(leaves, profile, column, integers=shape.integers)
    found["x_time"] = time_leaf(shape.flags, leaves, profile)
    found["x_reported_cost"] = _money_leaf(shape, leaves)
    found["x_version"] = (
        mapping.first_of(leaves, profile.version, empty_is_absent=True) if profile.version else "NULL::VARCHAR"
    )
    operation = profile.operation.paths if profile.operation else ()
    found.update({f"x_op{k}": leaves.leaf(path) for k, path in enumerate(operation)})
    for name, rule in (("gateway_cache_hit", profile.gateway_cache_hit), ("cancelled", profile.cancelled)):
        found[name] = mapping.membership(leaves, rule) if rule else "NULL::BOOLEAN"
    found["failed"] = mapping.membership(leaves, profile.error) if profile.error else "false"
    found["error_known"] = mapping.is_stated(leaves, profile.error) if profile.error else "false"
    found["is_leaf"] = mapping.membership(leaves, profile.leaf) if profile.leaf else "true"
    found["leaf_stated"] = mapping.is_stated(leaves, profile.leaf) if profile.leaf else "false"
    found["not_final"] = mapping.membership(leaves, profile.not_final) if profile.not_final else "false"
    found["request_metadata"] = mapping.metadata_json(leaves, profile, shape.context.metadata_keys)
    return found


def ids(leaves: Leaves, profile: Profile) -> dict[str, str]:
    """The leaves of the id columns by name, and of those that stand in where one of them is absent."""
    found: dict[str, str] = {}
    if isinstance(profile.dedup, tuple):
        for k, paths in enumerate(profile.dedup):
            found[f"x_id{k}"] = mapping.first_of(leaves, paths, empty_is_absent=True)
    if profile.dedup_else is not None:
        for k, paths in enumerate(profile.dedup_else.columns):
            leaf = mapping.first_of(leaves, paths, empty_is_absent=True)
            found[f"x_alt{k}"] = f"lower({leaf})" if profile.dedup_else.lower else leaf
    return found


def account_leaf(leaves: Leaves, profile: Profile) -> str:
    """The leaf of the account; NULL for a kind without accounts."""
    rule = profile.account
    found = [mapping.first_of(leaves, rule.try_, empty_is_absent=True)] if rule and rule.try_ else []
    found += [sqltext.json_literal(rule.constant)] if rule and rule.constant else []
    return f"coalesce({', '.join(found)})" if len(found) > 1 else (found or ["NULL::VARCHAR"])[0]


def mapped(profile: Profile, columns: tuple[str, ...]) -> list[str]:
    """Those of `columns` that the profile maps, in order."""
    return [column for column in columns if column in profile.fields]


def time_leaf(
    flags: records.BatchFlags, leaves: Leaves, profile: Profile, paths: tuple[tuple[str, ...], ...] = ()
) -> str:
    """The leaf of a time, with the line's own digits where the batch holds long numbers."""
    found = [f"nullif({leaves.leaf(path)}, '\"\"')" for path in paths or profile.time.path]
    if flags.long_numbers and profile.time.unit != "iso":
        wanted = paths or profile.time.path
        found = [sqltext.exact_number(leaf, path[-1]) for leaf, path in zip(found, wanted, strict=True)]
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _money_leaf(shape: Shape, leaves: Leaves) -> str:
    return money_leaf(shape, leaves, "reported_cost")


def money_leaf(shape: Shape, leaves: Leaves, column: str) -> str:
    """The leaf of an amount, with the line's own digits where the batch holds long numbers."""
    paths = mapping.plain_paths(shape.profile, column)
    if not paths or not shape.flags.long_numbers:
        return mapping.field_leaf(leaves, shape.profile, column, empty_is_absent=True)
    found = [sqltext.exact_number(f"nullif({leaves.leaf(path)}, '\"\"')", path[-1]) for path in paths]
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _texts(shape: Shape) -> dict[str, str]:
    profile = shape.profile
    found = {
        f"n_{column}": sqltext.number_text(f"x_{column}", shape.integers) for column in mapped(profile, USAGE_COUNTS)
    }
    found["n_time"] = sqltext.time_text("x_time")
    found["n_version"] = sqltext.time_text("x_version") if profile.version else "NULL::VARCHAR"
    found["t_cost"] = sqltext.time_text("x_reported_cost") if "reported_cost" in profile.fields else "NULL::VARCHAR"
    words = {
        f"word{k}": f"lower({sqltext.word_of(f'x_op{k}')})"
        for k in range(len(profile.operation.paths) if profile.operation else 0)
    }
    return found | words


def _numbers(shape: Shape) -> dict[str, str]:
    return {
        "p_time": "NULL::VARCHAR" if shape.profile.time.unit == "iso" else sqltext.plain_decimal("n_time"),
        "n_cost": sqltext.plain_decimal("t_cost"),
    }


def _statuses(profile: Profile) -> dict[str, str]:
    found = {
        "s_" + column: sqltext.integer_status(f"n_{column}", column, 0) for column in mapped(profile, USAGE_COUNTS)
    }
    found["s_time"] = sqltext.time_status("n_time", "occurred_at", "p_time")
    # A cost that is no amount says nothing against the call: it is left empty, and the disposition says so.
    found["cost_unread"] = "(x_reported_cost IS NOT NULL AND reported_cost_nanousd IS NULL)"
    return found


def _values(shape: Shape) -> dict[str, str]:
    profile = shape.profile
    texts = mapped(profile, USAGE_TEXTS)
    found = {column: sqltext.text_of(f"x_{column}") for column in ("account_id", *texts)}
    found |= {column: "NULL::VARCHAR" for column in USAGE_TEXTS if column not in texts}
    counts = mapped(profile, USAGE_COUNTS)
    for column in counts:
        high = MAX_IMAGES if column == "image_count" else MAX_TOKENS
        found[column] = sqltext.integer_of(f"n_{column}", 0, high)
    found |= {column: "NULL::BIGINT" for column in USAGE_COUNTS if column not in counts}
    naive = profile.time.naive_time == "UTC"
    found["occurred_at"] = sqltext.time_of(
        "n_time", "x_time", sqltext.epoch_micros("p_time", profile.time.unit), naive_utc=naive
    )
    found["version"] = _version(profile)
    found["reported_cost_nanousd"] = sqltext.shifted("n_cost", sqltext.MONEY_DIGITS[profile.money.unit])
    success = sqltext.boolean_of("x_success", texts=shape.integers == "text")
    found["own_success"] = success
    found["success"] = (
        f"CASE WHEN failed THEN false WHEN x_success IS NOT NULL THEN {success} WHEN error_known THEN true END"
    )
    found["error_message"] = f"left({sqltext.word_of('x_error_message')}, {ERROR_MESSAGE_CHARACTERS})"
    found["operation_type"] = _operation(profile)
    found["event_key"] = event_key(profile, shape.source, shape.file_sha256)
    names = (*id_leaves(profile), *other_id_leaves(profile))
    return found | {name.removeprefix("x_"): sqltext.text_of(name) for name in names}


def odd_text(columns: list[str]) -> str:
    """True where a text column is of another type, too long, or holds control or invisible characters.

    `columns`: names of typed columns whose leaves are named x_<column>.
    """
    bad_type = " OR ".join(
        f"({column} IS NULL AND x_{column} IS NOT NULL AND x_{column} <> '\"\"')" for column in columns
    )
    everything = f"concat({', '.join(columns)})"
    too_long = " OR ".join(f"coalesce(length({column}) > {MAX_ID_CHARACTERS}, false)" for column in columns)
    return (
        f"({bad_type} OR (strlen({everything}) > {MAX_ID_CHARACTERS} AND ({too_long})) "
        f"OR regexp_matches({everything}, {literal(CONTROL)}))"
    )


def event_key(profile: Profile, source: str, file_sha256: str) -> str:
    """BLOB: sha256 of the JSON array [source name, id values as text ...]; NULL where an id is missing."""
    head = literal("[" + _json(source) + ",")
    if profile.dedup == "file_line":
        where = literal(f'"{file_sha256}","')
        return f"unhex(sha256({head} || {where} || line_no || '\",\"' || record_no || '\"]'))"
    if isinstance(profile.dedup, str) or profile.dedup is None:
        return f"unhex(sha256({head} || to_json(body)::VARCHAR || ']'))"
    own = _hashed(head, id_leaves(profile), absent_counts=profile.kind == "provider_usage")
    others = other_id_leaves(profile)
    return f"coalesce({own}, {_hashed(head, others, absent_counts=False)})" if others else own


def _hashed(head: str, leaves: list[str], *, absent_counts: bool) -> str:
    """The key of the given id values; where `absent_counts` an absent one is a value of its own."""
    values = [f"(CASE WHEN starts_with({x}, '\"') THEN {x} ELSE '\"' || {x} || '\"' END)" for x in leaves]
    if absent_counts:
        values = [f"coalesce({value}, 'null')" for value in values]
    joined = " || ',' || ".join(values)
    return f"unhex(sha256({head} || {joined} || ']'))"


def _json(text: str) -> str:
    return sqltext.json_literal(text)[1:-1].replace("''", "'")


def _version(profile: Profile) -> str:
    if profile.version is None:
        return "NULL::DECIMAL(38, 9)"
    naive = profile.time.naive_time == "UTC"
    time = sqltext.time_of("n_version", "x_version", "NULL::BIGINT", naive_utc=naive)
    plain = f"({sqltext.plain_decimal('n_version')})"
    cut = f"regexp_extract({plain}, '^-?[0-9]+([.][0-9]{{1,9}})?')"
    return (
        f"CASE WHEN x_version IS NULL THEN 0::DECIMAL(38, 9) WHEN {plain} IS NOT NULL THEN "
        f"try_cast({cut} AS DECIMAL(38, 9)) "
        f"ELSE try_cast(epoch_us({time}) AS DECIMAL(38, 9)) END"
    )


def _operation(profile: Profile) -> str:
    """The mapped word; '' where none decides, NULL where the deciding one is unknown."""
    if profile.operation is None or profile.operation.constant:
        return literal(profile.operation.constant or "") if profile.operation else f"'{Operation.CHAT}'"
    own = profile.operation.map
    words = {
        **{key: str(value) for key, value in OPERATION_ALIASES.items()},
        **{key.lower(): value for key, value in own.items()},
    }
    images = ", ".join(literal(key.lower()) for key, value in own.items() if value == Operation.IMAGE.value)
    names = [f"word{k}" for k in range(len(profile.operation.paths))]
    pairs = [(f"{name} IN ({images})", f"'{Operation.IMAGE}'") for name in names] if images else []
    silent = ["''", *(literal(key.lower()) for key, value in own.items() if not value)]
    known = ", ".join(f"{literal(key)}: {literal(value)}" for key, value in words.items() if value)
    pairs += [
        (f"{name} IS NOT NULL AND {name} NOT IN ({', '.join(silent)})", f"(MAP {{{known}}})[{name}]") for name in names
    ]
    return case_of(pairs, f"'{Operation.CHAT}'")


def _reason(shape: Shape) -> str:
    profile, counts = shape.profile, mapped(shape.profile, USAGE_COUNTS)
    window_end = "($billing_date::DATE + INTERVAL 2 DAY)::TIMESTAMPTZ"
    pairs = [("shape IS NOT NULL", "shape"), ("is_blank", "NULL")]
    pairs += [("NOT is_leaf AND leaf_stated", f"'{Reason.NOT_A_LEAF}'")] if profile.leaf else []
    pairs += [("not_final", f"'{Reason.NOT_FINAL}'")] if profile.not_final else []
    pairs += id_reasons(profile)
    pairs += [("version IS NULL", f"'{Reason.INVALID_VERSION}'")] if profile.version else []
    pairs += time_reasons("n_time", "s_time", "occurred_at", window_end)
    # What says nothing of its own kind must at least be a whole record before it may be left out.
    pairs += [("NOT is_leaf", f"'{Reason.NOT_A_LEAF}'")] if profile.leaf else []
    pairs.append(
        (f"occurred_at < TIMESTAMPTZ '{shape.context.start.isoformat()} 00:00:00+00'", f"'{Reason.BEFORE_START}'")
    )
    pairs.append(("odd_text", f"'{Reason.INVALID_TEXT}'"))
    pairs += count_reasons(counts)
    pairs.append(("x_success IS NOT NULL AND own_success IS NULL", f"'{Reason.INVALID_BOOLEAN}'"))
    pairs.append(("operation_type IS NULL", f"'{Reason.UNKNOWN_OPERATION}'"))
    return case_of(pairs)


def id_reasons(profile: Profile) -> list[tuple[str, str]]:
    """The reasons of id columns; those of `dedup_else` count where one of `dedup` is absent."""
    first, others = id_leaves(profile), other_id_leaves(profile)
    absent = [f"{x} IS NULL" for x in first]
    if others and absent:
        alternatives = " OR ".join(f"{x} IS NULL" for x in others)
        absent = [f"({' OR '.join(absent)}) AND ({alternatives})"]
    pairs = [(test, f"'{Reason.MISSING_ID}'") for test in absent]
    return pairs + [(sqltext.text_is_bad(x), f"'{Reason.INVALID_TEXT}'") for x in (*first, *others)]


def time_reasons(text: str, status: str, value: str, window_end: str) -> list[tuple[str, str]]:
    """The reasons of a required time, in order; `window_end` is exclusive."""
    return [
        (f"{text} IS NULL", f"'{Reason.MISSING_TIME}'"),
        (f"{status} = {NAIVE}", f"'{Reason.NAIVE_TIME}'"),
        (f"{status} = {BAD}", f"'{Reason.INVALID_TIME}'"),
        (
            f"{status} = {RANGE} OR {value} < TIMESTAMPTZ '2015-01-01 00:00:00+00' OR {value} > {window_end}",
            f"'{Reason.TIME_OUT_OF_RANGE}'",
        ),
    ]


def count_reasons(columns: list[str]) -> list[tuple[str, str]]:
    """The reasons of integer columns, worst kind first."""
    reasons = ((BAD, Reason.INVALID_INTEGER), (NEGATIVE, Reason.NEGATIVE_COUNT), (RANGE, Reason.COUNT_OUT_OF_RANGE))
    return [
        (" OR ".join(f"s_{column} = {code}" for column in columns), f"'{reason}'")
        for code, reason in reasons
        if columns
    ]


def _detail(shape: Shape) -> str:
    """Which fields were at fault, for the codes that can mean several."""
    counts = mapped(shape.profile, USAGE_COUNTS)
    texts = ("account_id", *mapped(shape.profile, USAGE_TEXTS))
    bad = ", ".join(f"CASE WHEN s_{column} > 0 THEN '{column}' END" for column in counts) or "NULL"
    odd = ", ".join(f"CASE WHEN {odd_text([column])} THEN '{column}' END" for column in texts)
    word = case_of(
        [
            (f"word{k} IS NOT NULL", f"word{k}")
            for k in range(len(shape.profile.operation.paths) if shape.profile.operation else 0)
        ]
    )
    integers = f"('{Reason.INVALID_INTEGER}', '{Reason.NEGATIVE_COUNT}', '{Reason.COUNT_OUT_OF_RANGE}')"
    return case_of(
        [
            ("reason IS NULL", "NULL::VARCHAR"),
            (f"reason IN {integers}", f"concat_ws(', ', {bad})"),
            (f"reason = '{Reason.INVALID_TEXT}'", f"concat_ws(', ', {odd})"),
            (f"reason = '{Reason.UNKNOWN_OPERATION}'", f"left({word}, 100)"),
            (
                f"reason IN ('{Reason.INVALID_TIME}', '{Reason.NAIVE_TIME}', '{Reason.TIME_OUT_OF_RANGE}')",
                "left(n_time, 100)",
            ),
        ]
    )
