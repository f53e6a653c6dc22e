"""Intents, done lines and first-seen dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing_core.errors import IntegrityError
from pipelines.books.journal import HashChainedLog
from pipelines.books.posting_log import Done, Intent, PostingHistory, PostingLog, RetriedRecord, next_recorded_at
from pipelines.intake.found import FoundFile

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 9, 2, 12, tzinfo=UTC)
FILE = FoundFile(
    source="gateway",
    kind="usage",
    path="usage/2026-09-01/a.jsonl",
    sha256="ab" * 32,
    size_bytes=1000,
    byte_from=600,
    first_line=7,
    continues_file_id=3,
    file_date=date(2026, 9, 1),
    undated=False,
    outcome="taken",
    reason=None,
)


def intent(posting_id: int, recorded_at: str = "2026-09-02T12:00:00.000000Z", **changes: Any) -> Intent:
    """Make the intent of a posting for 1 September with one file and one retried record."""
    made = Intent(
        posting_id=posting_id,
        billing_date=date(2026, 9, 1),
        recorded_at=recorded_at,
        kind="run",
        files=(FILE,),
        admin_seq=4,
        retries=(RetriedRecord("cd" * 32, "gateway", 12, 1),),
        objects={"tollbook.toml": "ef" * 32},
        code_version="0.1.0",
    )
    return replace(made, **changes)


def open_log(folder: Path) -> PostingLog:
    """Open the log of a folder at noon."""
    return PostingLog(folder / "postings.jsonl", lambda: NOON)


def test_an_intent_is_read_back_whole(tmp_path: Path) -> None:
    """Files, retries, objects and dates survive the journal; the hash is that of the line."""
    log = open_log(tmp_path)
    line_hash = log.append_intent(intent(1))
    history = log.read_all()
    assert history.intents[1].intent == intent(1)
    assert history.intents[1].hash == line_hash == log.log.read()[0].hash
    assert history.open_intent == history.intents[1]
    assert history.last_done is None


def test_a_done_line_closes_its_posting(tmp_path: Path) -> None:
    """Then the next posting may begin."""
    log = open_log(tmp_path)
    log.append_intent(intent(1))
    log.append_done(Done(1, "head1", {"received": 10, "accepted": 10}))
    history = log.read_all()
    assert history.open_intent is None
    assert history.last_done == Done(1, "head1", {"received": 10, "accepted": 10})
    log.append_intent(intent(2, "2026-09-02T12:00:00.000001Z"))
    assert sorted(log.read_all().intents) == [1, 2]


def test_an_intent_that_was_cut_off_is_replaced_by_the_next(tmp_path: Path) -> None:
    """The last one before the done line is what was posted."""
    log = open_log(tmp_path)
    log.append_intent(intent(1))
    log.append_intent(intent(1, "2026-09-02T12:00:01.000000Z", files=()))
    log.append_done(Done(1, "head1", {}))
    assert log.read_all().intents[1].intent.files == ()


def test_an_intent_announced_again_in_the_same_words_keeps_its_line(tmp_path: Path) -> None:
    """A posting that was cut off before it committed leaves no trace once it is done after all."""
    log = open_log(tmp_path)
    assert log.append_intent(intent(1)) == log.append_intent(intent(1))
    log.append_done(Done(1, "head1", {}))
    assert len(log.log.read()) == 2


def test_an_intent_that_was_cut_off_takes_no_instant(tmp_path: Path) -> None:
    """Only what committed has a recorded_at that the next one must exceed."""
    log = open_log(tmp_path)
    log.append_intent(intent(1, "2026-09-02T12:00:01.000000Z", files=()))
    assert next_recorded_at(log.read_all(), NOON) == "2026-09-02T12:00:00.000000Z"
    log.append_intent(intent(1))
    log.append_done(Done(1, "head1", {}))
    assert next_recorded_at(log.read_all(), NOON) == "2026-09-02T12:00:00.000001Z"


@pytest.mark.parametrize(
    ("posting_id", "recorded_at", "message"),
    [
        (1, "2026-09-03T00:00:00.000000Z", "posting 1 cannot be next, posting 2 is"),
        (3, "2026-09-03T00:00:00.000000Z", "posting 3 cannot be next, posting 2 is"),
        (2, "2026-09-02T12:00:00.000000Z", "posting 2 at 2026-09-02T12:00:00.000000Z would not be after"),
        (2, "2026-09-02T11:59:59.999999Z", "would not be after 2026-09-02T12:00:00.000000Z"),
    ],
)
def test_an_intent_out_of_turn_is_refused(tmp_path: Path, posting_id: int, recorded_at: str, message: str) -> None:
    """Postings count 1, 2, 3 and recorded_at strictly rises."""
    log = open_log(tmp_path)
    log.append_intent(intent(1))
    log.append_done(Done(1, "head1", {}))
    with pytest.raises(IntegrityError, match=message):
        log.append_intent(intent(posting_id, recorded_at))
    assert len(log.log.read()) == 2


def test_a_done_line_needs_its_intent(tmp_path: Path) -> None:
    """Neither the first, nor one for another posting, nor a second one."""
    log = open_log(tmp_path)
    for posting_id in (1, 2):
        with pytest.raises(IntegrityError, match=rf"posting {posting_id} has no open intent"):
            log.append_done(Done(posting_id, "h", {}))
        if posting_id == 1:
            log.append_intent(intent(1))
    log.append_done(Done(1, "h", {}))
    with pytest.raises(IntegrityError, match="posting 1 has no open intent"):
        log.append_done(Done(1, "h", {}))


def test_the_day_an_undated_file_was_first_seen_is_fixed(tmp_path: Path) -> None:
    """A later day does not move it; dated files and other sources have lines of their own or none."""
    log = open_log(tmp_path)
    undated = replace(FILE, undated=True)
    log.remember_seen((undated, FILE))
    log.remember_seen((replace(undated, file_date=date(2026, 9, 9)), replace(undated, source="other")))
    assert log.read_all().seen == {
        ("gateway", FILE.sha256): date(2026, 9, 1),
        ("other", FILE.sha256): date(2026, 9, 1),
    }
    assert len(log.log.read()) == 2


def test_recorded_at_rises_by_a_microsecond_when_the_clock_stands() -> None:
    """Also when it was set back."""
    first = next_recorded_at(PostingHistory(), NOON)
    assert first == "2026-09-02T12:00:00.000000Z"
    stood = PostingHistory(last_recorded_at=first)
    assert next_recorded_at(stood, NOON) == "2026-09-02T12:00:00.000001Z"
    assert next_recorded_at(stood, NOON - timedelta(days=1)) == "2026-09-02T12:00:00.000001Z"
    assert next_recorded_at(stood, NOON + timedelta(seconds=1)) == "2026-09-02T12:00:01.000000Z"


@pytest.mark.parametrize(
    "payload",
    [
        {"kind": "unknown"},
        {},
        {"kind": "done", "posting_id": 7, "head": "h", "counts": {}},
        {"kind": "intent", "intent": {"posting_id": 1}},
        {"kind": "seen", "source": "a", "sha256": "b", "date": "someday"},
    ],
)
def test_lines_that_contradict_the_log_are_named(tmp_path: Path, payload: dict[str, Any]) -> None:
    """A chain may be whole and still say nonsense: the line number is told."""
    log = open_log(tmp_path)
    log.append_intent(intent(1))
    HashChainedLog(log.log.path).append(payload)
    with pytest.raises(IntegrityError, match=r"postings\.jsonl, line 2: not a line that can follow here"):
        log.read_all()


def test_a_file_entry_of_another_version_is_not_misread() -> None:
    """An unknown or a missing key is an integrity error."""
    fields = FILE.to_json()
    assert FoundFile.from_json(fields) == FILE
    for bad in ({**fields, "new": 1}, {**fields, "file_date": "soon"}, {"source": "x"}):
        with pytest.raises(IntegrityError, match="this version cannot read"):
            FoundFile.from_json(bad)
