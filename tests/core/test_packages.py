"""Effective-dated packages: what is on sale when, in which currency, and how mistakes are answered."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from billing_core.errors import ConfigurationError
from billing_core.packages import SEED_PACKAGES, Package, packages_at, parse_packages

SEPTEMBER_US = 1_788_220_800_000_000
STARTER = '[[package]]\npackage_id = "starter"\npackage_name = "Starter"\ntoken_amount = 150000\nprice_cents = 1500\n'
PRO = '[[package]]\npackage_id = "pro"\npackage_name = "Pro"\ntoken_amount = 750000\nprice_cents = 6500\n'


def packages_of(toml: str) -> tuple[Package, ...]:
    """The packages of a packages file."""
    return parse_packages(tomllib.loads(toml).get("package", []))


def test_without_a_table_the_seed_packages_are_on_sale() -> None:
    """Four packages, for ever, in US dollars only."""
    assert parse_packages([]) == SEED_PACKAGES
    figures = [(p.package_name, p.token_amount, p.price_cents) for p in packages_at(SEED_PACKAGES, 0)]
    assert figures == [
        ("Starter", 150_000, 1_500),
        ("Pro", 750_000, 6_500),
        ("Business", 2_250_000, 17_500),
        ("Enterprise", 7_500_000, 50_000),
    ]
    assert {p.price_eur for p in SEED_PACKAGES} == {p.price_gbp for p in SEED_PACKAGES} == {None}


def test_the_order_in_the_file_is_the_order_on_the_page() -> None:
    """Unless a package says its own."""
    assert [p.package_id for p in packages_of(PRO + STARTER)] == ["pro", "starter"]
    assert [p.package_id for p in packages_of(PRO + "sort_order = 9\n" + STARTER)] == ["starter", "pro"]


def test_a_later_version_keeps_the_place_of_its_package() -> None:
    """A new price at the end of the file does not move the package to the end of the page."""
    packages = packages_of(STARTER + PRO + STARTER + "effective_from = 2026-09-01\n")
    assert [(p.package_id, p.sort_order) for p in packages] == [("starter", 1), ("starter", 1), ("pro", 2)]


def test_a_version_ends_where_the_next_of_its_package_starts() -> None:
    """Another package's versions do not end it."""
    raised = STARTER.replace("1500", "1900", 2).replace("190000", "150000") + "effective_from = 2026-09-01\n"
    old, new, pro = packages_of(STARTER + raised + PRO)
    assert (old.effective_from, old.effective_to) == (None, SEPTEMBER_US)
    assert (new.effective_from, new.effective_to) == (SEPTEMBER_US, None)
    assert (pro.effective_from, pro.effective_to) == (None, None)
    assert packages_at([old, new], SEPTEMBER_US - 1) == (old,)
    assert packages_at([old, new], SEPTEMBER_US) == (new,)


def test_a_dated_first_version_is_not_on_sale_before_its_date() -> None:
    """Unlike settings, a package has a first day."""
    packages = packages_of(STARTER + "effective_from = 2026-09-01\n")
    assert packages_at(packages, SEPTEMBER_US - 1) == ()
    assert packages_at(packages, SEPTEMBER_US) == packages


def test_an_inactive_package_is_in_force_but_not_on_sale() -> None:
    """A package is withdrawn by a version with active = false."""
    (package,) = packages_of(STARTER + "active = false\n")
    assert package.is_in_force(0)
    assert packages_at([package], 0) == ()


def test_every_optional_key_is_kept() -> None:
    """Prices in minor units; what is absent is not sold in that currency."""
    (package,) = packages_of(
        STARTER + 'price_eur = 1400\ndescription = "Try it"\nis_popular = true\nstripe_price_id = "price_1"\n'
    )
    assert (package.price_eur, package.price_gbp) == (1400, None)
    assert (package.description, package.is_popular, package.stripe_price_id) == ("Try it", True, "price_1")


def test_a_version_leaves_out_and_does_not_inherit() -> None:
    """Each table is a whole version: an absent euro price means not sold in euro from then on."""
    _, later = packages_of(STARTER + "price_eur = 1400\n" + STARTER + "effective_from = 2026-09-01\n")
    assert later.price_eur is None


def test_the_identity_is_the_content_and_the_start_but_not_the_end() -> None:
    """A version keeps its name when another one follows it."""
    package = SEED_PACKAGES[0]
    assert replace(package, effective_to=5).package_version == package.package_version
    changed = {replace(package, price_cents=1).package_version, replace(package, effective_from=5).package_version}
    assert len(changed | {package.package_version}) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("token_amount = 150000\n", ""), "key token_amount: missing; every table of this kind needs it"),
        (('package_id = "starter"\n', ""), "key package_id: missing; every table of this kind needs it"),
        (("150000", "0"), "key token_amount: got 0; write a whole number from 1 to"),
        (("1500\n", "-1\n"), "key price_cents: got -1; write a whole number from 0 to"),
        (("1500\n", "15.0\n"), "key price_cents: got 15.0 (a float); write a whole number"),
        (("1500\n", "1500\nis_popular = 1\n"), "key is_popular: got 1 (a whole number); write true or false"),
        (("1500\n", "1500\nprice_euro = 1\n"), "key price_euro: unknown key; did you mean price_eur?"),
        (("1500\n", "1500\neffective_to = 2026-09-01\n"), "key effective_to: it is derived"),
        (("1500\n", "1500\neffective_from = 2026-09-01T00:00:00\n"), "key effective_from: 2026-09-01T00:00:00 has no"),
        (('"Starter"', "{}"), "key package_name: got a table; write quoted text"),
    ],
)
def test_a_wrong_value_is_answered_with_its_place_and_what_to_write(change: tuple[str, str], message: str) -> None:
    """File, table number and key, then what was found and what belongs there."""
    with pytest.raises(ConfigurationError) as refusal:
        packages_of(PRO + STARTER.replace(*change))
    assert str(refusal.value).startswith(f"packages.toml: [[package]] table 2, {message}")


@pytest.mark.parametrize(
    ("date", "when"),
    [("", "no effective_from"), ("effective_from = 2026-09-01\n", "effective_from 2026-09-01T00:00:00Z")],
)
def test_two_tables_of_one_package_and_instant_are_both_named(date: str, when: str) -> None:
    """Nobody can say which one is meant."""
    with pytest.raises(ConfigurationError) as refusal:
        packages_of(STARTER + date + PRO + STARTER + date)
    assert str(refusal.value) == (
        f"packages.toml: [[package]] tables 1 and 3 both describe package 'starter' with {when}; "
        "give one another date or id, or remove it"
    )


def test_a_later_version_without_a_date_is_refused() -> None:
    """A forgotten date must not rewrite the past."""
    with pytest.raises(ConfigurationError, match="table 2, key effective_from: missing; a later version of a package"):
        packages_of(STARTER + "effective_from = 2026-09-01\n" + STARTER)
