"""The command `tollbook`: one module per verb, each of which imports what is slow only when it runs."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run the command line of this process and exit with the command's code."""
    try:
        from pipelines.cli.app import app

        app(prog_name="tollbook")
    except KeyboardInterrupt:  # before a verb began; the verbs' own interruptions are reported where verbs are run
        raise SystemExit(130) from None
    raise SystemExit(0)
