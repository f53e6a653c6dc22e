"""Files that grow, move, shrink or change what was already read."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tests.intake.discovery_support import FakeSource, World

if TYPE_CHECKING:
    from pathlib import Path


def test_a_grown_file_goes_on_where_it_ended(tmp_path: Path) -> None:
    """From byte N and the line after the last; again and again."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", "1\n2\n")
    world.take()
    world.write("usage/a.jsonl", "1\n2\n3\n")
    (second,) = world.take()
    assert (second.byte_from, second.first_line, second.size_bytes, second.continues_file_id) == (4, 3, 6, 1)
    world.write("usage/a.jsonl", "1\n2\n3\n4\n5\n")
    (third,) = world.take()
    assert (third.byte_from, third.first_line, third.continues_file_id) == (6, 4, 2)
    found = world.look()
    assert (found.files, found.notices) == ((), ())


def test_only_plain_files_grow(tmp_path: Path) -> None:
    """A compressed file with other bytes is another file: its lines are read from the beginning."""
    world = World(tmp_path)
    world.write("usage/a.jsonl.gz", gzip.compress(b"1\n", mtime=0))
    world.take()
    world.write("usage/a.jsonl.gz", gzip.compress(b"1\n", mtime=0) + gzip.compress(b"2\n", mtime=0))
    (file,) = world.take()
    assert (file.byte_from, file.first_line, file.continues_file_id) == (0, 1, None)


def test_a_changed_beginning_is_named_and_read_as_a_new_file(tmp_path: Path) -> None:
    """Grown, cut or of the same size: whatever differs from what was taken."""
    for content in ("9\n2\n3\n", "9\n", "9\n9\n"):
        world = World(tmp_path / str(len(content)) / content[2:3].strip().join("x"))
        world.write("usage/a.jsonl", "1\n2\n")
        world.take()
        world.write("usage/a.jsonl", content)
        found = world.look()
        assert [(file.byte_from, file.continues_file_id) for file in found.files] == [(0, None)]
        assert found.notices == (
            "usage/a.jsonl: no longer begins with the 4 bytes taken before (file 1); what follows is read as new lines",
        )


def test_a_file_cut_back_to_what_was_taken_first_is_known(tmp_path: Path) -> None:
    """The bytes were taken: nothing to read."""
    world = World(tmp_path)
    for content in ("1\n2\n", "1\n2\n3\n"):
        world.write("usage/a.jsonl", content)
        world.take()
    world.write("usage/a.jsonl", "1\n2\n")
    assert world.look().files == ()


def test_a_file_that_parts_from_its_continuation_goes_on_from_the_first_part(tmp_path: Path) -> None:
    """The longest known beginning counts, and the change is named."""
    world = World(tmp_path)
    for content in ("1\n2\n", "1\n2\n3\n"):
        world.write("usage/a.jsonl", content)
        world.take()
    world.write("usage/a.jsonl", "1\n2\n9\n9\n")
    found = world.look()
    assert [(file.byte_from, file.first_line, file.continues_file_id) for file in found.files] == [(4, 3, 1)]
    assert "no longer begins with the 6 bytes taken before (file 2)" in found.notices[0]


def test_a_file_that_moved_and_grew_goes_on_too(tmp_path: Path) -> None:
    """Log rotation: the old name begins anew, the lines appended before the move are not lost nor read twice."""
    world = World(tmp_path)
    world.write("usage/app.jsonl", "1\n2\n")
    world.take()
    world.write("usage/app-old.jsonl", "1\n2\n3\n")
    world.write("usage/app.jsonl", "4\n")
    found = {file.path: file for file in world.take()}
    assert (found["usage/app-old.jsonl"].byte_from, found["usage/app-old.jsonl"].first_line) == (4, 3)
    assert found["usage/app-old.jsonl"].continues_file_id == 1
    assert (found["usage/app.jsonl"].byte_from, found["usage/app.jsonl"].continues_file_id) == (0, None)
    assert world.look().files == ()


def test_rotation_is_seen_when_the_new_file_is_larger_than_the_old(tmp_path: Path) -> None:
    """The new content of the old name does not hide where the old content went."""
    world = World(tmp_path)
    world.write("usage/app.jsonl", "1\n")
    world.take()
    world.write("usage/app-old.jsonl", "1\n2\n")
    world.write("usage/app.jsonl", "a much longer line\n")
    found = {file.path: file for file in world.look().files}
    assert found["usage/app-old.jsonl"].continues_file_id == 1


def test_a_duplicate_that_grows_goes_on_from_the_file_it_repeats(tmp_path: Path) -> None:
    """Its first lines were never its own."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", "1\n2\n")
    world.take()
    world.write("usage/b.jsonl", "1\n2\n")
    world.take()
    world.write("usage/b.jsonl", "1\n2\n3\n")
    (file,) = world.take()
    assert (file.path, file.byte_from, file.continues_file_id, file.outcome) == ("usage/b.jsonl", 4, 1, "taken")


def test_two_files_that_begin_alike_are_two_files(tmp_path: Path) -> None:
    """As long as the known one stands where it stood: CSV headers are equal everywhere."""
    world = World(tmp_path)
    world.write("usage/a.csv", "id,tokens\n")
    world.take()
    world.write("usage/b.csv", "id,tokens\nx,1\n")
    (file,) = world.take()
    assert (file.byte_from, file.continues_file_id) == (0, None)


def test_a_last_line_without_an_end_is_read_again_when_it_has_one(tmp_path: Path) -> None:
    """The reader caught the writer in the middle of a line: only that line is read again, under its number."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", '{"id": 1}\n{"id": 2}\n{"id"')
    world.take()
    world.write("usage/a.jsonl", '{"id": 1}\n{"id": 2}\n{"id": 3}\n{"id": 4}\n')
    (file,) = world.take()
    assert (file.byte_from, file.first_line, file.continues_file_id) == (20, 3, 1)


def test_a_file_of_one_unended_line_begins_again(tmp_path: Path) -> None:
    """There is no line before it."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", "x" * 200_000)
    world.take()
    world.write("usage/a.jsonl", "x" * 200_000 + "\n2\n")
    (file,) = world.take()
    assert (file.byte_from, file.first_line) == (0, 1)


@pytest.mark.parametrize("before", ['id,note\n1,"a\nc"\n2,"a\nb"', 'id,note\n1,"a\nc"\n2,"b\n'])
def test_a_csv_that_grew_inside_a_row_goes_on_at_that_row(tmp_path: Path, before: str) -> None:
    """A row may span lines, and is counted from its first one."""
    world = World(tmp_path)
    world.write("usage/a.csv", before)
    world.take()
    world.write("usage/a.csv", before + ' more"\n3,c\n')
    found = world.look()
    assert [(file.byte_from, file.first_line, file.continues_file_id) for file in found.files] == [(16, 4, 1)]
    assert found.notices == ()


def test_a_csv_whose_last_row_had_no_end_goes_on_at_that_row(tmp_path: Path) -> None:
    """It is read again with its end, under its own line number."""
    world = World(tmp_path)
    world.write("usage/a.csv", 'id,note\n1,"a"\n2,b')
    world.take()
    world.write("usage/a.csv", 'id,note\n1,"a"\n2,b\n3,c\n')
    (file,) = world.take()
    assert (file.byte_from, file.first_line, file.continues_file_id) == (14, 3, 1)


def test_a_csv_that_grew_by_whole_rows_goes_on(tmp_path: Path) -> None:
    """Closed quotes and a newline at the end: the next row begins there."""
    world = World(tmp_path)
    world.write("usage/a.csv", 'id,note\n1,"a\nb"\n')
    world.take()
    world.write("usage/a.csv", 'id,note\n1,"a\nb"\n2,c\n')
    (file,) = world.take()
    assert (file.byte_from, file.first_line, file.continues_file_id) == (16, 4, 1)


def test_an_empty_file_that_fills_is_new_without_a_word(tmp_path: Path) -> None:
    """Nothing was taken of it before."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", "")
    world.take()
    world.write("usage/a.jsonl", "1\n")
    found = world.look()
    assert [(file.byte_from, file.continues_file_id) for file in found.files] == [(0, None)]
    assert found.notices == ()


def test_growth_is_per_source(tmp_path: Path) -> None:
    """A file that another source took is not continued."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", "1\n")
    world.take()
    world.sources = [FakeSource(name="renamed")]
    world.write("usage/a.jsonl", "1\n2\n")
    (file,) = world.take()
    assert (file.source, file.byte_from, file.continues_file_id) == ("renamed", 0, None)


def test_a_refused_file_is_no_beginning(tmp_path: Path) -> None:
    """None of its lines was read."""
    world = World(tmp_path)
    world.write("usage/a.jsonl", "1\n")
    (file,) = world.look().files
    world.post(file, "refused", "unreadable")
    world.write("usage/a.jsonl", "1\n2\n")
    assert [file.byte_from for file in world.look().files] == [0]
