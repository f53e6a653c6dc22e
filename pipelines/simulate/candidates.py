"""The price books that are tried: rates files anywhere, each proved by the loader of a run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from pipelines.books.config import load_packages, load_prices

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from billing_core.packages import Package
    from billing_core.price_book import PriceBook
    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder


@dataclass(frozen=True)
class Candidate:
    """A price book under trial; `name` tells it apart from the others in columns and tables."""

    name: str
    path: Path
    sha256: str
    prices: PriceBook


def load_candidates(folder: BooksFolder, config: BooksConfig, paths: Sequence[Path]) -> tuple[Candidate, ...]:
    """Read and prove rates files. Raises ConfigurationError for a wrong one, or one that is named twice."""
    candidates = []
    resolved = [path.expanduser().resolve() for path in paths]
    if twice := sorted({str(path) for path in resolved if resolved.count(path) > 1}):
        raise ConfigurationError(f"--rates: {twice[0]} is named twice; name each file once")
    names = _names(resolved)
    for path, name in zip(resolved, names, strict=True):
        if not path.is_file():
            raise ConfigurationError(f"--rates: {path}: no such file")
        rates = config.rates.model_copy(update={"path": str(path)})
        prices = load_prices(folder, config.model_copy(update={"rates": rates}))
        candidates.append(Candidate(name, path, hashlib.sha256(path.read_bytes()).hexdigest(), prices))
    return tuple(candidates)


def load_packages_of(folder: BooksFolder, config: BooksConfig, path: Path | None) -> Sequence[Package]:
    """The packages of another file, or those of the books."""
    if path is None:
        return load_packages(folder, config)
    if not path.is_file():
        raise ConfigurationError(f"--packages: {path}: no such file")
    packages = config.packages.model_copy(update={"path": str(path.expanduser().resolve())})
    return load_packages(folder, config.model_copy(update={"packages": packages}))


def _names(paths: Sequence[Path]) -> list[str]:
    """The files' stems; where two are alike, with the folder before them, else with their number behind."""
    stems = [path.stem for path in paths]
    longer = [
        f"{path.parent.name}/{stem}" if stems.count(stem) > 1 else stem for path, stem in zip(paths, stems, strict=True)
    ]
    return [
        f"{name} ({number})" if longer.count(name) > 1 or name == "posted" else name
        for number, name in enumerate(longer, start=1)
    ]
