"""Reconciling a million charges from typed tables: CPU seconds, peak memory, and that the planted breaks are found."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path

from bench.measure import measure
from bench.recon import bulk, engine
from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.views import create_views

DEFAULT_CHARGES = 1_000_000
_MEGABYTES_PER_MILLION = 1_200


def run(rows: int | None, repeats: int) -> None:
    """Lay out the tables in one process, reconcile in another; `repeats` has no meaning here."""
    del repeats
    count = rows or DEFAULT_CHARGES
    with tempfile.TemporaryDirectory(prefix="bench-recon-") as scratch:
        path = Path(scratch) / "tollbook.duckdb"
        measure([sys.executable, "-m", "bench.recon.million", "fill", str(path), str(count)])
        baseline = measure([sys.executable, "-m", "bench.recon.million", "scan", str(path), str(count)]).answer
        measured = measure([sys.executable, "-m", "bench.recon.million", "reconcile", str(path), str(count)])
    answer = measured.answer
    print(f"recon: {count:,} charges with refunds, disputes and payouts, from typed tables")
    print(f"  reconcile            {answer['cpu']:8.1f} CPU s, peak {measured.peak_bytes / 2**20:,.0f} MiB")
    print(f"  two joins of the same columns, nothing kept (the baseline) {baseline['cpu']:8.1f} CPU s")
    print(f"  breaks planted       {answer['planted']}")
    print(f"  breaks found         {answer['found']}, bridges with a residual: {answer['residual']}\n")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _child(step: str, path: Path, count: int) -> dict[str, object]:
    with open_warehouse(path, memory_limit=f"{_MEGABYTES_PER_MILLION * -(-count // DEFAULT_CHARGES)}MB") as connection:
        if step == "fill":
            migrate(connection, path)
            create_views(connection)
            bulk.fill(connection, count)
            connection.execute("CHECKPOINT")
            return {}
        began = _cpu()
        if step == "scan":
            connection.execute(
                "SELECT count(*), sum(bt.net), sum(row.amount_cents) FROM stripe.charges AS charge"
                " JOIN stripe.balance_transactions AS bt ON bt.source_id = charge.charge_id"
                " JOIN books.token_transactions AS row ON row.stripe_payment_intent_id = charge.payment_intent_id"
            ).fetchall()
            return {"cpu": _cpu() - began}
        result = engine.run(connection, engine.plain_terms())
        spent = _cpu() - began
        codes = bulk.planted(connection, count)
        found = dict(connection.execute("SELECT code, count(*) FROM recon.breaks GROUP BY code").fetchall())
        return {
            "cpu": spent,
            "planted": codes,
            "found": {code: found.get(code, 0) for code in codes},
            "residual": result.residual_lines,
        }


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
