"""Signed usage files: good, unsigned, altered; refused once for each reason and tried again."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING

import pytest

from pipelines.intake.signatures import new_digest, read_signature, refusal_of, signature_path
from tests.intake.discovery_support import FakeSource, World

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"billing-secret"


def digits(content: bytes, secret: bytes = SECRET) -> str:
    """Return what the app writes into FILE.hmac."""
    return hmac.new(secret, content, hashlib.sha256).hexdigest()


def signed_world(folder: Path) -> World:
    """Make books whose usage must be signed."""
    return World(folder, [FakeSource(secret=SECRET)])


def outcomes(world: World) -> list[tuple[str, str | None]]:
    """Look, post what was found, and return what became of it."""
    return [(file.outcome, file.reason) for file in world.take()]


def test_a_good_signature_is_taken_with_or_without_a_line_end(tmp_path: Path) -> None:
    """Hex digits of either case, over the stored (compressed) bytes."""
    world = signed_world(tmp_path)
    world.write("usage/a.jsonl.gz", b"stored")
    world.write("usage/a.jsonl.gz.hmac", digits(b"stored"))
    world.write("usage/b.jsonl", b"b")
    world.write("usage/b.jsonl.hmac", digits(b"b").upper() + "\r\n")
    assert outcomes(world) == [("taken", None), ("taken", None)]


def test_an_unsigned_file_is_refused_once_and_taken_when_it_is_signed(tmp_path: Path) -> None:
    """One row for the refusal, a line of what waits in every run, and then the file itself."""
    world = signed_world(tmp_path)
    world.write("usage/a.jsonl", b"a")
    assert outcomes(world) == [("refused", "unsigned")]
    found = world.look()
    assert found.files == ()
    assert [item.why for item in found.waiting] == [
        "refused, unsigned: a.jsonl.hmac must hold the HMAC-SHA256 of its bytes"
    ]
    world.write("usage/a.jsonl.hmac", digits(b"a", b"another secret"))
    assert outcomes(world) == [("refused", "bad_signature")]
    assert outcomes(world) == []
    world.write("usage/a.jsonl.hmac", digits(b"a"))
    assert outcomes(world) == [("taken", None)]
    assert world.look().waiting == ()


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    """One byte is enough; the whole file is refused."""
    world = signed_world(tmp_path)
    world.write("usage/a.jsonl", b'{"tokens": 1}\n')
    world.write("usage/a.jsonl.hmac", digits(b'{"tokens": 9}\n'))
    assert outcomes(world) == [("refused", "bad_signature")]


@pytest.mark.parametrize("text", ["", "sha256=" + "a" * 64, "a" * 63, "a" * 65, "g" * 64, "é" * 64, "a" * 5000])
def test_other_text_than_64_hex_digits_is_a_bad_signature(tmp_path: Path, text: str) -> None:
    """It is there, so the file is not unsigned."""
    world = signed_world(tmp_path)
    world.write("usage/a.jsonl", b"a")
    world.write("usage/a.jsonl.hmac", text)
    assert outcomes(world) == [("refused", "bad_signature")]


def test_a_signature_that_is_no_ordinary_file_is_none(tmp_path: Path) -> None:
    """A link, a folder or a pipe in its place: unsigned, and the run does not hang."""
    (tmp_path / "real.hmac").write_text(digits(b""), encoding="utf-8")
    (tmp_path / "link.hmac").symlink_to(tmp_path / "real.hmac")
    (tmp_path / "folder.hmac").mkdir()
    os.mkfifo(tmp_path / "pipe.hmac")

    def refusal(name: str) -> str | None:
        return refusal_of(read_signature(signature_path(tmp_path / name)), new_digest(SECRET))

    assert refusal("real") is None
    assert refusal("link") == "unsigned"
    assert refusal("folder") == "unsigned"
    assert refusal("pipe") is not None


def test_a_grown_file_needs_a_signature_of_the_whole(tmp_path: Path) -> None:
    """Then it goes on where it ended; the old signature does not do."""
    world = signed_world(tmp_path)
    world.write("usage/a.jsonl", b"1\n")
    world.write("usage/a.jsonl.hmac", digits(b"1\n"))
    world.take()
    world.write("usage/a.jsonl", b"1\n2\n")
    assert outcomes(world) == [("refused", "bad_signature")]
    world.write("usage/a.jsonl.hmac", digits(b"1\n2\n"))
    (file,) = world.take()
    assert (file.outcome, file.byte_from, file.first_line) == ("taken", 2, 2)


def test_bytes_that_were_taken_need_no_signature_again(tmp_path: Path) -> None:
    """A secret configured later, or a signature cleaned up, does not refuse what is in the books."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", b"a")
    world.take()
    world.sources = [FakeSource(secret=SECRET)]
    assert world.look().files == ()
    assert world.look().waiting == ()


def test_a_cache_is_no_signature(tmp_path: Path) -> None:
    """A file that is not taken yet is read and verified each time, whatever is remembered of it."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", b"a")
    world.look()
    world.sources = [FakeSource(secret=SECRET)]
    assert outcomes(world) == [("refused", "unsigned")]


def test_an_unsigned_copy_of_taken_bytes_is_a_duplicate(tmp_path: Path) -> None:
    """Its bytes are known to be good; its lines are not received again."""
    world = signed_world(tmp_path)
    world.write("usage/a.jsonl", b"a")
    world.write("usage/a.jsonl.hmac", digits(b"a"))
    world.take()
    world.write("usage/b.jsonl", b"a")
    assert outcomes(world) == [("duplicate", None)]
    assert outcomes(world) == []


def test_the_secret_is_in_no_text(tmp_path: Path) -> None:
    """Neither the refusal nor the waiting list nor the cache tells it."""
    world = signed_world(tmp_path)
    world.write("usage/a.jsonl", b"a")
    found = world.look()
    assert SECRET.decode() not in repr(found)
    cache = tmp_path / "warehouse" / "file_hashes.json"
    assert not cache.exists() or SECRET.decode() not in cache.read_text(encoding="utf-8")
