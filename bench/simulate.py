"""Three price books in one simulation, beside three passes with one book each and beside one re-rate."""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

from bench.inputs import DAY, lay_out
from bench.measure import Measured, measure, median

_BOOKS = {
    "dearer": '[[settings]]\ndefault_token_multiplier = "1.6"\n'
    '[[settings]]\neffective_from = 2026-09-08\ndefault_token_multiplier = "1.75"\n',
    "weighted": '[[settings]]\n[[rate]]\nid = "by-kind"\nmatch = { model = "*" }\n'
    'weights = { input = "1", output = "3", reasoning = "4" }\n',
    "few": '[[settings]]\ndefault_token_multiplier = "1.4"\n[[rate]]\nid = "one-customer"\n'
    'match = { account = "c1" }\nmultiplier = "1.1"\n',
}


def run(rows: int | None, repeats: int) -> None:
    """Bill the calls once, then measure `repeats` times, alternating, and print medians."""
    with tempfile.TemporaryDirectory(prefix="bench-simulate-") as scratch:
        books = Path(scratch) / "books"
        count, what = lay_out(books, rows)
        measure([sys.executable, "-m", "bench.billing_child", str(books), date.fromisoformat(DAY).isoformat()])
        files = []
        for name, text in _BOOKS.items():
            files.append(str(Path(scratch) / f"{name}.toml"))
            Path(files[-1]).write_text(text, encoding="utf-8")
        print(f"simulate: three price books over {count:,} calls: {what}")
        found: dict[str, list[Measured]] = {"simulate": [], "rate_and_balance": [], "totals": [], "rerate": []}
        for _ in range(repeats):
            for mode, runs in found.items():
                wanted = files[:1] if mode == "rerate" else files
                runs.append(measure([sys.executable, "-m", "bench.simulate_child", str(books), mode, *wanted]))
        _print(count, found)


def _print(count: int, found: dict[str, list[Measured]]) -> None:
    cpu = {mode: median([run.answer["cpu"] for run in runs]) for mode, runs in found.items()}
    labels = {
        "simulate": "simulate, three books at once",
        "rate_and_balance": "three rate-and-balance passes, one book each",
        "totals": "simulate --totals, three books at once",
        "rerate": "one re-rate with the first book",
    }
    print(f"  {'':46s}{'CPU s':>8s}{'calls per CPU s':>18s}{'peak GB':>9s}")
    for mode, label in labels.items():
        peak = max(run.peak_bytes for run in found[mode]) / 1e9
        print(f"  {label:46s}{cpu[mode]:8.2f}{count / cpu[mode]:18,.0f}{peak:9.2f}")
    print(f"  simulate costs {cpu['simulate'] / cpu['rate_and_balance']:.2f} times the three passes (limit 1.5)")
    print(f"  --totals costs {cpu['totals'] / cpu['rerate']:.2f} times one re-rate (limit 1.5)")
    told = [found[mode][0].answer["figures"] for mode in ("simulate", "totals", "rate_and_balance")]
    first, tokens = next(iter(found["rerate"][0].answer["figures"].items()))
    agrees = all(each == told[0] for each in told) and told[0][first] == tokens
    print(f"  {'the same tokens in all of them' if agrees else 'OTHER TOKENS in one of them: a bug'}\n")
