"""The views of the published copy, kept to what older DuckDB clients can read back."""

from __future__ import annotations

import re

import pytest

from pipelines.warehouse.sql import sql_names, sql_text

PUBLISHED = [*sql_names("checks"), *sql_names("views")]


@pytest.mark.parametrize("name", PUBLISHED)
def test_window_functions_take_one_argument(name: str) -> None:
    """DuckDB 2 stores a view with lag(x, 1, 0) in a way that 1.x refuses to bind; coalesce(lag(x), 0) travels."""
    found = re.findall(r"\b(?:lag|lead|first_value|last_value)\([^()]*,", sql_text(name))
    assert found == []
