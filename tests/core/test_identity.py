"""Derived ids: stable, ordered by time, equal in Python and SQL."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.identity import derived_id
from pipelines.warehouse.sql import sql_text

SOURCE_CHARACTERS = st.characters(exclude_categories=["Cc", "Cs"])  # intake refuses control characters in ids
TIMES = st.integers(min_value=0, max_value=4_102_444_800_000_000)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    """A database with the session's macros."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(sql_text("macros/session.sql"))
    return connection


@settings(max_examples=200)
@given(
    occurred_us=TIMES,
    kind=st.sampled_from(["usage", "credit", "admin"]),
    source=st.text(SOURCE_CHARACTERS, min_size=1, max_size=40),
)
def test_the_sql_macro_gives_the_same_id(
    connection: duckdb.DuckDBPyConnection, occurred_us: int, kind: str, source: str
) -> None:
    """One rule, two texts: any kind, any source id, any time."""
    query = "SELECT derived_id(make_timestamptz($us), $kind, $source)::VARCHAR"
    found = connection.execute(query, {"us": occurred_us, "kind": kind, "source": source}).fetchall()[0][0]
    assert found == str(derived_id(occurred_us, kind, source))


def test_the_cheaper_macro_for_hexadecimal_sources_agrees(connection: duckdb.DuckDBPyConnection) -> None:
    """It may only leave out what hexadecimal text never needs."""
    query = "SELECT derived_id_of_hex(make_timestamptz(1000), 'usage', 'AB12')::VARCHAR"
    assert connection.execute(query).fetchall()[0][0] == str(derived_id(1000, "usage", "AB12"))


def test_an_id_is_a_version_8_uuid_that_sorts_by_time() -> None:
    """48 bits of milliseconds come first."""
    early, late = derived_id(1_000_000, "usage", "x"), derived_id(2_000_000, "usage", "a")
    assert (early.version, early < late) == (8, True)
    assert derived_id(1_000_000, "usage", "x") == early != derived_id(1_000_000, "credit", "x")


def test_times_outside_48_bits_are_refused() -> None:
    """A time before 1970 has no place in an id."""
    with pytest.raises(ValueError, match="between 1970"):
        derived_id(-1, "usage", "x")
