"""Loading tollbook.toml: defaults, overlays, overriding variables, secrets, the texts a posting keeps."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from billing_core.errors import ConfigurationError
from pipelines.books.config import BooksConfig, config_texts, load_config, load_packages, load_settings, resolve_secret
from pipelines.books.config_models import Section, Usage
from pipelines.books.folder import BooksFolder

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = "[books]\nstart = 2026-09-01\n"
SECRET = "correct-horse-battery"  # noqa: S105 this is what must not show


def books(folder: Path, text: str = MINIMAL, **overlays: str) -> BooksFolder:
    """Write tollbook.toml and overlays by environment."""
    (folder / "tollbook.toml").write_text(text, encoding="utf-8")
    for env, overlay in overlays.items():
        (folder / f"tollbook.{env}.toml").write_text(overlay, encoding="utf-8")
    return BooksFolder(folder)


def load(folder: Path, text: str = MINIMAL, **environ: str) -> BooksConfig:
    """Load a configuration under these variables only."""
    return load_config(books(folder, text), environ=environ)


def test_the_smallest_configuration_has_the_documented_defaults(tmp_path: Path) -> None:
    """Only the first day of the books has no default."""
    config = load(tmp_path)
    assert config.books.model_dump() == {"name": "Tollbook", "start": date(2026, 9, 1), "timezone": "UTC"}
    assert config.usage == ()
    assert config.credits.model_dump() == {"source": "app", "path": "credits/*.jsonl", "member": None}
    assert config.accounts.model_dump() == {"path": None, "member": None, "auto_create": True}
    assert (config.rates.path, config.packages.path) == ("rates.toml", "packages.toml")
    assert (config.stripe.mode, config.stripe.api_key_env) == ("off", "STRIPE_API_KEY")
    assert config.engine.model_dump() == {"name": "local", "memory_limit": "1500MB", "threads": None}
    assert config.ledger.welcome_bonus == "books"
    assert config.privacy.model_dump() == {"metadata_keys": [], "retention_days": 30}
    assert config.intake.settle_seconds == 5


def test_every_key_has_a_description_and_says_what_it_expects() -> None:
    """The documentation of the file is generated from the models."""
    sections = [section.annotation for section in BooksConfig.model_fields.values()]
    models: list[type[Section]] = [Usage]
    models += [section for section in sections if isinstance(section, type) and issubclass(section, Section)]
    assert len(models) == len(BooksConfig.model_fields)
    for model in models:
        for key in model.model_fields.values():
            assert key.description
            assert isinstance(key.json_schema_extra, dict)
            assert key.json_schema_extra["expected"]


def test_a_usage_block_is_named_by_its_profile_unless_it_has_a_name(tmp_path: Path) -> None:
    """The name is the source, the first half of every file's identity."""
    blocks = '[[usage]]\npath = "a/*"\nprofile = "p1"\n[[usage]]\npath = "b/*"\nprofile = "p1"\nname = "second"\n'
    assert [block.name for block in load(tmp_path, MINIMAL + blocks).usage] == ["p1", "second"]


def test_accounts_open_by_themselves_only_where_none_are_listed(tmp_path: Path) -> None:
    """A path turns auto_create off unless it is said otherwise."""
    with_path = MINIMAL + '[accounts]\npath = "accounts/*.jsonl"\n'
    assert load(tmp_path, with_path).accounts.auto_create is False
    assert load(tmp_path, with_path + "auto_create = true\n").accounts.auto_create is True
    assert load(tmp_path, MINIMAL + "[accounts]\nauto_create = false\n").accounts.auto_create is False
    assert load(tmp_path, MINIMAL, TOLLBOOK__ACCOUNTS__PATH="a/*.jsonl").accounts.auto_create is False


def test_what_this_version_does_not_do_is_refused(tmp_path: Path) -> None:
    """A setting that would be ignored must not be accepted: Spark."""
    with pytest.raises(ConfigurationError, match=r'\[engine\] name = "spark" needs the Spark engine.*use "local"'):
        load(tmp_path, MINIMAL + '[engine]\nname = "spark"\n')


def test_variables_override_keys_with_the_type_of_the_key(tmp_path: Path) -> None:
    """Text stays text, even where it looks like a number; the others are read as TOML."""
    config = load(
        tmp_path,
        MINIMAL + "[engine]\nthreads = 2\n",
        TOLLBOOK__BOOKS__NAME="2026",
        TOLLBOOK__BOOKS__START="2026-10-01",
        TOLLBOOK__ENGINE__THREADS="7",
        TOLLBOOK__ENGINE__NAME="local",
        TOLLBOOK__PRIVACY__METADATA_KEYS='["trace", "step"]',
        TOLLBOOK__STRIPE__LIVEMODE="true",
        TOLLBOOK__STRIPE__MODE="off",
        TOLLBOOK__INTAKE__SETTLE_SECONDS="0",
        TOLLBOOK_BOOKS="ignored",
    )
    assert (config.books.name, config.books.start) == ("2026", date(2026, 10, 1))
    assert (config.engine.threads, config.engine.name) == (7, "local")
    assert config.privacy.metadata_keys == ["trace", "step"]
    assert config.stripe.livemode is True
    assert config.intake.settle_seconds == 0


def test_an_overlay_replaces_keys_and_variables_replace_both(tmp_path: Path) -> None:
    """Tables merge key by key; the usage blocks are replaced as a whole."""
    base = '[books]\nstart = 2026-09-01\nname = "base"\n[[usage]]\npath = "a/*"\nprofile = "p"\n'
    folder = books(tmp_path, base, prod='[books]\nname = "prod"\n[[usage]]\npath = "b/*"\nprofile = "q"\n')
    assert load_config(folder, environ={}).books.name == "base"
    config = load_config(folder, "prod", {})
    assert (config.books.name, config.books.start) == ("prod", date(2026, 9, 1))
    assert [block.path for block in config.usage] == ["b/*"]
    assert load_config(folder, "prod", {"TOLLBOOK__BOOKS__NAME": "var"}).books.name == "var"


def signed(extra: str) -> str:
    """Return a configuration with one signed usage block."""
    return f'{MINIMAL}[[usage]]\npath = "u/*"\nprofile = "p"\n{extra}\n'


def test_a_secret_comes_from_its_variable_or_file(tmp_path: Path) -> None:
    """One line end of the file is not part of it; without either key there is none."""
    folder = books(tmp_path)
    block = load(tmp_path, signed('hmac_secret_env = "BILLING_SECRET"')).usage[0]
    assert resolve_secret(block, folder, {"BILLING_SECRET": SECRET}) == SECRET.encode()
    block = load(tmp_path, signed('hmac_secret_file = "secret.txt"')).usage[0]
    (tmp_path / "secret.txt").write_bytes(SECRET.encode() + b"\r\n")
    assert resolve_secret(block, folder, {}) == SECRET.encode()
    assert resolve_secret(load(tmp_path, signed("")).usage[0], folder, {}) is None


def test_a_secret_that_is_configured_but_not_there_stops_the_run(tmp_path: Path) -> None:
    """An unset or empty variable, a missing or empty file: never a run without signatures."""
    folder = books(tmp_path)
    block = load(tmp_path, signed('hmac_secret_env = "BILLING_SECRET"')).usage[0]
    for environ in ({}, {"BILLING_SECRET": ""}):
        with pytest.raises(
            ConfigurationError, match=r"\[\[usage\]\] p: .*variable BILLING_SECRET is not set"
        ) as caught:
            resolve_secret(block, folder, environ)
        assert caught.value.exit_code == 2
    block = load(tmp_path, signed('hmac_secret_file = "secret.txt"')).usage[0]
    with pytest.raises(ConfigurationError, match=r"secret\.txt cannot be read \(No such file"):
        resolve_secret(block, folder, {})
    (tmp_path / "secret.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"secret\.txt is empty"):
        resolve_secret(block, folder, {})


def test_secrets_are_in_no_text_of_the_configuration(tmp_path: Path) -> None:
    """Neither repr nor str nor the kept texts hold what the variable or file says."""
    folder = books(tmp_path, signed('hmac_secret_env = "BILLING_SECRET"'))
    environ = {"BILLING_SECRET": SECRET}
    config = load_config(folder, environ=environ)
    resolve_secret(config.usage[0], folder, environ)
    texts = config_texts(folder, environ=environ)
    assert all(SECRET not in text for text in (repr(config), str(config), config.model_dump_json(), repr(texts)))


def test_a_secret_written_into_the_file_by_mistake_is_not_repeated(tmp_path: Path) -> None:
    """The error names the key and hides the value, in every place where people put one."""
    for extra in (
        f'hmac_secret = "{SECRET}"',
        f'hmac_secret_env = "{SECRET}"',
        f'hmac_secret_env = ["{SECRET}"]',
        f'hmac_secret_file = {{value = "{SECRET}"}}',
        f'[stripe]\napi_key = "{SECRET}"',
        f'[stripe]\napi_key_env = "sk_live_{SECRET.replace("-", "")}"',
        f'[privacy]\nbilling_secret = "{SECRET}"',
    ):
        with pytest.raises(ConfigurationError) as caught:
            load(tmp_path, signed(extra))
        assert SECRET not in str(caught.value)
        assert SECRET.replace("-", "") not in str(caught.value)
        assert caught.value.__suppress_context__


def test_without_rates_and_packages_files_the_defaults_hold(tmp_path: Path) -> None:
    """A newcomer needs one file only."""
    folder = books(tmp_path)
    config = load_config(folder, environ={})
    assert load_settings(folder, config).at(0).multiplier_ppm == 1_500_000
    assert [package.package_id for package in load_packages(folder, config)][:1] == ["starter"]


def test_rates_and_packages_are_read_from_their_files(tmp_path: Path) -> None:
    """Also from the place the configuration names."""
    folder = books(tmp_path, MINIMAL + '[rates]\npath = "prices/r.toml"\n')
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "r.toml").write_text('[[settings]]\ndefault_token_multiplier = "1.1"\n', encoding="utf-8")
    package = '[[package]]\npackage_id = "x"\npackage_name = "X"\ntoken_amount = 10\nprice_cents = 100\n'
    (tmp_path / "packages.toml").write_text(package, encoding="utf-8")
    config = load_config(folder, environ={})
    assert load_settings(folder, config).at(0).multiplier_ppm == 1_100_000
    assert [package.package_id for package in load_packages(folder, config)] == ["x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]]\nid = 1\n", r"rates\.toml: rule: unknown key; expected only \[\[settings\]\] and \[\[rate"),
        ("multiplier = 2\n", r"rates\.toml: multiplier: unknown key"),
        ("[settings]\n", r"rates\.toml: settings: expected \[\[settings\]\] tables, with double brackets"),
        ("settings = [1]\n", r"rates\.toml: settings: expected \[\[settings\]\] tables"),
        ("[[settings]\n", r"rates\.toml: not valid TOML: .*line 1"),
    ],
)
def test_a_rates_file_of_another_shape_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """A rule that is not understood must not be silently without effect."""
    folder = books(tmp_path)
    (tmp_path / "rates.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load_settings(folder, load_config(folder, environ={}))


def test_a_rates_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """A typing error in the path must not bill at the default prices."""
    folder = books(tmp_path, MINIMAL + '[rates]\npath = "rate.toml"\n[packages]\npath = "package.toml"\n')
    config = load_config(folder, environ={})
    with pytest.raises(ConfigurationError, match=r"rate\.toml: no such file"):
        load_settings(folder, config)
    with pytest.raises(ConfigurationError, match=r"package\.toml: no such file"):
        load_packages(folder, config)


def test_the_texts_a_posting_keeps_are_the_exact_bytes(tmp_path: Path) -> None:
    """Configuration, overlay, rates, packages and the profiles in use; the user's own profile before the built-in."""
    text = signed("").replace('"p"', '"mine"')
    folder = books(tmp_path, text, prod='[books]\nname = "é"\n')
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_bytes(b"kind = 'usage' # mine\r\n")
    (tmp_path / "profiles" / "unused.toml").write_bytes(b"")
    (tmp_path / "rates.toml").write_bytes(b"# none yet\n")
    texts = config_texts(folder, "prod", {})
    assert texts["tollbook.toml"] == text.encode()
    assert texts["tollbook.prod.toml"] == '[books]\nname = "é"\n'.encode()
    assert texts["rates.toml"] == b"# none yet\n"
    assert texts["profiles/mine.toml"] == b"kind = 'usage' # mine\r\n"
    assert {"profiles/accounts.toml", "profiles/credits.toml"} <= texts.keys()
    assert not {"packages.toml", "profiles/unused.toml", "overrides.json"} & texts.keys()


def test_overriding_variables_are_kept_among_the_texts(tmp_path: Path) -> None:
    """Without them a rebuild would run under another configuration."""
    texts = config_texts(books(tmp_path), environ={"TOLLBOOK__BOOKS__NAME": "x", "HOME": "/"})
    assert json.loads(texts["overrides.json"]) == {"TOLLBOOK__BOOKS__NAME": "x"}


@pytest.mark.parametrize("path", ["s3://logs/usage/**/*.jsonl", "gs://b-1.x/a", "az://container/usage/*"])
def test_usage_may_lie_in_an_object_store(tmp_path: Path, path: str) -> None:
    """A URI of a known store with a bucket and a key."""
    block = f'[[usage]]\npath = "{path}"\nprofile = "tollbook"\n'
    assert load(tmp_path, MINIMAL + block).usage[0].path == path


@pytest.mark.parametrize("path", ["ftp://host/a", "s3://", "s3://bucket", "s3:///key", "S3://b/k", "s3://b/../k"])
def test_other_addresses_are_refused(tmp_path: Path, path: str) -> None:
    """Neither a folder of that name nor a store that is not known."""
    with pytest.raises(ConfigurationError, match=r"\[\[usage\]\] 1 path: got"):
        load(tmp_path, MINIMAL + f'[[usage]]\npath = "{path}"\nprofile = "tollbook"\n')
