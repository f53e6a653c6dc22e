# ruff: noqa: S608  -- fixed names only; data stays in the relations
"""Sources that rewrite their records: the greatest version stands, its missing fields come from earlier versions.

Works on pending_versions and moves every row of it to classified_usage. A version that is refused as a whole never
stands for its event: the next lower one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.vocabulary import Disposition, Reason
from pipelines.intake.finalise import CONTENT, content_json, finalised_sql, held_json
from pipelines.intake.version_tokens import SETTLED, settled_sql
from pipelines.parsed_sql import run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILLED = (
    "account_id", "user_id", "workspace_id", "project_id", "content_piece_id", "operation_type", "provider", "model",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens",
    "image_output_tokens", "image_count", "image_size", "image_quality", "service_tier", "reported_billable_tokens",
    "reported_cost_nanousd", "success", "gateway_cache_hit", "cancelled", "error_message", "request_metadata",
    "occurred_at",
)  # fmt: skip
_POSTED_AS = {"cache_write_tokens": "cache_write_5m_tokens + cache_write_1h_tokens"}


def resolve(con: DuckDBPyConnection, *, auto_create: bool) -> None:
    """Settle all versions of each event of the posting, and of what is posted, into classified_usage."""
    if run(con, "SELECT count(*) FROM pending_versions").fetchall()[0][0] == 0:
        return
    run(
        con,
        "CREATE OR REPLACE TEMP TABLE version_verdicts"
        " (row_id BIGINT, verdict VARCHAR, reason VARCHAR, detail VARCHAR)",
    )
    _collect_posted(con)
    _held_versions(con, auto_create=auto_create)
    _same_version(con)
    while _settle_once(con, auto_create=auto_create):
        pass
    _move(con, auto_create=auto_create)


def _collect_posted(con: DuckDBPyConnection) -> None:
    """posted_events: the current row of every posted event that has a key of this posting, and its version."""
    keys = "(SELECT event_key FROM pending_versions WHERE reason IS NULL AND NOT is_blank)"
    columns = ", ".join(f"{_POSTED_AS.get(column, column)} AS {column}" for column in FILLED)
    kept = f"event_key, posting_id, file_id, line_no, record_no, {columns}, {content_json(CONTENT)}::VARCHAR AS content"
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE posted_events AS
        WITH revised AS (SELECT {kept} FROM books.usage_revisions WHERE event_key IN {keys}
            QUALIFY row_number() OVER (PARTITION BY event_key ORDER BY posting_id DESC, revision_no DESC) = 1),
        found AS (FROM revised UNION ALL SELECT {kept} FROM books.token_usage WHERE event_key IN {keys}
            AND event_key NOT IN (SELECT event_key FROM revised))
        SELECT f.* REPLACE (
            -- What the books hold includes the subsets; a source that states them apart is filled with its own terms.
            CASE WHEN p.input_convention = 'disjoint' THEN f.input_tokens - f.cache_read_tokens
                - f.cache_write_5m_tokens - f.cache_write_1h_tokens ELSE f.input_tokens END AS input_tokens,
            CASE WHEN p.output_convention = 'disjoint' THEN f.output_tokens - f.reasoning_tokens
                ELSE f.output_tokens END AS output_tokens
        ), coalesce(v.version, 0) AS version FROM found f
        JOIN (SELECT event_key, any_value(input_convention) AS input_convention,
            any_value(output_convention) AS output_convention FROM pending_versions GROUP BY event_key) p
            USING (event_key)
        LEFT JOIN (
            SELECT event_key, max(version) AS version FROM books.usage_versions WHERE event_key IN {keys}
            GROUP BY event_key
        ) v USING (event_key)""",
    )


def _held_versions(con: DuckDBPyConnection, *, auto_create: bool) -> None:
    """A version that is held in conflict stays held: its equal is a duplicate, another content one more conflict.

    Other versions of the event are free. What equals the posted one of its version is its duplicate; other contents
    of that version are compared later, filled.
    """
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE held_versions AS
        SELECT h.event_key, h.parsed::VARCHAR AS content, (h.parsed ->> '$.version')::DECIMAL(38, 9) AS version
        FROM audit.quarantine h JOIN audit.line_dispositions d USING (file_id, line_no, record_no)
        ANTI JOIN (SELECT file_id, line_no, record_no FROM pending_versions WHERE retried)
            USING (file_id, line_no, record_no)
        WHERE h.reason = '{Reason.CONFLICT}' AND h.kind = 'usage' AND version IS NOT NULL
            AND h.event_key IN (SELECT event_key FROM pending_versions)
        GROUP BY h.event_key, h.parsed, file_id, line_no, record_no
        HAVING arg_max(d.disposition, d.posting_id) = '{Disposition.CONFLICT}'""",
    )
    mine = (
        "SELECT * FROM pending_versions WHERE reason IS NULL AND NOT is_blank AND (event_key, version) IN "
        "(SELECT (event_key, version) FROM held_versions UNION SELECT (event_key, version) FROM posted_events)"
    )
    run(
        con,
        f"""INSERT INTO version_verdicts
        WITH mine AS (
            SELECT c.row_id, c.event_key, c.version, {held_json("c.")}::VARCHAR AS content,
                {content_json(CONTENT, "c.")}::VARCHAR AS own
            FROM ({finalised_sql(mine, auto_create=auto_create)}) c
        ), placed AS (
            SELECT *, EXISTS (FROM posted_events p WHERE p.event_key = m.event_key AND p.version = m.version)
                    AS is_posted,
                EXISTS (FROM posted_events p WHERE p.event_key = m.event_key AND p.content = m.own)
                OR EXISTS (FROM held_versions h WHERE h.event_key = m.event_key AND h.content = m.content) AS is_known,
                row_number() OVER (PARTITION BY event_key, content ORDER BY row_id) > 1 AS is_second,
                EXISTS (FROM held_versions h WHERE h.event_key = m.event_key AND h.version = m.version)
                OR count(DISTINCT content) OVER (PARTITION BY event_key, version) > 1 AS is_contested
            FROM mine m
        ), judged AS (SELECT *, is_known OR (is_second AND NOT is_posted) AS is_repeat FROM placed)
        SELECT row_id,
            CASE WHEN is_repeat THEN '{Disposition.DUPLICATE}' ELSE '{Disposition.CONFLICT}' END,
            CASE WHEN NOT is_repeat THEN '{Reason.CONFLICT}' END,
            CASE WHEN NOT is_repeat THEN 'another content of version ' || version || ', which is held' END
        FROM judged WHERE is_contested AND (is_repeat OR NOT is_posted)""",
    )
    run(con, "DROP TABLE held_versions")


def _same_version(con: DuckDBPyConnection) -> None:
    """Rows of one key and one version: equal contents are duplicates of the first, different ones are all conflicts."""
    run(
        con,
        f"""INSERT INTO version_verdicts
        WITH rows AS (SELECT row_id, event_key, version, {_mapped_json()}::VARCHAR AS content
            FROM pending_versions ANTI JOIN version_verdicts USING (row_id) WHERE reason IS NULL AND NOT is_blank),
        firsts AS (SELECT event_key, version, content, min(row_id) AS first_row FROM rows GROUP BY ALL),
        contested AS (SELECT event_key, version FROM firsts GROUP BY ALL HAVING count(*) > 1)
        SELECT r.row_id,
            CASE WHEN r.row_id > f.first_row THEN '{Disposition.DUPLICATE}' ELSE '{Disposition.CONFLICT}' END,
            CASE WHEN r.row_id = f.first_row THEN '{Reason.CONFLICT}' END,
            CASE WHEN r.row_id = f.first_row THEN 'two contents of version ' || r.version END
        FROM rows r JOIN firsts f USING (event_key, version, content) LEFT JOIN contested c USING (event_key, version)
        WHERE r.row_id > f.first_row OR c.event_key IS NOT NULL""",
    )


def _mapped_json() -> str:
    return content_json(tuple(column for column in FILLED if column != "request_metadata"))


def _settle_once(con: DuckDBPyConnection, *, auto_create: bool) -> bool:
    """Fill and finalise the greatest version of each key; True if some were refused, so lower ones must be tried."""
    run(
        con,
        """CREATE OR REPLACE TEMP TABLE version_order AS
        SELECT *, version = max(version) OVER (PARTITION BY event_key) AS greatest FROM pending_versions
        ANTI JOIN version_verdicts USING (row_id) WHERE reason IS NULL AND NOT is_blank""",
    )
    # The nearest version before fills: first those above the posted one, then the posted one, then those below it.
    last = ", ".join(
        f"coalesce(p.{column}, last_value(CASE WHEN h.version IS NULL OR p.version > h.version THEN p.{column} END "
        f"IGNORE NULLS) OVER w, CASE WHEN h.version <= p.version THEN h.{column} END, "
        f"last_value(p.{column} IGNORE NULLS) OVER w) AS {column}"
        for column in FILLED
    )
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE filled_versions AS
        WITH filled AS (
            SELECT p.* REPLACE ({last}), h.version AS posted_version, h.content AS posted_content,
                h.account_id AS posted_account
            FROM version_order p LEFT JOIN posted_events h ON h.event_key = p.event_key
            WINDOW w AS (PARTITION BY p.event_key ORDER BY p.version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
            QUALIFY greatest)
        SELECT f.* REPLACE ({_settled()}) FROM filled f JOIN ({settled_sql()}) s USING (event_key)""",
    )
    filled = "SELECT * EXCLUDE (greatest, posted_version, posted_content, posted_account) FROM filled_versions"
    finished = finalised_sql(filled, auto_create=auto_create)
    run(con, f"CREATE OR REPLACE TEMP TABLE finished_versions AS {finished}")
    refused = run(
        con,
        "INSERT INTO version_verdicts SELECT row_id, disposition, reason, detail FROM finished_versions "
        f"WHERE disposition <> '{Disposition.ACCEPTED}'",
    ).fetchall()[0][0]
    return bool(refused)


def _settled() -> str:
    """The settled counts; a side that no version states stays absent where that is a reason to refuse the record."""
    found = {column: f"s.state.{column}" for column in SETTLED}
    for side, other in (("input", "output"), ("output", "input")):
        stated = f"(f.{side}_tokens IS NOT NULL OR (f.{other}_tokens IS NOT NULL AND NOT {_required(side)}))"
        found[f"{side}_tokens"] = f"CASE WHEN {stated} THEN s.state.{side}_tokens END"
        # What `auto` was settled to holds its subsets.
        found[f"{side}_convention"] = (
            f"CASE WHEN f.{side}_convention = 'auto' AND {stated} THEN 'inclusive' ELSE f.{side}_convention END"
        )
    return ", ".join(f"{expression} AS {column}" for column, expression in found.items())


def _required(side: str) -> str:
    return f"coalesce(contains(f.required, ',{side}_tokens,'), false)"


def _move(con: DuckDBPyConnection, *, auto_create: bool) -> None:
    """Write every pending row to classified_usage with its final disposition, and what the winners replace."""
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE version_winners AS
        SELECT f.*, p.posted_version, CASE
            WHEN f.version > p.posted_version AND f.account_id <> p.posted_account THEN '{Disposition.CONFLICT}'
            WHEN p.posted_version IS NULL OR f.version > p.posted_version THEN '{Disposition.ACCEPTED}'
            WHEN {content_json(CONTENT, "f.")}::VARCHAR = p.posted_content THEN '{Disposition.DUPLICATE}'
            WHEN f.version = p.posted_version THEN '{Disposition.CONFLICT}'
            ELSE '{Disposition.SUPERSEDED}' END AS verdict
        FROM finished_versions f JOIN filled_versions p USING (row_id)
        WHERE f.disposition = '{Disposition.ACCEPTED}'""",
    )
    run(
        con,
        f"""INSERT INTO version_verdicts SELECT row_id, verdict,
            CASE WHEN verdict = '{Disposition.CONFLICT}' THEN '{Reason.CONFLICT}' END,
            CASE WHEN verdict <> '{Disposition.CONFLICT}' THEN NULL
                -- A correction names a row of its own account, so a call cannot move to another one.
                WHEN version > posted_version THEN 'another account than the posted version'
                ELSE 'another content of the posted version ' || version END
        FROM version_winners WHERE verdict <> '{Disposition.ACCEPTED}'""",
    )
    columns = [row[0] for row in run(con, "SELECT column_name FROM (DESCRIBE classified_usage)").fetchall()]
    names = ", ".join(columns)
    run(
        con,
        f"INSERT INTO classified_usage ({names}) SELECT {names} FROM (SELECT * REPLACE "
        f"(posted_version IS NOT NULL AS supersedes) "
        f"FROM version_winners WHERE verdict = '{Disposition.ACCEPTED}')",
    )
    winners = f"(SELECT row_id FROM version_winners WHERE verdict = '{Disposition.ACCEPTED}')"
    rest = finalised_sql(f"SELECT * FROM pending_versions WHERE row_id NOT IN {winners}", auto_create=auto_create)
    run(
        con,
        f"""INSERT INTO classified_usage ({names}) SELECT {names} FROM (
            SELECT r.* REPLACE (
                CASE WHEN v.verdict IS NOT NULL THEN v.verdict WHEN r.row_id IN (SELECT row_id FROM version_order)
                    THEN '{Disposition.SUPERSEDED}' ELSE r.disposition END AS disposition,
                CASE WHEN v.verdict IS NOT NULL THEN v.reason WHEN r.row_id IN (SELECT row_id FROM version_order)
                    THEN NULL ELSE r.reason END AS reason,
                CASE WHEN v.verdict IS NOT NULL THEN v.detail WHEN r.row_id IN (SELECT row_id FROM version_order)
                    THEN NULL ELSE r.detail END AS detail)
            FROM ({rest}) r LEFT JOIN version_verdicts v USING (row_id))""",
    )
    run(
        con,
        f"""INSERT INTO disposition_transitions
        SELECT h.file_id, h.line_no, h.record_no, '{Disposition.SUPERSEDED}', NULL, '{Disposition.ACCEPTED}',
            h.event_key
        FROM version_winners w JOIN posted_events h USING (event_key)
        WHERE w.verdict = '{Disposition.ACCEPTED}' AND w.posted_version IS NOT NULL""",
    )
    for table in (
        "version_verdicts",
        "version_order",
        "filled_versions",
        "finished_versions",
        "version_winners",
        "posted_events",
    ):
        run(con, f"DROP TABLE {table}")
    run(con, "DELETE FROM pending_versions")
