"""The hash-chained log: append, verify, tamper, tear, append from many processes."""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from billing_core.errors import IntegrityError, TollbookError
from pipelines.books.journal import FIRST_PREV, HashChainedLog, TornLineError

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def log_of(folder: Path, lines: int) -> HashChainedLog:
    """Make a log of so many lines, all at noon."""
    log = HashChainedLog(folder / "journal" / "log.jsonl", lambda: NOON)
    for number in range(1, lines + 1):
        log.append({"kind": "seen", "number": number, "text": "é\n"})
    return log


def test_each_line_hashes_its_canonical_json_and_names_the_line_before(tmp_path: Path) -> None:
    """An auditor needs nothing of ours: json, sha256 and 64 zeros prove the chain."""
    log = log_of(tmp_path, 3)
    prev = FIRST_PREV
    for number, text in enumerate(log.path.read_text(encoding="utf-8").splitlines(), start=1):
        line: dict[str, Any] = json.loads(text)
        stated = line.pop("hash")
        canonical = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == stated
        assert (line["seq"], line["prev"], line["at"]) == (number, prev, "2026-09-01T12:00:00.000000Z")
        prev = stated


def test_reading_gives_back_what_was_appended(tmp_path: Path) -> None:
    """Payload, seq and the chain; or only the lines up to a seq; an absent file has no lines."""
    log = log_of(tmp_path, 3)
    assert [line.payload["number"] for line in log.read()] == [1, 2, 3]
    assert [line.seq for line in log.read(up_to_seq=2)] == [1, 2]
    head = log.head()
    assert head is not None
    assert head == log.read()[-1]
    absent = HashChainedLog(tmp_path / "absent.jsonl")
    assert (absent.read(), absent.head(), absent.cut_torn_line()) == ((), None, b"")


def test_the_same_inputs_at_the_same_instants_make_the_same_file(tmp_path: Path) -> None:
    """Ids are derived, not drawn: two replays agree byte for byte. Ids within a log differ."""
    one, two = log_of(tmp_path / "one", 5), log_of(tmp_path / "two", 5)
    assert one.path.read_bytes() == two.path.read_bytes()
    assert len({line.id for line in one.read()}) == 5


def test_a_changed_value_is_named_by_line(tmp_path: Path) -> None:
    """Editing any line but hashing nothing anew is found at that line."""
    log = log_of(tmp_path, 4)
    log.path.write_bytes(log.path.read_bytes().replace(b'"number":2', b'"number":7'))
    with pytest.raises(IntegrityError, match=r"log\.jsonl, line 2: does not hash to its own hash"):
        log.read()


def test_a_removed_inserted_or_swapped_line_breaks_the_chain(tmp_path: Path) -> None:
    """Each whole line is valid by itself; only their order is not."""
    log = log_of(tmp_path, 4)
    first, second, third, fourth = log.path.read_bytes().splitlines(keepends=True)
    cases = {2: first + third + fourth, 3: first + second + second + third, 1: second + first + third + fourth}
    for line_no, content in cases.items():
        log.path.write_bytes(content)
        with pytest.raises(IntegrityError, match=rf"line {line_no}: does not follow the line before it"):
            log.read()


def test_a_line_hashed_anew_still_breaks_the_chain_behind_it(tmp_path: Path) -> None:
    """Who repairs one hash must repair all that follow."""
    log = log_of(tmp_path, 3)
    lines = log.path.read_bytes().splitlines()
    changed = json.loads(lines[1]) | {"number": 99}
    del changed["hash"]
    text = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    lines[1] = f'{text[:-1]},"hash":"{digest}"}}'.encode()
    log.path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(IntegrityError, match=r"line 3: does not follow"):
        log.read()


def test_text_in_the_middle_that_is_no_line_is_a_broken_chain(tmp_path: Path) -> None:
    """Only the last line can be torn by a crash."""
    log = log_of(tmp_path, 3)
    lines = log.path.read_bytes().splitlines(keepends=True)
    for bad in (b"\n", b"[]\n", b"{}\n", b"not json\n", b'{"seq":1}\n'):
        log.path.write_bytes(lines[0] + bad + lines[2])
        with pytest.raises(IntegrityError, match=r"line 2: is not a line of this journal"):
            log.read()


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_torn_last_line_stops_everything_until_it_is_cut(tmp_path: Path, kept: int) -> None:
    """Reading and appending refuse and name the way out; the cut loses the torn line only."""
    log = log_of(tmp_path, 3)
    whole = log.path.read_bytes()
    keep = len(b"".join(whole.splitlines(keepends=True)[:2]))
    torn = whole[keep:][:kept]
    log.path.write_bytes(whole[:keep] + torn)
    for action in (log.read, log.head, lambda: log.append({})):
        with pytest.raises(TornLineError, match=r"log\.jsonl: the last line is torn .*`tollbook doctor --fix`"):
            action()
    assert log.cut_torn_line() == torn
    assert log.path.read_bytes() == whole[:keep]
    assert log.append({"after": True}).seq == 3
    assert log.cut_torn_line() == b""


def test_a_last_line_of_zeros_is_torn_too(tmp_path: Path) -> None:
    """A power cut may leave the length of a line without its content."""
    log = log_of(tmp_path, 2)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + b"\0" * 200 + b"\n")
    with pytest.raises(TornLineError):
        log.read()
    log.cut_torn_line()
    assert log.path.read_bytes() == whole


def test_a_torn_first_line_leaves_an_empty_log(tmp_path: Path) -> None:
    """The chain then begins anew at seq 1."""
    log = log_of(tmp_path, 1)
    log.path.write_bytes(log.path.read_bytes()[:20])
    log.cut_torn_line()
    assert log.path.read_bytes() == b""
    assert log.append({}).seq == 1


def test_an_edited_last_line_is_not_taken_for_a_torn_one(tmp_path: Path) -> None:
    """`doctor --fix` must never remove evidence: a line that is whole JSON stays."""
    log = log_of(tmp_path, 2)
    log.path.write_bytes(log.path.read_bytes().replace(b'"number":2', b'"number":3'))
    for action in (log.read, log.head, lambda: log.append({})):
        with pytest.raises(IntegrityError, match=r"does not hash to its own hash"):
            action()
    assert log.cut_torn_line() == b""


def test_reserved_keys_and_nan_are_refused(tmp_path: Path) -> None:
    """What cannot be written exactly is not written at all."""
    log = log_of(tmp_path, 1)
    before = log.path.read_bytes()
    with pytest.raises(ValueError, match=r"payload keys \['prev', 'seq'\]"):
        log.append({"seq": 1, "prev": ""})
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.append({"x": float("nan")})
    assert log.path.read_bytes() == before


def test_long_lines_are_found_from_the_end(tmp_path: Path) -> None:
    """A posting of many files is one line of megabytes; the next append still follows it."""
    log = log_of(tmp_path, 1)
    log.append({"files": ["x" * 1000] * 500})
    log.append({"small": 1})
    assert [line.seq for line in log.read()] == [1, 2, 3]


APPENDER = """
import sys, pathlib
from pipelines.books.journal import HashChainedLog
log = HashChainedLog(pathlib.Path(sys.argv[1]))
for number in range(40):
    log.append({"writer": sys.argv[2], "number": number})
"""


def test_processes_that_append_at_once_make_one_chain(tmp_path: Path) -> None:
    """No line is lost, doubled or out of order of its writer."""
    path = tmp_path / "log.jsonl"
    started = [subprocess.Popen([sys.executable, "-c", APPENDER, str(path), str(name)]) for name in range(4)]
    assert [process.wait() for process in started] == [0, 0, 0, 0]
    lines = HashChainedLog(path).read()
    assert [line.seq for line in lines] == list(range(1, 161))
    for name in "0123":
        assert [line.payload["number"] for line in lines if line.payload["writer"] == name] == list(range(40))


FULL_DISK = """
import resource, signal, sys, pathlib
from pipelines.books.journal import HashChainedLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = pathlib.Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, resource.RLIM_INFINITY))
HashChainedLog(path).append({"text": "x" * 1000})
"""


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """The bytes that still went through are taken back, and the log goes on when there is room."""
    assert resource.RLIMIT_FSIZE is not None
    log = log_of(tmp_path, 2)
    before = log.path.read_bytes()
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(log.path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "could not be written (File too large); nothing was recorded" in result.stderr
    assert log.path.read_bytes() == before
    assert log.append({}).seq == 3


def test_a_link_in_place_of_the_journal_is_refused(tmp_path: Path) -> None:
    """Appending through a link would write somewhere else."""
    log_of(tmp_path, 1).path.rename(tmp_path / "elsewhere.jsonl")
    log = HashChainedLog(tmp_path / "journal" / "log.jsonl")
    log.path.symlink_to(tmp_path / "elsewhere.jsonl")
    with pytest.raises(TollbookError, match=r"must be an ordinary writable file"):
        log.append({})


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Reasons of administrators are nobody else's business."""
    assert log_of(tmp_path, 1).path.stat().st_mode & 0o777 == 0o600


def test_a_hundred_thousand_lines_are_verified_in_seconds(tmp_path: Path) -> None:
    """The file is written at once here: appending waits for the disk each time, reading must not."""
    prev, lines = FIRST_PREV, []
    for seq in range(1, 100_001):
        body = {"account_id": "a1", "at": "2026-09-01T12:00:00.000000Z", "id": str(seq), "prev": prev, "seq": seq}
        text = json.dumps(body, separators=(",", ":"))
        prev = hashlib.sha256(text.encode()).hexdigest()
        lines.append(f'{text[:-1]},"hash":"{prev}"}}\n')
    log = HashChainedLog(tmp_path / "log.jsonl")
    log.path.write_text("".join(lines), encoding="utf-8")
    started = time.process_time()
    assert len(log.read()) == 100_000
    assert time.process_time() - started < 5
