"""Usage files as bytes on disk: streamed line by line, compressed without a clock, signed beside the file."""

from __future__ import annotations

import gzip
import hashlib
import hmac
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BOM = b"\xef\xbb\xbf"


def write_lines(
    path: Path, lines: Iterable[bytes], *, bom: bool = False, newline: bytes = b"\n", closed: bool = True
) -> None:
    """Write the lines to a new file, gzipped when its name ends in .gz; `closed`: the last line has its line end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as out:
        out.write(_BOM if bom else b"")
        before = b""
        for line in lines:
            out.write(before + line)
            before = newline
        out.write(before if closed else b"")


def sign(path: Path, secret: bytes) -> None:
    """Put the HMAC-SHA256 of the file's bytes, 64 hex digits, into FILE.hmac."""
    with path.open("rb") as stored:
        digest = hmac.new(secret, digestmod=hashlib.sha256)
        while block := stored.read(1 << 20):
            digest.update(block)
    path.with_name(path.name + ".hmac").write_text(digest.hexdigest(), encoding="ascii")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("xb") as plain:
        if path.suffix != ".gz":
            yield plain
            return
        # No name and no time in the header: the same lines give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=plain, mtime=0) as packed:
            yield cast("IO[bytes]", packed)
