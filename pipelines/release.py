"""Which version of the code is running."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def code_version() -> str:
    """The installed version of the distribution, as postings and manifests name it."""
    try:
        return version("tollbook")
    except PackageNotFoundError:
        return "0+unknown"
