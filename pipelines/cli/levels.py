"""Findings and how grave they are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


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


def reaches(findings: Sequence[Finding], fail_on: Level) -> bool:
    """Whether any finding is at or over the level on which the command should fail."""
    return any(_ORDER.index(finding.level) >= _ORDER.index(fail_on) for finding in findings)
