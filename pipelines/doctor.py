"""Examines a books folder: what would stop a run, what to look after, and the one thing that mends by itself."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import duckdb

from billing_core.errors import BooksLockedError, ConfigurationError, TollbookError
from pipelines.books import clock
from pipelines.books.admin_journal import AdminJournal
from pipelines.books.clock import NOW_VARIABLE
from pipelines.books.config import load_config, load_packages, load_prices, resolve_secret
from pipelines.books.journal import HashChainedLog, TornLineError
from pipelines.books.lock import hold_books
from pipelines.books.posting_log import PostingLog
from pipelines.intake.profiles import load_profile, own_profiles
from pipelines.payments.file_log import FileLog
from pipelines.price_notices import price_notices
from pipelines.prices.book import load_provider_prices
from pipelines.recovery import refuse_lost_prices
from pipelines.release import code_version
from pipelines.warehouse.connection import readable
from pipelines.warehouse.migrations import missing_triggers, schema_version
from pipelines.warehouse.script import rows
from pipelines.warehouse.sql import sql_names
from reports.published import open_published, publication

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.books.folder import BooksFolder
    from pipelines.books.posting_log import PostingHistory

DISK_WARN_BYTES = 2 * 1024**3
DISK_FAIL_BYTES = 200 * 1024**2
_PYTHON_MIN = (3, 11)
_DUCKDB_MAJOR = "2"


class Verdict(StrEnum):
    """How something is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Examined:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class _Case:
    folder: BooksFolder
    env: str | None
    fix: bool


def examine(folder: BooksFolder, env: str | None = None, *, fix: bool = False) -> list[Examined]:
    """Examine everything; no examination stops the others. With `fix` a torn last line of a journal is cut."""
    case, found = _Case(folder, env, fix), list[Examined]()
    for what, look in _EXAMINATIONS:
        try:
            found.extend(look(case))
        except BooksLockedError as error:
            found.append(Examined(what, Verdict.WARN, str(error), "wait for it to end, then look again"))
        except TollbookError as error:
            found.append(Examined(what, Verdict.FAIL, str(error)))
        except (OSError, duckdb.Error) as error:
            found.append(Examined(what, Verdict.FAIL, str(error).strip().splitlines()[0]))
    return found


def _versions(_case: _Case) -> Iterator[Examined]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info[:2] >= _PYTHON_MIN and duckdb.__version__.split(".")[0] == _DUCKDB_MAJOR
    detail = f"Tollbook {code_version()}, Python {python}, DuckDB {duckdb.__version__}"
    yield Examined("versions", Verdict.OK if good else Verdict.FAIL, detail, "" if good else "install Tollbook anew")
    if os.environ.get(NOW_VARIABLE):
        text = f"{NOW_VARIABLE} fixes it at {os.environ[NOW_VARIABLE]}"
        yield Examined("clock", Verdict.WARN, text, f"unset {NOW_VARIABLE} outside of tests")


def _configuration(case: _Case) -> Iterator[Examined]:
    config = load_config(case.folder, case.env)
    yield Examined("configuration", Verdict.OK, f"{case.folder.config}: {config.books.name}, from {config.books.start}")
    prices, packages = load_prices(case.folder, config), load_packages(case.folder, config)
    if (history := _history(case)) is not None:
        refuse_lost_prices(history, case.folder, config)
    versions, rules = len(prices.settings.versions), len(prices.rates)
    absent = [name for name in (config.rates.path, config.packages.path) if not (case.folder.root / name).exists()]
    built_in = f"; no {' and no '.join(absent)}, so the built-in ones hold" if absent else ""
    counted = (_counted(versions, "version of the settings", "versions of the settings"), _counted(rules, "rule"))
    detail = f"{', '.join(counted)}, {_counted(len(packages), 'package')}{built_in}"
    yield Examined("rates and packages", Verdict.OK, detail)
    provider_prices = load_provider_prices(case.folder, config)
    own = sum(len(one.models) for one in provider_prices.own)
    detail = f"{len(provider_prices.models):,} models of the table, {own:,} with prices written by hand"
    yield Examined("provider prices", Verdict.OK, detail)


def _history(case: _Case) -> PostingHistory | None:
    """The postings so far; None where the journal is torn, which its own examination tells."""
    try:
        return PostingLog(case.folder.posting_log).read_all()
    except TornLineError:
        return None


def _profiles(case: _Case) -> Iterator[Examined]:
    """Each profile that an input uses, and those of the user that none uses."""
    config = load_config(case.folder, case.env)
    used = {block.profile for block in config.usage}
    for name in sorted(used | set(own_profiles(case.folder.root))):
        what = f"profile {name}"
        try:
            profile = load_profile(name, case.folder.root)
        except ConfigurationError as error:
            verdict = Verdict.FAIL if name in used else Verdict.WARN
            yield Examined(what, verdict, str(error), "mend it; `tollbook profile check` tries it on a sample")
            continue
        unused = "" if name in used else "; no [[usage]] block names it"
        yield Examined(what, Verdict.OK, f"reads {profile.kind} records{unused}")


def _price_rules(case: _Case) -> Iterator[Examined]:
    config = load_config(case.folder, case.env)
    notices = price_notices(case.folder, load_prices(case.folder, config), config.books.timezone, clock.now())
    for notice in notices:
        yield Examined("price rules", Verdict.WARN, notice)
    if not notices:
        history = _history(case)
        is_new = history is not None and not history.done
        judged = "nothing posted would be billed otherwise; every pattern is in use"
        unjudged = "nothing is posted yet; whether every pattern names a model in use, the first run says"
        yield Examined("price rules", Verdict.OK, unjudged if is_new else judged)


def _secrets(case: _Case) -> Iterator[Examined]:
    config = load_config(case.folder, case.env)
    for block in config.usage:
        secret = resolve_secret(block, case.folder)
        what = f"signatures of {block.name}"
        if secret is None:
            yield Examined(what, Verdict.OK, "none asked for: unsigned files are billed")
            continue
        path = case.folder.root / block.hmac_secret_file if block.hmac_secret_file else None
        if path is not None and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Examined(what, Verdict.WARN, f"others may read {path}", f"chmod 600 {path}")
        else:
            yield Examined(what, Verdict.OK, "the secret is set; unsigned or altered files are refused")
    if config.stripe.mode == "api":
        name, is_set = config.stripe.api_key_env, bool(os.environ.get(config.stripe.api_key_env))
        advice = "" if is_set else f"set {name} to a restricted key"
        yield Examined(
            "Stripe key", Verdict.OK if is_set else Verdict.FAIL, f"{name} is {'' if is_set else 'not '}set", advice
        )


def _disk(case: _Case) -> Iterator[Examined]:
    free = shutil.disk_usage(case.folder.root).free
    verdict = Verdict.FAIL if free < DISK_FAIL_BYTES else Verdict.WARN if free < DISK_WARN_BYTES else Verdict.OK
    advice = "" if verdict is Verdict.OK else "free some space: a posting that runs out of it is rolled back"
    yield Examined("disk", verdict, f"{free // 1024**2:,} MiB free", advice)
    if not os.access(case.folder.root, os.W_OK):
        yield Examined(
            "folder", Verdict.FAIL, f"{case.folder.root} is not writable", "give yourself the right to write in it"
        )


def _journals(case: _Case) -> Iterator[Examined]:
    posting_log, admin = PostingLog(case.folder.posting_log), AdminJournal(case.folder.admin_journal)
    yield _journal(
        case, posting_log.log, "posting journal", lambda: _counted(len(posting_log.read_all().done), "posting")
    )
    yield _journal(case, admin.log, "admin journal", lambda: _counted(len(admin.read()), "entry", "entries"))
    files = FileLog(case.folder.stripe_log)
    yield _journal(case, files.log, "stripe journal", lambda: _counted(len(files.entries()), "file"))


def _counted(count: int, noun: str, many: str | None = None) -> str:
    """A count and its noun."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"


def _journal(case: _Case, log: HashChainedLog, what: str, tell: Callable[[], str]) -> Examined:
    """Read a journal whole; cut a torn last line if asked to."""
    try:
        return Examined(what, Verdict.OK, f"{tell()}, chain unbroken")
    except TornLineError as error:
        if not case.fix:
            return Examined(what, Verdict.FAIL, str(error), "tollbook doctor --fix")
        with hold_books(case.folder.lock, "tollbook doctor --fix"):
            cut = log.cut_torn_line()
        return Examined(
            what, Verdict.WARN, f"cut a torn last line of {len(cut):,} bytes off {log.path}; {tell()} stand"
        )


def _database(case: _Case) -> Iterator[Examined]:
    history = PostingLog(case.folder.posting_log).read_all()
    done = len(history.done)
    if not case.folder.database.is_file():
        if done:
            text = f"{case.folder.database} is missing, the journal holds {_counted(done, 'posting')}"
            yield Examined("database", Verdict.FAIL, text, "restore it, or `tollbook verify --rebuild --adopt`")
        else:
            yield Examined("database", Verdict.OK, "none yet: the first run makes it")
        return
    with hold_books(case.folder.lock, "tollbook doctor"):
        try:
            connection = duckdb.connect(str(case.folder.database), read_only=True)
        except duckdb.Error as error:
            raise readable(error, case.folder.database) from error
        try:
            yield from _opened(connection, done, history.last_done.head if history.last_done else None)
        finally:
            connection.close()


def _opened(connection: duckdb.DuckDBPyConnection, done: int, head: str | None) -> Iterator[Examined]:
    version, newest = schema_version(connection), len(sql_names("migrations"))
    if version > newest:
        text = f"schema version {version}, this Tollbook knows {newest}"
        yield Examined("database", Verdict.FAIL, text, "use the Tollbook that wrote it, or a newer one")
        return
    if version < newest:
        yield Examined(
            "database", Verdict.WARN, f"schema version {version} of {newest}", "the next run brings it forward"
        )
        return
    heads = [str(row[0]) for row in rows(connection, "SELECT head FROM audit.postings ORDER BY posting_id")]
    in_step = len(heads) == done and (not heads or heads[-1] == head)
    one_ahead = len(heads) == done + 1
    text = f"opens; {_counted(len(heads), 'posting')}, {done:,} in the journal"
    if in_step:
        yield Examined("database", Verdict.OK, f"{text}: in step")
    elif one_ahead:
        yield Examined(
            "database", Verdict.WARN, f"{text}: a run was cut off after it committed", "the next run notes it"
        )
    else:
        advice = "restore both from one backup, or `tollbook verify --rebuild --adopt`"
        yield Examined("database", Verdict.FAIL, f"{text}: they do not belong together", advice)
    missing = missing_triggers(connection)
    verdict = Verdict.FAIL if missing else Verdict.OK
    advice = "posted rows could be changed: `tollbook verify --rebuild --adopt`" if missing else ""
    detail = f"missing: {', '.join(missing)}" if missing else "every append-only table refuses changes"
    yield Examined("append-only guards", verdict, detail, advice)


def _published(case: _Case) -> Iterator[Examined]:
    done = len(PostingLog(case.folder.posting_log).read_all().done)
    if not case.folder.published.is_file():
        verdict = Verdict.WARN if done else Verdict.OK
        advice = "the next run makes it" if done else ""
        yield Examined("published copy", verdict, "none yet", advice)
        return
    with open_published(case.folder.published) as reader:
        state = publication(reader)
    behind = done - state.posting_id
    text = f"readable, posting {state.posting_id:,}"
    if behind:
        yield Examined(
            "published copy", Verdict.WARN, f"{text}: {behind} behind the journal", "the next run brings it forward"
        )
    else:
        yield Examined("published copy", Verdict.OK, text)


def _dagster(case: _Case) -> Iterator[Examined]:
    home = case.folder.dagster_home
    if not home.is_dir():
        yield Examined("Dagster home", Verdict.OK, "none yet: the first run or `tollbook ui` makes it")
    elif not os.access(home, os.W_OK):
        yield Examined(
            "Dagster home", Verdict.FAIL, f"{home} is not writable", "give yourself the right to write in it"
        )
    else:
        yield Examined("Dagster home", Verdict.OK, str(home))


_Look = Callable[[_Case], "Iterator[Examined]"]
_EXAMINATIONS: tuple[tuple[str, _Look], ...] = (
    ("versions", _versions),
    ("configuration", _configuration),
    ("profiles", _profiles),
    ("price rules", _price_rules),
    ("secrets", _secrets),
    ("disk", _disk),
    ("journals", _journals),
    ("database", _database),
    ("published copy", _published),
    ("Dagster home", _dagster),
)
