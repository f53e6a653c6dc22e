# ruff: noqa: S608  -- fixed names only
"""Complete usage records: one token convention, defaults, and the rules that need the whole record."""

from __future__ import annotations

from billing_core.provider_prices import SERVICE_TIERS
from billing_core.vocabulary import Disposition, Operation, Reason
from pipelines.intake.classify_usage import MAX_TOKENS
from pipelines.intake.profiles import USAGE_COUNTS, USAGE_TEXTS
from pipelines.intake.sqltext import case_of

KEPT = (
    "account_id", "user_id", "workspace_id", "project_id", "content_piece_id", "provider", "model",
    "reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens",
    "image_size", "image_quality", "service_tier", "reported_billable_tokens", "reported_cost_nanousd", "error_message",
    "request_metadata", "occurred_at",
)  # fmt: skip
IGNORED = (
    Reason.BEFORE_START, Reason.NOT_A_LEAF, Reason.NOT_FINAL, Reason.NO_RECORDS, Reason.APP_USAGE_ROW,
    Reason.WELCOME_IN_BOOKS, Reason.AGGREGATE,
)  # fmt: skip
IDENTITY = ("row_id", "source", "file_id", "line_no", "record_no", "event_key", "version", "retried")
CONTENT = (
    "account_id", "user_id", "workspace_id", "project_id", "content_piece_id", "operation_type", "provider", "model",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens",
    "image_count", "image_size", "image_quality", "service_tier", "reported_billable_tokens", "reported_cost_nanousd",
    "success", "error_message", "occurred_at",
)  # fmt: skip
"""What makes two records of one key the same event: the columns that the books keep, but request_metadata, which
depends on the configuration of the day."""
_MAY_BE_REQUIRED = (*USAGE_TEXTS, *USAGE_COUNTS)
_COUNTS = ("reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens")


def finalised_sql(relation: str, *, auto_create: bool, has_required: bool = True) -> str:
    """Rows of classified_usage (by name) from mapped records with source, file_id, row_id, conventions and required.

    ``has_required``: whether `required` names a field in any of them.
    """
    writes = (
        f"SELECT *, coalesce(cache_read_tokens, 0) AS cr, coalesce(cache_write_1h_tokens, 0) AS w1, "
        f"coalesce(cache_write_5m_tokens, "
        f"greatest(coalesce(cache_write_tokens, 0) - coalesce(cache_write_1h_tokens, 0), 0)) AS w5, "
        f"coalesce(input_tokens, 0) AS own_in, coalesce(output_tokens, 0) AS own_out, "
        f"coalesce(reasoning_tokens, 0) AS own_reasoning "
        f"FROM ({relation})"
    )
    totals = (
        "SELECT *, CASE WHEN input_convention = 'disjoint' OR (input_convention = 'auto' AND cr + w5 + w1 > "
        "own_in) THEN own_in + cr + w5 + w1 "
        "ELSE own_in END AS total_in, CASE WHEN output_convention = 'disjoint' OR (output_convention = 'auto' AND "
        "own_reasoning > own_out) "
        f"THEN own_out + own_reasoning ELSE own_out END AS total_out, coalesce(success, true) AS ok FROM ({writes})"
    )
    reason = _reason(auto_create=auto_create, has_required=has_required)
    final = f"SELECT * REPLACE (coalesce(reason, {reason}) AS reason) FROM ({totals})"
    ignored = ", ".join(f"'{reason}'" for reason in IGNORED)
    tiers = [(f"lower(service_tier) = '{word}'", f"'{tier}'") for word, tier in SERVICE_TIERS.items()]
    kept = {column: f"coalesce({column}, 0) AS {column}" for column in _COUNTS}
    kept["service_tier"] = f"{case_of(tiers, 'lower(service_tier)')} AS service_tier"
    chosen = [kept.get(column, column) for column in KEPT]
    return (
        f"SELECT {', '.join(IDENTITY)}, CASE WHEN is_blank THEN '{Disposition.BLANK}' WHEN reason IN ({ignored}) THEN "
        f"'{Disposition.IGNORED}' WHEN reason IS NOT NULL THEN '{Disposition.QUARANTINED}' ELSE "
        f"'{Disposition.ACCEPTED}' END "
        f"AS disposition, CASE WHEN reason IS NULL AND cost_unread AND NOT is_blank THEN '{Reason.UNREADABLE_COST}' "
        f"ELSE reason END AS reason, {_detail(has_required=has_required)} AS detail, false AS supersedes, "
        f"{', '.join(chosen)}, operation_type, "
        "total_in AS input_tokens, total_out AS output_tokens, total_in + total_out AS total_tokens, "
        "cr AS cache_read_tokens, "
        "w5 AS cache_write_5m_tokens, w1 AS cache_write_1h_tokens, coalesce(image_count, 0) AS "
        "image_count, ok AS success, "
        "coalesce(gateway_cache_hit, false) AS gateway_cache_hit, coalesce(cancelled, false) AS cancelled "
        f"FROM ({final})"
    )


def _reason(*, auto_create: bool, has_required: bool) -> str:
    image = f"operation_type = '{Operation.IMAGE}'"
    pairs = [
        ("is_blank", "NULL"),
        ("account_id IS NULL", f"'{Reason.MISSING_ACCOUNT}'"),
        (f"ok AND NOT {image} AND input_tokens IS NULL AND output_tokens IS NULL", f"'{Reason.MISSING_USAGE}'"),
        *([(_lacks_required(), f"'{Reason.MISSING_FIELD}'")] if has_required else []),
        (
            f"total_in > {MAX_TOKENS} OR total_out > {MAX_TOKENS} OR cr + w5 + w1 > {MAX_TOKENS}",
            f"'{Reason.COUNT_OUT_OF_RANGE}'",
        ),
        (" OR ".join(f"({test})" for test, _ in _SUBSETS), f"'{Reason.INCONSISTENT_USAGE}'"),
        (f"ok AND {image} AND model IS NOT NULL AND coalesce(image_count, 0) = 0", f"'{Reason.IMAGE_COUNT}'"),
    ]
    if not auto_create:
        pairs.append(("account_id NOT IN (SELECT account_id FROM known_accounts)", f"'{Reason.UNKNOWN_ACCOUNT}'"))
    return case_of(pairs)


def _lacks_required() -> str:
    absent = " OR ".join(f"({column} IS NULL AND contains(required, ',{column},'))" for column in _MAY_BE_REQUIRED)
    return f"required IS NOT NULL AND ok AND ({absent})"


_SUBSETS = (
    ("cr + w5 + w1 > total_in", "cache tokens exceed input_tokens"),
    ("own_reasoning > total_out", "reasoning_tokens exceed output_tokens"),
    ("coalesce(audio_input_tokens, 0) > total_in", "audio_input_tokens exceed input_tokens"),
    ("coalesce(audio_output_tokens, 0) > total_out", "audio_output_tokens exceed output_tokens"),
    ("coalesce(image_input_tokens, 0) > total_in", "image_input_tokens exceed input_tokens"),
    ("coalesce(image_output_tokens, 0) > total_out", "image_output_tokens exceed output_tokens"),
)


def _detail(*, has_required: bool) -> str:
    pairs = [
        ("reason IS NULL OR detail IS NOT NULL", "detail"),
        (f"reason = '{Reason.UNKNOWN_ACCOUNT}'", "account_id"),
    ]
    missing = ", ".join(
        f"CASE WHEN {column} IS NULL AND contains(required, ',{column},') THEN '{column}' END"
        for column in _MAY_BE_REQUIRED
    )
    if has_required:
        pairs.append((f"reason = '{Reason.MISSING_FIELD}'", f"concat_ws(', ', {missing})"))
    pairs += [(f"reason = '{Reason.INCONSISTENT_USAGE}' AND {test}", f"'{text}'") for test, text in _SUBSETS]
    return case_of(pairs, "detail")


def content_json(columns: tuple[str, ...] = CONTENT, prefix: str = "") -> str:
    """The JSON text by which contents are compared and shown: the columns in a fixed order."""
    return "to_json({" + ", ".join(f"'{column}': {prefix}{column}" for column in columns) + "})"


def held_json(prefix: str = "") -> str:
    """The JSON of a usage record that is held back: its content, and its version where its source has one."""
    content = content_json(CONTENT, prefix)
    return (
        f"CASE WHEN {prefix}version IS NULL THEN {content} "
        f"ELSE json_merge_patch({content}, to_json({{'version': {prefix}version::VARCHAR}})) END"
    )
