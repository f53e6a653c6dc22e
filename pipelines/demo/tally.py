"""Counts what is written as it is written: the expected dispositions, tokens and balances."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipelines.demo.dates import DAY_MS, LAST, START, at_ms
from pipelines.demo.faults import OUTLIER, STALE, TOO_MANY
from pipelines.demo.plan import Plan
from pipelines.demo.prices import CHANGE_MS, IMAGE_COSTS, IMAGE_FAMILIES, WELCOME_TOKENS, billable_tokens

if TYPE_CHECKING:
    from datetime import date

    from pipelines.demo.calls import Call
    from pipelines.demo.credits import Treasury
    from pipelines.demo.faults import Planted

LATE_DAYS = 14


class Tally:
    """One world's expected figures in the making."""

    def __init__(self, treasury: Treasury) -> None:
        """Calls that count are spent from `treasury`."""
        self._treasury = treasury
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._images: Counter[str] = Counter()
        self._days: set[date] = set()

    def resent(self, lines: int) -> None:
        """Lines of a file that is delivered whole once more; they are repeats of lines counted already."""
        self._counts["resent"] += lines

    def file(self, outcome: str, day: date) -> None:
        """Count one usage file: taken, duplicate, unsigned or forged."""
        self._counts[f"files {outcome}"] += 1
        self._days.add(day)

    def planted(self, line: Planted, day: date) -> None:
        """Count one planted line of a taken file dated `day`."""
        if line.call is not None:
            self.call(line.call, day)
            self._counts[line.where] += 1
            return
        self._counts[line.outcome] += 1
        self._counts[f"duplicate {line.where}"] += line.outcome == "duplicate"
        if line.outcome == "quarantined":
            self._reasons[line.where] += 1

    def call(self, call: Call, day: date) -> None:
        """Count one accepted call of a taken file dated `day`, and spend its tokens."""
        counts = self._counts
        counts["accepted"] += 1
        counts["late"] += call.occurred_ms < at_ms(day) - LATE_DAYS * DAY_MS
        tokens = billable_tokens(call)
        if call.failed:
            counts["failed"] += 1
        elif tokens is None:
            counts["held"] += 1
        elif call.images:
            self._images[IMAGE_FAMILIES[call.model] or ""] += 1
        else:
            counts["before" if call.occurred_ms < CHANGE_MS else "after"] += 1
        if tokens:
            counts["billable"] += tokens
            self._treasury.spend(call.account_id, tokens, call.occurred_ms)

    def plan(self, seed: int, rows: int, breaks: dict[str, int]) -> Plan:
        """Close the count; the expiring bonus goes here. `breaks` are those planted in the payments, by code."""
        treasury, counts = self._treasury, self._counts
        expired = treasury.expire()
        dispositions = ("accepted", "duplicate", "conflict", "ignored", "quarantined", "blank")
        app_usage = sum(row["transaction_type"] == "usage" for _, row in treasury.rows)
        return Plan(
            seed=seed,
            rows=rows,
            first_date=START.isoformat(),
            last_date=LAST.isoformat(),
            billing_dates=tuple(day.isoformat() for day in sorted(self._days)),
            files_taken=counts["files taken"],
            duplicate_files=counts["files duplicate"],
            unsigned_files=counts["files unsigned"],
            forged_files=counts["files forged"],
            received=sum(counts[name] for name in dispositions),
            accepted=counts["accepted"],
            duplicate=counts["duplicate"],
            conflict=counts["conflict"],
            ignored=counts["ignored"],
            quarantined=dict(sorted(self._reasons.items())),
            blank=counts["blank"],
            superseded=0,
            duplicates_in_file=counts["duplicate in file"],
            duplicates_across_files=counts["duplicate across files"],
            resent_lines=counts["resent"],
            calls_before_change=counts["before"],
            calls_after_change=counts["after"],
            failed_calls=counts["failed"],
            held_images=counts["held"],
            image_calls={family: self._images[family] for family in IMAGE_COSTS},
            late_events=counts["late"],
            stale_multiplier_calls=counts[STALE],
            overcharged_calls=counts[TOO_MANY],
            cost_outliers=counts[OUTLIER],
            accounts=len(treasury.balances),
            suspended_accounts=sum(balance < 0 for balance in treasury.balances.values()),
            credits_received=len(treasury.rows),
            credits_accepted=len(treasury.rows) - app_usage,
            credits_ignored=app_usage,
            purchases=treasury.totals["purchase rows"],
            billable_tokens=counts["billable"],
            credited_tokens=treasury.totals["credited"],
            welcome_tokens=WELCOME_TOKENS * len(treasury.balances),
            refunded_tokens=-treasury.totals["refund"],
            expired_tokens=expired,
            balances=dict(treasury.balances),
            breaks=breaks,
        )
