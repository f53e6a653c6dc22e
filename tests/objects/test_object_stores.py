"""Usage in an object store: the same books as from files, whatever happens to the objects."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from billing_core.errors import IntegrityError
from pipelines.billing import bill_range, open_books, survey
from pipelines.books.folder import BooksFolder
from pipelines.intake.remote import ObjectStoreError, StagedObjects
from pipelines.rebuild import rebuild
from tests.empty_warehouse import place_warehouse
from tests.intake.world import usage
from tests.objects.conftest import KEY_ID, SECRET, Bucket

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 10, 5)


@pytest.fixture(autouse=True)
def fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day after every object of the tests was written, by the server's clock or ours."""
    monkeypatch.setenv("TOLLBOOK_NOW", "2026-10-06T06:00:00Z")


def lines(*events: str, tokens: int = 100) -> bytes:
    """One good call per event."""
    return "".join(json.dumps(usage(event, input_tokens=tokens)) + "\n" for event in events).encode()


@dataclass
class World:
    """Books whose usage lies in a bucket."""

    folder: BooksFolder
    bucket: Bucket

    def bill(self, through: date = DAY) -> None:
        with open_books(self.folder, command="test") as books:
            bill_range(books, through, through, bare=True, on_date=lambda _day, _summary: None)

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        with open_books(self.folder, command="test") as books:
            return books.connection.execute(sql).fetchall()

    def events(self) -> int:
        return int(str(self.ask("SELECT count(*) FROM books.token_usage")[0][0]))

    def waiting(self) -> str:
        with open_books(self.folder, command="test") as books:
            return "\n".join(f"{item.path}: {item.why}" for item in survey(books).waiting)


@pytest.fixture
def world(tmp_path: Path, bucket: Bucket) -> World:
    """Plain usage below usage/ of the bucket."""
    return make_world(tmp_path, bucket)


def make_world(root: Path, bucket: Bucket, *more: str) -> World:
    """Write the configuration."""
    block = ["[[usage]]", f'path = "{bucket.uri("usage/**/*")}"', 'profile = "tollbook"', *more]
    text = "\n".join(["[books]", "start = 2026-09-01", *block, "[intake]", "settle_seconds = 0", ""])
    (root / "tollbook.toml").write_text(text)
    place_warehouse(BooksFolder(root).database)
    return World(BooksFolder(root), bucket)


FILES = (
    "SELECT path, outcome, file_date::VARCHAR, received, accepted, duplicate FROM audit.usage_files ORDER BY file_id"
)


def test_objects_are_read_like_files(world: World) -> None:
    """By their keys' dates, plain or compressed; hidden and unknown names are left out; a second run finds nothing."""
    world.bucket.put("usage/dt=2026-10-04/a.jsonl", lines("e1", "e2"))
    world.bucket.put("usage/2026/10/05/b.jsonl.gz", gzip.compress(lines("e2", "e3")))
    world.bucket.put("usage/_tmp/c.jsonl", lines("e4"))
    world.bucket.put("usage/notes.txt", b"x")
    world.bucket.put("other/d.jsonl", lines("e5"))
    world.bill()
    world.bill()
    assert world.ask(FILES) == [
        (world.bucket.uri("usage/dt=2026-10-04/a.jsonl"), "taken", "2026-10-04", 2, 2, 0),
        (world.bucket.uri("usage/2026/10/05/b.jsonl.gz"), "taken", "2026-10-05", 2, 1, 1),
    ]
    assert rebuild(world.folder).history_equal
    for path in world.folder.root.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert SECRET.encode() not in data, "no credential reaches the books"
        assert KEY_ID.encode() not in data


def test_overwritten_object_is_another_file(world: World) -> None:
    """What both hold is not billed twice; what grew goes on where it ended."""
    world.bucket.put("usage/2026-10-05.jsonl", lines("e1", "e2"))
    world.bill()
    world.bucket.put("usage/2026-10-05.jsonl", lines("e1", "e2", "e3"))
    world.bill()
    world.bucket.put("usage/2026-10-05.jsonl", lines("e3", "e4"))
    world.bill()
    assert [row[3:] for row in world.ask(FILES)] == [(2, 2, 0), (1, 1, 0), (2, 1, 1)]
    assert world.events() == 4


@pytest.mark.slow
def test_object_that_ends_inside_a_line_is_read_as_far_as_its_lines_are_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest waits for the object that holds its end; a rebuild reads as far as then."""
    monkeypatch.setenv("TOLLBOOK_NOW", datetime.now(UTC).isoformat())
    world.bucket.put("usage/2026-10-05.jsonl", lines("e1", "e2")[:-5])
    world.bill()
    assert (world.events(), "wait for the end of theirs" in world.waiting()) == (1, True)
    world.bucket.put("usage/2026-10-05.jsonl", lines("e1", "e2", "e3"))
    world.bill()
    assert [row[3:] for row in world.ask(FILES)] == [(1, 1, 0), (2, 2, 0)]
    assert rebuild(world.folder).history_equal


@pytest.mark.slow
def test_rebuild_reads_the_version_that_was_taken(world: World) -> None:
    """From the cache, or by its version where the bucket keeps versions, though another stands there now."""
    world.bucket.keep_versions()
    world.bucket.put("usage/2026-10-05.jsonl", lines("e1"))
    world.bill()
    world.bucket.put("usage/2026-10-05.jsonl", lines("e9"))
    world.bill()
    world.bucket.delete("usage/2026-10-05.jsonl")
    assert rebuild(world.folder).history_equal
    for path in world.folder.staged.iterdir():
        path.unlink()
    assert rebuild(world.folder).history_equal


@pytest.mark.slow
def test_rebuild_says_when_an_object_is_gone(world: World) -> None:
    """Without versions an overwritten object lives in the cache only; then the error names it and what to do."""
    world.bucket.put("usage/2026-10-05.jsonl", lines("e1"))
    world.bill()
    world.bucket.delete("usage/2026-10-05.jsonl")
    world.bill()
    assert rebuild(world.folder).history_equal
    for path in world.folder.staged.iterdir():
        path.write_bytes(b"other bytes")
    with pytest.raises(IntegrityError, match=r"2026-10-05.jsonl: the object .* is gone.*Put the object back"):
        rebuild(world.folder)


def test_object_that_changes_while_it_is_read_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed with one ETag and fetched with another: left for the next run, which takes it."""
    world.bucket.put("usage/2026-10-05.jsonl", lines("e1"))
    listing = StagedObjects.list

    def overwritten(self: StagedObjects, prefix: str) -> object:
        found = listing(self, prefix)
        world.bucket.put("usage/2026-10-05.jsonl", lines("e1", "e2"))
        return found

    monkeypatch.setattr(StagedObjects, "list", overwritten)
    assert "changed while it was read" in world.waiting()
    monkeypatch.setattr(StagedObjects, "list", listing)
    world.bill()
    assert world.events() == 2


def test_signed_objects_have_their_signature_beside_them(tmp_path: Path, bucket: Bucket) -> None:
    """KEY.hmac; without it nothing is billed."""
    (tmp_path / "secret.txt").write_text("s\n")
    world = make_world(tmp_path, bucket, 'hmac_secret_file = "secret.txt"')
    data = lines("e1")
    bucket.put("usage/a-2026-10-05.jsonl", data)
    bucket.put("usage/b-2026-10-05.jsonl", lines("e2"))
    bucket.put("usage/a-2026-10-05.jsonl.hmac", hmac.new(b"s", data, hashlib.sha256).hexdigest().encode())
    world.bill()
    assert [row[1] for row in world.ask(FILES)] == ["taken", "refused"]
    assert "b-2026-10-05.jsonl.hmac must hold" in world.waiting()


def test_cache_is_bounded_and_verified(bucket: Bucket, tmp_path: Path) -> None:
    """The least recently used goes first, what a posting reads stays, and a spoilt copy is never read."""
    cache = StagedObjects(tmp_path / "staged", limit_bytes=250)
    for name in ("a", "b", "c"):
        bucket.put(f"usage/{name}.jsonl", name.encode() * 100)
    found = {item.uri[-7:]: item for item in cache.list(bucket.uri("usage/"))}
    first = found["a.jsonl"]
    pinned = cache.place(first.uri, first.e_tag, hashlib.sha256(b"a" * 100).hexdigest(), 100, None)
    for name in ("b.jsonl", "c.jsonl"):
        cache.stage(found[name].uri, found[name].e_tag)
    kept = {path.name[-7:] for path in cache.folder.iterdir()}
    assert kept == {"a.jsonl", "c.jsonl"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in cache.folder.iterdir())
    pinned.write_bytes(b"x" * 100)
    with pytest.raises(IntegrityError, match="gone"):
        cache.place(first.uri, first.e_tag, hashlib.sha256(b"a" * 100).hexdigest(), 100, None)
    assert (
        cache.place(first.uri, first.e_tag, hashlib.sha256(b"a" * 100).hexdigest(), 100, None).read_bytes()
        == b"a" * 100
    )


def test_store_that_cannot_be_asked_stops_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is posted, in words that hold no credentials and no answer's body."""
    world.bill()
    (world.folder.root / "tollbook.toml").write_text(
        (world.folder.root / "tollbook.toml").read_text().replace(world.bucket.name, "no-such-bucket")
    )
    with pytest.raises(ObjectStoreError) as caught:
        world.bill()
    said = str(caught.value)
    assert said.startswith("s3://no-such-bucket/usage/: the store could not be asked")
    assert not any(word in said for word in (SECRET, KEY_ID, "<", "?", "\n"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
