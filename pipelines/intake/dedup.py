# ruff: noqa: S608  -- fixed names only; data stays in the relations
"""One event, one record: exact deduplication inside the posting and against everything posted, without a window.

The first record by file, line and record number stands for its equals. Contents are compared on the mapped columns.
Two contents of one key before posting are all held as conflicts; after posting the posted one stands. Quarantined
records never claim their key; their byte-equal repeats are duplicates. Work is proportional to the posting's rows plus
the repeats: history is only joined on the posting's keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_core.vocabulary import Disposition, Reason
from pipelines.intake import classify_accounts, classify_credits, classify_provider, finalise, versions
from pipelines.intake.finalise import content_json
from pipelines.parsed_sql import run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pipelines.intake.sources import ReadContext

_PLACE = "file_id, line_no, record_no"
_OPEN = f"('{Disposition.QUARANTINED}', '{Disposition.CONFLICT}')"
CONTENT_OF = {"usage": finalise.CONTENT, "credits": classify_credits.CONTENT, "accounts": classify_accounts.CONTENT}


def resolve(con: DuckDBPyConnection, kind: str, context: ReadContext) -> None:
    """Give every repeated record of a kind its disposition: duplicate, conflict or superseded."""
    if kind == "provider_usage":
        _repeats_of_quarantined(con, kind)
        _newer_buckets(con)
        return
    if kind == "usage":
        versions.resolve(con, auto_create=context.auto_create)
    _repeats_of_quarantined(con, kind)
    _collect_posted(con, kind)
    _collect_open_conflicts(con, kind)
    _judge(con, kind)
    if kind == "credits":
        _settle_corrections(con)
    run(con, "DROP TABLE IF EXISTS posted_contents; DROP TABLE IF EXISTS open_contents; DROP TABLE IF EXISTS suspects;")


def _repeats_of_quarantined(con: DuckDBPyConnection, kind: str) -> None:
    """Byte-equal repeats of a line that is quarantined, here or in history, are duplicates of it."""
    if run(con, f"SELECT count(*) FROM quarantined_records WHERE kind = '{kind}'").fetchall()[0][0] == 0:
        return
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE repeated_quarantine AS
        WITH mine AS (
            SELECT q.*, coalesce(c.retried, false) AS retried,
                row_number() OVER (PARTITION BY q.source, q.line_sha256 ORDER BY {_PLACE}) AS nth
            FROM quarantined_records q JOIN classified_{kind} c USING ({_PLACE})
            WHERE q.kind = '{kind}' AND c.disposition = '{Disposition.QUARANTINED}' AND NOT c.retried
        ), known AS (
            SELECT {_PLACE}, h.source, h.line_sha256 FROM audit.quarantine h
            SEMI JOIN mine m ON h.source = m.source AND h.line_sha256 = m.line_sha256
            WHERE h.kind = '{kind}'
        ), open_now AS (
            SELECT k.source, k.line_sha256 FROM known k JOIN audit.line_dispositions d USING ({_PLACE})
            GROUP BY k.source, k.line_sha256, {_PLACE}
            HAVING arg_max(d.disposition, d.posting_id) = '{Disposition.QUARANTINED}'
        )
        SELECT {_PLACE} FROM mine m WHERE nth > 1
            OR EXISTS (SELECT 1 FROM open_now o WHERE o.source = m.source AND o.line_sha256 = m.line_sha256)""",
    )
    run(
        con,
        f"UPDATE classified_{kind} c SET disposition = '{Disposition.DUPLICATE}' FROM repeated_quarantine r "
        "WHERE c.file_id = r.file_id AND c.line_no = r.line_no AND c.record_no = r.record_no",
    )
    run(
        con,
        f"DELETE FROM quarantined_records q USING repeated_quarantine r WHERE {_same_place('q', 'r')} "
        f"AND q.kind = '{kind}'",
    )
    run(con, "DROP TABLE repeated_quarantine")


def _newer_buckets(con: DuckDBPyConnection) -> None:
    """A record of a bucket with the figures that stood for it before is a duplicate; other figures replace those.

    Good records that are new end as ignored, `aggregate`.
    """
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE bucket_verdicts AS
        WITH mine AS (
            SELECT row_id, event_key, {classify_provider.content()} AS content FROM classified_provider_usage
            WHERE disposition = '{Disposition.ACCEPTED}'
        ), everything AS (
            SELECT row_id, event_key, content FROM mine UNION ALL
            SELECT NULL, h.bucket_key, {classify_provider.content("h.")} FROM books.provider_usage_current h
            WHERE h.bucket_key IN (SELECT event_key FROM mine)
        ), ordered AS (
            SELECT row_id, content, lag(content) OVER (PARTITION BY event_key ORDER BY row_id NULLS FIRST) AS before
            FROM everything
        )
        SELECT row_id, coalesce(content = before, false) AS is_repeat FROM ordered WHERE row_id IS NOT NULL""",
    )
    run(
        con,
        f"""UPDATE classified_provider_usage c SET
            disposition = CASE WHEN v.is_repeat THEN '{Disposition.DUPLICATE}' ELSE '{Disposition.IGNORED}' END,
            reason = CASE WHEN NOT v.is_repeat THEN '{Reason.AGGREGATE}' END
        FROM bucket_verdicts v WHERE v.row_id = c.row_id""",
    )
    run(con, "DROP TABLE bucket_verdicts")


def _same_place(left: str, right: str) -> str:
    return " AND ".join(f"{left}.{column} = {right}.{column}" for column in ("file_id", "line_no", "record_no"))


def _collect_posted(con: DuckDBPyConnection, kind: str) -> None:
    """posted_contents(event_key, content): the current content of what is posted under a key of this posting."""
    mine = f"(SELECT event_key FROM classified_{kind} WHERE disposition = '{Disposition.ACCEPTED}')"
    if kind == "accounts":
        same = " AND ".join(
            f"v.{column} IS NOT DISTINCT FROM c.{column}" for column in CONTENT_OF[kind] if column != "account_id"
        )
        posted = (
            f"SELECT DISTINCT c.event_key, {content_json(CONTENT_OF[kind], 'c.')}::VARCHAR AS content "
            f"FROM classified_accounts c "
            f"JOIN books.account_versions v ON v.account_id = c.account_id AND {same} WHERE "
            f"c.disposition = '{Disposition.ACCEPTED}'"
        )
    elif kind == "credits":
        # The posting may have filled a missing currency from the account: that is no difference.
        fields = content_json(CONTENT_OF[kind], "h.").replace(
            "h.currency", "CASE WHEN k.without THEN NULL ELSE h.currency END"
        )
        posted = (
            f"SELECT event_key, {fields}::VARCHAR AS content FROM books.credits h JOIN (SELECT event_key, "
            f"bool_or(currency IS NULL) AS without FROM classified_credits WHERE disposition = "
            f"'{Disposition.ACCEPTED}' "
            "GROUP BY event_key) k USING (event_key)"
        )
    else:
        fields = content_json(CONTENT_OF[kind])
        posted = (
            f"WITH revised AS (SELECT * FROM books.usage_revisions WHERE event_key IN {mine} "
            "QUALIFY row_number() OVER (PARTITION BY event_key ORDER BY posting_id DESC, revision_no DESC) = 1) "
            f"SELECT event_key, {fields}::VARCHAR AS content FROM revised UNION ALL "
            f"SELECT event_key, {fields}::VARCHAR FROM books.token_usage WHERE event_key IN {mine} "
            "AND event_key NOT IN (SELECT event_key FROM revised)"
        )
        posted = (
            f"SELECT * FROM ({posted}) ANTI JOIN (SELECT event_key FROM classified_usage WHERE version IS "
            f"NOT NULL) USING (event_key)"
        )
    run(con, f"CREATE OR REPLACE TEMP TABLE posted_contents AS {posted}")


def _collect_open_conflicts(con: DuckDBPyConnection, kind: str) -> None:
    """open_contents(event_key, content): what is held in conflict for a key of this posting and not yet settled.

    Records with a version have settled theirs before: a conflict of one version binds no other.
    """
    unversioned = " AND version IS NULL" if kind == "usage" else ""
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE open_contents AS
        WITH held AS (
            SELECT h.event_key, h.parsed::VARCHAR AS content, {_PLACE} FROM audit.quarantine h
            SEMI JOIN (
                SELECT event_key FROM classified_{kind} WHERE disposition = '{Disposition.ACCEPTED}'{unversioned}
            ) USING (event_key)
            ANTI JOIN (SELECT {_PLACE} FROM classified_{kind} WHERE retried) USING ({_PLACE})
            WHERE h.reason = '{Reason.CONFLICT}' AND h.kind = '{kind}'
        )
        SELECT h.event_key, h.content FROM held h JOIN audit.line_dispositions d USING ({_PLACE})
        GROUP BY h.event_key, h.content, {_PLACE}
        HAVING arg_max(d.disposition, d.posting_id) = '{Disposition.CONFLICT}'""",
    )


def _judge(con: DuckDBPyConnection, kind: str) -> None:
    """Compare the contents of every key that stands more than once, here or in history."""
    accepted = f"classified_{kind} WHERE disposition = '{Disposition.ACCEPTED}'"
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE suspects AS
        WITH often AS (SELECT hash(event_key) AS h FROM {accepted} GROUP BY h HAVING count(*) > 1)
        SELECT row_id, event_key, {content_json(CONTENT_OF[kind])}::VARCHAR AS content FROM {accepted} AND (
            hash(event_key) IN (FROM often) OR event_key IN (SELECT event_key FROM posted_contents)
            OR event_key IN (SELECT event_key FROM open_contents))""",
    )
    if run(con, "SELECT count(*) FROM suspects").fetchall()[0][0] == 0:
        return
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE verdicts AS
        WITH firsts AS (SELECT event_key, content, min(row_id) AS first_row FROM suspects GROUP BY ALL),
        keys AS (SELECT event_key, count(*) AS contents FROM firsts GROUP BY event_key),
        judged AS (
            SELECT f.*, CASE
                WHEN EXISTS (FROM posted_contents p WHERE p.event_key = f.event_key AND p.content = f.content)
                    OR EXISTS (FROM open_contents o WHERE o.event_key = f.event_key AND o.content = f.content)
                    THEN '{Disposition.DUPLICATE}'
                WHEN k.contents > 1 OR EXISTS (FROM posted_contents p WHERE p.event_key = f.event_key)
                    OR EXISTS (FROM open_contents o WHERE o.event_key = f.event_key)
                    THEN '{Disposition.CONFLICT}'
                ELSE '{Disposition.ACCEPTED}' END AS verdict
            FROM firsts f JOIN keys k USING (event_key)
        )
        SELECT s.row_id, s.event_key,
            CASE WHEN s.row_id = j.first_row THEN j.verdict ELSE '{Disposition.DUPLICATE}' END AS verdict
        FROM suspects s JOIN judged j ON j.event_key = s.event_key AND j.content = s.content""",
    )
    _name_differences(con, kind)
    run(
        con,
        f"""UPDATE classified_{kind} c SET disposition = v.verdict,
            reason = CASE WHEN v.verdict = '{Disposition.CONFLICT}' THEN '{Reason.CONFLICT}' END,
            detail = CASE WHEN v.verdict = '{Disposition.CONFLICT}' THEN coalesce(d.fields, '') END
        FROM verdicts v LEFT JOIN differences d USING (event_key)
        WHERE v.row_id = c.row_id AND v.verdict <> '{Disposition.ACCEPTED}'""",
    )
    run(con, "DROP TABLE verdicts; DROP TABLE differences;")


def _name_differences(con: DuckDBPyConnection, kind: str) -> None:
    """differences(event_key, fields): the columns in which the contents of a conflicting key differ."""
    run(
        con,
        f"""CREATE OR REPLACE TEMP TABLE differences AS
        WITH contents AS (
            SELECT event_key, content FROM (
                SELECT event_key, content FROM suspects UNION SELECT event_key, content FROM posted_contents
                UNION SELECT event_key, content FROM open_contents)
            WHERE event_key IN (SELECT event_key FROM verdicts WHERE verdict = '{Disposition.CONFLICT}')
        ), columns AS (SELECT unnest($names) AS name, unnest(range(len($names))) AS place), differing AS (
            SELECT event_key, name, place FROM contents CROSS JOIN columns GROUP BY event_key, name, place
            HAVING count(DISTINCT coalesce((content::JSON -> name)::VARCHAR, 'null')) > 1
        )
        SELECT event_key, string_agg(name, ', ' ORDER BY place) AS fields FROM differing GROUP BY event_key""",
        {"names": list(CONTENT_OF[kind])},
    )


def _settle_corrections(con: DuckDBPyConnection) -> None:
    """Hold back what names no row of the ledger, or gives back more than its row took.

    A row that is held back stands for none that names it, so this is repeated until nothing changes.
    """
    condition = f"disposition = '{Disposition.ACCEPTED}' AND transaction_type IN ({_REVERSING})"
    if run(con, f"SELECT count(*) FROM classified_credits WHERE {condition}").fetchall()[0][0] == 0:
        return
    while _corrected_must_exist(con) or _no_more_than_taken(con):
        pass


_REVERSING = "'refund', 'correction', 'chargeback_reversal'"
_POSTED_AT = "greatest(c.occurred_at, c.effective_at)"
_NAMEABLE = f"""(
    SELECT account_id, credit_id, transaction_type, token_amount, stripe_payment_intent_id, posted_at FROM books.credits
    UNION ALL SELECT account_id, credit_id, transaction_type, token_amount, stripe_payment_intent_id, {_POSTED_AT}
    FROM classified_credits c WHERE disposition = '{Disposition.ACCEPTED}')"""


def _corrected_must_exist(con: DuckDBPyConnection) -> bool:
    """A correction, a reversal, a refund taken back names a credit of its account that enters the ledger before it."""
    return _held_back(
        con,
        f"""UPDATE classified_credits c SET disposition = '{Disposition.QUARANTINED}',
            reason = '{Reason.UNKNOWN_CORRECTED}', detail = c.source_credit_id
        WHERE c.disposition = '{Disposition.ACCEPTED}'
            AND (c.transaction_type IN ('correction', 'chargeback_reversal')
                OR (c.transaction_type = 'refund' AND c.token_amount > 0))
            AND c.row_id NOT IN (
                SELECT c.row_id FROM classified_credits c JOIN {_NAMEABLE} n ON n.account_id = c.account_id
                    AND n.credit_id = c.source_credit_id AND n.credit_id <> c.credit_id
                    AND (n.posted_at < {_POSTED_AT} OR (n.posted_at = {_POSTED_AT} AND c.token_amount <= 0))
                UNION ALL
                SELECT c.row_id FROM classified_credits c JOIN {_NAMEABLE} n ON n.account_id = c.account_id
                    AND n.stripe_payment_intent_id = c.stripe_payment_intent_id AND n.posted_at <= {_POSTED_AT}
                    AND n.transaction_type IN ('purchase', 'auto_recharge')
                WHERE c.source_credit_id IS NULL AND c.token_amount <= 0)""",
    )


def _no_more_than_taken(con: DuckDBPyConnection) -> bool:
    """All that is given back of a row, in the order of time, is at most what it took."""
    return _held_back(
        con,
        f"""UPDATE classified_credits c SET disposition = '{Disposition.QUARANTINED}',
            reason = '{Reason.EXCEEDS_CORRECTED}', detail = c.source_credit_id
        WHERE c.row_id IN (
            WITH giving AS (
                SELECT NULL AS row_id, account_id, source_credit_id, credit_id, token_amount, posted_at
                FROM books.credits WHERE token_amount > 0 AND transaction_type IN ({_REVERSING})
                    AND (account_id, source_credit_id) IN
                        (SELECT (account_id, source_credit_id) FROM classified_credits)
                UNION ALL
                SELECT row_id, account_id, source_credit_id, credit_id, token_amount, {_POSTED_AT}
                FROM classified_credits c WHERE disposition = '{Disposition.ACCEPTED}' AND token_amount > 0
                    AND transaction_type IN ({_REVERSING})
            ), taken AS (
                SELECT account_id, credit_id AS source_credit_id, max(greatest(-token_amount, 0)) AS tokens
                FROM {_NAMEABLE} GROUP BY ALL
            )
            SELECT unnest(list_reduce(
                -- What is in the books already counts first: it stands. What does not fit leaves its room to the next.
                list(struct_pack(given := token_amount::HUGEINT, held := [row_id])
                    ORDER BY row_id IS NULL DESC, posted_at, credit_id),
                lambda a, x: CASE WHEN x.held[1] IS NULL OR a.given + x.given <= tokens
                    THEN struct_pack(given := a.given + x.given, held := a.held)
                    ELSE struct_pack(given := a.given, held := list_concat(a.held, x.held)) END,
                struct_pack(given := 0::HUGEINT, held := []::BIGINT[])).held)
            FROM giving JOIN taken USING (account_id, source_credit_id)
            GROUP BY account_id, source_credit_id, tokens)""",
    )


def _held_back(con: DuckDBPyConnection, update: str) -> bool:
    """Whether the statement changed any row."""
    return bool(run(con, update).fetchall()[0][0])


def number_equal_lines(con: DuckDBPyConnection, source: str, file_id: int, first_line: int) -> None:
    """Keys of `line_ordinal`: the k-th equal line of a file is the k-th in any file; lines before `first_line` go."""
    run(
        con,
        """CREATE OR REPLACE TEMP TABLE ordinals AS SELECT row_id, unhex(sha256(to_json(
            [?, lower(hex(event_key)),
            (row_number() OVER (PARTITION BY event_key ORDER BY row_id))::VARCHAR])::VARCHAR)) AS event_key
        FROM classified_usage WHERE file_id = ? AND event_key IS NOT NULL""",
        [source, file_id],
    )
    run(con, "UPDATE classified_usage c SET event_key = o.event_key FROM ordinals o WHERE o.row_id = c.row_id")
    run(
        con,
        f"UPDATE quarantined_records q SET event_key = c.event_key FROM classified_usage c WHERE "
        f"{_same_place('q', 'c')} AND q.file_id = ?",
        [file_id],
    )
    for table in ("classified_usage", "quarantined_records"):
        run(con, f"DELETE FROM {table} WHERE file_id = ? AND line_no < ?", [file_id, first_line])
    run(con, "DROP TABLE ordinals")


def settle_retried(con: DuckDBPyConnection, kind: str) -> None:
    """Turn retried records into transitions; those that stay as they were leave nothing behind."""
    previous = (
        f"SELECT {_PLACE}, arg_max(d.disposition, d.posting_id) AS previous FROM audit.line_dispositions d "
        f"SEMI JOIN (SELECT * FROM classified_{kind} WHERE retried) USING ({_PLACE}) GROUP BY {_PLACE}"
    )
    run(
        con,
        f"CREATE OR REPLACE TEMP TABLE retried_now AS SELECT c.row_id, {_PLACE}, c.disposition, c.reason, c.event_key, "
        f"coalesce(p.previous, '{Disposition.QUARANTINED}') AS previous FROM classified_{kind} c LEFT "
        f"JOIN ({previous}) p USING ({_PLACE}) WHERE c.retried",
    )
    same = "disposition = previous"
    run(
        con,
        f"DELETE FROM classified_{kind} c USING retried_now r WHERE c.row_id = r.row_id AND "
        f"r.{same.replace('= ', '= r.')}",
    )
    run(
        con,
        f"DELETE FROM quarantined_records q USING retried_now r WHERE {_same_place('q', 'r')} AND q.kind = '{kind}' "
        f"AND (r.disposition NOT IN {_OPEN} OR r.disposition = r.previous)",
    )
    run(
        con,
        f"INSERT INTO disposition_transitions SELECT {_PLACE}, disposition, reason, previous, "
        f"event_key FROM retried_now WHERE NOT ({same})",
    )
    run(con, "DROP TABLE retried_now")
