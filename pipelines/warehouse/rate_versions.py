"""The rules that priced, in the books: every version ever used, closed and named by what replaced it, never removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from billing_core.price_book import rate_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from billing_core.price_book import PriceBook, RateRule

WITHDRAWN = "withdrawn"
"""`superseded_by` of a rule that has no version any more."""

_KEEP = """
INSERT INTO books.rates BY NAME
SELECT $rate_id AS rate_id, $rate_version AS rate_version, $book_sha256 AS book_sha256,
    make_timestamptz($effective_from) AS effective_from, make_timestamptz($effective_to) AS effective_to,
    $match::JSON AS match, $charge::JSON AS charge, $integers::JSON AS integers, $posting_id AS posting_id
"""
_STATE = """
INSERT INTO books.rate_states
SELECT unnest($rate_ids), unnest($rate_versions), make_timestamptz(unnest($ends)), unnest($in_file), $posting_id
"""
_CLOSE = """
UPDATE books.rates SET effective_to = make_timestamptz($effective_to), superseded_by = $superseded_by
WHERE rate_id = $rate_id AND rate_version = $rate_version
"""


class _Kept(NamedTuple):
    effective_to: int | None
    superseded_by: str | None


def keep_rates(
    connection: duckdb.DuckDBPyConnection, book: PriceBook, *, book_sha256: str, posting_id: int, recorded_us: int
) -> bool:
    """Bring books.rates up to the rules of `book`; returns whether one is new or holds again."""
    kept, wanted = _kept(connection), _wanted(book)
    states: dict[tuple[str, str], tuple[int | None, bool]] = {}
    for key, state in kept.items():
        rule = wanted.get(key)
        if rule is None and state.superseded_by is None:
            ends = recorded_us if state.effective_to is None else state.effective_to
            _close(connection, key, ends, _successor(wanted, key[0]))
            states[key] = (state.effective_to, False)
        elif rule is not None and state != (rule.effective_to, None):
            _close(connection, key, rule.effective_to, None)
            states[key] = (rule.effective_to, True)
    for key, rule in wanted.items():
        if key not in kept:
            connection.execute(_KEEP, {**_row(rule), "book_sha256": book_sha256, "posting_id": posting_id})
            states[key] = (rule.effective_to, True)
    _keep_states(connection, states, posting_id)
    return _is_news(kept, wanted)


def _keep_states(
    connection: duckdb.DuckDBPyConnection, states: Mapping[tuple[str, str], tuple[int | None, bool]], posting_id: int
) -> None:
    """What the file says of the rules of which it says something else than before."""
    if not states:
        return
    named = {"rate_ids": [key[0] for key in states], "rate_versions": [key[1] for key in states]}
    said = {"ends": [end for end, _ in states.values()], "in_file": [stands for _, stands in states.values()]}
    connection.execute(_STATE, {**named, **said, "posting_id": posting_id})


def has_new_rules(connection: duckdb.DuckDBPyConnection, book: PriceBook) -> bool:
    """Whether the next posting will learn of a rule, or of one that holds again."""
    return _is_news(_kept(connection), _wanted(book))


def _kept(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], _Kept]:
    found = connection.execute(
        "SELECT rate_id, rate_version, epoch_us(effective_to), superseded_by FROM books.rates"
    ).fetchall()
    return {(rate_id, version): _Kept(*state) for rate_id, version, *state in found}


def _wanted(book: PriceBook) -> dict[tuple[str, str], RateRule]:
    return {(rule.rate_id, rule.rate_version): rule for rule in rate_rules(book)}


def _is_news(kept: Mapping[tuple[str, str], _Kept], wanted: Mapping[tuple[str, str], RateRule]) -> bool:
    return any(key not in kept or kept[key].superseded_by is not None for key in wanted)


def _close(
    connection: duckdb.DuckDBPyConnection, key: tuple[str, str], effective_to: int | None, superseded_by: str | None
) -> None:
    names = {"rate_id": key[0], "rate_version": key[1]}
    connection.execute(_CLOSE, {**names, "effective_to": effective_to, "superseded_by": superseded_by})


def _successor(wanted: Mapping[tuple[str, str], RateRule], rate_id: str) -> str:
    """The last version that stands for a rule now, or a word that it was withdrawn."""
    return next((version for name, version in reversed(tuple(wanted)) if name == rate_id), WITHDRAWN)


def _row(rule: RateRule) -> dict[str, object]:
    documents = {"match": rule.match, "charge": rule.charge, "integers": rule.integers}
    return {
        "rate_id": rule.rate_id,
        "rate_version": rule.rate_version,
        "effective_from": rule.effective_from,
        "effective_to": rule.effective_to,
        **{name: json.dumps(document, sort_keys=True) for name, document in documents.items()},
    }
