"""The content-addressed store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from billing_core.errors import IntegrityError
from pipelines.books.objects import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_put_comes_back_under_its_hash(tmp_path: Path) -> None:
    """The first two hex digits are a folder, the rest the name."""
    store = ObjectStore(tmp_path / "objects")
    sha256 = store.put(b"multiplier = '1.5'\n")
    assert sha256 == hashlib.sha256(b"multiplier = '1.5'\n").hexdigest()
    assert store.get(sha256) == b"multiplier = '1.5'\n"
    assert (tmp_path / "objects" / sha256[:2] / sha256[2:]).is_file()
    assert sha256 in store


def test_a_file_is_kept_as_its_bytes_are(tmp_path: Path) -> None:
    """Bytes and file give the same object, whatever the size and content."""
    content = bytes(range(256)) * 10_000
    (tmp_path / "in.jsonl").write_bytes(content)
    store = ObjectStore(tmp_path / "objects")
    assert store.put_file(tmp_path / "in.jsonl", len(content)) == store.put(content)
    assert store.get(hashlib.sha256(content).hexdigest()) == content


def test_putting_again_changes_nothing(tmp_path: Path) -> None:
    """The object is written once, and no temporary file stays."""
    store = ObjectStore(tmp_path / "objects")
    path = store.path_of(store.put(b"x"))
    before = path.stat()
    store.put(b"x")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [file for file in (tmp_path / "objects").rglob("*") if file.is_file()] == [path]


def test_an_object_cut_short_is_replaced_by_the_next_put(tmp_path: Path) -> None:
    """A put has the right bytes at hand: it mends what it can."""
    store = ObjectStore(tmp_path / "objects")
    sha256 = store.put(b"whole")
    store.path_of(sha256).write_bytes(b"who")
    assert store.put(b"whole") == sha256
    assert store.get(sha256) == b"whole"


def test_altered_bytes_are_refused(tmp_path: Path) -> None:
    """An object is verified whenever it is read."""
    store = ObjectStore(tmp_path / "objects")
    sha256 = store.put(b"token_amount = 100")
    store.path_of(sha256).write_bytes(b"token_amount = 999")
    with pytest.raises(IntegrityError, match=r"no longer hash to its name; restore"):
        store.get(sha256)


def test_a_missing_object_and_a_wrong_name_are_refused(tmp_path: Path) -> None:
    """Both errors name the object; a name cannot lead out of the folder."""
    store = ObjectStore(tmp_path / "objects")
    with pytest.raises(IntegrityError, match=r"a posting names this object but it is missing"):
        store.get("a" * 64)
    with pytest.raises(IntegrityError, match=r"'../secret' is not the sha256"):
        store.get("../secret")
