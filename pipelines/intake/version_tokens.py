# ruff: noqa: S608  -- fixed names only; data stays in the relations
"""The token counts of an event whose versions state them bit by bit: each is settled on what stood before it.

What stands after a version is what the books would hold had it been posted by itself, so it does not matter in how
many postings the versions come. It is in the source's own terms: without the subsets where the source states them
apart (`disjoint`), else with them; what `auto` found to be apart stays added.
"""

from __future__ import annotations

COUNTS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "reasoning_tokens",
)  # fmt: skip
SETTLED = tuple(column for column in COUNTS if column != "cache_write_tokens")
"""Cache writes in all are settled as their two parts."""


def settled_sql() -> str:
    """(event_key, state) of version_order and posted_events: a struct of `SETTLED` as of each event's greatest version.

    The posted counts must be in the source's own terms too.
    """
    stated = ", ".join(f"'{column}': {column}" for column in COUNTS)
    nothing = ", ".join(f"'{column}': NULL::BIGINT" for column in COUNTS)
    columns = ", ".join(("event_key", "version", *COUNTS))
    of_posted = ", ".join(f"p.{column}" for column in ("event_key", "version", *COUNTS))
    return (
        "SELECT event_key, list_reduce(stated, lambda a, x: CASE WHEN x.is_posted THEN x "
        f"ELSE {_next()} END, {{'is_posted': false, {nothing}}}) AS state FROM ("
        "SELECT event_key, any_value(input_convention) AS input_convention, any_value(output_convention) AS "
        "output_convention, any_value(writes_in_all) AS writes_in_all, "
        f"list({{'is_posted': is_posted, {stated}}} ORDER BY version, is_posted DESC) AS stated FROM ("
        f"SELECT {columns}, input_convention, output_convention, writes_in_all, false AS is_posted FROM version_order "
        f"UNION ALL SELECT {of_posted}, NULL, NULL, NULL, true FROM posted_events p JOIN version_order v "
        "USING (event_key) WHERE v.greatest AND p.version <= v.version) GROUP BY event_key)"
    )


def _next() -> str:
    """The state after version x on state a."""
    read, hour = "coalesce(x.cache_read_tokens, a.cache_read_tokens)", _HOUR
    cached = _sum(read, _FIVE_MINUTES, hour)
    before = _sum("a.cache_read_tokens", "a.cache_write_5m_tokens", "a.cache_write_1h_tokens")
    reasoning = "coalesce(x.reasoning_tokens, a.reasoning_tokens)"
    values = {
        "input_tokens": _total("input", cached, before),
        "output_tokens": _total("output", _sum(reasoning), _sum("a.reasoning_tokens")),
        "cache_read_tokens": read,
        "cache_write_tokens": "NULL::BIGINT",
        "cache_write_5m_tokens": _FIVE_MINUTES,
        "cache_write_1h_tokens": hour,
        "reasoning_tokens": reasoning,
    }
    return "{'is_posted': false, " + ", ".join(f"'{column}': {value}" for column, value in values.items()) + "}"


_HOUR = "coalesce(x.cache_write_1h_tokens, a.cache_write_1h_tokens)"
_FIVE_MINUTES = (
    # A new sum replaces the part that was made of an old one. A source that states no such part keeps its sum.
    "CASE WHEN x.cache_write_5m_tokens IS NOT NULL THEN x.cache_write_5m_tokens "
    f"WHEN x.cache_write_tokens IS NOT NULL THEN greatest(x.cache_write_tokens - coalesce({_HOUR}, 0), 0) "
    "WHEN writes_in_all THEN greatest(a.cache_write_5m_tokens + coalesce(a.cache_write_1h_tokens, 0) "
    f"- coalesce({_HOUR}, 0), 0) ELSE a.cache_write_5m_tokens END"
)


def _sum(*values: str) -> str:
    return "(" + " + ".join(f"coalesce({value}, 0)" for value in values) + ")"


def _total(side: str, subsets: str, before: str) -> str:
    """Tokens of one side; `auto` adds subsets that exceed them, or puts them in the place of those of before."""
    new, old = f"x.{side}_tokens", f"coalesce(a.{side}_tokens, 0)"
    return (
        f"CASE WHEN {side}_convention <> 'auto' THEN coalesce({new}, a.{side}_tokens) "
        f"WHEN {new} IS NOT NULL THEN CASE WHEN {subsets} > {new} THEN {new} + {subsets} ELSE {new} END "
        f"WHEN {subsets} > {old} THEN {old} - {before} + {subsets} ELSE {old} END"
    )
