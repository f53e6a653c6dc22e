"""The demo's folder: made by the demo, marked as its own, replaced only where the mark stands."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

MARKER = ".tollbook-demo"
_MARKER_TEXT = "Written by `tollbook demo`. The next `tollbook demo` into this folder replaces the books in it.\n"
_OWNED = (
    "tollbook.toml",
    "rates.toml",
    "packages.toml",
    "demo-secret.txt",
    "accounts",
    "credits",
    "usage",
    "stripe",
    "journal",
    "warehouse",
)
"""What a demo writes or its runs leave behind; anything else in the folder is somebody's and stays."""


def is_demo_folder(folder: Path) -> bool:
    """Whether the demo made this folder."""
    return (folder / MARKER).is_file()


def prepare_folder(folder: Path) -> None:
    """Make `folder` ready for a new demo: created, or emptied of the demo that stood there.

    Raises ConfigurationError when something that is no demo stands there; then nothing was touched.
    """
    if folder.exists() and not folder.is_dir():
        message = f"{folder}: is a file, the demo needs a folder; name another one with --dir"
        raise ConfigurationError(message)
    if folder.is_dir() and any(folder.iterdir()):
        if not is_demo_folder(folder):
            message = f"{folder}: is not empty and is not a demo (no {MARKER} in it); name another folder with --dir"
            raise ConfigurationError(message)
        for name in _OWNED:
            _remove(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(_MARKER_TEXT, encoding="utf-8")


def _remove(path: Path) -> None:
    # A link is cut, never followed: what it points at is not the demo's.
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
