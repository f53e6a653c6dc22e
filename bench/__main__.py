"""`python -m bench [NAMES] [--rows N] [--repeat N]`: measure, and print medians with the machine and the versions."""

from __future__ import annotations

import argparse

from bench import ingest, lookups, rerate, simulate, startup, stripe_sync, traces
from bench.measure import print_machine
from bench.recon import million

MEASUREMENTS = {
    "recon": million.run,
    "startup": startup.run,
    "ingest": ingest.run,
    "lookups": lookups.run,
    "rerate": rerate.run,
    "simulate": simulate.run,
    "stripe_sync": stripe_sync.run,
    "traces": traces.run,
}


def main() -> None:
    """Run the named measurements, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; default all")
    parser.add_argument("--rows", type=int, help="lines of `ingest`, ledger rows of `lookups`, events of `rerate`")
    parser.add_argument("--repeat", type=int, default=3, help="how often each measurement is made (default 3)")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(MEASUREMENTS)):
        parser.error(f"no measurement is named {unknown[0]}; there are {', '.join(MEASUREMENTS)}")
    print_machine()
    for name in given.names or MEASUREMENTS:
        MEASUREMENTS[name](given.rows, given.repeat)


if __name__ == "__main__":
    main()
