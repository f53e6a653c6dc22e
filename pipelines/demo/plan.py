"""What the books must find in the demo's world, counted while it was written. Never stored in the books."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Expected figures after every billing date was posted. Plain values only: `dataclasses.asdict` gives JSON.

    Lines are those of usage files that are taken; files delivered twice and refused files add none.
    Tokens are whole billing tokens; `credited_tokens` are the app's purchases, grants and bonuses, gross.
    """

    seed: int
    rows: int
    first_date: str
    last_date: str
    billing_dates: tuple[str, ...]
    files_taken: int
    duplicate_files: int
    unsigned_files: int
    forged_files: int

    received: int
    accepted: int
    duplicate: int
    conflict: int
    ignored: int
    quarantined: dict[str, int]
    blank: int
    superseded: int
    duplicates_in_file: int
    duplicates_across_files: int
    resent_lines: int

    calls_before_change: int
    calls_after_change: int
    failed_calls: int
    held_images: int
    image_calls: dict[str, int]
    late_events: int
    stale_multiplier_calls: int
    overcharged_calls: int
    cost_outliers: int

    accounts: int
    suspended_accounts: int
    credits_received: int
    credits_accepted: int
    credits_ignored: int
    purchases: int
    billable_tokens: int
    credited_tokens: int
    welcome_tokens: int
    refunded_tokens: int
    expired_tokens: int
    balances: dict[str, int]
    breaks: dict[str, int]
