"""Every message about a wrong tollbook.toml: file, line, key, what it got, what it expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing_core.errors import ConfigurationError
from pipelines.books.config import load_config
from pipelines.books.folder import BooksFolder

if TYPE_CHECKING:
    from pathlib import Path

START = "[books]\nstart = 2026-09-01\n"
BLOCK = '[[usage]]\npath = "u/*"\nprofile = "p"\n'
A_PATH = 'expected a path inside the books folder, written with "/", outside journal/ and warehouse/'
A_USAGE_PATH = f"{A_PATH}; or s3://, gs:// or az:// with a bucket"
A_DATE = "expected a date without quotes such as 2026-09-01"


def message_of(folder: Path, text: str, env: str | None = None, environ: dict[str, str] | None = None) -> str:
    """Return the error of a configuration."""
    (folder / "tollbook.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_config(BooksFolder(folder), env, environ or {})
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert "pydantic" not in text
    assert "http" not in text
    return text


CASES = {
    "": "tollbook.toml: [books]: missing; expected a table [books]",
    "[books]\n": f"tollbook.toml, line 1: [books] start: missing; {A_DATE}",
    "books = 3\n": "tollbook.toml, line 1: [books]: got 3, expected a table [books]",
    '[books]\nstart = "2026-09-01"\n': f'tollbook.toml, line 2: [books] start: got "2026-09-01", {A_DATE}',
    "[books]\nstart = 2026-09-01T00:00:00\n": (
        f"tollbook.toml, line 2: [books] start: got 2026-09-01 00:00:00, {A_DATE}"
    ),
    START + 'timezone = "Mars/Base"\n': (
        'tollbook.toml, line 3: [books] timezone: got "Mars/Base", expected a zone name such as "Europe/Berlin"'
    ),
    START + 'timezone = "../../etc/passwd"\n': (
        'tollbook.toml, line 3: [books] timezone: got "../../etc/passwd", expected a zone name such as "Europe/Berlin"'
    ),
    START + 'name = ""\n': 'tollbook.toml, line 3: [books] name: got "", expected text of 1 to 200 characters',
    START + "tiemzone = 1\n": "tollbook.toml, line 3: [books] tiemzone: unknown key; did you mean `timezone`?",
    START + "colour = 1\n": (
        "tollbook.toml, line 3: [books] colour: unknown key; expected one of name, start, timezone"
    ),
    START + "[colours]\n": (
        "tollbook.toml, line 3: [colours]: unknown key; expected one of books, usage, credits, accounts, rates, "
        "packages, prices, stripe, engine, ledger, privacy, intake"
    ),
    START + "[usage]\n": "tollbook.toml, line 3: [[usage]]: got a table, expected a table [[usage]]",
    START + "[[usage]]\n": (
        f"tollbook.toml, line 3: [[usage]] 1 path: missing; {A_USAGE_PATH}\n"
        "tollbook.toml, line 3: [[usage]] 1 profile: missing; expected a name of letters, digits, `_`, `-`, `.`"
    ),
    START + BLOCK + '[[usage]]\npath = "../x/*"\nprofile = "q"\n': (
        f'tollbook.toml, line 7: [[usage]] 2 path: got "../x/*", {A_USAGE_PATH}'
    ),
    START + '[credits]\npath = "/var/log/*"\n': f'tollbook.toml, line 4: [credits] path: got "/var/log/*", {A_PATH}',
    START + '[credits]\npath = "warehouse/*"\n': f'tollbook.toml, line 4: [credits] path: got "warehouse/*", {A_PATH}',
    START + '[[usage]]\npath = "u/*"\nprofile = "../p"\n': (
        'tollbook.toml, line 5: [[usage]] 1 profile: got "../p", expected a name of letters, digits, `_`, `-`, `.`'
    ),
    START + BLOCK + 'name = "credits"\n': (
        'tollbook.toml, line 6: [[usage]] 1 name: got "credits", which is the name of the credits input; choose another'
    ),
    START + BLOCK + BLOCK: (
        'tollbook.toml, line 6: [[usage]] 2 name: got "p", as [[usage]] 1; expected a name that no other block has '
        "(the default is the profile's)"
    ),
    START + BLOCK + 'hmac_secret_env = "A"\nhmac_secret_file = "f"\n': (
        "tollbook.toml, line 3: [[usage]] 1: got both hmac_secret_env and hmac_secret_file, expected one of them"
    ),
    START + BLOCK + 'hmac_secret_env = "two words"\n': (
        "tollbook.toml, line 6: [[usage]] 1 hmac_secret_env: got a value that is not shown here, "
        "expected the name of an environment variable (never the secret itself)"
    ),
    START + '[credits]\nsource = "bank"\n': (
        'tollbook.toml, line 4: [credits] source: got "bank", expected "app" or "stripe"'
    ),
    START + '[credits]\nsource = "stripe"\n': (
        'tollbook.toml, line 4: [credits] source = "stripe" needs posting from Stripe, which this version does not '
        'have; use "app"'
    ),
    START + '[accounts]\nauto_create = "yes"\n': (
        'tollbook.toml, line 4: [accounts] auto_create: got "yes", expected true or false'
    ),
    START + '[stripe]\nmode = "on"\n': (
        'tollbook.toml, line 4: [stripe] mode: got "on", expected "files", "api" or "off"'
    ),
    START + "[stripe]\nlivemode = 1\n": "tollbook.toml, line 4: [stripe] livemode: got 1, expected true or false",
    START + '[engine]\nmemory_limit = "lots"\n': (
        'tollbook.toml, line 4: [engine] memory_limit: got "lots", expected a size such as "1500MB" or "4GB"'
    ),
    START + "[engine]\nthreads = 0\n": (
        "tollbook.toml, line 4: [engine] threads: got 0, expected a whole number from 1 to 1024"
    ),
    START + "[engine]\nthreads = 2.0\n": (
        "tollbook.toml, line 4: [engine] threads: got 2.0, expected a whole number from 1 to 1024"
    ),
    START + "[engine]\nthreads = true\n": (
        "tollbook.toml, line 4: [engine] threads: got true, expected a whole number from 1 to 1024"
    ),
    START + '[ledger]\nwelcome_bonus = "none"\n': (
        'tollbook.toml, line 4: [ledger] welcome_bonus: got "none", expected "books" or "app"'
    ),
    START + "[privacy]\nretention_days = -1\n": (
        "tollbook.toml, line 4: [privacy] retention_days: got -1, expected a whole number from 0 to 36500"
    ),
    START + '[privacy]\nmetadata_keys = "a"\n': (
        'tollbook.toml, line 4: [privacy] metadata_keys: got "a", expected a list of texts'
    ),
    START + "[intake]\nsettle_seconds = 1.5\n": (
        "tollbook.toml, line 4: [intake] settle_seconds: got 1.5, expected a whole number from 0 to 86400"
    ),
    START + f'name = "{"x" * 300}"\n': (
        f'tollbook.toml, line 3: [books] name: got "{"x" * 59}..., expected text of 1 to 200 characters'
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_a_wrong_key_is_told_in_the_users_words(tmp_path: Path, text: str) -> None:
    """One line per problem; the whole message is fixed here."""
    assert message_of(tmp_path, text) == CASES[text]


def test_several_problems_are_all_told_at_once(tmp_path: Path) -> None:
    """Nobody should have to run five times to mend five keys."""
    text = "[books]\nname = 3\n[engine]\nthreads = 0\n[ledger]\nbonus = 1\n"
    assert len(message_of(tmp_path, text).splitlines()) == 4


def test_the_overlay_is_named_where_it_is_to_blame(tmp_path: Path) -> None:
    """Its file and its line, not those of tollbook.toml."""
    (tmp_path / "tollbook.prod.toml").write_text("# prod\n[engine]\nthreads = 0\n", encoding="utf-8")
    message = message_of(tmp_path, START + "[engine]\nthreads = 2\n", "prod")
    assert message == "tollbook.prod.toml, line 3: [engine] threads: got 0, expected a whole number from 1 to 1024"


def test_an_overlay_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    """And its name cannot lead elsewhere."""
    assert "tollbook.prod.toml does not exist; create it" in message_of(tmp_path, START, "prod")
    assert "--env: got '../x', expected a name of letters" in message_of(tmp_path, START, "../x")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "TOLLBOOK__ENGINE__THREADS",
            "many",
            'TOLLBOOK__ENGINE__THREADS: [engine] threads: got "many", expected a whole',
        ),
        (
            "TOLLBOOK__ENGINE__THREAD",
            "1",
            "TOLLBOOK__ENGINE__THREAD: [engine] thread: unknown key; did you mean `threads`",
        ),
        (
            "TOLLBOOK__MOTOR__THREADS",
            "1",
            "TOLLBOOK__MOTOR__THREADS: expected TOLLBOOK__SECTION__KEY with a section of",
        ),
        ("TOLLBOOK__BOOKS", "1", "TOLLBOOK__BOOKS: expected TOLLBOOK__SECTION__KEY"),
        (
            "TOLLBOOK__USAGE__0__PATH",
            "x",
            "TOLLBOOK__USAGE__0__PATH: expected TOLLBOOK__SECTION__KEY with a section of",
        ),
        ("TOLLBOOK__CREDITS__SOURCE", "stripe", 'TOLLBOOK__CREDITS__SOURCE: [credits] source = "stripe" needs'),
        ("TOLLBOOK__BOOKS__START", "soon", f'TOLLBOOK__BOOKS__START: [books] start: got "soon", {A_DATE}'),
    ],
)
def test_a_variable_is_named_where_it_is_to_blame(tmp_path: Path, variable: str, value: str, message: str) -> None:
    """The place of the mistake is the environment, not the file."""
    assert message_of(tmp_path, START, environ={variable: value}).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[books\n", "tollbook.toml: not valid TOML: "),
        (b'[books]\nname = "\xff"\n', "tollbook.toml: not UTF-8 text at byte 16; save it as UTF-8"),
        (b"[books]\nname = 'a'\nname = 'b'\n", "tollbook.toml: not valid TOML: Cannot overwrite a value (at line 3"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    """Line or byte."""
    (tmp_path / "tollbook.toml").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_config(BooksFolder(tmp_path), environ={})
    assert message in str(caught.value)
