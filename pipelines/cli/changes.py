"""What the verbs that edit rates.toml and packages.toml share: the guard for the past, the journal, the words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billing_core.errors import ConfigurationError
from pipelines.cli.text import instant, plural

if TYPE_CHECKING:
    from collections.abc import Collection

    from billing_core.price_book import PriceBook
    from pipelines.books.admin_journal import AdminEntry, ChangeAction
    from pipelines.books.config_models import BooksConfig
    from pipelines.books.dated_files import DatedFile, Placed
    from pipelines.books.folder import BooksFolder
    from pipelines.cli.output import Output, Page
    from pipelines.simulate.affected import Affected

_HASH_SHOWN = 12
_POSTED_SINCE = "SELECT count(*) FROM books.token_usage WHERE occurred_at >= make_timestamptz($start)"
_SOLD_SINCE = """
SELECT count(*) FROM books.credits
WHERE package_id = $package AND transaction_type IN ('purchase', 'auto_recharge')
    AND occurred_at >= make_timestamptz($start)
"""
_SUPERSEDED = """
SELECT settings_version, effective_from::VARCHAR AS effective_from, effective_to::VARCHAR AS effective_to,
    default_token_multiplier::VARCHAR AS default_token_multiplier, updated_by, reason, superseded_by,
    (SELECT count(*) FROM books.token_usage AS call WHERE call.settings_version = settings.settings_version) AS calls
FROM books.system_settings AS settings WHERE superseded_by IS NOT NULL ORDER BY effective_from NULLS FIRST
"""


def instant_us(text: str | None) -> int:
    """Epoch microseconds of a day or instant in text; of now when there is none. Raises ConfigurationError."""
    from billing_core.instants import epoch_us
    from pipelines.books import clock
    from pipelines.books.dated_files import start_us
    from pipelines.cli import dates

    return epoch_us(clock.now()) if text is None else start_us(dates.moment("--at", text))


def require_future(
    folder: BooksFolder, config: BooksConfig, prices: PriceBook, start: int, *, allowed: bool
) -> Affected | None:
    """What of the posted calls since an instant (epoch microseconds) new prices concern; None where there are none.

    Raises ConfigurationError for any posted call, unless a change of their past is `allowed`.
    """
    from pipelines.current_copy import open_current
    from pipelines.simulate.affected import affected_calls

    if not folder.published.is_file():
        return None
    with open_current(folder.published) as reader:
        if not reader.execute(_POSTED_SINCE, {"start": start}).fetchall()[0][0]:
            return None
        affected = affected_calls(reader, prices, start, config.books.timezone)
    if not allowed:
        raise ConfigurationError(
            f"--from: {plural(affected.calls, 'call')} since then {_be(affected.calls)} posted and would keep the "
            f"price of before; {_to_restate(affected)}. Name a later start, or allow it with --retroactive. Nothing "
            "was changed."
        )
    return affected


def warn_of_posted(output: Output, affected: Affected | None) -> None:
    """Say what a change of the past does not do."""
    if affected:
        output.warn(
            f"{plural(affected.calls, 'posted call')} since the start {_keep(affected.calls)} the price of before: a "
            f"change of the past posts nothing; {_to_restate(affected)}. What comes late from now on is billed by the "
            "new version."
        )


def _to_restate(affected: Affected) -> str:
    return (
        f"a restatement would touch {plural(affected.billed_otherwise, 'row')} of them, by "
        f"{affected.change_tokens:+,} tokens"
    )


def purchases_since(folder: BooksFolder, package_id: str, start: int) -> int:
    """How many posted purchases of a package happened at or after an instant in epoch microseconds."""
    from pipelines.current_copy import open_current

    if not folder.published.is_file():
        return 0
    with open_current(folder.published) as reader:
        return int(reader.execute(_SOLD_SINCE, {"package": package_id, "start": start}).fetchall()[0][0])


def superseded_settings(folder: BooksFolder, current: Collection[str]) -> list[dict[str, Any]]:
    """Versions that the books hold and the file no longer does, with the calls billed under each."""
    from pipelines.current_copy import open_current
    from reports.published import table

    if not folder.published.is_file():
        return []
    with open_current(folder.published) as reader:
        return [row for row in table(reader, _SUPERSEDED, {}) if row["settings_version"] not in current]


def journalled(folder: BooksFolder, action: ChangeAction) -> list[dict[str, Any]]:
    """The changes of one file by command, oldest first."""
    from pipelines.books.admin_journal import AdminJournal

    return [to_json(entry) for entry in AdminJournal(folder.admin_journal).read() if entry.action == action]


def to_json(entry: AdminEntry) -> dict[str, Any]:
    """A change as the journal has it."""
    change = entry.change
    assert change is not None, "only changes of files are asked for"
    return {"seq": entry.seq, "at": entry.at, "actor": entry.actor, "reason": entry.reason, **change}


def show_journalled(page: Page, entries: list[dict[str, Any]]) -> None:
    """The changes by command; a change by hand leaves no entry."""
    if not entries:
        page.line("no change was made by command; a file edited by hand leaves no entry here", "dim")
        return
    page.heading("Changed by command")
    for entry in entries:
        page.line(f"{entry['seq']:>4}  {instant(entry['at'])}  {entry['actor']}: {entry['what']}")
        page.line(f"      {entry['reason']} ({entry['file']}: {_hashes(entry)})", "dim")


def by_entry(file: DatedFile, last: AdminEntry | None) -> str:
    """The words for the command that made a file what it is, empty where an edit by hand did."""
    if last is None or last.change is None or file.before is None:
        return ""
    from hashlib import sha256

    is_its = last.change["sha256_after"] == sha256(file.before).hexdigest()
    return f" and journal entry {last.seq} ({last.change['what']}, by {last.actor})" if is_its else ""


def warn_of_announced(output: Output, placed: Placed) -> None:
    """Say what became of a change at which a command was stopped between its journal entry and the file."""
    announced = placed.announced
    if announced is None or announced.change is None:
        return
    said = f"journal entry {announced.seq} ({announced.change['what']}, by {announced.actor}) was announced, and the "
    said += "command was stopped before the file was replaced"
    is_the_same = announced.seq == placed.entry.seq
    output.warn(said + ("; it is in place now" if is_the_same else "; it did not happen, this change is another"))


def show_entry(page: Page, entry: AdminEntry) -> None:
    """Where a change went."""
    row = to_json(entry)
    page.line(f"journal entry {entry.seq}, by {entry.actor}: {entry.reason}", "dim")
    page.line(f"{row['file']}: sha256 {_hashes(row)}", "dim")


def _hashes(row: dict[str, Any]) -> str:
    before = row["sha256_before"]
    return f"{before[:_HASH_SHOWN] if before else 'new file'} -> {row['sha256_after'][:_HASH_SHOWN]}"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _keep(count: int) -> str:
    return "keeps" if count == 1 else "keep"
