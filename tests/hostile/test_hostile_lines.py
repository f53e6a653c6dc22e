"""Hostile lines: each input, one golden disposition and reason, and the neighbours untouched."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.intake.world import PLAIN, World, open_books, profile_of, usage

if TYPE_CHECKING:
    from pipelines.intake.profiles import Profile


def text(**changes: Any) -> bytes:
    """A good record as a line, with changes."""
    return json.dumps(usage(**changes), ensure_ascii=False).encode()


def raw(old: str, new: str) -> bytes:
    """A good line with a piece of its text replaced."""
    line = json.dumps(usage())
    assert old in line
    return line.replace(old, new).encode()


GOOD = ("accepted", None)
UNREAD = ("accepted", "unreadable_cost")


def held(reason: str) -> tuple[str, str]:
    """Quarantined for a reason."""
    return ("quarantined", reason)


CASES: dict[str, tuple[bytes, tuple[str, str | None]]] = {
    "good": (text(), GOOD),
    "empty line": (b"", ("blank", None)),
    "spaces only": (b" \t ", ("blank", None)),
    "carriage return only": (b"\r", ("blank", None)),
    "crlf": (text() + b"\r", GOOD),
    "byte order mark inside the file": (b"\xef\xbb\xbf" + text(), held("invalid_json")),
    "cut line": (text()[:-10], held("invalid_json")),
    "trailing garbage": (text() + b"x", held("invalid_json")),
    "two objects": (text() + b" " + text(), held("invalid_json")),
    "single quotes": (b"{'event_id': 'e1'}", held("invalid_json")),
    "trailing comma": (text()[:-1] + b",}", held("invalid_json")),
    "trailing comma and space": (text()[:-1] + b", }", held("invalid_json")),
    "trailing comma in an array": (raw('"gpt-4o"', '"gpt-4o", "x": [1, ]'), held("invalid_json")),
    "nan": (raw(": 100", ": NaN"), held("invalid_json")),
    "nan in an unmapped key": (raw(": 100", ': 100, "x": nan'), held("invalid_json")),
    "infinity": (raw(": 100", ": -Infinity"), held("invalid_json")),
    "odd case infinity": (raw(": 100", ": iNf"), held("invalid_json")),
    "the word nan in a text": (text(project_id='nan, } "quoted" inf'), GOOD),
    "nul byte": (b"\x00" + text(), held("invalid_json")),
    "nul byte in a text": (raw("gpt-4o", "gpt\x00"), held("invalid_json")),
    "control character in a text": (raw("gpt-4o", "gpt\x01"), held("invalid_json")),
    "carriage return in a line": (raw('"model"', '\r"model"'), GOOD),
    "invalid utf8": (text()[:-1] + b', "x": "\xff"}', held("invalid_utf8")),
    "utf8 surrogate": (raw("gpt-4o", "gpt") + b"\xed\xa0\x80", held("invalid_utf8")),
    "lone escaped surrogate": (raw("gpt-4o", "\\ud800"), held("invalid_json")),
    "hexadecimal": (raw(": 100", ": 0x10"), held("invalid_json")),
    "leading zero": (raw(": 100", ": 0100"), held("invalid_json")),
    "plus sign": (raw(": 100", ": +100"), held("invalid_json")),
    "comment": (b"/*c*/" + text(), held("invalid_json")),
    "json null": (b"null", held("not_an_object")),
    "array": (b"[" + text() + b"]", held("not_an_object")),
    "text": (b'"x"', held("not_an_object")),
    "number": (b"1", held("not_an_object")),
    "repeated key": (raw('"model"', '"input_tokens": 1, "model"'), held("duplicate_json_key")),
    "repeated key by escape": (raw('"model"', '"\\u0069nput_tokens": 1, "model"'), held("duplicate_json_key")),
    "repeated unmapped key": (raw('"model"', '"z": 1, "z": 1, "model"'), held("duplicate_json_key")),
    "key of another case": (raw('"model"', '"Event_Id": "other", "model"'), GOOD),
    "deep nesting": (raw('"model"', '"z": ' + "[" * 5000 + "]" * 5000 + ', "model"'), GOOD),
    "missing id": (text(event_id=...), held("missing_id")),
    "null id": (text(event_id=None), held("missing_id")),
    "empty id": (text(event_id=""), held("missing_id")),
    "integer id": (text(event_id=12), GOOD),
    "fraction id": (text(event_id=1.5), held("invalid_text")),
    "object id": (text(event_id={"a": 1}), held("invalid_text")),
    "missing account": (text(account_id=...), held("missing_account")),
    "empty account": (text(account_id=""), held("missing_account")),
    "empty account but a user": (text(account_id="", user_id="u"), GOOD),
    "boolean account": (text(account_id=True), held("invalid_text")),
    "fraction account": (text(account_id=1.0), held("invalid_text")),
    "escaped nul in the account": (text(account_id="a\x00b"), held("invalid_text")),
    "newline in the account": (text(account_id="a\nb"), held("invalid_text")),
    "bidi override in the account": (text(account_id="a\u202eb"), held("invalid_text")),
    "zero width space in the account": (text(account_id="a\u200bb"), held("invalid_text")),
    "long account": (text(account_id="x" * 513), held("invalid_text")),
    "longest account": (text(account_id="ä" * 512), GOOD),
    "sql in the account": (text(account_id="x'; DROP TABLE books.credits; --"), GOOD),
    "quotes in the account": (text(account_id='a"b\\c'), GOOD),
    "missing time": (text(occurred_at=...), held("missing_time")),
    "null time": (text(occurred_at=None), held("missing_time")),
    "naive time": (text(occurred_at="2026-10-05T10:00:00"), held("naive_time")),
    "date only": (text(occurred_at="2026-10-05"), held("invalid_time")),
    "month 13": (text(occurred_at="2026-13-05T10:00:00Z"), held("invalid_time")),
    "leap second": (text(occurred_at="2026-10-05T10:00:60Z"), held("invalid_time")),
    "number for an iso time": (text(occurred_at=1790000000), held("invalid_time")),
    "object time": (text(occurred_at={"s": 1}), held("invalid_time")),
    "words for a time": (text(occurred_at="infinity"), held("invalid_time")),
    "1970": (text(occurred_at="1970-01-01T00:00:00Z"), held("time_out_of_range")),
    "24 hours after the billing date": (text(occurred_at="2026-10-07T00:00:00Z"), GOOD),
    "later than that": (text(occurred_at="2026-10-07T00:00:00.000001Z"), held("time_out_of_range")),
    "before the start": (text(occurred_at="2026-08-31T23:59:59.999999Z"), ("ignored", "before_start")),
    "start by offset": (text(occurred_at="2026-09-01T01:59:59+02:00"), ("ignored", "before_start")),
    "fraction tokens": (text(input_tokens=10.7), held("invalid_integer")),
    "whole float tokens": (text(input_tokens=10.0), held("invalid_integer")),
    "exponent tokens": (raw(": 100", ": 1e3"), held("invalid_integer")),
    "digit text tokens": (text(input_tokens="10"), held("invalid_integer")),
    "boolean tokens": (text(input_tokens=True), held("invalid_integer")),
    "negative tokens": (text(input_tokens=-1), held("negative_count")),
    "negative zero": (raw(": 100", ": -0"), GOOD),
    "2^31 tokens": (text(input_tokens=2**31), GOOD),
    "10^12 tokens": (text(input_tokens=10**12), GOOD),
    "above 10^12 tokens": (text(input_tokens=10**12 + 1), held("count_out_of_range")),
    "2^63 tokens": (text(input_tokens=2**63), held("count_out_of_range")),
    "2^64 tokens": (text(input_tokens=2**64), held("count_out_of_range")),
    "1e400 tokens": (raw(": 100", ": 1e400"), held("invalid_integer")),
    "no usage": (text(input_tokens=..., output_tokens=None), held("missing_usage")),
    "no usage on a failed call": (text(input_tokens=..., output_tokens=..., success=False), GOOD),
    "only output": (text(input_tokens=...), GOOD),
    "cache above input": (text(cache_read_tokens=90, cache_write_5m_tokens=11), held("inconsistent_usage")),
    "reasoning above output": (text(reasoning_tokens=21), held("inconsistent_usage")),
    "success as a text": (text(success="yes"), held("invalid_boolean")),
    "cost in words": (text(cost_usd="cheap"), UNREAD),
    "cost as an object": (text(cost_usd={"usd": 1}), UNREAD),
    "cost beyond the range": (text(cost_usd="99999999999"), UNREAD),
    "cost below zero": (text(cost_usd="-0.5"), GOOD),
    "no cost": (text(cost_usd=None), GOOD),
    "unknown operation": (text(operation_type="dance"), held("unknown_operation")),
    "operation alias": (text(operation_type="Image_Prompt_Generation"), GOOD),
    "no operation": (text(operation_type=...), GOOD),
    "image without count": (text(operation_type="image"), held("image_count")),
    "image with 0": (text(operation_type="image", image_count=0), held("image_count")),
    "failed image with 0": (text(operation_type="image", image_count=0, success=False), GOOD),
    "too many images": (text(operation_type="image", image_count=10**6 + 1), held("count_out_of_range")),
    "model of another type": (text(model=["gpt"]), held("invalid_text")),
    "unknown keys": (text(surprise={"deep": [1, 2]}), GOOD),
}  # fmt: skip


Fate = tuple[str, str | None]


@pytest.fixture(scope="module")
def fates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Fate]]:
    """Disposition and reason of each hostile line and of the good ones around it: all cases in one file."""
    folder = tmp_path_factory.mktemp("hostile")
    lines: list[bytes] = []
    for number, (line, _) in enumerate(CASES.values()):
        own_id = line.replace(b'"e1"', f'"e{number}"'.encode(), 1)
        lines += [text(event_id=f"before {number}"), own_id, text(event_id=f"after {number}")]
    with closing(open_books(folder / "warehouse.duckdb")) as con:
        world = World(folder / "in", con)
        world.add("usage.jsonl", b"\n".join(lines))
        assert world.read().received == {1: len(lines)}
        found = [fate[2:] for fate in world.fates()]
    return {name: found[3 * number : 3 * number + 3] for number, name in enumerate(CASES)}


@pytest.mark.parametrize("name", CASES)
def test_hostile_line_has_its_golden_fate(fates: dict[str, list[Fate]], name: str) -> None:
    """A hostile line between two good ones: the golden disposition, and the good ones are accepted."""
    assert fates[name] == [GOOD, CASES[name][1], GOOD]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_hostile_line_by_itself_has_its_golden_fate(world: World, name: str) -> None:
    """The same of a file that holds no other hostile line."""
    line, fate = CASES[name]
    first, last = text(event_id="first"), text(event_id="last")
    world.add("usage.jsonl", first + b"\n" + line + b"\n" + last)
    assert world.read().received == {1: 3}
    assert [found[2:] for found in world.fates()] == [GOOD, fate, GOOD]


def test_corpus_is_large_enough() -> None:
    """The hostile corpus has at least 60 cases."""
    assert len(CASES) >= 60


def test_all_hostile_lines_together_are_conserved_and_kept(world: World) -> None:
    """In one file, every record has one disposition and every quarantined one its exact bytes."""
    lines = [line for line, _ in CASES.values()]
    world.add("usage.jsonl", b"\n".join(lines) + b"\n")
    assert world.read().received == {1: len(lines)}
    assert len(world.fates()) == len(lines)
    kept = world.rows(
        "SELECT line_no, raw, lower(hex(line_sha256)) = sha256(raw) FROM quarantined_records WHERE reason <> 'conflict'"
    )
    assert kept
    for number, data, hash_matches in kept:
        assert data == lines[number - 1].removesuffix(b"\r")
        assert hash_matches


def test_line_beyond_16_mib_is_held_and_its_neighbours_stand(world: World) -> None:
    """A line of 17 MiB and one of 40 MiB are quarantined as too long; the others are accepted."""
    long = [b'{"a": "' + b"x" * (size << 20) + b'"}' for size in (17, 40)]
    world.add("usage.jsonl", b"\n".join([text(event_id="1"), long[0], text(event_id="2"), long[1], text(event_id="3")]))
    world.read()
    assert [fate[2:] for fate in world.fates()] == [GOOD, held("line_too_long"), GOOD, held("line_too_long"), GOOD]
    assert world.rows("SELECT DISTINCT octet_length(raw) FROM quarantined_records") == [(16 << 20,)]


def test_byte_order_mark_at_the_start_is_dropped(world: World) -> None:
    """Only on line 1."""
    world.add("usage.jsonl", b"\xef\xbb\xbf" + text())
    world.read()
    assert [fate[2:] for fate in world.fates()] == [GOOD]


def exact_profile(unit: str, money: str = "usd") -> Profile:
    """Times in a unit, cost as a number."""
    return profile_of(
        f'kind = "usage"\ndedup = ["id"]\n[time]\npath = "meta.t"\nunit = "{unit}"\n[account]\nconstant = "a"\n'
        f'[fields]\ninput_tokens = "n"\nreported_cost = "meta.cost"\n[money]\nunit = "{money}"\n'
    )


@pytest.mark.parametrize(
    ("unit", "written", "micros"),
    [
        ("s", "1791000000", 1791000000000000),
        ("s", "1791000000.5", 1791000000500000),
        ("s", '"1791000000.1234569"', 1791000000123456),
        ("s", "1791000000.123456999999", 1791000000123456),
        ("s", "1.791e9", 1791000000000000),
        ("ms", "1791000000123.4567", 1791000000123456),
        ("ms", "1791000000123.9999999999", 1791000000123999),
        ("us", "1791000000123456.9", 1791000000123456),
        ("ns", '"1791000000123456789"', 1791000000123456),
        ("ns", "1791000000123456789", 1791000000123456),
        ("ms", '"2026-10-05T10:00:00.1234567+02:00"', 1791187200123456),
    ],
)
def test_times_are_cut_from_the_decimal_text(world: World, unit: str, written: str, micros: int) -> None:
    """Microseconds come from the digits as written; finer ones are cut, never rounded through a double."""
    world.context = type(world.context)(
        world.context.billing_date, world.context.start, auto_create=True, books_welcome=True, metadata_keys=()
    )
    world.add("u.jsonl", f'{{"id": 1, "n": 1, "meta": {{"t": {written}}}}}', exact_profile(unit))
    world.read()
    assert world.one("epoch_us(occurred_at)") == micros


@pytest.mark.parametrize(
    ("unit", "written", "nanos"),
    [
        ("usd", "0.000283", 283000),
        ("usd", '"0.1234567899"', 123456789),
        ("usd", "0.09999999999999999999", 99999999),
        ("usd", "1e-7", 100),
        ("usd", "1.4999999999999999e-05", 14999),
        ("usd", "5.8274999999999993e-05", 58274),
        ("usd", "9.99e3", 9990000000000),
        ("usd_cents", "12.5", 125000000),
        ("nano_usd", "77.9", 77),
        ("usd", "0", 0),
    ],
)
def test_money_is_cut_from_the_decimal_text(world: World, unit: str, written: str, nanos: int) -> None:
    """Integer nano-USD by the digits as written."""
    line = f'{{"id": 1, "n": 1, "meta": {{"t": "2026-10-05T10:00:00Z", "cost": {written}}}}}'
    world.add("u.jsonl", line, exact_profile("iso", unit))
    world.read()
    assert world.one("reported_cost_nanousd") == nanos


def test_context_keys_only_reach_request_metadata(world: World) -> None:
    """Only allowed keys are kept, and an error text is cut to 200 characters."""
    world.add(
        "u.jsonl", text(metadata={"team": "x", "prompt": "secret"}, error_message="e" * 500, success=False), PLAIN
    )
    world.read()
    assert world.one("request_metadata, length(error_message), success") == ('{"team":"x"}', 200, False)
