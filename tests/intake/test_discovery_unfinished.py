"""A last line that may still be in the writing waits, and is taken once it has its end or a day has passed."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.intake.discovery_support import NOW, FakeSource, World

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.intake.discovery import Discovery

WAITS = "2 bytes after its last whole line wait for the end of theirs, or for 24 hours without a change"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A folder whose clock stands an hour after the files were written."""
    return World(tmp_path)


def _write(world: World, path: str, content: bytes | str, hours: float = 1) -> None:
    written = (world.now - timedelta(hours=hours)).timestamp()
    os.utime(world.write(path, content), (written, written))


def _taken(found: Discovery) -> list[tuple[int, int, int, int | None]]:
    return [(file.byte_from, file.size_bytes, file.first_line, file.continues_file_id) for file in found.files]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.ndjson"])
def test_only_whole_lines_are_taken(world: World, name: str) -> None:
    """The rest is named with its bytes and waits; what is taken is known by its own hash."""
    _write(world, f"usage/{name}", "id,n\n1,\n2,")
    found = world.look()
    assert _taken(found) == [(0, 8, 1, None)]
    assert found.files[0].sha256 == hashlib.sha256(b"id,n\n1,\n").hexdigest()
    assert [(item.path, item.why) for item in found.waiting] == [(f"usage/{name}", WAITS)]
    world.take()
    again = world.look()
    assert (again.files, [item.why for item in again.waiting]) == ((), [WAITS])


def test_the_rest_is_taken_with_its_end(world: World) -> None:
    """From the byte and the line where it begins; whatever has no end yet waits in turn."""
    _write(world, "usage/a.csv", 'id,n\n1,"\n"\n2,')
    world.take()
    _write(world, "usage/a.csv", 'id,n\n1,"\n"\n2,34\n5,')
    (file,) = world.look().files
    assert (file.byte_from, file.size_bytes, file.first_line, file.continues_file_id) == (11, 16, 4, 1)
    world.take()
    _write(world, "usage/a.csv", 'id,n\n1,"\n"\n2,34\n5,6\n')
    assert _taken(world.look()) == [(16, 20, 5, 2)]


def test_the_rest_is_taken_as_it_stands_after_a_day(world: World) -> None:
    """The newline of a last row is optional; should the row go on after all, it is read again whole."""
    _write(world, "usage/a.csv", "id,n\n1,2\n3,")
    world.take()
    world.now = NOW + timedelta(hours=22, minutes=59)
    assert _taken(world.look()) == []
    world.now = NOW + timedelta(hours=23)
    assert _taken(world.look()) == [(9, 11, 3, 1)]
    world.take()
    assert world.look().waiting == ()
    _write(world, "usage/a.csv", "id,n\n1,2\n3,4")
    found = world.look()
    assert (_taken(found), len(found.waiting)) == ([], 1)
    _write(world, "usage/a.csv", "id,n\n1,2\n3,4\n5,6\n7")
    assert _taken(world.look()) == [(9, 17, 3, 2)]


def test_an_object_without_a_newline_is_whole(world: World) -> None:
    """No beginning of a JSON object is an object itself."""
    _write(world, "usage/a.jsonl", '{"id": 1}\n{"id": 2}')
    found = world.look()
    assert (_taken(found), found.waiting) == ([(0, 19, 1, None)], ())


def test_a_file_without_a_whole_line_waits(world: World) -> None:
    """Nothing of it is taken, not even its name."""
    _write(world, "usage/a.csv", "id")
    found = world.look()
    assert (found.files, [item.why for item in found.waiting]) == ((), [WAITS])


def test_what_is_signed_or_packed_is_whole(world: World) -> None:
    """By its signature, or by its checksum."""
    secret = b"secret"
    world.sources = [FakeSource(secret=secret, pattern="usage/*.csv"), FakeSource("packed", pattern="usage/*.gz")]
    content = b"id,n\n1,2"
    _write(world, "usage/a.csv", content)
    world.write("usage/a.csv.hmac", hmac.new(secret, content, "sha256").hexdigest())
    _write(world, "usage/a.csv.gz", gzip.compress(content))
    found = world.look()
    assert ([file.byte_from for file in found.files], found.waiting) == ([0, 0], ())
    assert found.files[0].size_bytes == len(content)


def test_a_copy_of_an_unfinished_file_is_a_duplicate_of_its_whole_lines(world: World) -> None:
    """And goes on as a file of its own when only one of them grows."""
    for name in "ab":
        _write(world, f"usage/{name}.csv", "id,n\n1,2\n3,")
    assert [(file.path, file.outcome) for file in world.take()] == [
        ("usage/a.csv", "taken"),
        ("usage/b.csv", "duplicate"),
    ]
    _write(world, "usage/b.csv", "id,n\n1,2\n3,4\n")
    assert _taken(world.look()) == [(9, 13, 3, 1)]


def test_the_hash_of_the_whole_lines_is_remembered(world: World) -> None:
    """A file that waits is not read anew by every look."""
    _write(world, "usage/a.csv", "id,n\n1,2\n3,")
    world.look()
    path = world.root / "usage/a.csv"
    stamp = path.stat()
    assert world.look().files == world.look().files
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    assert _taken(world.look()) == [(0, 9, 1, None)]
