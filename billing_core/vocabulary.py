"""The closed word lists of the books: every status, type and reason that a column may hold."""

from __future__ import annotations

from enum import StrEnum


class Disposition(StrEnum):
    """What became of one record of an input file; exactly one of seven."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    CONFLICT = "conflict"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
    BLANK = "blank"


class Operation(StrEnum):
    """What a call was for."""

    GENERATION = "generation"
    REFINEMENT = "refinement"
    REPURPOSE = "repurpose"
    CHAT = "chat"
    IMAGE = "image"
    PROMPT = "prompt"


OPERATION_ALIASES: dict[str, Operation] = {
    **{operation.value: operation for operation in Operation},
    "content_generation": Operation.GENERATION,
    "content_refinement": Operation.REFINEMENT,
    "content_repurpose": Operation.REPURPOSE,
    "chat_response": Operation.CHAT,
    "image_generation": Operation.IMAGE,
    "image_prompt_generation": Operation.PROMPT,
}


class ChargeType(StrEnum):
    """How the billable tokens of a call were computed."""

    MULTIPLIER = "multiplier"
    FIXED = "fixed"
    WEIGHTED = "weighted"
    TIERED = "tiered"


class TransactionType(StrEnum):
    """The kinds of ledger rows."""

    OPENING = "opening"
    PURCHASE = "purchase"
    AUTO_RECHARGE = "auto_recharge"
    ADMIN_GRANT = "admin_grant"
    BONUS = "bonus"
    USAGE = "usage"
    ADMIN_DEDUCTION = "admin_deduction"
    REFUND = "refund"
    EXPIRY = "expiry"
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSAL = "chargeback_reversal"
    CORRECTION = "correction"


LOT_OPENING_TYPES = frozenset(
    {
        TransactionType.OPENING,
        TransactionType.PURCHASE,
        TransactionType.AUTO_RECHARGE,
        TransactionType.ADMIN_GRANT,
        TransactionType.BONUS,
    }
)
"""The only types whose positive rows open a lot of tokens."""


class AccountStatus(StrEnum):
    """Whether an account may be served; usage that happened is booked in every status."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    BLOCKED = "blocked"


class BalanceLevel(StrEnum):
    """How a balance stands against the thresholds in force."""

    OK = "ok"
    LOW = "low"
    CRITICAL = "critical"
    NEGATIVE = "negative"


class Reason(StrEnum):
    """Why a line was not accepted, or a file was refused. One per record: the first failing rule wins.

    What comes last is no reason against a record: it is accepted, and the word says what was left out of it.
    """

    # whole files
    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
    UNREADABLE = "unreadable"
    MISSING_MEMBER = "missing_member"
    ENCRYPTED = "encrypted"
    # framing
    INVALID_UTF8 = "invalid_utf8"
    LINE_TOO_LONG = "line_too_long"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_JSON_KEY = "duplicate_json_key"
    COLUMN_COUNT = "column_count"
    MISSING_RECORDS = "missing_records"
    # keys and tenants
    MISSING_ID = "missing_id"
    INVALID_VERSION = "invalid_version"
    MISSING_ACCOUNT = "missing_account"
    UNKNOWN_ACCOUNT = "unknown_account"
    # time
    MISSING_TIME = "missing_time"
    NAIVE_TIME = "naive_time"
    INVALID_TIME = "invalid_time"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    # values
    INVALID_TEXT = "invalid_text"
    INVALID_INTEGER = "invalid_integer"
    NEGATIVE_COUNT = "negative_count"
    COUNT_OUT_OF_RANGE = "count_out_of_range"
    INVALID_BOOLEAN = "invalid_boolean"
    INVALID_MONEY = "invalid_money"
    MISSING_USAGE = "missing_usage"
    MISSING_FIELD = "missing_field"
    INCONSISTENT_USAGE = "inconsistent_usage"
    UNKNOWN_OPERATION = "unknown_operation"
    IMAGE_COUNT = "image_count"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    CONFLICT = "conflict"
    # credits and accounts
    UNKNOWN_TYPE = "unknown_type"
    WRONG_SIGN = "wrong_sign"
    ZERO_AMOUNT = "zero_amount"
    UNKNOWN_CURRENCY = "unknown_currency"
    UNKNOWN_STATUS = "unknown_status"
    UNKNOWN_CORRECTED = "unknown_corrected"
    EXCEEDS_CORRECTED = "exceeds_corrected"
    # ignored on purpose
    BEFORE_START = "before_start"
    NOT_A_LEAF = "not_a_leaf"
    NOT_FINAL = "not_final"
    NO_RECORDS = "no_records"
    AGGREGATE = "aggregate"
    APP_USAGE_ROW = "app_usage_row"
    WELCOME_IN_BOOKS = "welcome_in_books"
    # accepted all the same
    UNREADABLE_COST = "unreadable_cost"
