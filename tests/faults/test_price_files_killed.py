"""`settings set` and `packages` killed at each of their steps: the command again ends with one change and one entry."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.workshop import Worker

WHO = ("--actor", "ana", "--reason", "dearer")
COMMANDS = {
    "settings set": (
        "rates.toml",
        ("settings", "set", "default_token_multiplier", "1.6", "--from", "2027-01-01", *WHO),
    ),
    "packages add": (
        "packages.toml",
        ("packages", "add", "team", "--name", "Team", "--tokens", "1000", "--price-cents", "8", *WHO),
    ),
    "packages retire": ("packages.toml", ("packages", "retire", "starter", "--from", "2027-01-01", *WHO)),
}


def books_in(folder: Path) -> Path:
    """A books folder without any usage."""
    root = folder / "books"
    (root / "usage").mkdir(parents=True)
    (root / "tollbook.toml").write_text(
        '[books]\nname = "b"\nstart = 2026-09-01\n[[usage]]\npath = "usage/*.jsonl"\nprofile = "tollbook"\n'
        '[rates]\npath = "rates.toml"\n',
        encoding="utf-8",
    )
    (root / "rates.toml").write_text('[[settings]]\ndefault_token_multiplier = "1.5"\n', encoding="utf-8")
    return root


def entries(root: Path) -> list[dict[str, Any]]:
    """The lines of the admin journal."""
    return [json.loads(line) for line in (root / "journal/admin.jsonl").read_text("utf-8").splitlines()]


def kills(trace: list[str]) -> list[tuple[str, int, str]]:
    """(label, which of its name, how) for each step, before it, and half-way through the line of the journal.

    What comes before the first text is kept happens in a scratch folder of a random name.
    """
    trace = trace[trace.index("fsync .new") :]
    seen: Counter[str] = Counter()
    found: list[tuple[str, int, str]] = []
    for label in trace:
        seen[label] += 1
        found.append((label, seen[label], "before"))
        if label == "write admin.jsonl":
            found.append((label, seen[label], "half"))
    return [*found, (trace[-1], seen[trace[-1]], "after")]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_change_of_prices_converges_and_says_what_happened(worker: Worker, tmp_path: Path, name: str) -> None:
    """Wherever it stopped: the file as announced, one entry that names it, no file left beside it."""
    file, words = COMMANDS[name]
    whole = books_in(tmp_path / "whole")
    first = worker.ask(whole, command=words, trace=True)
    assert first["code"] == 0, first["err"]
    wanted = (whole / file).read_bytes()
    told = Counter[str]()
    for number, (label, nth, how) in enumerate(kills(first["trace"])):
        root = books_in(tmp_path / str(number))
        assert worker.ask(root, command=words, at={"label": label, "nth": nth, "how": how})["killed"]
        again = worker.ask(root, command=words)
        if how == "half":
            assert "torn" in again["err"]
            assert worker.ask(root, command=("doctor", "--fix"))["code"] in {0, 3}
            again = worker.ask(root, command=words)
        (entry,) = entries(root)
        assert (root / file).read_bytes() == wanted, label
        assert entry["change"]["sha256_after"] == hashlib.sha256(wanted).hexdigest()
        assert [path.name for path in root.iterdir() if path.name.startswith(".new-")] == []
        err = " ".join(again["err"].split())
        said = "finished" if "it is in place now" in err else "done before" if " already" in err else "anew"
        assert again["code"] == (2 if said == "done before" else 0), again["err"]
        told[said] += 1
        shutil.rmtree(root)
    assert set(told) == {"anew", "finished", "done before"}, told
