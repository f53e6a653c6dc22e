"""The few errors of the books; each knows the exit code that a command ends with."""

from __future__ import annotations

from typing import ClassVar


class TollbookError(Exception):
    """The run failed. Every message says what is wrong, where, and what to do."""

    exit_code: ClassVar[int] = 1


class ConfigurationError(TollbookError):
    """A file, key or argument that the user wrote is wrong; nothing was changed."""

    exit_code: ClassVar[int] = 2


class BooksLockedError(TollbookError):
    """Another process holds the books or the database."""

    exit_code: ClassVar[int] = 4


class PaymentServiceError(TollbookError):
    """Stripe refused, or could not be reached in the time that it was given; what was fetched before stays."""

    exit_code: ClassVar[int] = 5


class IntegrityError(TollbookError):
    """The database, the journal or an input is not what the books last recorded; nothing is posted on top."""


class CheckFailedError(TollbookError):
    """A check of a posting found rows; the posting was rolled back.

    ``failing`` counts the rows by check, ``rows`` holds the first of them, as they stood before the rollback.
    """

    def __init__(
        self, message: str, failing: dict[str, int], rows: dict[str, list[dict[str, object]]] | None = None
    ) -> None:
        super().__init__(message)
        self.failing = failing
        self.rows = rows or {}
