"""Effective-dated settings: versions in time, their identity, and what a user's mistake is answered with."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.errors import ConfigurationError
from billing_core.settings import Settings, SettingsBook, parse_settings

SEPTEMBER_US = 1_788_220_800_000_000
OCTOBER_US = 1_790_812_800_000_000


def book_of(toml: str) -> SettingsBook:
    """The book of a rates file."""
    return parse_settings(tomllib.loads(toml).get("settings", []))


THREE_VERSIONS = """
[[settings]]
default_token_multiplier = "1.2"
low_balance_threshold = 2000
updated_by = "ada"
reason = "launch"
[[settings]]
effective_from = 2026-09-01
default_token_multiplier = "1.1"
[[settings]]
effective_from = 2026-10-01T00:00:00Z
partial_error = "bill"
"""


def test_without_a_table_the_seed_defaults_hold_for_ever() -> None:
    """The nine figures of the seed, and the default policies."""
    (only,) = parse_settings([]).versions
    assert only == Settings()
    assert only.multiplier_ppm == 1_500_000
    assert (only.effective_from, only.effective_to, only.stated_from) == (None, None, None)
    figures = (
        only.image_generation_cost_dall_e_3,
        only.image_generation_cost_dall_e_2,
        only.image_generation_cost_google,
    )
    assert figures == (6000, 3000, 4500)
    assert (only.tokens_per_usd, only.min_purchase_amount_cents, only.new_user_bonus_tokens) == (10000, 500, 10000)
    assert (only.low_balance_threshold, only.critical_balance_threshold) == (1000, 100)
    assert (only.partial_error, only.gateway_cache_hit, only.cancelled_stream) == ("free", "bill", "bill")
    assert (only.free_lots_priority, only.paid_lots_priority, only.breakage_policy) == (10, 50, "at_expiry")


def test_versions_follow_each_other_without_gap_and_reach_both_ways() -> None:
    """The first reaches back, each ends where the next starts, the last has no end."""
    spans = [(version.effective_from, version.effective_to) for version in book_of(THREE_VERSIONS).versions]
    assert spans == [(None, SEPTEMBER_US), (SEPTEMBER_US, OCTOBER_US), (OCTOBER_US, None)]


def test_a_version_holds_from_its_very_first_microsecond() -> None:
    """The microsecond before still belongs to the version before."""
    book = book_of(THREE_VERSIONS)
    assert book.at(SEPTEMBER_US - 1) == book.versions[0]
    assert book.at(SEPTEMBER_US) == book.versions[1]
    assert book.at(OCTOBER_US - 1) == book.versions[1]
    assert book.at(OCTOBER_US) == book.versions[2]
    assert book.at(-(2**63)) == book.versions[0]


@given(st.lists(st.integers(0, 200), unique=True, min_size=1, max_size=8), st.integers(-10, 210))
def test_the_version_in_force_is_the_last_one_started(days: list[int], day: int) -> None:
    """The look-up agrees with reading the list from the top."""
    day_us = 86_400_000_000
    versions: list[Settings] = []
    starts = [None, *(start * day_us for start in sorted(days))]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        versions.append(Settings(effective_from=start, effective_to=end))
    in_force = [v for v in versions if v.effective_from is None or v.effective_from <= day * day_us][-1]
    assert SettingsBook(tuple(versions)).at(day * day_us) == in_force


def test_a_later_version_keeps_what_it_does_not_name() -> None:
    """A change of one price is a table of two lines; who and why belong to their own version."""
    first, second, third = book_of(THREE_VERSIONS).versions
    assert (second.default_token_multiplier, third.default_token_multiplier) == ("1.1", "1.1")
    assert (second.low_balance_threshold, third.low_balance_threshold) == (2000, 2000)
    assert (second.partial_error, third.partial_error) == ("free", "bill")
    assert (first.updated_by, first.reason) == ("ada", "launch")
    assert (second.updated_by, second.reason) == (None, None)


def test_file_order_does_not_matter_once_every_version_is_dated() -> None:
    """Tables are read in time order, also what they inherit."""
    tables = [
        {"effective_from": tomllib.loads("d = 2026-08-01")["d"], "tokens_per_usd": 7},
        {"effective_from": tomllib.loads("d = 2026-09-01")["d"], "default_token_multiplier": "1.1"},
        {"effective_from": tomllib.loads("d = 2026-10-01")["d"], "new_user_bonus_tokens": 0},
    ]
    books = [parse_settings(list(order)) for order in permutations(tables)]
    assert all(book == books[0] for book in books)
    assert [version.tokens_per_usd for version in books[0].versions] == [7, 7, 7]


def test_a_dated_first_version_still_reaches_back_and_shows_its_date() -> None:
    """Its date is remembered for display, and changes neither its interval nor its identity."""
    (dated,) = book_of("[[settings]]\neffective_from = 2026-09-01").versions
    (undated,) = book_of("[[settings]]").versions
    assert (dated.effective_from, dated.stated_from) == (None, SEPTEMBER_US)
    assert dated.settings_version == undated.settings_version


def test_the_version_is_the_hash_of_the_canonical_json() -> None:
    """Anyone can recompute it from the table's columns."""
    values = {
        "breakage_policy": "at_expiry",
        "cancelled_stream": "bill",
        "critical_balance_threshold": 100,
        "default_token_multiplier": "1.1",
        "effective_from": "2026-09-01T00:00:00Z",
        "free_lots_priority": 10,
        "gateway_cache_hit": "bill",
        "image_generation_cost_dall_e_2": 3000,
        "image_generation_cost_dall_e_3": 6000,
        "image_generation_cost_google": 4500,
        "low_balance_threshold": 1000,
        "min_purchase_amount_cents": 500,
        "new_user_bonus_tokens": 10000,
        "paid_lots_priority": 50,
        "partial_error": "free",
        "tokens_per_usd": 10000,
    }
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    second = book_of(
        '[[settings]]\n[[settings]]\neffective_from = 2026-09-01\ndefault_token_multiplier = "1.100"'
    ).versions[1]
    assert second.settings_version == hashlib.sha256(canonical.encode()).hexdigest()[:12]


def test_who_wrote_a_version_and_when_it_ends_do_not_change_its_identity() -> None:
    """A version keeps its name when another one follows it."""
    version = Settings()
    assert (
        replace(version, updated_by="ada", reason="typo", effective_to=5).settings_version == version.settings_version
    )


@pytest.mark.parametrize("change", [{"multiplier_ppm": 1}, {"effective_from": 5}, {"partial_error": "bill"}])
def test_what_changes_money_or_its_start_changes_the_identity(change: dict[str, object]) -> None:
    """Different terms never share a name."""
    assert replace(Settings(), **change).settings_version != Settings().settings_version  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "kept", "ppm"),
    [("at_expiry", "at_expiry", None), ("proportional(0.050)", "proportional(0.05)", 50_000)],
)
def test_breakage_waits_for_expiry_or_has_a_rate(policy: str, kept: str, ppm: int | None) -> None:
    """The rate has one spelling, so equal policies hash alike."""
    (version,) = book_of(f'[[settings]]\nbreakage_policy = "{policy}"').versions
    assert (version.breakage_policy, version.breakage_ppm) == (kept, ppm)


def test_versions_that_leave_a_gap_are_no_book() -> None:
    """A caller cannot build a book in which an instant has no version, or two."""
    gap = (Settings(effective_to=5), Settings(effective_from=6))
    backwards = (Settings(effective_to=6), Settings(effective_from=6, effective_to=5), Settings(effective_from=5))
    empty = (Settings(effective_to=5), Settings(effective_from=5, effective_to=5), Settings(effective_from=5))
    for versions in ((), gap, backwards, empty, (Settings(), Settings())):
        with pytest.raises(ValueError, match="without gap or overlap"):
            SettingsBook(versions)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "default_token_multiplier = 1.5",
            'default_token_multiplier: got 1.5 (a float); put it in quotes, default_token_multiplier = "1.5"',
        ),
        ("default_token_multiplier = 2", "default_token_multiplier: got 2 (a whole number); put it in quotes"),
        ('default_token_multiplier = "1,5"', "default_token_multiplier: '1,5' is not a plain decimal number; write"),
        ('default_token_multiplier = "0"', "default_token_multiplier: '0' is zero; write a value above 0"),
        ("tokens_per_usd = 1.5", "tokens_per_usd: got 1.5 (a float); write a whole number"),
        ("tokens_per_usd = true", "tokens_per_usd: got true (a boolean); write a whole number"),
        ('tokens_per_usd = "5"', "tokens_per_usd: got '5' (text); write a whole number"),
        ("tokens_per_usd = 0", "tokens_per_usd: got 0; write a whole number from 1 to 1000000000000"),
        ("low_balance_threshold = -1", "low_balance_threshold: got -1; write a whole number from 0 to"),
        (
            "new_user_bonus_tokens = 9223372036854775808",
            "new_user_bonus_tokens: got 9223372036854775808; write a whole",
        ),
        (
            "free_lots_priority = 2147483648",
            "free_lots_priority: got 2147483648; write a whole number from 0 to 2147483647",
        ),
        ('partial_error = "maybe"', 'partial_error: got \'maybe\' (text); write "free" or "bill"'),
        ("cancelled_stream = false", 'cancelled_stream: got false (a boolean); write "free" or "bill"'),
        ("gateway_cache_hit = []", 'gateway_cache_hit: got a list; write "free" or "bill"'),
        ('breakage_policy = "never"', 'breakage_policy: got \'never\'; write "at_expiry" or "proportional(0.05)"'),
        ('breakage_policy = "proportional(1)"', "breakage_policy: got 'proportional(1)'; the rate is a share"),
        ('breakage_policy = "proportional(x)"', "breakage_policy: 'x' is not a plain decimal number"),
        ("effective_from = 2026-09-01T00:00:00", "effective_from: 2026-09-01T00:00:00 has no offset; add Z for UTC"),
        ('effective_from = "2026-09-01"', "effective_from: got '2026-09-01' (text); write a date or time"),
        ("effective_from = 0001-01-01T00:00:00+14:00", "effective_from: 0001-01-01T00:00:00+14:00 is outside"),
        ("effective_to = 2026-09-01", "effective_to: it is derived, a version ends where the next one starts"),
        ("token_per_usd = 5", "token_per_usd: unknown key; did you mean tokens_per_usd?"),
        ("zzz = 5", "zzz: unknown key; the known keys are breakage_policy, cancelled_stream,"),
        ('reason = " "', "reason: got ' ' (text); write quoted text that is not blank"),
        ("updated_by = 2026-09-01", "updated_by: got 2026-09-01 (a date); write quoted text"),
    ],
)
def test_a_wrong_value_is_answered_with_its_place_and_what_to_write(line: str, message: str) -> None:
    """File, table number and key, then what was found and what belongs there."""
    with pytest.raises(ConfigurationError) as refusal:
        book_of(f"[[settings]]\n{line}")
    assert str(refusal.value).startswith(f"rates.toml: [[settings]] table 1, key {message}")


def test_a_later_table_without_a_date_is_refused() -> None:
    """A forgotten date must not rewrite the past."""
    with pytest.raises(ConfigurationError) as refusal:
        book_of("[[settings]]\neffective_from = 2026-09-01\n[[settings]]\ntokens_per_usd = 5")
    assert str(refusal.value) == (
        "rates.toml: [[settings]] table 2, key effective_from: missing; "
        "only the first table may leave it out, add its first day"
    )


def test_two_tables_of_one_instant_are_both_named() -> None:
    """Also when one is a date and the other a time in another zone."""
    with pytest.raises(ConfigurationError) as refusal:
        parse_settings(
            tomllib.loads(
                "[[settings]]\n[[settings]]\neffective_from = 2026-09-01\n"
                "[[settings]]\neffective_from = 2026-10-01\n"
                "[[settings]]\neffective_from = 2026-09-01T02:00:00+02:00"
            )["settings"],
            "prices/rates.toml",
        )
    assert str(refusal.value) == (
        "prices/rates.toml: [[settings]] tables 2 and 4 both have effective_from 2026-09-01T00:00:00Z; "
        "give one another date, or merge them"
    )


@pytest.mark.parametrize("tables", [{"tokens_per_usd": 5}, [5], "settings", 5])
def test_anything_but_a_list_of_tables_is_answered_with_how_to_write_one(tables: object) -> None:
    """A single [settings] is the usual slip."""
    with pytest.raises(ConfigurationError, match=r"key settings: expected a list of tables; start each one with \[\["):
        parse_settings(tables)


def test_a_cost_beyond_any_sense_is_refused() -> None:
    """A million images at the largest cost still fit 64 bits."""
    with pytest.raises(ConfigurationError, match=r"image_generation_cost_google.*from 0 to 1000000000000"):
        parse_settings([{"image_generation_cost_google": 10**12 + 1}])
