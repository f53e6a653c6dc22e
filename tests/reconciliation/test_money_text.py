"""Amounts in the notes of breaks are written as the terminal writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.currency_rules import currency_rules
from pipelines.cli.text import cents
from pipelines.warehouse.connection import open_warehouse

if TYPE_CHECKING:
    from pathlib import Path


def test_notes_and_terminal_write_amounts_alike(tmp_path: Path) -> None:
    """Two, none, three or unsettled decimals; below zero, below one unit, and with thousands."""
    codes = ("usd", "jpy", "kwd", "ugx")
    scales = {rule.currency: rule.scale for rule in currency_rules(codes, {})}
    amounts = (0, 5, -5, 1_250, -1_234_567, 9_007_199_254_740_993)
    with open_warehouse(tmp_path / "notes.duckdb") as connection:
        known = ", ".join(f"'{code}': {scale}" for code, scale in scales.items())
        connection.execute(f"SET VARIABLE currency_scales = MAP {{{known}}}")
        for code in codes:
            for amount in amounts:
                (shown,) = connection.execute("SELECT money_text($1::BIGINT, $2)", [amount, code]).fetchone() or ()
                assert shown == cents(amount, code)
