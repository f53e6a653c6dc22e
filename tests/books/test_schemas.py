"""The published JSON Schemas: as the code makes them, and of one mind with the loaders over good and bad files."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest
from pydantic import ValidationError

from billing_core.errors import ConfigurationError
from billing_core.packages import parse_packages
from billing_core.price_book import parse_price_book
from pipelines.books.config_models import BooksConfig
from pipelines.books.schemas import FOLDER, schema_texts, schemas
from pipelines.cli.settings_text import commented_config
from pipelines.intake.profiles import built_in_profiles, parse_profile
from tests.core.test_rate_tables import WRONG
from tests.warehouse.test_price_rules import EVERY_KIND

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
# The validator takes every $ for the end of the text, in a class of characters too.
VALIDATORS = {
    name: fastjsonschema.compile(json.loads(json.dumps(schema).replace("]$\\", "]\\\\x24\\")))
    for name, schema in schemas().items()
}
# What a schema of single tables cannot see.
ONLY_THE_LOADER = {
    "seven decimals", "image cost for chats", "long context of a cost", "long context of another kind", "dear package",
    "closed tiers", "open tier inside", "falling tiers", "pattern of an account", "backwards", "id of a setting",
    "second version without a start", "same start", "versions that overlap", "versions with a gap",
    "rules that overlap",
}  # fmt: skip


def load_books(text: str) -> None:
    """As the loader of tollbook.toml does with one file."""
    tables = tomllib.loads(text)
    BooksConfig.model_validate({**tables, "usage": tuple(tables.get("usage", ()))})


LOADERS: dict[str, Callable[[str], object]] = {
    "tollbook": load_books,
    "rates": lambda text: parse_price_book(tomllib.loads(text)),
    "packages": lambda text: parse_packages(tomllib.loads(text).get("package", [])),
    "profile": lambda text: parse_profile(text, "profile.toml"),
}


def as_read(value: Any) -> Any:
    """A TOML document as an editor hands it to a schema: dates as text."""
    if isinstance(value, dict):
        return {key: as_read(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_read(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def good_files() -> dict[str, list[str]]:
    """Files of every kind that the loaders take."""
    templates = files("pipelines.books") / "templates"
    demo = files("pipelines.demo") / "templates"
    shown = (ROOT / "docs/rates.md").read_text("utf-8").split("```toml\n")[1].split("```")[0]
    examples = sorted((ROOT / "docs/examples").rglob("*.toml"))
    profiles = [
        (files("pipelines.intake") / f"profiles/{name}.toml").read_text("utf-8") for name in built_in_profiles()
    ]
    return {
        "tollbook": [
            commented_config("Books", date(2026, 9, 1)),
            *(path.read_text("utf-8") for path in examples if path.name == "tollbook.toml"),
        ],
        "rates": [
            (templates / "rates.toml").read_text("utf-8"),
            (demo / "rates.toml").read_text("utf-8"),
            EVERY_KIND,
            shown,
        ],
        "packages": [(place / "packages.toml").read_text("utf-8") for place in (templates, demo)],
        "profile": profiles + [path.read_text("utf-8") for path in examples if path.parent.name == "profiles"],
    }


BAD = {
    "tollbook": [
        "[books]\nnam = 1\n",
        "[books]\nstart = 5\n",
        '[books]\nstart = 2026-09-01\n[engine]\nthreads = "2"\n',
    ],
    "packages": ['[[package]]\npackage_id = "a"\n', "[[package]]\nprice = 5\n", "[package]\n"],
    "profile": ['kind = "usage"\nunknown = 1\n', 'kind = "other"\n', 'kind = "usage"\ndedup = "line"\n'],
    "rates": [f"[[rate]]\n{text}" for name, (text, _) in WRONG.items() if name not in ONLY_THE_LOADER]
    + [
        "[[settings]]\ndefault_token_multiplier = 1.5\n",
        "[[settings]]\npartial_error = 'x'\n",
        "[[settings]]\nx = 1\n",
    ],
}


@pytest.mark.parametrize("name", schema_texts())
def test_published_schema_is_what_the_code_makes(name: str) -> None:
    """Run `python -m pipelines.books.schemas` after a change of keys."""
    assert (FOLDER / name).read_text("utf-8") == schema_texts()[name]
    assert json.loads(schema_texts()[name])


@pytest.mark.parametrize("name", ["tollbook", "rates", "packages"])
def test_file_that_init_writes_names_its_schema(name: str) -> None:
    """In its first line, beside the books."""
    template = files("pipelines.books") / f"templates/{name}.toml"
    text = commented_config("Books", date(2026, 9, 1)) if name == "tollbook" else template.read_text("utf-8")
    assert text.startswith(f"#:schema ./schemas/{name}.json\n")
    assert f"{name}.json" in schema_texts()


@pytest.mark.parametrize("kind", LOADERS)
def test_good_files_pass_both(kind: str) -> None:
    """Templates, examples, built-in profiles and a rule of every kind."""
    texts = good_files()[kind]
    assert texts
    for text in texts:
        LOADERS[kind](text)
        VALIDATORS[kind](as_read(tomllib.loads(text)))


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in BAD.items() for text in texts])
def test_bad_files_fail_both(kind: str, text: str) -> None:
    """Unknown and missing keys, wrong kinds of values, words outside their list, two charges."""
    with pytest.raises((ConfigurationError, ValidationError)):
        LOADERS[kind](text)
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        VALIDATORS[kind](as_read(tomllib.loads(text)))
