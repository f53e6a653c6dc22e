"""What `tollbook stripe sync` and the Dagster asset do: fetch, load, publish."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from billing_core.errors import ConfigurationError
from pipelines.billing import OpenBooks, open_books, publish_books
from pipelines.books.config import load_config
from pipelines.books.lock import hold_books
from pipelines.payments.keys import api_key
from pipelines.payments.kinds import KINDS
from pipelines.payments.load import load_objects
from pipelines.payments.options import SyncOptions
from pipelines.payments.plan import PATHS, Known
from pipelines.payments.sync import checked_account, run_sync
from pipelines.warehouse.stripe import row_counts
from pipelines.warehouse.stripe_state import oldest_pending, open_objects, payouts_without_items, stored_hashes

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import duckdb

    from pipelines.books.config_models import BooksConfig
    from pipelines.books.folder import BooksFolder

COMMAND = "tollbook stripe sync"
WAIT_FOR_LOCK_SECONDS = 600.0


@dataclass
class SyncResult:
    """What a sync did. `fetched` objects came over the API, `objects` were new lines of files; `rows` by table."""

    mode: str
    account: str | None = None
    livemode: bool | None = None
    sync_id: str | None = None
    is_full: bool = False
    window_end: datetime | None = None
    requests: int = 0
    fetched: int = 0
    files: int = 0
    objects: int = 0
    rejected: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def sync_stripe(folder: BooksFolder, options: SyncOptions | None = None) -> SyncResult:
    """Bring the Stripe tables forward: in `api` mode fetch first, in `files` mode read the files alone; then publish.

    Raises ConfigurationError before anything is asked, PaymentServiceError when Stripe refuses.
    """
    options = options or SyncOptions()
    config = load_config(folder, options.env)
    if config.stripe.mode == "off":
        raise ConfigurationError(f'{folder.config}: [stripe] mode is "off"; set it to "files" or "api"')
    if options.live and config.stripe.mode == "files":
        raise ConfigurationError(
            '--live: [stripe] mode is "files", so nothing is asked of Stripe; leave the option out'
        )
    result = SyncResult(config.stripe.mode)
    if config.stripe.mode == "api":
        _fetch(folder, config, result, options)
    with _opened(folder, options) as books:
        _load(books, result, options)
        publish_books(books)
    return result


def _opened(folder: BooksFolder, options: SyncOptions) -> AbstractContextManager[OpenBooks]:
    return open_books(folder, command=COMMAND, env=options.env, wait_seconds=WAIT_FOR_LOCK_SECONDS)


def _load(books: OpenBooks, result: SyncResult, options: SyncOptions) -> None:
    loaded = load_objects(
        books.connection,
        books.folder,
        books.config,
        now=options.now,
        on_lines=lambda count: options.on_step("loading", count),
    )
    result.files, result.objects, result.rejected = loaded.files, loaded.objects, loaded.rejected
    result.notices += loaded.notices
    result.rows = row_counts(books.connection)


def _fetch(folder: BooksFolder, config: BooksConfig, result: SyncResult, options: SyncOptions) -> None:
    """Fetch what is new. The books are open only to look what is known: a first sync may take hours."""
    from pipelines.payments.client import StripeApi  # noqa: PLC0415 the SDK is loaded where it is used

    api = StripeApi(
        api_key(config.stripe, live=options.live, environ=options.environ),
        config.stripe.api_key_env,
        base=config.stripe.api_base,
        requests_per_second=config.stripe.requests_per_second,
        http_client=options.http_client,
    )
    folder.stripe.mkdir(mode=0o700, exist_ok=True)
    with hold_books(folder.stripe / ".sync.lock", COMMAND):
        account = checked_account(api, config.stripe.account)
        with _opened(folder, options) as books:
            load_objects(books.connection, folder, config, now=options.now)
            known = known_objects(books.connection, account, livemode=api.key.livemode, now=options.now())
        state = run_sync(api, config.stripe, folder.root, account, known, options)
    result.account, result.livemode = account, api.key.livemode
    result.sync_id, result.is_full = state.sync_id, state.is_full
    result.window_end = datetime.fromtimestamp(state.window_end, UTC)
    result.requests, result.fetched = state.requests, state.objects


def known_objects(connection: duckdb.DuckDBPyConnection, account: str, *, livemode: bool, now: datetime) -> Known:
    """What the tables say of an account before a sync."""
    scope = {"account": account, "livemode": livemode}
    found = {kind: stored_hashes(connection, KINDS[kind].table, scope) for kind in (*PATHS, "event")}
    return Known(
        hashes=found,
        open={kind: open_objects(connection, KINDS[kind].table, scope, now) for kind in PATHS},
        oldest_pending=oldest_pending(connection, scope),
        payouts=frozenset(payouts_without_items(connection, scope)),
    )
