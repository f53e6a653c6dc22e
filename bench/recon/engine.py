"""Our engine on a world: the warehouse's reconciler over the typed tables, and its findings as the scorer reads them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from bench.recon.world import ACCOUNT, AS_OF
from pipelines.warehouse.reconcile import BankLine, FeeBand, Reconciled, Terms, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb


def engine_terms(terms: Mapping[str, Any], bank: Sequence[Mapping[str, Any]]) -> Terms:
    """The terms of a world, as ours."""
    return Terms(
        as_of=datetime.fromisoformat(terms["as_of"]),
        mode=terms["mode"],
        account=terms["account"],
        livemode=terms["livemode"],
        fee_bands=tuple(FeeBand(**band) for band in terms["fee_bands"]),
        bank=tuple(
            BankLine(
                booked_on=str(line["booked_on"]),
                amount=line["amount"],
                currency=line["currency"],
                reference=line["reference"],
            )
            for line in bank
        ),
    )


def plain_terms() -> Terms:
    """The terms of a world without a bank statement and without bands."""
    return Terms(as_of=AS_OF, account=ACCOUNT, livemode=False)


def run(connection: duckdb.DuckDBPyConnection, terms: Terms) -> Reconciled:
    """Reconcile once."""
    return reconcile(connection, terms, ran_at=terms.as_of, code_version="bench")


def findings(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(code, subject) of every break and timing line; what waits inside its grace is none."""
    return connection.execute(
        "SELECT code, subject FROM recon.breaks WHERE state IN ('break', 'timing', 'overridden') ORDER BY ALL"
    ).fetchall()
