"""Reconciling a million charges, and five, from typed tables: CPU seconds, peak memory, and that the planted breaks are found."""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Measured, measure, median
from bench.recon import bulk, engine
from pipelines.warehouse.connection import open_warehouse
from pipelines.warehouse.migrations import migrate
from pipelines.warehouse.views import create_views

SIZES = (1_000_000, 5_000_000)
"""Charges of the two worlds that are measured when no number of rows is given: the second shows how it grows."""
_MEGABYTES_PER_MILLION = 1_200


@dataclass(frozen=True)
class _Reconciled:
    """Medians over the repeats: CPU seconds and peak bytes of the reconciliation alone; and what it found."""

    cpu: float
    least: float
    most: float
    baseline: float
    peak_bytes: float
    answer: dict[str, object]


def run(rows: int | None, repeats: int) -> None:
    """Lay out the tables in one process, reconcile copies of them in others."""
    measured = {count: _measured(count, repeats) for count in ((rows,) if rows else SIZES)}
    for count, result in measured.items():
        print(f"recon: {count:,} charges with refunds, disputes and payouts, from typed tables")
        print(
            f"  reconcile            {result.cpu:8.1f} CPU s ({result.least:.1f} to {result.most:.1f} in {repeats} runs),"
            f" peak {result.peak_bytes / 2**20:,.0f} MiB"
        )
        print(f"  two joins of the same columns, nothing kept (the baseline) {result.baseline:8.1f} CPU s")
        print(f"  breaks planted       {result.answer['planted']}")
        print(
            f"  breaks found         {result.answer['found']}, bridges with a residual: {result.answer['residual']}\n"
        )
    if len(measured) > 1:
        small, large = measured.values()
        print(f"recon: five times the charges take {large.cpu / small.cpu:.2f} times the CPU seconds\n")


def _measured(count: int, repeats: int) -> _Reconciled:
    with tempfile.TemporaryDirectory(prefix="bench-recon-") as scratch:
        laid_out, copy = Path(scratch) / "laid_out.duckdb", Path(scratch) / "tollbook.duckdb"
        _step("fill", laid_out, count)
        baselines = [_step("scan", laid_out, count).answer["cpu"] for _ in range(repeats)]
        runs = []
        for _ in range(repeats):
            shutil.copyfile(laid_out, copy)
            runs.append(_step("reconcile", copy, count))
    spent = [one.answer["cpu"] for one in runs]
    return _Reconciled(
        cpu=median(spent),
        least=min(spent),
        most=max(spent),
        baseline=median(baselines),
        peak_bytes=median([one.peak_bytes for one in runs]),
        answer=runs[0].answer,
    )


def _step(step: str, path: Path, count: int) -> Measured:
    return measure([sys.executable, "-m", "bench.recon.million", step, str(path), str(count)])


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _child(step: str, path: Path, count: int) -> dict[str, object]:
    with open_warehouse(path, memory_limit=f"{_MEGABYTES_PER_MILLION * -(-count // SIZES[0])}MB") as connection:
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
