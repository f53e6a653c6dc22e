"""The scorer: precision and recall per break code, of anybody's findings against a world's labels."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Label = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Score:
    """One code: how many were planted, found of these, and found beside them, with what was missed and made up."""

    code: str
    planted: int
    found: int
    missed: tuple[str, ...]
    made_up: tuple[str, ...]

    @property
    def is_perfect(self) -> bool:
        """Whether precision and recall are both 1."""
        return not self.missed and not self.made_up

    @property
    def precision(self) -> str:
        """Share of the findings that are right, as text; 1 where nothing was found."""
        return _share(self.found, self.found + len(self.made_up))

    @property
    def recall(self) -> str:
        """Share of the planted that were found."""
        return _share(self.found, self.planted)


def score(labels: Iterable[Label], findings: Iterable[tuple[str, str]]) -> list[Score]:
    """One score per code that is labelled or found. A finding is (code, subject); any alias of a label will do."""
    planted: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for code, subject, aliases in labels:
        planted[code].setdefault(subject, set()).update((subject, *aliases))
    said: dict[str, set[str]] = defaultdict(set)
    for code, subject in findings:
        said[code].add(subject)
    return [_score(code, planted[code], said[code]) for code in sorted({*planted, *said})]


def _score(code: str, planted: dict[str, set[str]], said: set[str]) -> Score:
    met = {subject for subject, names in planted.items() if names & said}
    known = {name for names in planted.values() for name in names}
    return Score(code, len(planted), len(met), tuple(sorted(planted.keys() - met)), tuple(sorted(said - known)))


def read_labels(path: Path) -> list[Label]:
    """The labels of a world: columns code, subject, aliases (separated by spaces)."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["code"], row["subject"], tuple(row["aliases"].split())) for row in csv.DictReader(file)]


def read_findings(path: Path) -> list[tuple[str, str]]:
    """An engine's findings: a CSV file with the columns code and subject, others are passed over."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["code"], row["subject"]) for row in csv.DictReader(file)]


def _share(part: int, whole: int) -> str:
    thousandths = 1000 * part // whole if whole else 1000
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"
