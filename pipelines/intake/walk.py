"""Walking the books folder for the files of a glob: what is skipped, what is refused, what dates a path."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from pipelines.intake.archives import SUFFIX, split_member
from pipelines.intake.remote import is_remote, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipelines.intake.found import SourceLike
    from pipelines.intake.remote import RemoteObject, StagedObjects

PLAIN_SUFFIXES = (".jsonl", ".ndjson", ".csv")
SUPPORTED_SUFFIXES = (*PLAIN_SUFFIXES, *(f"{plain}{end}" for plain in PLAIN_SUFFIXES for end in (".gz", ".zst")))
SUPPORTED_SUFFIXES += (".parquet", SUFFIX)
_UNSUPPORTED = (
    f"unsupported, its name ends in none of {', '.join(PLAIN_SUFFIXES)} (plain, .gz or .zst), .parquet, {SUFFIX}"
)
SKIPPED_SUFFIXES = (".hmac", ".tmp", ".part")
SKIPPED_PREFIXES = (".", "_")
# Written by the books themselves; a glob such as **/* must not feed them back.
_OWN_FOLDERS = frozenset({"journal", "warehouse"})
_DATE = re.compile(r"(?<![0-9])([0-9]{4})([-/])([0-9]{2})\2([0-9]{2})(?![0-9])")


@dataclass
class Walk:
    """The files found, by path relative to the books folder, with their one source; and what was refused."""

    sources: dict[str, SourceLike] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    objects: dict[str, RemoteObject] = field(default_factory=dict)

    def refuse(self, path: str, why: str) -> None:
        """Note a path that is not read, once."""
        notice = f"{path}: {why}"
        if notice not in self.notices:
            self.notices.append(notice)


def walk(root: Path, sources: Iterable[SourceLike], objects: StagedObjects | None = None) -> Walk:
    """Find the files of every source, in the order of their paths; those of an object store by their URI.

    Raises ConfigurationError when a file matches two sources, or a pattern leaves the folder; ObjectStoreError.
    """
    found = Walk()
    for source in sources:
        remote = objects is not None and is_remote(source.pattern)
        paths = (
            _listed(objects, source.pattern, found) if objects and remote else _matching(root, source.pattern, found)
        )
        for path in _of_source(paths, source, found):
            other = found.sources.setdefault(path, source)
            if other is not source:
                msg = (
                    f"tollbook.toml: {path} matches both {other.kind} `{other.name}` ({other.pattern}) and "
                    f"{source.kind} `{source.name}` ({source.pattern}); make their paths disjoint"
                )
                raise ConfigurationError(msg)
    found.sources = dict(sorted(found.sources.items()))
    return found


def _listed(objects: StagedObjects, pattern: str, found: Walk) -> list[str]:
    """The URIs of a pattern, by the same rules as files; the store is asked for what is below its fixed folders."""
    fixed = "/".join(_fixed_folder(pattern)) + "/"
    wanted = pattern_regex(pattern)
    paths = []
    for item in objects.list(fixed):
        names = item.uri.removeprefix(fixed).split("/")
        if any(name.startswith(SKIPPED_PREFIXES) for name in names) or item.uri.endswith(SKIPPED_SUFFIXES):
            continue
        if not wanted.fullmatch(item.uri):
            continue
        if not item.uri.endswith(SUPPORTED_SUFFIXES):
            found.refuse(item.uri, _UNSUPPORTED)
            continue
        found.objects[item.uri] = item
        paths.append(item.uri)
    return paths


def _of_source(paths: list[str], source: SourceLike, found: Walk) -> list[str]:
    """The paths as the source reads them: of a zip, the file inside it."""
    read = []
    for path in paths:
        if not path.endswith(SUFFIX):
            read.append(path)
        elif source.member:
            read.append(f"{path}/{source.member}")
        else:
            found.refuse(path, f"a zip; say which file of it is read, by `member` of {source.kind} `{source.name}`")
    return read


def date_of_path(path: str) -> date | None:
    """Return the first valid YYYY-MM-DD (also behind `dt=`) or YYYY/MM/DD in a path, left to right."""
    for match in _DATE.finditer(key_of(path)):
        try:
            return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
    return None


def is_plain(path: str) -> bool:
    """Whether more lines may be appended to such a file: neither compressed nor Parquet nor inside an archive."""
    return path.endswith(PLAIN_SUFFIXES) and split_member(path)[1] is None


def fits(path: str, pattern: str) -> bool:
    """Whether a path relative to the books folder matches a glob."""
    return pattern_regex(pattern).fullmatch(path) is not None


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """Translate a glob: `**` is any number of folders, `*` and `?` stay within a name, `[...]` is one character."""
    parts = pattern.split("/")
    text = "".join(_part_regex(part, is_last=index == len(parts) - 1) for index, part in enumerate(parts))
    return re.compile(text, re.DOTALL)


def _part_regex(part: str, *, is_last: bool) -> str:
    if part == "**":
        return ".*" if is_last else "(?:[^/]+/)*"
    text = ""
    position = 0
    while position < len(part):
        char = part[position]
        end = part.find("]", position + 2)
        if char == "[" and end > 0:
            body = part[position + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            text += f"(?!/)[{'^' + body[1:] if body.startswith('!') else body}]"
            position = end
        else:
            text += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
        position += 1
    return text + ("" if is_last else "/")


def _matching(root: Path, pattern: str, found: Walk) -> list[str]:
    fixed = _fixed_folder(pattern)
    if pattern.startswith("/") or ".." in pattern.split("/"):
        msg = f"tollbook.toml: the path {pattern!r} leaves the books folder; write it relative to the folder"
        raise ConfigurationError(msg)
    for depth in range(1, len(fixed) + 1):
        if (root.joinpath(*fixed[:depth])).is_symlink():
            found.refuse("/".join(fixed[:depth]), "refused, a symbolic link; move the files into the books folder")
            return []
    wanted = pattern_regex(pattern)
    return [path for path in _files_below(root, "/".join(fixed), found, wanted) if wanted.fullmatch(path)]


def _fixed_folder(pattern: str) -> list[str]:
    """Return the leading folders of a pattern without any wildcard: where the walk begins."""
    folders = pattern.split("/")[:-1]
    fixed = []
    for folder in folders:
        if any(char in folder for char in "*?["):
            break
        fixed.append(folder)
    return fixed


def _files_below(root: Path, folder: str, found: Walk, wanted: re.Pattern[str]) -> list[str]:
    """Return the readable candidates below a folder; note links, pipes and unknown suffixes that would match."""
    paths: list[str] = []
    folders = [folder]
    while folders:
        current = folders.pop()
        try:
            entries = list(os.scandir(root / current))
        except FileNotFoundError:
            continue
        except OSError as error:
            found.refuse(current or ".", f"cannot be listed ({error.strerror})")
            continue
        for entry in entries:
            path = f"{current}/{entry.name}" if current else entry.name
            if entry.name.startswith(SKIPPED_PREFIXES) or path in _OWN_FOLDERS:
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name.endswith(SUFFIX):
                    found.refuse(path, "refused, a folder named as a zip; rename it")
                else:
                    folders.append(path)
            elif not entry.name.endswith(SKIPPED_SUFFIXES) and _is_readable(entry, path, found, wanted):
                paths.append(path)
    return paths


def _is_readable(entry: os.DirEntry[str], path: str, found: Walk, wanted: re.Pattern[str]) -> bool:
    if entry.is_symlink():
        if wanted.fullmatch(path) or entry.is_dir():
            found.refuse(path, "refused, a symbolic link; move or copy what it points to into the books folder")
        return False
    if not wanted.fullmatch(path):
        return False
    if not entry.is_file(follow_symlinks=False):
        found.refuse(path, "refused, not an ordinary file")
        return False
    if not path.endswith(SUPPORTED_SUFFIXES):
        found.refuse(path, _UNSUPPORTED)
        return False
    try:
        path.encode()
    except UnicodeEncodeError:
        found.refuse(ascii(path), "refused, its name is not UTF-8; rename it")
        return False
    return True
