"""Where the stored bytes of an input path are: in the books folder, or in an object store and staged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipelines.intake.archives import split_member
from pipelines.intake.hashing import Hashed, hash_file, stamp_of
from pipelines.intake.remote import is_remote
from pipelines.intake.signatures import SUFFIX, read_signature, refusal_of, signature_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from hmac import HMAC
    from pathlib import Path

    from billing_core.vocabulary import Reason
    from pipelines.intake.found import FileStamp
    from pipelines.intake.remote import RemoteObject, StagedObjects


@dataclass(frozen=True)
class Shelf:
    """The inputs of one walk. `listed` are the objects that it found, by URI."""

    root: Path
    objects: StagedObjects | None = None
    listed: Mapping[str, RemoteObject] = field(default_factory=dict)

    def stamp(self, path: str) -> FileStamp:
        """What tells that the stored bytes are those that were hashed. Raises OSError."""
        stored = split_member(path)[0]
        return self.listed[stored].stamp if is_remote(stored) else stamp_of(self.root / stored)

    def local(self, path: str) -> Path:
        """The stored bytes as a local file.

        Raises ChangedWhileReadError, FileNotFoundError or ObjectStoreError where an object cannot be had as listed.
        """
        stored = split_member(path)[0]
        if self.objects is None or not is_remote(stored):
            return self.root / stored
        return self.objects.stage(stored, self.listed[stored].e_tag)

    def hash(self, path: str, sizes: list[int], signature: HMAC | None) -> Hashed:
        """Hash the stored bytes. Raises ChangedWhileReadError, OSError, ObjectStoreError."""
        hashed = hash_file(self.local(path), sizes, signature)
        return replace(hashed, stamp=self.stamp(path)) if is_remote(path) else hashed

    def refusal(self, path: str, signature: HMAC) -> Reason | None:
        """Why a signed file is refused; None when its signature is good."""
        stored = split_member(path)[0]
        if self.objects is not None and is_remote(stored):
            return refusal_of(self.objects.small(stored + SUFFIX), signature)
        return refusal_of(read_signature(signature_path(self.root / stored)), signature)

    def signature_name(self, path: str) -> str:
        """The name of a file's signature."""
        return split_member(path)[0].rpartition("/")[2] + SUFFIX

    def identity(self, path: str) -> tuple[str | None, str | None]:
        """(ETag, version where the store keeps versions) of an object; None for a file."""
        stored = split_member(path)[0]
        if self.objects is None or not is_remote(stored):
            return None, None
        tag = self.listed[stored].e_tag
        return tag, self.objects.version_of(stored, tag)
