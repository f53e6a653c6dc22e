"""One sync: step after step, page after page, each on the disk before the next is asked for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from billing_core.errors import ConfigurationError
from pipelines.books import clock
from pipelines.books.journal import canonical_json
from pipelines.payments.extract import Cursor, Extract, SyncState
from pipelines.payments.file_log import EXTRACT_PREFIX
from pipelines.payments.keys import mode_name
from pipelines.payments.plan import EVENT_TYPES, EXPAND, PATHS, SETTLE_SECONDS, Known, Windows, must_be_full, windows
from pipelines.payments.sightings import PAYOUT_ITEMS, PINNED_VERSION, SYNC_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pipelines.books.config_models import Stripe
    from pipelines.payments.client import Fetched, StripeApi
    from pipelines.payments.fields import StripeJson
    from pipelines.payments.options import SyncOptions


@dataclass
class Progress:
    """What the sync has come across: what changed, which payouts are ready, which are itemised, what is known."""

    hashes: dict[str, dict[str, str]]
    changed: dict[tuple[str, str], int] = field(default_factory=dict)
    payouts: set[str] = field(default_factory=set)
    itemised: set[str] = field(default_factory=set)
    has_balance: bool = False

    def is_news(self, thing: StripeJson) -> bool:
        """Whether an object looks other than it did when it was last seen; if so, learn from it."""
        kind, identity = str(thing.get("object")), thing.get("id")
        if isinstance(identity, str):
            digest = digest_of(thing)
            known = self.hashes.setdefault(kind, {})
            if known.get(identity) == digest:
                return False
            known[identity] = digest
        self._learn(kind, thing)
        return True

    def learn_again(self, thing: StripeJson) -> None:
        """Learn from what an interrupted sync has written, whether the tables know it by now or not."""
        self.is_news(thing)
        self._learn(str(thing.get("object")), thing)

    def _learn(self, kind: str, thing: StripeJson) -> None:
        if kind == "event":
            shown = thing["data"]["object"]
            if shown.get("object") in PATHS and isinstance(shown.get("id"), str):
                self.changed[shown["object"], shown["id"]] = int(shown.get("created") or 0)
        elif kind == "payout" and thing.get("automatic") and thing.get("reconciliation_status") == "completed":
            self.payouts.add(thing["id"])
        elif kind == PAYOUT_ITEMS:
            self.itemised.add(thing["payout"])
        elif kind == "balance":
            self.has_balance = True


def digest_of(thing: StripeJson) -> str:
    """The same hash as in the column raw_sha256."""
    return hashlib.sha256(canonical_json(thing)).hexdigest()


@dataclass
class Sync:
    """Everything that one sync works with."""

    api: StripeApi
    cursor: Cursor
    state: SyncState
    extract: Extract
    windows: Windows
    known: Known
    progress: Progress
    now: Callable[[], datetime]
    on_step: Callable[[str, int], None]

    def run(self) -> None:
        """Do every step that is not done yet."""
        for name, step in self._steps():
            if name in self.state.done:
                continue
            if self.state.step != name:
                self.state.step, self.state.after = name, None
            step()
            self.state.done.append(name)
            self._keep()

    def _steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Events first: what changes while the lists are read then has an event in the next window."""
        yield "balance", self._balance
        for name, types in EVENT_TYPES.items():
            yield name, lambda types=types: self._list("events", self.windows.events_since, types=list(types))  # type: ignore[misc]
        for kind, path in PATHS.items():
            expand = {"expand": [f"data.{EXPAND[kind]}"]} if kind in EXPAND else {}
            yield path, lambda path=path, kind=kind, expand=expand: self._list(path, self.windows.since[kind], **expand)  # type: ignore[misc]
        yield "changed objects", lambda: self._look_at(self._changed())
        yield "open objects", lambda: self._look_at(self._open())
        yield "payout items", self._payout_items
        yield "end", self._mark

    def _balance(self) -> None:
        found = None if self.progress.has_balance else self.api.one("balance")
        self._write([found] if found is not None else [])

    def _list(self, path: str, since: int, **params: Any) -> None:
        """All pages of a list, newest first, from where a crash left it."""
        created = {"gte": since, "lte": self.windows.end}
        while True:
            place = {"starting_after": self.state.after} if self.state.after is not None else {}
            page = self.api.page(path, created=created, **params, **place)
            if page.fetched:
                self.state.after = page.fetched[-1].thing["id"]
            self._write(page.fetched)
            if not page.has_more:
                return

    def _changed(self) -> list[tuple[str, str]]:
        """What the change feed names and the lists do not reach."""
        return [
            (kind, identity)
            for (kind, identity), created in self.progress.changed.items()
            if not self.windows.is_listed(kind, created)
        ]

    def _open(self) -> list[tuple[str, str]]:
        changed = self.progress.changed
        return [
            (kind, identity)
            for kind, created_by_id in self.known.open.items()
            for identity, created in created_by_id.items()
            if not self.windows.is_listed(kind, created) and (kind, identity) not in changed
        ]

    def _look_at(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Single objects, in the order of their names, so that a sync that was cut off knows where it was."""
        for kind, identity in sorted(wanted):
            place = f"{kind} {identity}"
            if self.state.after is not None and place <= self.state.after:
                continue
            expand = {"expand": [EXPAND[kind]]} if kind in EXPAND else {}
            found = self.api.one(f"{PATHS[kind]}/{identity}", **expand)
            self.state.after = place
            self._write([found] if found is not None else [])

    def _payout_items(self) -> None:
        """The movements of each automatic payout that Stripe has itemised, whole or not at all."""
        for payout in sorted((self.progress.payouts | self.known.payouts) - self.progress.itemised):
            items: list[str] = []
            while True:
                place = {"starting_after": items[-1]} if items else {}
                page = self.api.page("balance_transactions", payout=payout, **place)
                items += [found.thing["id"] for found in page.fetched]
                if not page.has_more:
                    break
            whole = {"object": PAYOUT_ITEMS, "payout": payout, "balance_transactions": items}
            self.extract.append([_text(whole)], self.now())
            self.progress.itemised.add(payout)
            self._count(len(items))

    def _mark(self) -> None:
        """The mark of a whole sync: until then nothing says that the window is complete."""
        state = self.state
        mark = {
            "object": SYNC_MARK,
            "sync_id": state.sync_id,
            "is_full": state.is_full,
            "started_at": _iso(state.started_at),
            "window_end": _iso(state.window_end),
            "finished_at": clock.iso_micros(self.now()),
            "requests": state.requests + self.api.requests,
            "objects": state.objects,
            "api_version": PINNED_VERSION,
        }
        self.extract.append([_text(mark)], self.now())

    def _write(self, fetched: list[Fetched]) -> None:
        """Append what looks new, then move the cursor past it."""
        at = self.now()
        self.extract.append([found.text for found in fetched if self.progress.is_news(found.thing)], at)
        self._count(len(fetched))

    def _count(self, objects: int) -> None:
        self.state.objects += objects
        self._keep()
        self.on_step(self.state.step, objects)

    def _keep(self) -> None:
        self.state.requests += self.api.requests
        self.api.requests = 0
        self.cursor.save()


def _text(thing: StripeJson) -> str:
    return canonical_json(thing).decode()


def _iso(seconds: int) -> str:
    return clock.iso_micros(datetime.fromtimestamp(seconds, UTC))


def run_sync(
    api: StripeApi,
    config: Stripe,
    root: Path,
    account: str,
    known: Known,
    options: SyncOptions,
) -> SyncState:
    """Sync one account into a file below stripe/, or go on with the sync that was cut off.

    Raises PaymentServiceError when Stripe refuses; what was fetched stays and the next call goes on from there.
    """
    mode = mode_name(livemode=api.key.livemode)
    cursor = Cursor.load(root / "stripe" / f"cursor-{account}-{mode}.json")
    state = cursor.current
    if state is None or (options.full and not state.is_full):
        state = cursor.current = _begin(options.now(), mode, cursor.last_window_end, full=options.full)
        cursor.save()
    span = windows(
        started_at=state.started_at,
        window_end=state.window_end,
        last_window_end=cursor.last_window_end,
        is_full=state.is_full,
        relist_days=config.relist_days,
        relist_dispute_days=config.relist_dispute_days,
        oldest_pending=known.oldest_pending,
    )
    extract = Extract(root / state.file, account, livemode=api.key.livemode)
    progress = Progress({kind: dict(hashes) for kind, hashes in known.hashes.items()})
    try:
        for thing in extract.things():
            progress.learn_again(thing)
        Sync(api, cursor, state, extract, span, known, progress, options.now, options.on_step).run()
    finally:
        extract.close()
    cursor.last_window_end, cursor.current = state.window_end, None
    cursor.save()
    return state


def _begin(at: datetime, mode: str, last_window_end: int | None, *, full: bool) -> SyncState:
    started = int(at.timestamp())
    name = f"{at:%Y%m%dT%H%M%S%fZ}-{mode}"
    return SyncState(
        sync_id=name,
        file=f"{EXTRACT_PREFIX}{name}.jsonl",
        started_at=started,
        window_end=started - SETTLE_SECONDS,
        is_full=full or must_be_full(last_window_end, started),
    )


def checked_account(api: StripeApi, configured: str | None) -> str:
    """The account of the key. Raises ConfigurationError when it is not the configured one, or cannot be known."""
    account = api.account()
    if account is None and configured is None:
        raise ConfigurationError(
            f"the key in {api.key_name} may not read its account; name it in tollbook.toml: [stripe] account = "
            '"acct_..."'
        )
    if configured is not None and account is not None and account != configured:
        raise ConfigurationError(
            f"the key in {api.key_name} belongs to {account}, but these books are of {configured} ([stripe] account); "
            "use a key of that account"
        )
    return str(account or configured)
