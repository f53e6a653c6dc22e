# ruff: noqa: S608  -- names and quoted literals of a validated profile only; data stays in the relations
"""Usage as a provider reports it, in buckets of a day or an hour: typed and kept, never billed.

A bucket is told by its dimensions; a record of the same bucket with other figures is a newer one and both are kept.
A good record ends as ignored (`aggregate`): it has no call of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.vocabulary import Disposition, Reason
from pipelines.intake import classify_small, classify_usage, sqltext
from pipelines.intake.classify_small import Columns
from pipelines.intake.classify_usage import MAX_ID_CHARACTERS
from pipelines.intake.finalise import IGNORED, content_json
from pipelines.intake.profiles import PROVIDER_COUNTS, PROVIDER_TEXTS
from pipelines.intake.sqltext import case_of

if TYPE_CHECKING:
    from pipelines.intake.classify_usage import Shape

BIGGEST = 10**15
"""Most tokens, images or requests of one bucket."""
COLUMNS = Columns(
    texts=PROVIDER_TEXTS,
    integers=dict.fromkeys(PROVIDER_COUNTS, (0, BIGGEST)),
    booleans=(),
    times=("bucket_end",),
    money=("cost",),
)
CONTENT = ("bucket_start", "bucket_end", *PROVIDER_TEXTS, *PROVIDER_COUNTS, "cost_nanousd")
_SUBSETS = (
    ("coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) > input_tokens", "cache tokens exceed input"),
    ("audio_input_tokens > input_tokens", "audio_input_tokens exceed input_tokens"),
    ("audio_output_tokens > output_tokens", "audio_output_tokens exceed output_tokens"),
)


def classified_sql(shape: Shape) -> str:
    """Rows of classified_provider_usage by name, without their place; good ones are `accepted` until deduplicated."""
    digits = sqltext.MONEY_DIGITS[shape.profile.money.unit]
    typed = classify_small.typed_sql(shape, COLUMNS, "bucket_start")
    money = f"SELECT *, {sqltext.shifted('n_cost', digits)} AS cost_nanousd FROM ({typed})"
    judged = f"SELECT *, {_reason(shape)} AS reason FROM ({money})"
    ignored = ", ".join(f"'{reason}'" for reason in IGNORED)
    subsets = [(f"reason = '{Reason.INCONSISTENT_USAGE}' AND {test}", f"'{text}'") for test, text in _SUBSETS]
    return (
        f"SELECT *, {classify_small.detail_sql(COLUMNS, 'bucket_start', *subsets)} AS detail, "
        f"CASE WHEN is_blank THEN '{Disposition.BLANK}' WHEN reason IN ({ignored}) THEN '{Disposition.IGNORED}' "
        f"WHEN reason IS NOT NULL THEN '{Disposition.QUARANTINED}' ELSE '{Disposition.ACCEPTED}' END AS disposition "
        f"FROM ({judged})"
    )


def _reason(shape: Shape) -> str:
    window_end = "($billing_date::DATE + INTERVAL 2 DAY)::TIMESTAMPTZ"
    counts = list(PROVIDER_COUNTS)
    nothing = " AND ".join(f"{column} IS NULL" for column in (*counts, "cost_nanousd"))
    long = " OR ".join(f"length({x}) > {MAX_ID_CHARACTERS}" for x in classify_usage.id_leaves(shape.profile))
    pairs = [("shape IS NOT NULL", "shape"), ("is_blank", "NULL"), ("NOT is_leaf", f"'{Reason.NOT_A_LEAF}'")]
    pairs += classify_usage.time_reasons("n_bucket_start", "s_bucket_start", "bucket_start", window_end)
    pairs += [(f"odd_text OR {long}", f"'{Reason.INVALID_TEXT}'")]
    pairs += classify_small.value_reasons(COLUMNS)
    pairs += [
        ("x_cost IS NOT NULL AND n_cost IS NULL", f"'{Reason.INVALID_MONEY}'"),
        ("x_cost IS NOT NULL AND cost_nanousd IS NULL", f"'{Reason.AMOUNT_OUT_OF_RANGE}'"),
        ("bucket_end <= bucket_start", f"'{Reason.TIME_OUT_OF_RANGE}'"),
        (nothing, f"'{Reason.MISSING_USAGE}'"),
        (" OR ".join(f"coalesce({test}, false)" for test, _ in _SUBSETS), f"'{Reason.INCONSISTENT_USAGE}'"),
    ]
    return case_of(pairs)


def content(prefix: str = "") -> str:
    """The JSON text by which two records of a bucket are the same."""
    return f"{content_json(CONTENT, prefix)}::VARCHAR"
