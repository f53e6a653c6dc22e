"""The house holds to its own rules, and each rule is shown to fire on a small tree that breaks it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import house_rules

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent

ON_THE_TREE: list[Callable[[Path], list[str]]] = [
    house_rules.core_imports,
    house_rules.impure_core,
    house_rules.report_imports,
    house_rules.other_definitions,
    house_rules.double_imports,
    house_rules.long_modules,
    house_rules.long_functions,
    house_rules.profile_names,
    house_rules.migration_numbers,
    house_rules.undocumented,
]


def _write(root: Path, path: str, text: str) -> None:
    """Write one file of a small tree."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("rule", ON_THE_TREE, ids=lambda rule: rule.__name__)
def test_house_keeps_rule(rule: Callable[[Path], list[str]]) -> None:
    """The project's own code gives no finding."""
    assert rule(ROOT) == []


@pytest.mark.parametrize("rule", ON_THE_TREE, ids=lambda rule: rule.__name__)
def test_rule_is_content_with_a_sound_tree(rule: Callable[[Path], list[str]], tmp_path: Path) -> None:
    """A small tree that keeps every rule gives no finding: the rules do not fire at everything."""
    _write(tmp_path, "billing_core/money.py", '"""Money."""\n\nfrom decimal import Decimal\n\nimport polars as pl\n')
    _write(tmp_path, "pipelines/definitions.py", "import dagster as dg\n\ndefs = dg.Definitions()\n")
    _write(tmp_path, "pipelines/intake/profiles/some_gateway.toml", 'kind = "usage"\n')
    _write(tmp_path, "pipelines/intake/profiles/credits.toml", 'kind = "credits"\n')
    _write(tmp_path, "pipelines/intake/sources.py", 'KIND = "credits"\n')
    _write(tmp_path, "reports/html.py", "import billing_core.money\n")
    assert rule(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "package"),
    [("import duckdb", "duckdb"), ("from pipelines.books import lock", "pipelines"), ("import os.path", "os")],
)
def test_import_of_the_outside_into_the_core_is_found(tmp_path: Path, line: str, package: str) -> None:
    """A database, an adapter or a door to the system in the core is found, even inside a function."""
    _write(tmp_path, "billing_core/ledger.py", f"def post():\n    {line}\n")
    assert house_rules.core_imports(tmp_path) == [f"billing_core/ledger.py:2 imports {package}"]


def test_relative_import_in_the_core_is_found(tmp_path: Path) -> None:
    """A relative import hides where it leads, so it is found too."""
    _write(tmp_path, "billing_core/ledger.py", "from ..pipelines import books\n")
    assert house_rules.core_imports(tmp_path) == ["billing_core/ledger.py:1 imports ."]


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("rate = 1.5", "has the float 1.5"),
        ("at = datetime.now(tz=UTC)", "calls now()"),
        ("lines = open('usage.jsonl')", "calls open()"),
    ],
)
def test_float_clock_or_file_in_the_core_is_found(tmp_path: Path, line: str, finding: str) -> None:
    """What would make a rule inexact or unrepeatable is found."""
    _write(tmp_path, "billing_core/rating.py", f"{line}\n")
    assert house_rules.impure_core(tmp_path) == [f"billing_core/rating.py:1 {finding}"]


@pytest.mark.parametrize("package", sorted(house_rules.REPORTS_MAY_NOT_IMPORT))
def test_report_that_imports_adapters_is_found(tmp_path: Path, package: str) -> None:
    """A report that reaches for the pipelines or a service is found."""
    _write(tmp_path, "reports/html.py", f"from {package} import anything\n")
    assert house_rules.report_imports(tmp_path) == [f"reports/html.py:1 imports {package}"]


@pytest.mark.parametrize(
    "line",
    [
        "import pipelines.stripe_double.world",
        "from pipelines import stripe_double",
        "from pipelines.stripe_double.world import World",
    ],
)
def test_product_that_leans_on_the_double_is_found(tmp_path: Path, line: str) -> None:
    """The double is for the demonstration and tests; anything else that imports it is found."""
    _write(tmp_path, "pipelines/payments/client.py", f"{line}\n")
    _write(tmp_path, "pipelines/demo/payments.py", f"{line}\n")
    assert house_rules.double_imports(tmp_path) == ["pipelines/payments/client.py:1 imports the double of Stripe"]


@pytest.mark.parametrize("call", ["dg.Definitions(assets=[])", "Definitions()"])
def test_second_composition_root_is_found(tmp_path: Path, call: str) -> None:
    """Definitions made anywhere but in the one module are found."""
    _write(tmp_path, "pipelines/assets/usage.py", f"defs = {call}\n")
    assert house_rules.other_definitions(tmp_path) == ["pipelines/assets/usage.py:1 makes Definitions"]


def test_module_over_the_limit_is_found(tmp_path: Path) -> None:
    """A module one line over the limit is found, one at the limit is not."""
    _write(tmp_path, "pipelines/ok.py", "x = 1\n" * house_rules.LINES_PER_MODULE_P90)
    _write(tmp_path, "pipelines/also_ok.py", "x = 1\n" * house_rules.LINES_PER_MODULE_P90)
    assert house_rules.long_modules(tmp_path) == []
    _write(tmp_path, "pipelines/long.py", "x = 1\n" * (house_rules.LINES_PER_MODULE_MAX + 1))
    assert "pipelines/long.py has 401 lines" in house_rules.long_modules(tmp_path)


def test_too_many_large_modules_are_found(tmp_path: Path) -> None:
    """Modules that each keep the hard limit are found when more than one in ten is large."""
    for number in range(10):
        _write(tmp_path, f"pipelines/m{number}.py", "x = 1\n" * (house_rules.LINES_PER_MODULE_P90 + 50))
    assert house_rules.long_modules(tmp_path) == ["one module in ten has over 300 lines"]


def test_function_over_the_limit_is_found(tmp_path: Path) -> None:
    """A function of one line too many is found, in the tests as well."""
    body = "    x = 1\n" * house_rules.LINES_PER_FUNCTION_MAX
    _write(tmp_path, "tests/test_long.py", f"def test_long():\n{body}")
    assert house_rules.long_functions(tmp_path) == ["tests/test_long.py:1 test_long has 71 lines"]


@pytest.mark.parametrize("line", ['if name == "some_gateway":', "from profiles import some_gateway", "# some_gateway"])
def test_profile_known_by_name_is_found(tmp_path: Path, line: str) -> None:
    """A profile's name in code is found, quoted or bare; a longer word that contains it is not."""
    _write(tmp_path, "pipelines/intake/profiles/some_gateway.toml", 'kind = "usage"\n')
    _write(tmp_path, "pipelines/intake/classify.py", "some_gateway_events = 1\n")
    assert house_rules.profile_names(tmp_path) == []
    _write(tmp_path, "reports/html.py", f"{line}\n    pass\n" if line.endswith(":") else f"{line}\n")
    assert house_rules.profile_names(tmp_path) == ["reports/html.py:1 names the profile some_gateway"]


def test_profile_named_like_the_product_is_found_where_profiles_are_read(tmp_path: Path) -> None:
    """The product's name is free everywhere but as a text of its own in the intake."""
    _write(tmp_path, "pipelines/intake/profiles/tollbook.toml", 'kind = "usage"\n')
    _write(tmp_path, "pipelines/cli/app.py", 'NAME = "tollbook"\n')
    _write(tmp_path, "pipelines/intake/classify.py", 'FILE = "tollbook.toml"  # tollbook\nPLAIN = "tollbook"\n')
    assert house_rules.profile_names(tmp_path) == ["pipelines/intake/classify.py:2 names the profile tollbook"]


@pytest.mark.parametrize("late", ["0002_stripe.sql", "0004_rates.sql"], ids=["twice", "gap"])
def test_migration_out_of_its_place_is_found(tmp_path: Path, late: str) -> None:
    """A number given twice or left out is found: the versions of databases would no longer be those of the files."""
    for name in ("0001_books.sql", "0002_recon.sql", late):
        _write(tmp_path, f"{house_rules.MIGRATIONS}/{name}", "")
    assert house_rules.migration_numbers(tmp_path) == [f"{late} is the migration of version 3"]


def test_missing_docstrings_are_found(tmp_path: Path) -> None:
    """A module, class, method and function of the core without a docstring are found; private ones are not."""
    text = (
        "class Lot:\n    def burn(self): ...\n    def _take(self): ...\n\n\ndef settle(): ...\n\n\ndef _help(): ...\n"
    )
    _write(tmp_path, "billing_core/lots.py", text)
    found = [finding.split()[1] for finding in house_rules.undocumented(tmp_path)]
    assert found == ["module", "Lot", "Lot.burn", "settle"]


def test_command_line_starts_light() -> None:
    """`tollbook --help` must answer at once, so the command line imports no slow library before a verb runs."""
    command_line = ROOT / "pipelines/cli/__init__.py"
    if not command_line.is_file() or "main" not in command_line.read_text(encoding="utf-8"):
        pytest.skip("pipelines.cli has no main yet")
    assert house_rules.heavy_imports(ROOT) == []


def test_heavy_import_is_found(tmp_path: Path) -> None:
    """A slow library that a module brings in through another one is found."""
    _write(tmp_path, "light/__init__.py", "import light.inner\n")
    _write(tmp_path, "light/inner.py", "import duckdb\n")
    assert house_rules.heavy_imports(tmp_path, "light") == ["importing light imports duckdb"]


def test_no_file_names_a_path_of_the_workplace() -> None:
    """Nothing that is committed leads to a folder that only one machine has."""
    try:
        names = house_rules.committable_files(ROOT)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this copy is not a git work tree")
    assert house_rules.workplace_paths(ROOT, names) == []


def test_path_of_the_workplace_is_found(tmp_path: Path) -> None:
    """Such a path is found at the start of a line and after a quote; a web address with that word is not."""
    folder = "/" + "work" + "/main"  # in one piece it would be found in this file
    _write(tmp_path, "a.md", f"see {folder}\n")
    _write(tmp_path, "b.toml", f'path = "{folder}"\n')
    _write(tmp_path, "c.md", f"https://example.com{folder}\n")
    found = [finding.split()[0] for finding in house_rules.workplace_paths(tmp_path, ["a.md", "b.toml", "c.md"])]
    assert found == ["a.md:1", "b.toml:1"]
