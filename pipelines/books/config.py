"""Loading tollbook.toml: the file, then the overlay of an environment, then TOLLBOOK__SECTION__KEY variables."""

from __future__ import annotations

import os
import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from billing_core.errors import ConfigurationError
from pipelines.books.config_errors import Origins, problem_lines
from pipelines.books.config_models import RESERVED_SOURCES, BooksConfig, Section, Stripe, Usage
from pipelines.books.journal import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from billing_core.packages import Package
    from billing_core.price_book import PriceBook
    from billing_core.settings import SettingsBook
    from pipelines.books.folder import BooksFolder

__all__ = ["BooksConfig", "Stripe", "Usage", "config_texts", "load_config", "load_packages", "load_prices"]
__all__ += ["load_settings", "resolve_secret"]

OVERRIDE_PREFIX = "TOLLBOOK__"
OVERRIDES_NAME = "overrides.json"
_ENV_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_NAME_AND_KEY = 2


def load_config(folder: BooksFolder, env: str | None = None, environ: Mapping[str, str] | None = None) -> BooksConfig:
    """Read and validate the configuration of a books folder.

    `env` names an overlay tollbook.<env>.toml, whose keys replace those of tollbook.toml (a list of [[usage]] blocks
    as a whole). Raises ConfigurationError with one line per problem: file, line, key, what it got and expected.
    """
    origins = Origins()
    tables = origins.add_file(folder.config, _read_toml(folder.config))
    if env is not None:
        overlay = _overlay(folder, env)
        tables = _merged(tables, origins.add_file(overlay, _read_toml(overlay)))
    for variable, section, key, value in _overrides(os.environ if environ is None else environ):
        table = tables.get(section, {})
        if isinstance(table, dict):
            tables = {**tables, section: {**table, key: value}}
            origins.add_variable(variable, section, key)
    try:
        config = BooksConfig.model_validate({**tables, "usage": _as_tuple(tables.get("usage", ()))})
    except ValidationError as error:
        raise ConfigurationError("\n".join(problem_lines(error, origins, BooksConfig))) from None
    _require_consistent(config, origins)
    return config


def resolve_secret(block: Usage, folder: BooksFolder, environ: Mapping[str, str] | None = None) -> bytes | None:
    """Return the HMAC secret of a usage block, None when none is configured.

    Raises ConfigurationError when one is configured but its variable is unset or its file cannot be read.
    """
    where = f"{folder.config}: [[usage]] {block.name}"
    if block.hmac_secret_env is not None:
        text = (os.environ if environ is None else environ).get(block.hmac_secret_env, "")
        if not text:
            msg = f"{where}: hmac_secret_env: the variable {block.hmac_secret_env} is not set; set it"
            raise ConfigurationError(msg)
        return text.encode()
    if block.hmac_secret_file is None:
        return None
    path = folder.root / block.hmac_secret_file
    try:
        content = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        msg = f"{where}: hmac_secret_file: {path} cannot be read ({error.strerror})"
        raise ConfigurationError(msg) from None
    if not content:
        msg = f"{where}: hmac_secret_file: {path} is empty; its first line must be the secret"
        raise ConfigurationError(msg)
    return content


def load_prices(folder: BooksFolder, config: BooksConfig) -> PriceBook:
    """Read the [[settings]] versions and [[rate]] rules of rates.toml; without the file the default settings."""
    from billing_core.price_book import parse_price_book  # noqa: PLC0415 `billing_core` loads polars

    path = folder.root / config.rates.path
    return parse_price_book(_tables(path, ("settings", "rate"), is_default=path == folder.rates), path.name)


def load_settings(folder: BooksFolder, config: BooksConfig) -> SettingsBook:
    """The settings of `load_prices` alone."""
    return load_prices(folder, config).settings


def load_packages(folder: BooksFolder, config: BooksConfig) -> tuple[Package, ...]:
    """Read the [[package]] tables of packages.toml; without the file the default packages."""
    from billing_core.packages import parse_packages  # noqa: PLC0415 as above

    path = folder.root / config.packages.path
    tables = _tables(path, ("package",), is_default=path == folder.packages)["package"]
    return tuple(parse_packages(tables, path.name))


def config_texts(
    folder: BooksFolder, env: str | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """Return the exact bytes of every configuration text in force, by name relative to the books folder.

    These are tollbook.toml, the overlay, rates and packages where they exist, and each profile in use (the user's
    own, else the built-in one). Overriding variables stand in `overrides.json`: without them the texts would not
    say what a posting ran under.
    """
    environ = os.environ if environ is None else environ
    config = load_config(folder, env, environ)
    paths = [folder.config, folder.root / config.rates.path, folder.root / config.packages.path]
    if env is not None:
        paths.append(folder.overlay(env))
    texts = {str(path.relative_to(folder.root)): path.read_bytes() for path in paths if path.is_file()}
    for name in sorted({block.profile for block in config.usage} | set(RESERVED_SOURCES)):
        texts |= _profile_text(folder, name)
    overrides = {variable: environ[variable] for variable, *_ in _overrides(environ)}
    return {**texts, OVERRIDES_NAME: canonical_json(overrides)} if overrides else texts


def has_overrides(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the environment overrides a key."""
    return any(_overrides(os.environ if environ is None else environ))


def _profile_text(folder: BooksFolder, name: str) -> dict[str, bytes]:
    own = folder.profiles / f"{name}.toml"
    built_in = resources.files("pipelines.intake") / "profiles" / own.name
    for place in (own, built_in):
        if place.is_file():
            return {f"profiles/{own.name}": place.read_bytes()}
    return {}


def _tables(path: Path, names: tuple[str, ...], *, is_default: bool) -> dict[str, list[Mapping[str, object]]]:
    """The tables of a file by name, each of the names present."""
    if not path.exists() and is_default:
        return {name: [] for name in names}
    document = _read_toml(path)
    expected = " and ".join(f"[[{name}]]" for name in names)
    if unknown := sorted(document.keys() - set(names)):
        msg = f"{path.name}: {unknown[0]}: unknown key; expected only {expected} tables"
        raise ConfigurationError(msg)
    for name in names:
        tables = document.setdefault(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            msg = f"{path.name}: {name}: expected [[{name}]] tables, with double brackets"
            raise ConfigurationError(msg)
    return document


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        msg = f"{path}: no such file"
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8"
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML: {error}"
    raise ConfigurationError(msg)


def _overlay(folder: BooksFolder, env: str) -> Path:
    if not _ENV_NAME.fullmatch(env):
        msg = f"--env: got {env!r}, expected a name of letters, digits, `_`, `-`"
        raise ConfigurationError(msg)
    path = folder.overlay(env)
    if not path.is_file():
        msg = f"--env {env}: {path} does not exist; create it, or leave the option out"
        raise ConfigurationError(msg)
    return path


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, table in over.items():
        below = merged.get(name)
        both_tables = isinstance(below, dict) and isinstance(table, dict)
        merged[name] = {**below, **table} if both_tables and below is not None else table
    return merged


def _as_tuple(blocks: Any) -> Any:
    return tuple(blocks) if isinstance(blocks, list) else blocks


def _overrides(environ: Mapping[str, str]) -> list[tuple[str, str, str, Any]]:
    """Return (variable, section, key, value) of each overriding variable, in the order of their names."""
    return [
        _override(variable, environ[variable]) for variable in sorted(environ) if variable.startswith(OVERRIDE_PREFIX)
    ]


def _override(variable: str, text: str) -> tuple[str, str, str, Any]:
    parts = variable.removeprefix(OVERRIDE_PREFIX).lower().split("__")
    section = BooksConfig.model_fields.get(parts[0])
    model = section.annotation if section is not None else None
    if len(parts) != _NAME_AND_KEY or not (isinstance(model, type) and issubclass(model, Section)):
        sections = ", ".join(name for name in BooksConfig.model_fields if name != "usage")
        msg = f"{variable}: expected {OVERRIDE_PREFIX}SECTION__KEY with a section of {sections} ([[usage]]: use --env)"
        raise ConfigurationError(msg)
    field = model.model_fields.get(parts[1])
    takes_text = field is not None and ("str" in str(field.annotation) or "Literal" in str(field.annotation))
    is_list = field is not None and str(field.annotation).startswith("list")
    return variable, parts[0], parts[1], text if takes_text and not is_list else _toml_value(text)


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _require_available(config: BooksConfig, origins: Origins) -> None:
    """Refuse what this version knows the name of but does not do: a setting must never be silently ignored."""
    asked = [
        (config.credits.source == "stripe", ("credits", "source"), '"stripe" needs posting from Stripe', '"app"'),
        (config.engine.name == "spark", ("engine", "name"), '"spark" needs the Spark engine', '"local"'),
    ]
    for is_asked, key, what, instead in asked:
        if is_asked:
            section, name = key
            msg = f"{origins.of(key)}: [{section}] {name} = {what}, which this version does not have; use {instead}"
            raise ConfigurationError(msg)


def _require_consistent(config: BooksConfig, origins: Origins) -> None:
    """Check what no single key can tell. Raises ConfigurationError."""
    _require_available(config, origins)
    problems = [
        f"{origins.of(('usage', index))}: [[usage]] {index + 1}: got both hmac_secret_env and hmac_secret_file, "
        "expected one of them"
        for index, block in enumerate(config.usage)
        if block.hmac_secret_env is not None and block.hmac_secret_file is not None
    ]
    if problems := [*problems, *_name_problems(config.usage, origins)]:
        raise ConfigurationError("\n".join(problems))


def _name_problems(blocks: tuple[Usage, ...], origins: Origins) -> list[str]:
    problems = []
    first_of: dict[str, int] = {}
    for index, block in enumerate(blocks):
        where = f'{origins.of(("usage", index, "name"))}: [[usage]] {index + 1} name: got "{block.name}"'
        if block.name in RESERVED_SOURCES:
            problems.append(f"{where}, which is the name of the {block.name} input; choose another")
        elif block.name in first_of:
            other = f"as [[usage]] {first_of[block.name] + 1}"
            problems.append(f"{where}, {other}; expected a name that no other block has (the default is the profile's)")
        first_of.setdefault(block.name, index)
    return problems
