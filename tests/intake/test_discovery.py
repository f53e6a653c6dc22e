"""What becomes of each file: taken, duplicate, waiting; which are due for a date."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pipelines.intake.discovery import changed_since, due
from pipelines.intake.hashing import ChangedWhileReadError, hash_file
from tests.intake.discovery_support import LONG_AGO_NS, START, FakeSource, World

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_file_is_taken_whole(tmp_path: Path) -> None:
    """With the sha256 and size of its stored bytes, from byte 0 and line 1, dated by its path."""
    world = World(tmp_path)
    world.write("usage/2026-09-02/a.jsonl.gz", b"stored bytes")
    (file,) = world.look().files
    assert (file.sha256, file.size_bytes) == (hashlib.sha256(b"stored bytes").hexdigest(), 12)
    assert (file.byte_from, file.first_line, file.continues_file_id) == (0, 1, None)
    assert (file.file_date, file.undated, file.outcome) == (date(2026, 9, 2), False, "taken")
    assert (file.source, file.kind, file.reason) == ("gateway", "usage", None)


def test_looking_again_finds_nothing(tmp_path: Path) -> None:
    """What was taken is not offered again, whatever its times say."""
    world = World(tmp_path)
    path = world.write("usage/a.jsonl")
    assert len(world.take()) == 1
    assert world.look().files == ()
    os.utime(path)
    assert world.look().files == ()


def test_the_same_bytes_elsewhere_are_a_duplicate_once(tmp_path: Path) -> None:
    """A copy or a renamed file is noted for its path one time; its lines are not received again."""
    world = World(tmp_path)
    first = world.write("usage/a.jsonl", "x\n")
    world.take()
    world.write("usage/b.jsonl", "x\n")
    assert [(file.path, file.outcome) for file in world.take()] == [("usage/b.jsonl", "duplicate")]
    assert world.take() == ()
    first.rename(tmp_path / "usage" / "c.jsonl")
    assert [(file.path, file.outcome) for file in world.take()] == [("usage/c.jsonl", "duplicate")]
    assert world.take() == ()


def test_identity_is_per_source(tmp_path: Path) -> None:
    """The same bytes under two sources are two files."""
    world = World(tmp_path, [FakeSource(pattern="a/*"), FakeSource(name="other", pattern="b/*")])
    world.write("a/x.jsonl")
    world.write("b/x.jsonl")
    assert [file.outcome for file in world.take()] == ["taken", "taken"]


def test_of_two_new_copies_the_earlier_date_is_taken(tmp_path: Path) -> None:
    """So a duplicate is never posted before the file that it repeats; a date in the path wins over none."""
    world = World(tmp_path)
    for path in ("usage/2026-09-05.jsonl", "usage/2026-09-03.jsonl", "usage/undated.jsonl"):
        world.write(path, "same\n")
    found = world.look()
    assert {file.path: file.outcome for file in found.files} == {
        "usage/2026-09-03.jsonl": "taken",
        "usage/2026-09-05.jsonl": "duplicate",
        "usage/undated.jsonl": "duplicate",
    }
    assert due(found, date(2026, 9, 2), include_undated=True) == []
    assert [file.outcome for file in due(found, date(2026, 9, 3))] == ["taken"]


def test_files_are_due_by_date_accounts_then_credits_then_usage(tmp_path: Path) -> None:
    """A date later than the posting's waits; a date before the start of the books joins the first posting."""
    kinds = ("usage", "credits", "accounts")
    world = World(tmp_path, [FakeSource(name=kind, kind=kind, pattern=f"{kind}/*") for kind in kinds])
    for path in ("usage/2026-09-04.jsonl", "usage/2026-08-01.jsonl", "usage/2026-09-03.jsonl"):
        world.write(path, path)
    world.write("accounts/all.jsonl", "a")
    world.write("credits/2026-09-02.jsonl", "c")
    found = world.look()
    assert [file.path for file in due(found, date(2026, 9, 3))] == [
        "accounts/all.jsonl",
        "credits/2026-09-02.jsonl",
        "usage/2026-08-01.jsonl",
        "usage/2026-09-03.jsonl",
    ]


def test_accounts_and_credits_without_a_date_belong_to_the_start(tmp_path: Path) -> None:
    """Their rows have dates of their own: the first posting that comes takes them."""
    world = World(tmp_path, [FakeSource(name="accounts", kind="accounts", pattern="accounts/*")])
    world.write("accounts/all.jsonl")
    (file,) = world.look().files
    assert (file.file_date, file.undated) == (START, False)


def test_an_undated_usage_file_takes_the_day_it_was_first_seen(tmp_path: Path) -> None:
    """Today in UTC, unless the posting log fixed a day before."""
    world = World(tmp_path, now=datetime(2026, 9, 11, 1, tzinfo=UTC).astimezone(None))
    world.write("usage/a.jsonl", "a")
    found = world.look()
    (file,) = found.files
    assert (file.file_date, file.undated) == (date(2026, 9, 11), True)
    assert due(found, date(2026, 9, 10)) == []
    assert due(found, date(2026, 9, 10), include_undated=True) == [file]
    world.seen[file.source, file.sha256] = date(2026, 9, 9)
    found = world.look()
    assert [file.file_date for file in due(found, date(2026, 9, 10))] == [date(2026, 9, 9)]


@pytest.mark.parametrize(("age_seconds", "is_waiting"), [(0, True), (4, True), (5, False), (-4, True), (-3600, False)])
def test_a_file_that_changed_just_now_waits(tmp_path: Path, *, age_seconds: int, is_waiting: bool) -> None:
    """Less than settle_seconds ago; a time far ahead of the clock says nothing and must not wait for ever."""
    world = World(tmp_path, settle_seconds=5)
    path = world.write("usage/a.jsonl")
    mtime = int((world.now - timedelta(seconds=age_seconds)).timestamp())
    os.utime(path, (mtime, mtime))
    found = world.look()
    assert len(found.files) == (not is_waiting)
    why = [(item.path, item.why) for item in found.waiting]
    assert why == [("usage/a.jsonl", "changed less than 5 s ago; the next run takes it")] * is_waiting


def test_settling_can_be_turned_off(tmp_path: Path) -> None:
    """0 seconds: every file is taken as it stands."""
    world = World(tmp_path, settle_seconds=0)
    mtime = world.now.timestamp()
    os.utime(world.write("usage/a.jsonl"), (mtime, mtime))
    assert len(world.look().files) == 1


def test_a_file_that_grows_while_it_is_hashed_is_left_alone(tmp_path: Path) -> None:
    """A writer that never stops: whatever is returned is a state the file really had."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 30_000_000)
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"y")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(ChangedWhileReadError):
            hash_file(path)
    finally:
        stop.set()
        writer.join()
    assert hash_file(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_without_permission_waits_and_says_so(tmp_path: Path) -> None:
    """The run goes on with the others."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", "a").chmod(0)
    world.write("usage/b.jsonl", "b")
    if os.access(tmp_path / "usage" / "a.jsonl", os.R_OK):
        pytest.skip("this user reads files without permission")
    found = world.look()
    assert [file.path for file in found.files] == ["usage/b.jsonl"]
    assert [item.why for item in found.waiting] == ["cannot be read (Permission denied); mend its permissions"]


def test_a_damaged_file_is_not_tried_again_until_it_changes(tmp_path: Path) -> None:
    """It stays in the list of what waits; a whole copy in its place is taken."""
    world = World(tmp_path)
    world.write("usage/a.jsonl.gz", b"half")
    (file,) = world.look().files
    world.post(file, "refused", "unreadable")
    found = world.look()
    assert found.files == ()
    assert [item.path for item in found.waiting] == ["usage/a.jsonl.gz"]
    assert "refused before as unreadable" in found.waiting[0].why
    world.write("usage/a.jsonl.gz", b"whole")
    assert [file.outcome for file in world.look().files] == ["taken"]


def test_a_change_between_hashing_and_posting_is_told(tmp_path: Path) -> None:
    """Whoever read the files asks afterwards: grown, replaced, removed or linked ones are named."""
    world = World(tmp_path)
    paths = [world.write(f"usage/{name}.jsonl", name) for name in ("same", "grown", "replaced", "gone")]
    found = world.look()
    assert changed_since(tmp_path, found, found.files) == ()
    with paths[1].open("a", encoding="utf-8") as file:
        file.write("more")
    other = world.write("usage/other", "replaced")
    other.replace(paths[2])
    paths[3].unlink()
    assert set(changed_since(tmp_path, found, found.files)) == {
        "usage/grown.jsonl",
        "usage/replaced.jsonl",
        "usage/gone.jsonl",
    }
    refused = [replace(file, outcome="refused") for file in found.files]
    assert changed_since(tmp_path, found, refused) == ()
    assert paths[0].stat().st_mtime_ns == LONG_AGO_NS
