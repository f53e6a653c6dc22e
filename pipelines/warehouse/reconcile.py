"""Reconciliation inside the warehouse: one transaction that reads ledger and mirror and replaces what recon holds.

The rules' figures (codes, severities, graces, categories, currencies) come from billing_core and are handed to SQL as
tables and parameters; the set work is the scripts of ``sql/reconcile``, in the order of their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing_core import matching
from billing_core.breaks import BREAKS
from billing_core.currency_rules import currency_rules
from billing_core.movements import CATEGORIES, TYPES
from pipelines.intake.currencies import CURRENCIES
from pipelines.warehouse.script import insert_rows, roll_back, rows, run_script, scalar
from pipelines.warehouse.sql import sql_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import duckdb


_FEES = "reconcile/08_fees.sql"


@dataclass(frozen=True, kw_only=True)
class FeeBand:
    """The fee that a payment method may cost: between two shares in hundredths of a percent, plus a fixed part."""

    method: str
    country: str | None
    min_bp: int
    max_bp: int
    fixed: int


@dataclass(frozen=True, kw_only=True)
class Override:
    """A person's word about one break, until it expires. `seq` is its line in the journal."""

    seq: int
    break_id: str
    actor: str
    reason: str
    made_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class BankLine:
    """One credit on the bank's statement: minor units, and whatever the bank says of it."""

    booked_on: str
    amount: int
    currency: str
    reference: str


@dataclass(frozen=True, kw_only=True)
class Terms:
    """All that decides what a run finds, beside the tables.

    `as_of`: nothing later is seen, and ages are measured there. `account` and `livemode`: None takes those of most
    balance transactions. Scope lists left empty select everything. `first_seen` is the memory of
    earlier runs, by break. `bank`: None when no statement is configured.
    """

    as_of: datetime
    timezone: str = "UTC"
    mode: str = "files"
    account: str | None = None
    livemode: bool | None = None
    metadata_key: str | None = None
    metadata_value: str | None = None
    prices: Sequence[str] = ()
    products: Sequence[str] = ()
    customers: Sequence[str] = ()
    tolerance: int = 0
    stale_hours: int = 36
    exponents: Mapping[str, int] = field(default_factory=dict)
    fee_bands: Sequence[FeeBand] = ()
    overrides: Sequence[Override] = ()
    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    bank: Sequence[BankLine] | None = None


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What a run found, in counts; the rest is in the tables of recon."""

    run_id: int
    as_of: datetime
    ledger_rows: int
    movements: int
    match_groups: int
    open_breaks: int
    residual_lines: int


def reconcile(
    connection: duckdb.DuckDBPyConnection, terms: Terms, *, ran_at: datetime, code_version: str
) -> Reconciled:
    """Reconcile, in one transaction; the tables of the run before are replaced, its memory is added to."""
    connection.execute("SET preserve_insertion_order = false")  # no order is kept that no ORDER BY asks for
    connection.execute("BEGIN")
    try:
        before = _working_tables(connection)
        _hand_over(connection, terms)
        for name in sql_names("reconcile"):
            if name != _FEES or terms.fee_bands:
                run_script(connection, name, _parameters(terms))
        result = _note_run(connection, terms, ran_at, code_version)
        _drop(connection, _working_tables(connection) - before)
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    finally:
        connection.execute("SET preserve_insertion_order = true")
    return result


def _parameters(terms: Terms) -> dict[str, object]:
    return {
        "grace_seconds": matching.CREDIT_GRACE_S,
        "refund_pending_seconds": matching.REFUND_PENDING_S,
        "window_before": matching.WINDOW_BEFORE_S,
        "window_after": matching.WINDOW_AFTER_S,
        "duplicate_seconds": matching.DUPLICATE_CHARGE_S,
        "payout_grace_seconds": matching.PAYOUT_ITEMS_GRACE_S,
        "unpaid_seconds": matching.UNPAID_AGE_S,
        "stale_seconds": terms.stale_hours * matching.HOUR_S,
        "declines": matching.DECLINES_IN_A_ROW,
        "fx_tolerance": matching.FX_TOLERANCE_MINOR,
        "tolerance": terms.tolerance,
        "has_bank": terms.bank is not None,
    }


def _hand_over(connection: duckdb.DuckDBPyConnection, terms: Terms) -> None:
    """The terms, the catalogue and the small reference tables of this run."""
    account, livemode = _home(connection, terms)
    connection.execute("DELETE FROM recon.parameters")
    connection.execute(
        "INSERT INTO recon.parameters SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
        " (SELECT coalesce(max(posting_id), 0) FROM audit.postings),"
        " (SELECT coalesce(sum(bytes_read), 0)::BIGINT FROM stripe.loaded_files)",
        [
            *(terms.as_of, terms.timezone, terms.mode, account, livemode),
            *(terms.metadata_key, terms.metadata_value),
            *(list(terms.prices), list(terms.products), list(terms.customers)),
            bool(terms.metadata_key or terms.prices or terms.products or terms.customers),
        ],
    )
    connection.execute("DELETE FROM recon.break_codes")
    _fill(connection, "recon.break_codes", [(*item[:2], item.severity.value, *item[3:]) for item in BREAKS])
    connection.execute("CREATE OR REPLACE TEMP TABLE category (category VARCHAR, role VARCHAR)")
    _fill(connection, "category", sorted(CATEGORIES.items()))
    connection.execute("CREATE OR REPLACE TEMP TABLE known_type (type VARCHAR)")
    _fill(connection, "known_type", [(name,) for name in sorted(TYPES)])
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE currency (currency VARCHAR, scale BIGINT, charge_step BIGINT, payout_step BIGINT)"
    )
    _fill(connection, "currency", currency_rules(CURRENCIES, terms.exponents))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fee_band"
        " (method VARCHAR, country VARCHAR, min_bp BIGINT, max_bp BIGINT, fixed BIGINT)"
    )
    _fill(
        connection,
        "fee_band",
        [(band.method, band.country, band.min_bp, band.max_bp, band.fixed) for band in terms.fee_bands],
    )
    _hand_over_words(connection, terms)


def _hand_over_words(connection: duckdb.DuckDBPyConnection, terms: Terms) -> None:
    """What people said since, and the bank's statement."""
    known = {seq for (seq,) in rows(connection, "SELECT seq FROM recon.overrides")}
    _fill(
        connection,
        "recon.overrides",
        [
            (item.seq, item.break_id, item.actor, item.reason, item.made_at, item.expires_at)
            for item in terms.overrides
            if item.seq not in known
        ],
    )
    remembered = {name for (name,) in rows(connection, "SELECT break_id FROM recon.first_seen")}
    _fill(connection, "recon.first_seen", [item for item in terms.first_seen.items() if item[0] not in remembered])
    connection.execute("DELETE FROM recon.bank_lines")
    _fill(
        connection,
        "recon.bank_lines",
        [
            (number, line.booked_on, line.amount, line.currency, line.reference)
            for number, line in enumerate(terms.bank or (), start=1)
        ],
    )


def _home(connection: duckdb.DuckDBPyConnection, terms: Terms) -> tuple[str | None, bool | None]:
    """The account and mode that the books belong to: as configured, else those of most of what moved money."""
    if terms.account is not None and terms.livemode is not None:
        return terms.account, terms.livemode
    for table in ("balance_transactions", "charges", "payment_intents"):
        found = rows(
            connection,
            f"SELECT stripe_account, livemode FROM stripe.{table}"
            " WHERE ($account::VARCHAR IS NULL OR stripe_account = $account)"
            " AND ($livemode::BOOLEAN IS NULL OR livemode = $livemode)"
            " GROUP BY ALL ORDER BY count(*) DESC, stripe_account, livemode LIMIT 1",
            {"account": terms.account, "livemode": terms.livemode},
        )
        if found:
            account, livemode = found[0]
            return str(account), bool(livemode)
    return terms.account, terms.livemode


def _fill(connection: duckdb.DuckDBPyConnection, table: str, values: Sequence[Sequence[object]]) -> None:
    if values:
        insert_rows(connection, table, values)


def _note_run(connection: duckdb.DuckDBPyConnection, terms: Terms, ran_at: datetime, code_version: str) -> Reconciled:
    """The last statement of a run: its row in recon.runs."""
    result = Reconciled(
        run_id=scalar(connection, "SELECT coalesce(max(run_id), 0) + 1 FROM recon.runs"),
        as_of=terms.as_of,
        ledger_rows=scalar(connection, "SELECT count(*) FROM recon.ledger WHERE amount <> 0"),
        movements=scalar(connection, "SELECT count(*) FROM movement"),
        match_groups=scalar(connection, "SELECT (SELECT count(*) FROM pair) + (SELECT count(*) FROM party)"),
        open_breaks=scalar(connection, "SELECT count(*) FROM recon.breaks WHERE state = 'break'"),
        residual_lines=scalar(connection, "SELECT count(*) FROM recon.bridge WHERE line = 'residual' AND amount <> 0"),
    )
    connection.execute(
        "INSERT INTO recon.runs SELECT $run_id, $ran_at, $as_of, coalesce(max(posting_id), 0), $ledger_rows,"
        " $movements, $groups, $breaks, $residual, $code_version FROM audit.postings",
        {
            "run_id": result.run_id,
            "ran_at": ran_at,
            "as_of": result.as_of,
            "ledger_rows": result.ledger_rows,
            "movements": result.movements,
            "groups": result.match_groups,
            "breaks": result.open_breaks,
            "residual": result.residual_lines,
            "code_version": code_version,
        },
    )
    return result


def _working_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    found = rows(connection, "SELECT table_name FROM duckdb_tables() WHERE temporary")
    return {str(name) for (name,) in found}


def _drop(connection: duckdb.DuckDBPyConnection, tables: set[str]) -> None:
    """Give the memory of working tables back, before the commit, which would make them last."""
    for table in sorted(tables):
        connection.execute(f"DROP TABLE temp.{table}")
