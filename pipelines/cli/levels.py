"""Findings and how grave they are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from pipelines.cli.failures import FINDINGS
from pipelines.cli.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.cli.output import Output


class Level(StrEnum):
    """From a remark to a books-are-wrong; `never` is above all of them."""

    INFO = "info"
    LOW = "low"
    MED = "med"
    HIGH = "high"
    CRITICAL = "critical"
    NEVER = "never"


_ORDER = list(Level)


@dataclass(frozen=True)
class Finding:
    """Something that a person should look at, and where."""

    level: Level
    text: str

    def to_json(self) -> dict[str, str]:
        """As one object."""
        return {"level": self.level.value, "text": self.text}


def exit_if_reached(output: Output, findings: Sequence[Finding], fail_on: Level) -> None:
    """End the command with the code of findings, and say so, if any is at or over the level on which it should fail."""
    grave = sum(_ORDER.index(finding.level) >= _ORDER.index(fail_on) for finding in findings)
    if grave:
        output.note(f"exit code {FINDINGS}: {plural(grave, 'finding')} at or over {fail_on}, see --fail-on")
        raise typer.Exit(FINDINGS)
