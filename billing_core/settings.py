"""Effective-dated system settings: what a token costs, what an account starts with, and the billing policies.

A version is in force from `effective_from` (inclusive) to `effective_to` (exclusive), in epoch microseconds. Versions
follow each other without gap or overlap, the first reaches back and the last forward without limit (None), so every
instant has exactly one version.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise

from billing_core.errors import ConfigurationError
from billing_core.instants import utc_text
from billing_core.money import PPM, decimal_text_to_ppm, ppm_to_decimal_text
from billing_core.toml_tables import Table, content_version, read_tables

POLICY_WORDS = ("free", "bill")
"""What a policy may say of a call: recorded with nothing billed, or billed like any other."""
AMOUNT_MAX = 10**12
"""Most tokens that one image, one bonus or one threshold may be: no figure of a call can then leave 64 bits."""
AT_EXPIRY = "at_expiry"
_PROPORTIONAL = re.compile(r"proportional\((.*)\)")
_PRIORITY_MAX = 2**31 - 1
_ABOUT_THE_VERSION = frozenset({"settings_version", "effective_to", "stated_from", "updated_by", "reason"})
_WRITTEN_OTHERWISE = frozenset({"effective_from", "multiplier_ppm"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One version of the system settings; the field defaults are those of books without a rates file.

    Times are epoch microseconds; costs and thresholds are tokens; `multiplier_ppm` is parts per million.
    `stated_from` is what the user wrote for a first version whose `effective_from` is None; it is for display only.
    """

    settings_version: str = field(init=False, compare=False)
    effective_from: int | None = None
    effective_to: int | None = None
    stated_from: int | None = None
    multiplier_ppm: int = 1_500_000
    image_generation_cost_dall_e_3: int = 6_000
    image_generation_cost_dall_e_2: int = 3_000
    image_generation_cost_google: int = 4_500
    tokens_per_usd: int = 10_000
    min_purchase_amount_cents: int = 500
    new_user_bonus_tokens: int = 10_000
    low_balance_threshold: int = 1_000
    critical_balance_threshold: int = 100
    partial_error: str = "free"
    gateway_cache_hit: str = "bill"
    cancelled_stream: str = "bill"
    free_lots_priority: int = 10
    paid_lots_priority: int = 50
    breakage_policy: str = AT_EXPIRY
    updated_by: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        """Name the version by what it says; a copy made with `replace` is named anew."""
        object.__setattr__(self, "settings_version", content_version(self.content()))

    @property
    def default_token_multiplier(self) -> str:
        """The multiplier as canonical decimal text, "1.5"; it fits DECIMAL(12,6)."""
        return ppm_to_decimal_text(self.multiplier_ppm)

    @property
    def breakage_ppm(self) -> int | None:
        """The rate of proportional breakage in parts per million; None when breakage waits for expiry."""
        match = _PROPORTIONAL.fullmatch(self.breakage_policy)
        return decimal_text_to_ppm(match[1]) if match else None

    def content(self) -> dict[str, object]:
        """What the version hash covers: every value and `effective_from`, not who wrote it, why, or how it ends.

        The keys stand in the order in which rates.toml has them.
        """
        starts = None if self.effective_from is None else utc_text(self.effective_from)
        names = [f.name for f in fields(self) if f.name not in _ABOUT_THE_VERSION | _WRITTEN_OTHERWISE]
        kept = {name: getattr(self, name) for name in names}
        return {"effective_from": starts, "default_token_multiplier": self.default_token_multiplier} | kept


_KEYS = frozenset(Settings().content()) | {"updated_by", "reason"}


@dataclass(frozen=True)
class SettingsBook:
    """All versions in force order, at least one; the first reaches back without limit."""

    versions: tuple[Settings, ...]

    def __post_init__(self) -> None:
        """Refuse versions that leave a gap or overlap: a caller's mistake, not the user's (ValueError)."""
        ends = [version.effective_to for version in self.versions]
        starts = [version.effective_from for version in self.versions]
        is_rising = self.cuts == sorted(set(self.cuts)) and len(self.cuts) == len(self.versions) - 1
        if not is_rising or [None, *ends] != [*starts, None]:
            raise ValueError("settings versions must follow each other without gap or overlap")

    @property
    def cuts(self) -> list[int]:
        """The instants, in epoch microseconds, at which a new version starts; one fewer than versions."""
        return [version.effective_from for version in self.versions if version.effective_from is not None]

    def at(self, instant_us: int) -> Settings:
        """The version in force at an instant in epoch microseconds; a version holds from its very first one."""
        return self.versions[bisect_right(self.cuts, instant_us)]


def parse_settings(tables: object, where: str = "rates.toml") -> SettingsBook:
    """Read `[[settings]]` tables as parsed from TOML into a book of versions.

    Versions are put in order of `effective_from`. A key that a version leaves out keeps the value of the version
    before it in time, and in the first version the default, so a change of one price is a table of two lines;
    `updated_by` and `reason` belong to their own version only. Only the first table of the file may leave
    `effective_from` out. Without any table the defaults hold for ever.
    Anything unknown, untyped, out of range or dated twice is a ConfigurationError that names `where`, table and key.
    """
    ordered = _in_order(read_tables(tables, "settings", where, _KEYS))
    if not ordered:
        return SettingsBook((Settings(),))
    versions: list[Settings] = []
    before = Settings()
    for table in ordered:
        before = _version(table, before, is_first=not versions)
        versions.append(before)
    ends = [version.effective_from for version in versions[1:]]
    return SettingsBook(
        tuple(replace(version, effective_to=end) for version, end in zip(versions, [*ends, None], strict=True))
    )


def _in_order(tables: list[Table]) -> list[Table]:
    """Tables by their start; only the first of the file may have none, or a forgotten date would rewrite the past."""
    for table in tables[1:]:
        if "effective_from" not in table.values:
            raise table.refusal("effective_from", "missing; only the first table may leave it out, add its first day")
    starts = {table.number: table.instant("effective_from") for table in tables}
    ordered = sorted(tables, key=lambda table: _sort_key(starts[table.number]))
    for one, other in pairwise(ordered):
        start = starts[one.number]
        if start is not None and start == starts[other.number]:
            raise ConfigurationError(
                f"{one.where}: [[settings]] tables {one.number} and {other.number} both have "
                f"effective_from {utc_text(start)}; give one another date, or merge them"
            )
    return ordered


def _sort_key(start: int | None) -> tuple[bool, int]:
    return (start is not None, start or 0)


def _version(table: Table, before: Settings, *, is_first: bool) -> Settings:
    """One version: the values of `before`, changed by what the table says."""
    start = table.instant("effective_from")

    def amount(key: str, minimum: int = 0) -> int:
        return table.whole(key, getattr(before, key), minimum, AMOUNT_MAX)

    return replace(
        before,
        effective_from=None if is_first else start,
        stated_from=start,
        multiplier_ppm=table.multiplier_ppm("default_token_multiplier", before.multiplier_ppm),
        image_generation_cost_dall_e_3=amount("image_generation_cost_dall_e_3"),
        image_generation_cost_dall_e_2=amount("image_generation_cost_dall_e_2"),
        image_generation_cost_google=amount("image_generation_cost_google"),
        tokens_per_usd=amount("tokens_per_usd", minimum=1),
        min_purchase_amount_cents=amount("min_purchase_amount_cents"),
        new_user_bonus_tokens=amount("new_user_bonus_tokens"),
        low_balance_threshold=amount("low_balance_threshold"),
        critical_balance_threshold=amount("critical_balance_threshold"),
        partial_error=table.word("partial_error", POLICY_WORDS, before.partial_error),
        gateway_cache_hit=table.word("gateway_cache_hit", POLICY_WORDS, before.gateway_cache_hit),
        cancelled_stream=table.word("cancelled_stream", POLICY_WORDS, before.cancelled_stream),
        free_lots_priority=table.whole("free_lots_priority", before.free_lots_priority, maximum=_PRIORITY_MAX),
        paid_lots_priority=table.whole("paid_lots_priority", before.paid_lots_priority, maximum=_PRIORITY_MAX),
        breakage_policy=_breakage(table, before.breakage_policy),
        updated_by=table.text("updated_by"),
        reason=table.text("reason"),
    )


def _breakage(table: Table, default: str) -> str:
    """The breakage policy in its one spelling: at_expiry, or proportional(RATE) with 0 < RATE < 1."""
    policy = table.text("breakage_policy", default) or default
    if policy == AT_EXPIRY:
        return policy
    match = _PROPORTIONAL.fullmatch(policy)
    if match is None:
        raise table.refusal("breakage_policy", f'got {policy!r}; write "at_expiry" or "proportional(0.05)"')
    rate_ppm = decimal_text_to_ppm(match[1], table.place("breakage_policy"))
    if rate_ppm >= PPM:
        raise table.refusal("breakage_policy", f"got {policy!r}; the rate is a share below 1, such as 0.05")
    return f"proportional({ppm_to_decimal_text(rate_ppm)})"
