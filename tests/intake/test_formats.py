"""Files of every format, damaged or continued, and profiles that explode lines or convert tokens."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.intake.world import PLAIN, World, open_books, profile_of, usage

if TYPE_CHECKING:
    from pathlib import Path


def zstd(data: bytes) -> bytes:
    """Compressed with Zstandard."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def many(count: int) -> bytes:
    """Good lines."""
    return b"".join(json.dumps(usage(f"e{n}")).encode() + b"\n" for n in range(count))


def fates(world: World) -> list[tuple[str, str | None]]:
    """Disposition and reason in order."""
    return [fate[2:] for fate in world.fates()]


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".zst", zstd)])
def test_compressed_files_hold_the_same_lines(world: World, suffix: str, pack: Any) -> None:
    """Plain, gzip and Zstandard."""
    world.add(f"u.jsonl{suffix}", pack(many(50)))
    assert world.read().received == {1: 50}
    assert fates(world) == [("accepted", None)] * 50


def flipped(data: bytes) -> bytes:
    """One bit of the last tenth changed."""
    place = len(data) - len(data) // 10 - 1
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("u.jsonl.gz", gzip.compress(many(500))[:-6]),
        ("u.jsonl.gz", flipped(gzip.compress(many(500)))),
        ("u.jsonl.gz", many(5)),
        ("u.jsonl.gz", b""),
        ("u.jsonl", gzip.compress(many(5))),
        ("u.jsonl.zst", zstd(many(500))[:-6]),
        ("u.jsonl.zst", gzip.compress(many(5))),
        ("u.parquet", b"PAR1 nothing PAR1"),
        ("u.csv", b"a,a\n1,2\n"),
        ("u.csv", b"\n1,2\n"),
        ("u.xml", b"<a/>"),
    ],
)
def test_damaged_file_is_refused_whole_and_others_are_read(world: World, name: str, data: bytes) -> None:
    """Cut, flipped, misnamed: no record of it stays, and the message says why."""
    world.add(name, data)
    world.add("good.jsonl", many(3))
    result = world.read()
    assert set(result.unreadable) == {1}
    assert result.received == {2: 3}
    assert fates(world) == [("accepted", None)] * 3
    assert world.rows("SELECT count(*) FROM quarantined_records") == [(0,)]


HEADER = "event_id,account_id,occurred_at,input_tokens,output_tokens,model,success,error_message\n"


def test_csv_records(world: World) -> None:
    """Values are texts, empty cells are absent, quoted cells may hold line ends, wrong widths are held."""
    rows = [
        "e1,a,2026-10-05T10:00:00Z,12,3,gpt-4o,true,\r\n",
        "\n",
        'e2,a,2026-10-05T10:00:00Z,12,3,gpt-4o,false,"two\nlines, ""quoted"""\n',
        "e3,a,2026-10-05T10:00:00Z,12\n",
        "e4,a,2026-10-05T10:00:00Z,1.5,3,m,,\n",
        "e5,a,2026-10-05T10:00:00Z,,,m,,\n",
        'e6,a,"x"y,1,1,m,,\n',
        "e7,a,2026-10-05T10:00:00Z,1,1,m,,",
    ]
    world.add("u.csv", "\ufeff" + HEADER + "".join(rows))
    world.read()
    assert [(fate[0], *fate[2:]) for fate in world.fates()] == [
        (2, "accepted", None),
        (3, "blank", None),
        (4, "accepted", None),
        (6, "quarantined", "column_count"),
        (7, "quarantined", "invalid_integer"),
        (8, "quarantined", "missing_usage"),
        (9, "quarantined", "column_count"),
        (10, "accepted", None),
    ]
    assert world.rows("SELECT success, error_message FROM classified_usage WHERE line_no = 4") == [
        (False, 'two\nlines, "quoted"')
    ]
    assert world.rows("SELECT raw FROM quarantined_records WHERE line_no = 6") == [(b"e3,a,2026-10-05T10:00:00Z,12",)]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_csv_without_a_comma_in_its_header_is_split_at_semicolons_or_tabs(world: World, separator: str) -> None:
    """As spreadsheets of many countries write it; a comma in a cell is text then."""
    row = "e1,a,2026-10-05T10:00:00Z,12,3,m,false,E".replace(",", separator) + ", and more\n"
    world.add("u.csv", HEADER.replace(",", separator) + row)
    world.read()
    assert fates(world) == [("accepted", None)]
    assert world.one("input_tokens, output_tokens, error_message") == (12, 3, "E, and more")


def test_empty_cell_is_an_absent_count(world: World) -> None:
    """It is 0, unless the profile requires the column: then the call is held, and the column named."""
    rows = ["e1,a,2026-10-05T10:00:00Z,12,,m,,\n", "e2,a,2026-10-05T10:00:00Z,,3,m,,\n"]
    world.add("u.csv", HEADER + rows[0])
    strict = PLAIN.model_copy(update={"required": ("input_tokens",)})
    world.add("v.csv", HEADER + rows[0].replace("e1", "e3") + rows[1], strict)
    world.read()
    assert fates(world) == [("accepted", None), ("accepted", None), ("quarantined", "missing_field")]
    assert world.rows("SELECT output_tokens FROM classified_usage WHERE file_id = 1") == [(0,)]
    assert world.rows("SELECT detail FROM quarantined_records") == [("input_tokens",)]


def test_csv_with_invalid_utf8_keeps_its_bytes(world: World) -> None:
    """Only that record is held."""
    good = b"e1,a,2026-10-05T10:00:00Z,12,3,m,,\n"
    world.add("u.csv", HEADER.encode() + good + b"e2,a,2026-10-05T10:00:00Z,12,3,\xff,,\n")
    world.read()
    assert fates(world) == [("accepted", None), ("quarantined", "invalid_utf8")]
    assert world.rows("SELECT raw FROM quarantined_records") == [(b"e2,a,2026-10-05T10:00:00Z,12,3,\xff,,",)]


def test_parquet_rows(world: World, tmp_path: Path) -> None:
    """One record per row; nulls are absent."""
    pq.write_table(
        pa.Table.from_pylist([usage("e1"), usage("e2", image_count=None), usage("e3", input_tokens=-4)]),
        tmp_path / "x.parquet",
    )
    world.add("u.parquet", (tmp_path / "x.parquet").read_bytes())
    assert world.read().received == {1: 3}
    assert fates(world) == [("accepted", None), ("accepted", None), ("quarantined", "negative_count")]


@pytest.mark.parametrize("name", ["u.jsonl", "u.csv"])
def test_continuation_reads_on_from_its_byte(world: World, name: str) -> None:
    """Line numbers go on, a CSV header is read again from the start."""
    head, more = (HEADER.encode(), b"e%d,a,2026-10-05T10:00:00Z,12,3,m,,\n") if name == "u.csv" else (b"", None)
    old = head + (more % 1 if more else many(1))
    new = more % 2 if more else json.dumps(usage("second")).encode() + b"\n"
    first_line = old.count(b"\n") + 1
    world.add(name, old + new, first_line=first_line, byte_from=len(old))
    world.read()
    assert world.fates() == [(first_line, 1, "accepted", None)]


def test_exploded_records_are_counted_one_by_one(world: World) -> None:
    """A line of n records counts n; a line without the array is held; an empty array is blank."""
    profile = profile_of(
        'kind = "usage"\nrecords = "spans[].calls[]"\ndedup = ["id"]\n[time]\npath = "t"\nunit = '
        '"s"\n[account]\nconstant = "a"\n[fields]\ninput_tokens = "n"\n'
        '[leaf]\npath = "kind"\nin = ["llm"]\n'
    )
    call = {"id": "1", "t": 1791000000, "n": 1, "kind": "llm"}
    lines = [
        {
            "spans": [
                {"calls": [call, call | {"id": "2", "n": -1}]},
                {"calls": [call | {"id": "3", "kind": "agent"}, 5]},
            ]
        },
        {"spans": []},
        {"other": 1},
        {"spans": [{"calls": [call]}]},
    ]
    world.add("u.jsonl", "\n".join(json.dumps(line) for line in lines) + "\n\n", profile)
    assert world.read().received == {1: 8}
    assert world.fates() == [
        (1, 1, "accepted", None),
        (1, 2, "quarantined", "negative_count"),
        (1, 3, "ignored", "not_a_leaf"),
        (1, 4, "quarantined", "not_an_object"),
        (2, 1, "ignored", "no_records"),
        (3, 1, "quarantined", "missing_records"),
        (4, 1, "duplicate", None),
        (5, 1, "blank", None),
    ]
    assert world.rows("SELECT raw FROM quarantined_records WHERE line_no = 1 ORDER BY record_no") == [
        (b'{"id":"2","t":1791000000,"n":-1,"kind":"llm"}',),
        (b"5",),
    ]


@pytest.mark.parametrize(
    ("convention", "counts", "totals"),
    [
        ("inclusive", {"i": 100, "o": 20, "r": 30, "w": 10, "t": 5}, (100, 20, 120)),
        ("disjoint", {"i": 100, "o": 20, "r": 30, "w": 10, "t": 5}, (140, 25, 165)),
        ("auto", {"i": 100, "o": 20, "r": 30, "w": 10, "t": 5}, (100, 20, 120)),
        ("auto", {"i": 10, "o": 20, "r": 30, "w": 10, "t": 5}, (50, 20, 70)),
    ],
)
def test_token_conventions(world: World, convention: str, counts: dict[str, int], totals: tuple[int, int, int]) -> None:
    """Totals are inclusive inside; a cache write without its lifetime counts as 5 minutes."""
    profile = profile_of(
        f'kind = "usage"\ndedup = ["id"]\nconvention = "{convention}"\n[time]\npath = '
        f'"time"\n[account]\nconstant = "a"\n[fields]\ninput_tokens = "i"\n'
        'output_tokens = "o"\ncache_read_tokens = "r"\ncache_write_tokens = "w"\nreasoning_tokens = "t"\n'
    )
    world.add("u.jsonl", json.dumps({"id": 1, "time": "2026-10-05T10:00:00Z"} | counts), profile)
    world.read()
    assert world.one("input_tokens, output_tokens, total_tokens") == totals
    assert world.one("cache_write_5m_tokens, cache_write_1h_tokens") == (10, 0)


LINES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"",
            b"{}",
            b"null",
            b"\r",
            b'{"event_id": 1}',
            many(1).strip(),
            json.dumps(usage("x", input_tokens=1.5)).encode(),
        ]
    ),
    st.integers(0, 5).map(lambda n: json.dumps(usage(f"e{n}")).encode()),
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(LINES, max_size=12), data=st.data())
def test_any_bytes_are_conserved_and_any_delivery_gives_the_same_set(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    """Framed lines = classified records; any split, order and repetition of the lines accepts the same events."""
    folder = tmp_path_factory.mktemp("any")
    con = open_books(folder / "warehouse.duckdb")
    try:
        world = World(folder / "in", con)
        body = b"\n".join(lines) + data.draw(st.sampled_from([b"", b"\n"]))
        if body.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
            return
        world.add("u.jsonl", body)
        framed = len(body.split(b"\n")) - (1 if body.endswith(b"\n") or not body else 0)
        assert world.read().received == {1: framed}
        assert world.rows("SELECT count(*), count(disposition) FROM classified_usage") == [(framed, framed)]
        accepted = "SELECT DISTINCT event_key FROM classified_usage WHERE disposition = 'accepted' ORDER BY 1"
        wanted = world.rows(accepted)
        pieces = [piece for line in lines for piece in line.split(b"\n")]
        delivered = data.draw(st.permutations(pieces + pieces[:3]))
        cut = data.draw(st.integers(0, len(delivered)))
        for part in (delivered[:cut], delivered[cut:]):
            world.add("v.jsonl", b"\n" + b"\n".join(part))
            world.read()
            world.post()
        assert world.rows("SELECT DISTINCT event_key FROM books.token_usage ORDER BY 1") == wanted
    finally:
        con.close()


def test_several_small_files_share_the_work_but_not_their_numbers(world: World) -> None:
    """Places stay right when files are classified together."""
    for number in range(3):
        world.add("u.jsonl", json.dumps(usage(f"e{number}")) + "\nbad\n", PLAIN)
    world.read()
    assert world.rows("SELECT row_id, file_id, line_no FROM classified_usage ORDER BY row_id") == [
        (1, 1, 1),
        (2, 1, 2),
        (3, 2, 1),
        (4, 2, 2),
        (5, 3, 1),
        (6, 3, 2),
    ]
    assert world.rows("SELECT file_id, line_no FROM quarantined_records ORDER BY 1") == [(1, 2)]
