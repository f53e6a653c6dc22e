"""`python -m pipelines.cli` is the command `tollbook`."""

from __future__ import annotations

from pipelines.cli import main

if __name__ == "__main__":
    main()
