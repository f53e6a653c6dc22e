"""What a posting is given and what it answers: plain records, the same for a run, a retry and a rebuild."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing_core.errors import TollbookError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from billing_core.packages import Package
    from billing_core.price_book import PriceBook
    from billing_core.provider_price_book import ProviderPriceBook
    from pipelines.books.admin_journal import AdminEntry
    from pipelines.books.posting_log import RetriedRecord
    from pipelines.intake.found import FoundFile
    from pipelines.intake.sources import Source


class ChangedInputError(TollbookError):
    """An input file is no longer what the posting announced; the posting was rolled back."""

    def __init__(self, paths: str) -> None:
        super().__init__(f"{paths} changed while it was read; leave it alone and run the command again")


@dataclass(frozen=True, kw_only=True)
class PostingInputs:
    """All that decides what a posting writes; a rebuild gives the same ones.

    ``recorded_us`` is epoch microseconds. ``sources`` are by name. A found file is read from ``input_paths[path]``,
    else from its path below ``root``: a rebuild reads small inputs from the object store. ``changed_files`` is asked
    after reading which files are no longer what was announced. ``holds_booked``: no credit booked by hand is posted.
    """

    root: Path
    quarantine: Path
    posting_id: int
    billing_date: date
    recorded_us: int
    kind: str
    intent_hash: str
    code_version: str
    files: Sequence[FoundFile]
    sources: Mapping[str, Source]
    actions: Sequence[AdminEntry]
    admin_seq: int
    retries: Sequence[RetriedRecord]
    prices: PriceBook
    packages: Sequence[Package]
    provider_prices: ProviderPriceBook
    rates_sha256: str
    start: date
    timezone: str
    auto_create: bool
    books_welcome: bool
    metadata_keys: tuple[str, ...]
    input_paths: Mapping[str, Path] = field(default_factory=dict)
    changed_files: Callable[[], tuple[str, ...]] = tuple
    holds_booked: bool = False


@dataclass(frozen=True, kw_only=True)
class PostingSummary:
    """What one posting wrote: ``counts`` has the seven dispositions, received and the figures of audit.postings.

    ``held``: the admin entries that could not be posted, by seq, with why.
    """

    posting_id: int
    billing_date: date
    head: str
    counts: Mapping[str, int]
    held: dict[int, str] = field(default_factory=dict)
