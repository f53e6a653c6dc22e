"""`tollbook packages`: what is on sale when; add, reprice and retire as dated versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import LAST, NOW

if TYPE_CHECKING:
    from tests.cli.conftest import Command

WHO = ("--actor", "ana", "--reason", "spring prices")
SEEDS = ["starter", "pro", "business", "enterprise"]


def _on_sale(tollbook: Command, at: str) -> dict[str, int]:
    listed = tollbook("--json", "packages", "list", "--at", at).document
    return {row["package_id"]: row["price_cents"] for row in listed["packages"]}


def test_packages_without_a_file_are_the_seed(tollbook: Command) -> None:
    """Four packages, with what a million tokens costs in each."""
    listed = tollbook("--json", "packages", "list").document["packages"]
    assert [row["package_id"] for row in listed] == SEEDS
    assert [row["usd_cents_per_million_tokens"] for row in listed] == ["10000.00", "8666.67", "7777.78", "6666.67"]
    assert "86.67" in tollbook("packages", "list").out


def test_add_reprice_and_retire_are_dated(tollbook: Command) -> None:
    """Each holds from its day on, before it everything is as it was; the text that was there stays."""
    assert (
        tollbook("packages", "add", "team", "--name", "Team", "--tokens", "1000000", "--price-cents", "8000", *WHO).code
        == 0
    )
    first = (tollbook.root / "packages.toml").read_text(encoding="utf-8")
    assert tollbook("packages", "add", "pro", "--price-cents", "7000", "--from", "2026-10-01", *WHO).code == 0
    assert tollbook("packages", "retire", "starter", "--from", "2026-10-01T12:00:00Z", *WHO).code == 0
    assert _on_sale(tollbook, "2026-09-30") == dict(
        zip([*SEEDS, "team"], [1500, 6500, 17500, 50000, 8000], strict=True)
    )
    assert _on_sale(tollbook, "2026-10-02") == {"pro": 7000, "business": 17500, "enterprise": 50000, "team": 8000}
    assert (tollbook.root / "packages.toml").read_text(encoding="utf-8").startswith(first)
    every = tollbook("--json", "packages", "list", "--all").document
    assert [row["what"] for row in every["changes"]] == [
        "team: package_name = Team, token_amount = 1000000, price_cents = 8000",
        "pro: price_cents = 7000 from 2026-10-01T00:00:00Z",
        "starter: no longer sold from 2026-10-01T12:00:00Z",
    ]
    assert "no longer sold" in tollbook("packages", "list", "--all").out


def test_retired_package_is_sold_again(tollbook: Command) -> None:
    """Adding a version of a retired package puts it on sale with its old terms."""
    assert tollbook("packages", "retire", "pro", "--from", "2026-10-01", *WHO).code == 0
    assert tollbook("packages", "add", "pro", "--from", "2026-11-01", *WHO).code == 0
    assert ["pro" in _on_sale(tollbook, day) for day in ("2026-09-30", "2026-10-31", "2026-11-01")] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "team"), "--name: missing"),
        (("add", "team", "--name", "T", "--price-cents", "1"), "--tokens: missing"),
        (("add", "pro", "--price-cents", "7000"), "say from when"),
        (("add", "pro", "--price-cents", "6500", "--from", "2026-10-01"), "exactly that already"),
        (("retire", "stater", "--from", "2026-10-01"), "did you mean starter"),
        (("retire", "pro", "--from", "soon"), "expected a day"),
        (("add", "te am", "--name", "\x07", "--tokens", "1", "--price-cents", "1", "--actor", "\x07"), "printable"),
    ],
)
def test_wrong_change_is_refused_and_changes_nothing(
    tollbook: Command, arguments: tuple[str, ...], message: str
) -> None:
    """Exit 2 with the reason; neither file nor journal is made."""
    who = () if "--actor" in arguments else WHO[:2]
    refused = tollbook("packages", *arguments, *who, *WHO[2:])
    assert (refused.code, message in refused.err) == (2, True), refused.err
    assert not (tollbook.root / "packages.toml").exists()
    assert not tollbook.folder.admin_journal.exists()


def test_start_before_posted_purchases_is_refused(tollbook: Command) -> None:
    """A purchase of the package since then: refused, or warned of with --retroactive."""
    (tollbook.root / "credits").mkdir()
    (tollbook.root / "credits/2026-09-03.jsonl").write_text(
        '{"credit_id": "c1", "account_id": "ada", "transaction_type": "purchase", "token_amount": 750000, '
        '"amount_cents": 6500, "currency": "usd", "package_id": "pro", "occurred_at": "2026-09-03T10:00:00Z"}\n',
        encoding="utf-8",
    )
    tollbook.bill(NOW, LAST)
    change = ("packages", "add", "pro", "--price-cents", "7000", "--from", "2026-09-03", *WHO)
    refused = tollbook(*change)
    assert (refused.code, "1 posted purchase" in refused.err) == (2, True), refused.err
    allowed = tollbook(*change, "--retroactive")
    assert (allowed.code, "stay as they are" in allowed.err) == (0, True)
