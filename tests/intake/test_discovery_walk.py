"""Which paths are looked at, which are refused by name, and what dates them."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import pytest

from billing_core.errors import ConfigurationError
from pipelines.intake.walk import date_of_path, pattern_regex
from tests.intake.discovery_support import FakeSource, World

if TYPE_CHECKING:
    from pathlib import Path


def paths_of(world: World) -> list[str]:
    """Return the paths that would be taken."""
    return sorted(file.path for file in world.look().files)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("usage/**/*", ["usage/a.csv", "usage/x/y/a.csv"], ["a.csv", "usages/a.csv"]),
        ("usage/**", ["usage/a.csv", "usage/x/a.csv"], ["usage", "b/usage/a.csv"]),
        ("usage/*.jsonl", ["usage/a.jsonl", "usage/.jsonl"], ["usage/x/a.jsonl", "usage/a.jsonl.gz", "usage/ajsonl"]),
        ("**/*.csv", ["a.csv", "x/y/a.csv"], ["a.csv.gz"]),
        ("logs/app-?.jsonl", ["logs/app-1.jsonl"], ["logs/app-10.jsonl", "logs/app-/.jsonl"]),
        ("logs/[ab]*.csv", ["logs/a1.csv", "logs/b.csv"], ["logs/c.csv"]),
        ("logs/[!ab].csv", ["logs/c.csv"], ["logs/a.csv", "logs/.csv"]),
        ("logs/a[.csv", ["logs/a[.csv"], ["logs/a.csv"]),
        ("a+b/(c).csv", ["a+b/(c).csv"], ["aab/c.csv"]),
        ("u/**/d/*.csv", ["u/d/a.csv", "u/x/y/d/a.csv"], ["u/xd/a.csv", "u/d/x/a.csv"]),
    ],
)
def test_globs_mean_what_shells_mean(pattern: str, matching: list[str], other: list[str]) -> None:
    """`**` is any number of folders, a single `*` stays within one name, other characters are themselves."""
    regex = pattern_regex(pattern)
    assert [path for path in matching if not regex.fullmatch(path)] == []
    assert [path for path in other if regex.fullmatch(path)] == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("usage/dt=2026-09-02/a.jsonl", date(2026, 9, 2)),
        ("usage/2026/09/03/a.jsonl", date(2026, 9, 3)),
        ("usage/2026/09/03.jsonl", date(2026, 9, 3)),
        ("usage/app-2026-09-04T10.jsonl", date(2026, 9, 4)),
        ("usage/2026-09-05/2026-09-06.jsonl", date(2026, 9, 5)),
        ("usage/2026-02-30/2026-03-01.jsonl", date(2026, 3, 1)),
        ("usage/2026-13-01.jsonl", None),
        ("usage/20260901.jsonl", None),
        ("usage/12026-09-01.jsonl", None),
        ("usage/2026-09-011.jsonl", None),
        ("usage/2026-09/01.jsonl", None),
        ("usage/a.jsonl", None),
        ("usage/0000-01-01.jsonl", None),
        ("usage/٢٠٢٦-09-01.jsonl", None),
    ],
)
def test_the_first_valid_date_in_the_path_counts(path: str, expected: date | None) -> None:
    """Left to right; what is no day of the calendar is no date."""
    assert date_of_path(path) == expected


def test_hidden_temporary_and_signature_files_are_skipped_in_silence(tmp_path: Path) -> None:
    """At any depth; so are folders whose name begins with a dot or underscore."""
    world = World(tmp_path)
    names = [
        ".a.jsonl",
        "_a.jsonl",
        "a.jsonl.hmac",
        "a.jsonl.tmp",
        "a.jsonl.part",
        "_temporary/a.jsonl",
        ".git/a.jsonl",
    ]
    for name in names:
        world.write(f"usage/x/{name}")
    world.write("usage/x/a.jsonl")
    found = world.look()
    assert [file.path for file in found.files] == ["usage/x/a.jsonl"]
    assert (found.waiting, found.notices) == ((), ())


def test_every_supported_suffix_is_taken_and_others_are_named(tmp_path: Path) -> None:
    """An unsupported file that matches the pattern is reported; one that does not match is nobody's business."""
    world = World(tmp_path, [FakeSource(pattern="usage/**/*")])
    good = ["a.jsonl", "a.ndjson", "a.csv", "a.parquet", "a.jsonl.gz", "a.csv.zst", "a.ndjson.gz"]
    bad = ["a.json", "a.txt", "a.jsonl.bz2", "a.parquet.gz", "a.JSONL", "noname"]
    for number, name in enumerate([*good, *bad]):
        world.write(f"usage/{name}", str(number))
    world.write("elsewhere/a.txt")
    found = world.look()
    assert sorted(file.path for file in found.files) == sorted(f"usage/{name}" for name in good)
    assert [notice.split(": unsupported")[0] for notice in found.notices] == sorted(f"usage/{name}" for name in bad)


def test_links_and_pipes_are_refused_by_name(tmp_path: Path) -> None:
    """Never opened: a pipe would block the run, a link would leave the folder."""
    world = World(tmp_path / "books")
    world.write("usage/real.jsonl")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.jsonl").write_text("{}", encoding="utf-8")
    (world.root / "usage" / "link.jsonl").symlink_to(outside / "b.jsonl")
    (world.root / "usage" / "inside.jsonl").symlink_to("real.jsonl")
    (world.root / "usage" / "folder").symlink_to(outside)
    (world.root / "usage" / "dangling.jsonl").symlink_to("nowhere")
    os.mkfifo(world.root / "usage" / "pipe.jsonl")
    found = world.look()
    assert [file.path for file in found.files] == ["usage/real.jsonl"]
    assert [notice.split(",")[0] for notice in found.notices] == [
        "usage/dangling.jsonl: refused",
        "usage/folder: refused",
        "usage/inside.jsonl: refused",
        "usage/link.jsonl: refused",
        "usage/pipe.jsonl: refused",
    ]


def test_a_linked_input_folder_is_refused(tmp_path: Path) -> None:
    """The fixed part of a pattern may not be a link either."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.jsonl").write_text("{}", encoding="utf-8")
    world = World(tmp_path / "books")
    world.root.mkdir()
    (world.root / "usage").symlink_to(tmp_path / "logs")
    found = world.look()
    assert found.files == ()
    assert found.notices == ("usage: refused, a symbolic link; move the files into the books folder",)


def test_a_pattern_cannot_leave_the_folder(tmp_path: Path) -> None:
    """The configuration refuses it as well; this is the second lock."""
    for pattern in ("../x/*", "/etc/*", "usage/../../x/*"):
        with pytest.raises(ConfigurationError, match="leaves the books folder"):
            World(tmp_path, [FakeSource(pattern=pattern)]).look()


def test_a_file_of_two_sources_is_a_configuration_error(tmp_path: Path) -> None:
    """It would be billed twice, or under a source that depends on the order; both are named."""
    world = World(tmp_path, [FakeSource(name="one"), FakeSource(name="two", pattern="**/*.csv")])
    world.write("usage/a.jsonl")
    assert paths_of(world) == ["usage/a.jsonl"]
    world.write("usage/b.csv")
    message = r"usage/b\.csv matches both usage `one` \(usage/\*\*/\*\) and usage `two` \(\*\*/\*\.csv\)"
    with pytest.raises(ConfigurationError, match=message):
        world.look()
    world.sources = [FakeSource(name="one"), FakeSource(name="credits", kind="credits", pattern="usage/*.csv")]
    with pytest.raises(ConfigurationError, match="and credits `credits`"):
        world.look()


def test_the_books_never_read_what_they_wrote(tmp_path: Path) -> None:
    """A pattern of everything leaves journal/ and warehouse/ out."""
    world = World(tmp_path, [FakeSource(pattern="**/*")])
    for path in ("journal/admin.jsonl", "warehouse/reports/x.csv", "logs/journal/a.jsonl"):
        world.write(path, path)
    assert paths_of(world) == ["logs/journal/a.jsonl"]


def test_names_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    """They could not be written to a journal; the notice shows them escaped."""
    world = World(tmp_path)
    world.write("usage/a.jsonl")
    try:
        (tmp_path / os.fsdecode(b"usage/b\xff.jsonl")).touch()
    except OSError:
        pytest.skip("this file system refuses names that are not UTF-8")
    found = world.look()
    assert [file.path for file in found.files] == ["usage/a.jsonl"]
    assert found.notices == (r"'usage/b\udcff.jsonl': refused, its name is not UTF-8; rename it",)


def test_no_input_folder_is_no_error(tmp_path: Path) -> None:
    """New books have no files yet."""
    assert World(tmp_path).look().files == ()
