"""Errors of reading input files."""

from __future__ import annotations

from billing_core.errors import TollbookError
from billing_core.vocabulary import Reason


class UnreadableFileError(TollbookError):
    """One file cannot be read as what its name says; the whole file is refused, other files are not touched."""

    def __init__(self, path: str, why: str, reason: Reason = Reason.UNREADABLE) -> None:
        super().__init__(f"{path}: {why}. The whole file was refused; deliver it again undamaged.")
        self.path = path
        self.why = why
        self.reason = reason
