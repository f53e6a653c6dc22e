"""The cache of file hashes: it saves reading, and is never believed against the file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from pipelines.intake import hashing
from pipelines.intake.hashing import HashCache, Hashed, hash_file
from tests.intake.discovery_support import World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files that were just written be remembered: their freshness is the subject of one test only."""
    monkeypatch.setattr(hashing, "_FRESH_NS", -(10**18))


def cache_of(world: World) -> Path:
    """Return where the cache lies."""
    return world.root / "warehouse" / "file_hashes.json"


def forge(world: World, sha256: str) -> None:
    """Write another hash into the cache, to see whether it is used."""
    document = json.loads(cache_of(world).read_text(encoding="utf-8"))
    for entry in document["files"].values():
        entry["sha256"] = sha256
    cache_of(world).write_text(json.dumps(document), encoding="utf-8")


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    """The remembered hash is used: here a wrong one, to tell."""
    world = World(tmp_path)
    world.write("usage/a.jsonl")
    world.take()
    forge(world, "f" * 64)
    assert [file.sha256 for file in world.look().files] == ["f" * 64]


@pytest.mark.parametrize("change", ["content", "time", "inode"])
def test_a_file_that_may_have_changed_is_read_again(tmp_path: Path, change: str) -> None:
    """Size, either time or inode: any difference forgets the entry."""
    world = World(tmp_path)
    path = world.write("usage/a.jsonl", "1\n")
    world.take()
    forge(world, "f" * 64)
    if change == "content":
        world.write("usage/a.jsonl", "2\n")
    elif change == "time":
        os.utime(path)
    else:
        world.write("usage/other", "1\n").replace(path)
    assert "f" * 64 not in [file.sha256 for file in world.look().files]


def test_a_file_written_a_moment_ago_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could change once more without its times changing."""
    monkeypatch.setattr(hashing, "_FRESH_NS", 2_000_000_000)
    world = World(tmp_path)
    world.write("usage/a.jsonl")
    world.look()
    assert not cache_of(world).exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", b"null", b"{}", b'{"version": 99, "files": {}}', b'{"version": 1, "files": {"a": 1}}',
     b'{"version": 1, "files": {"a": {"stamp": 1, "sha256": 1, "prefixes": 1}}}'],
)  # fmt: skip
def test_a_damaged_cache_is_an_empty_cache(tmp_path: Path, content: bytes) -> None:
    """It costs time, never a result."""
    world = World(tmp_path)
    world.write("usage/a.jsonl")
    cache_of(world).parent.mkdir()
    cache_of(world).write_bytes(content)
    assert len(world.take()) == 1
    assert json.loads(cache_of(world).read_text(encoding="utf-8"))["files"].keys() == {"usage/a.jsonl"}


def test_removing_the_cache_changes_nothing(tmp_path: Path) -> None:
    """All that it holds can be read from the files."""
    world = World(tmp_path)
    world.write("usage/a.jsonl")
    world.take()
    cache_of(world).unlink()
    assert world.look().files == ()


def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    """The cache does not grow for ever."""
    world = World(tmp_path)
    path = world.write("usage/a.jsonl", "a")
    world.write("usage/b.jsonl", "b")
    world.take()
    path.unlink()
    world.look()
    assert json.loads(cache_of(world).read_text(encoding="utf-8"))["files"].keys() == {"usage/b.jsonl"}


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """Here its folder is a file."""
    world = World(tmp_path)
    world.write("usage/a.jsonl")
    (tmp_path / "warehouse").write_text("", encoding="utf-8")
    assert len(world.look().files) == 1


def test_a_hash_without_the_beginning_asked_for_is_not_enough(tmp_path: Path) -> None:
    """Growth needs the hash of the first n bytes: known or read anew."""
    (tmp_path / "a.jsonl").write_text("1\n2\n3\n", encoding="utf-8")
    hashed = hash_file(tmp_path / "a.jsonl", [2, 6, 99, 0])
    assert list(hashed.prefixes) == [2]
    cache = HashCache(tmp_path / "cache.json")
    cache.put("a.jsonl", hashed)
    cache.save()
    cache = HashCache(tmp_path / "cache.json")
    assert cache.get("a.jsonl", hashed.stamp, [2]) == hashed
    assert cache.get("a.jsonl", hashed.stamp, [4]) is None
    assert isinstance(cache.get("a.jsonl", hashed.stamp, [99]), Hashed)


def test_many_beginnings_are_hashed_in_one_pass(tmp_path: Path) -> None:
    """Each is the hash of exactly so many bytes, across the borders of the chunks."""
    content = bytes(range(251)) * 20_000
    (tmp_path / "a").write_bytes(content)
    sizes = [1, 2, 1 << 20, (1 << 20) + 1, 3_000_000, len(content) - 1]
    hashed = hash_file(tmp_path / "a", sizes)
    for size in sizes:
        (tmp_path / "b").write_bytes(content[:size])
        assert hashed.prefixes[size] == hash_file(tmp_path / "b").sha256
