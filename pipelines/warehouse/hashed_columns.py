"""Which columns a row's pre-image holds, by hash version: a list that is never edited, only added to.

A table that gains a column gets a new version here; postings sealed before keep theirs, so their hashes still hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENT = (
    "usage_id event_key account_id user_id workspace_id project_id content_piece_id operation_type provider model "
    "input_tokens output_tokens total_tokens cache_read_tokens cache_write_5m_tokens cache_write_1h_tokens "
    "reasoning_tokens audio_input_tokens audio_output_tokens image_input_tokens image_output_tokens image_count "
    "image_size image_quality service_tier billable_tokens charge_type multiplier fixed_cost rate_id rate_version "
    "settings_version reported_billable_tokens reported_cost_nanousd provider_cost_nanousd success gateway_cache_hit "
    "cancelled error_message request_metadata occurred_at recorded_at posting_id file_id line_no record_no billing_date"
)

HASHED_COLUMNS: Mapping[int, Mapping[str, str]] = {
    1: {
        "books.token_usage": _EVENT,
        "books.usage_revisions": f"revision_no revision_reason {_EVENT}",
        "books.token_transactions": (
            "transaction_id account_id account_seq workspace_id transaction_type token_amount balance_before "
            "balance_after amount_cents currency usage_id stripe_payment_intent_id stripe_refund_id admin_user_id "
            "corrects_transaction_id lot_id tax_cents discount_cents settled_by description metadata occurred_at "
            "recorded_at period posting_id"
        ),
        "finance.credit_lots": (
            "lot_id account_id transaction_id transaction_type token_amount priority effective_at expires_at currency "
            "cost_basis settings_version posting_id"
        ),
        "books.credits": (
            "transaction_id source credit_id account_id transaction_type token_amount amount_cents currency "
            "package_id stripe_payment_intent_id stripe_charge_id stripe_refund_id admin_user_id occurred_at "
            "effective_at posted_at expires_at priority tax_cents discount_cents settled_by source_credit_id "
            "description is_welcome event_key file_id line_no posting_id"
        ),
        "books.account_versions": (
            "account_id user_id workspace_id plan currency status auto_recharge_enabled auto_recharge_threshold "
            "auto_recharge_amount stripe_customer_id default_payment_method_id created_at updated_at "
            "reported_balance file_id line_no posting_id"
        ),
        "books.provider_usage": (
            "provider report bucket_start bucket_end usage_date model input_tokens output_tokens cache_read_tokens "
            "cache_write_tokens audio_input_tokens audio_output_tokens image_count requests cost_nanousd project_id "
            "workspace_id user_id api_key_id service_tier line_item source bucket_key recorded_at file_id line_no "
            "record_no posting_id"
        ),
        "books.provider_models": ("provider model kind priced_provider priced_model price_version reason posting_id"),
        "books.provider_prices": (
            "provider model price_version unit per price_usd tier_start image_size image_quality variant "
            "effective_from effective_to day_second_from day_second_to source source_version posting_id"
        ),
        "audit.usage_files": (
            "file_id source kind path sha256 size_bytes byte_from continues_file_id profile profile_sha256 "
            "file_date outcome reason first_line last_line received accepted duplicate superseded conflict "
            "ignored quarantined blank posting_id"
        ),
        "audit.quarantine": (
            "file_id line_no record_no source kind reason detail account_id event_key line_sha256 parsed posting_id"
        ),
        "audit.line_dispositions": (
            "file_id line_no record_no disposition reason previous_disposition event_key posting_id"
        ),
        "audit.admin_actions": (
            "seq entry_id occurred_at actor action account_id token_amount reason entry_hash change held_reason "
            "posting_id"
        ),
        "books.rates": ("rate_id rate_version book_sha256 effective_from match charge integers posting_id"),
        "books.rate_states": "rate_id rate_version effective_to is_in_file posting_id",
        "books.tier_positions": "usage_id account_id rate_id period position tokens posting_id",
        "books.usage_versions": "event_key version posting_id",
        "finance.lot_allocations": (
            "account_id lot_id kind debit_from debit_to tokens transaction_id allocated_at recorded_at period "
            "posting_id"
        ),
    },
}
"""Column names of each sealed table, in the order in which they are hashed."""
