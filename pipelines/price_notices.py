"""What a rates file means for what is posted already: versions that are gone, rules that reach back, idle patterns.

Nothing here changes a price: posted rows stand. The notices say how many of them a restatement would touch.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from billing_core.globs import is_glob, matches
from billing_core.instants import epoch_us, utc_text
from billing_core.price_book import rate_rules
from pipelines.current_copy import is_current
from reports.published import open_published

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from billing_core.price_book import PriceBook
    from pipelines.books.folder import BooksFolder

IDLE_DAYS = 90
"""A pattern that no model of so many days falls under is probably misspelt."""

_SETTINGS = """
SELECT settings_version, epoch_us(effective_from), epoch_us(effective_to)
FROM books.system_settings WHERE superseded_by IS NULL
"""
_RATES = """
SELECT rate_id, rate_version, epoch_us(effective_from), epoch_us(effective_to)
FROM books.rates WHERE superseded_by IS NULL
"""
_CALLS = """
SELECT count(*) FROM books.usage_current WHERE settings_version = $version OR rate_version = $version
"""
_MODELS = "SELECT DISTINCT model FROM books.token_usage WHERE occurred_at >= $since AND model IS NOT NULL"


class _Version(NamedTuple):
    """A settings version or a rule of the books or of the file."""

    name: str
    version: str
    starts: int | None
    ends: int | None

    @property
    def since(self) -> str:
        """From when it holds, for a message."""
        return "from the beginning" if self.starts is None else f"from {utc_text(self.starts)}"


def price_notices(folder: BooksFolder, prices: PriceBook, timezone: str, now: datetime) -> list[str]:
    """Sentences about the rates file, none when it changes nothing that is posted and every pattern is in use.

    `timezone` is that of tier months. Reads the published copy; without one there is nothing posted.
    """
    if not folder.published.is_file():
        return []
    with open_published(folder.published) as reader:
        if not is_current(reader):
            return []  # made by another version: the run that wants to know brings it to this one
        return [*_changed(reader, prices, timezone), *_idle_patterns(reader, prices, now)]


def idle_patterns(folder: BooksFolder, prices: PriceBook, now: datetime) -> list[str]:
    """The sentences of `price_notices` about patterns alone: what a run that posted calls knows better than before."""
    with open_published(folder.published) as reader:
        return list(_idle_patterns(reader, prices, now))


def _changed(reader: duckdb.DuckDBPyConnection, prices: PriceBook, timezone: str) -> Iterator[str]:
    """What the books hold and the file does not, or the reverse where it reaches back, and what that would touch."""
    posted = reader.execute("SELECT epoch_us(max(occurred_at)) FROM books.token_usage").fetchall()[0][0]
    if posted is None:
        return
    kept, wanted = _kept(reader), _wanted(prices)
    gone = [kept[key] for key in kept.keys() - wanted.keys()]
    fresh = [wanted[key] for key in wanted.keys() - kept.keys()]
    moved = [wanted[key] for key in kept.keys() & wanted.keys() if kept[key].ends != wanted[key].ends]
    back = sorted(version for version in fresh if version.starts is None or version.starts <= posted)
    for version in sorted(gone):
        calls = reader.execute(_CALLS, {"version": version.version}).fetchall()[0][0]
        yield (
            f"{version.name} {version.since} is no longer in the rates file as it was used; its row stays in the "
            f"books, and so do the {calls:,} calls that stand under it"
        )
    for version in back:
        yield f"{version.name} {version.since} reaches back over calls that are posted; they stay as they were billed"
    # What only ends now, because a later version follows, is told by that version.
    ends = [v._replace(starts=v.ends, ends=None) for v in moved if v.ends is not None and v.ends <= posted and not back]
    touched = [*gone, *back, *ends]
    if touched:
        from pipelines.simulate.affected import affected_calls  # noqa: PLC0415 Polars, which most runs need not

        first = min(touched, key=lambda version: (version.starts is not None, version.starts or 0))
        found = affected_calls(reader, prices, first.starts or 0, timezone)
        yield (
            f"a restatement {first.since} would touch {found.billed_otherwise:,} of the {found.calls:,} calls posted "
            f"since, by {found.change_tokens:+,} tokens in all"
        )


def _kept(reader: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], _Version]:
    found = {
        ("", version): _Version(f"settings version {version}", version, *rest)
        for version, *rest in reader.execute(_SETTINGS).fetchall()
    }
    for rate_id, version, *rest in reader.execute(_RATES).fetchall():
        if ("", version) not in found:
            found[rate_id, version] = _Version(f"rate {rate_id!r}, version {version},", version, *rest)
    return found


def _wanted(prices: PriceBook) -> dict[tuple[str, str], _Version]:
    found = {
        ("", version.settings_version): _Version(
            f"settings version {version.settings_version}",
            version.settings_version,
            version.effective_from,
            version.effective_to,
        )
        for version in prices.settings.versions
    }
    for rule in rate_rules(prices):
        if ("", rule.rate_version) not in found:
            name = f"rate {rule.rate_id!r}, version {rule.rate_version},"
            found[rule.rate_id, rule.rate_version] = _Version(
                name, rule.rate_version, rule.effective_from, rule.effective_to
            )
    return found


def _idle_patterns(reader: duckdb.DuckDBPyConnection, prices: PriceBook, now: datetime) -> Iterator[str]:
    """Patterns of rules in force that no model of the last days falls under; none where there was no usage at all."""
    patterns = [rule for rule in prices.rates if rule.match.model is not None and is_glob(rule.match.model)]
    if not patterns:
        return
    since = now.astimezone(UTC) - timedelta(days=IDLE_DAYS)
    models = [str(model) for (model,) in reader.execute(_MODELS, {"since": since}).fetchall()]
    for rule in patterns if models else ():
        pattern = str(rule.match.model)
        if rule.is_in_force(epoch_us(now)) and not any(matches(pattern, model) for model in models):
            yield (
                f"rate {rule.rate_id!r} (table {rule.number}), key match.model: no model of the last {IDLE_DAYS} days "
                f"matches {pattern!r}; check its spelling, or remove the rule"
            )
