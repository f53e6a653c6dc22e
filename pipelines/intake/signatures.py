"""HMAC signatures of usage files: FILE.hmac beside FILE, 64 hex digits of HMAC-SHA256 over the stored bytes."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from typing import TYPE_CHECKING

from billing_core.vocabulary import Reason

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".hmac"
UNSIGNED = frozenset({Reason.UNSIGNED.value, Reason.BAD_SIGNATURE.value})
"""Reasons that a right signature takes away."""
_HEX_DIGITS = re.compile(rb"[0-9a-fA-F]{64}")
_SIGNATURE_BYTES_MAX = 4096


def new_digest(secret: bytes) -> hmac.HMAC:
    """Return a running HMAC to feed a file's stored bytes to."""
    return hmac.new(secret, digestmod=hashlib.sha256)


def signature_path(path: Path) -> Path:
    """Return where a file's signature lies: usage.jsonl.gz.hmac beside usage.jsonl.gz."""
    return path.with_name(path.name + SUFFIX)


def refusal_of(text: bytes | None, computed: hmac.HMAC) -> Reason | None:
    """Return why a file with this signature text is refused, None when it is good; compared in constant time.

    No signature is `unsigned`; any other text than the 64 hex digits of these bytes under this secret, with or without
    a line end, is `bad_signature`.
    """
    if text is None:
        return Reason.UNSIGNED
    digits = text.strip()
    if not _HEX_DIGITS.fullmatch(digits):
        return Reason.BAD_SIGNATURE
    is_good = hmac.compare_digest(bytes.fromhex(digits.decode()), computed.digest())
    return None if is_good else Reason.BAD_SIGNATURE


def read_signature(path: Path) -> bytes | None:
    """Return the text of a signature file; None where there is none that is an ordinary readable file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(handle, _SIGNATURE_BYTES_MAX)
    except OSError:  # a folder or a pipe of that name
        return None
    finally:
        os.close(handle)
