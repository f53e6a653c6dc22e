"""The planted lines, by the usage file that carries them. Their number never depends on the seed or the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from pipelines.demo.accounts import bonus_account, overdrawn_accounts
from pipelines.demo.calls import Call
from pipelines.demo.dates import DAY_MS, app_path, at_ms, gateway_path
from pipelines.demo.malformed import malformed_app, malformed_gateway
from pipelines.demo.prices import CHANGE_MS, IMAGE_FAMILIES, MULTIPLIER_BEFORE, billable_tokens
from pipelines.demo.usage_app import app_line
from pipelines.demo.usage_gateway import gateway_line

if TYPE_CHECKING:
    from pipelines.demo.accounts import Account
    from pipelines.demo.calls import Callers

FIRST_NUMBER = 900_000_000
UNSIGNED = ("usage/app/unsigned/2026-09-14.jsonl", date(2026, 9, 14))
FORGED = ("usage/app/forged/2026-10-14.jsonl", date(2026, 10, 14))
REDELIVERED = (app_path(date(2026, 8, 7)), "usage/app/resent/2026-08-14.jsonl", date(2026, 8, 14))
BOM_FILE = app_path(date(2026, 9, 7))
CRLF_FILE = gateway_path(date(2026, 9, 21))
OPEN_ENDED_FILE = app_path(date(2026, 10, 7))
REFUSED_LINES = 10
IN_FILE, ACROSS_FILES = "in file", "across files"
STALE, TOO_MANY, OUTLIER = "stale multiplier", "too many tokens", "cost outlier"
STALE_CALLS, TOO_MANY_CALLS, OUTLIERS = 3, 2, 2
_VICTIMS = 8
_LOGS = {"app": (app_path, app_line), "gateway": (gateway_path, gateway_line)}


@dataclass(frozen=True)
class Planted:
    """One planted line: its bytes, the disposition it must get, a reason or kind, and the call if it is accepted."""

    raw: bytes
    outcome: str
    where: str = ""
    call: Call | None = None


class Faults:
    """Builds every planted line; `lines` maps a file's path to them, in order."""

    def __init__(self, accounts: tuple[Account, ...], callers: Callers) -> None:
        """Plants on the first eight accounts and on the three with a part to play."""
        self._accounts = accounts
        self._callers = callers
        self._number = FIRST_NUMBER
        self.lines: dict[str, list[Planted]] = {}
        self._duplicates()
        self._conflicts()
        self._malformed()
        self._strangers()
        self._late()
        self._edges()
        self._failed()
        self._images()
        self._actors()
        self._drift()
        self._outliers()
        for path in (app_path(date(2026, 8, 14)), app_path(date(2026, 9, 14)), gateway_path(date(2026, 10, 21))):
            self._put(path, *[Planted(b"", "blank")] * 2)
        self.refused = [app_line(self._call(at_ms(date(2026, 9, 10), hour=h))) for h in range(REFUSED_LINES)]
        self.forged = [app_line(self._call(at_ms(date(2026, 10, 9), hour=h))) for h in range(REFUSED_LINES)]

    def count(self) -> int:
        """Planted lines in all taken files."""
        return sum(map(len, self.lines.values()))

    def _put(self, path: str, *lines: Planted) -> None:
        self.lines.setdefault(path, []).extend(lines)

    def _call(self, occurred_ms: int, account: Account | None = None) -> Call:
        self._number += 1
        return self._callers.text(self._number, occurred_ms, account or self._accounts[self._number % _VICTIMS])

    def _add(self, log: str, day: date, call: Call, outcome: str = "accepted", where: str = "") -> None:
        path, line = _LOGS[log]
        self._put(path(day), Planted(line(call), outcome, where, call if outcome == "accepted" else None))

    def _duplicates(self) -> None:
        # (log, the date of the file, a day it covers, lines, the date of the later file that brings them again)
        for log, delivered, day, count, again in (
            ("app", date(2026, 8, 7), date(2026, 8, 7), 8, None),
            ("gateway", date(2026, 9, 14), date(2026, 9, 11), 4, None),
            ("app", date(2026, 8, 28), date(2026, 8, 24), 6, date(2026, 9, 1)),
            ("gateway", date(2026, 9, 28), date(2026, 9, 25), 3, date(2026, 10, 7)),
        ):
            for hour in range(count):
                call = self._call(at_ms(day, hour=2 + hour))
                self._add(log, delivered, call)
                self._add(log, again or delivered, call, "duplicate", ACROSS_FILES if again else IN_FILE)

    def _conflicts(self) -> None:
        # One id, two contents: nobody can say which is true, so neither is billed.
        for log, day, delivered in (
            ("app", date(2026, 8, 12), date(2026, 8, 14)),
            ("gateway", date(2026, 10, 12), date(2026, 10, 14)),
        ):
            call = self._call(at_ms(day, hour=9))
            self._add(log, delivered, call, "conflict")
            self._add(log, delivered, replace(call, output_tokens=call.output_tokens + 100), "conflict")

    def _malformed(self) -> None:
        for reason, raw in malformed_app(lambda: self._call(at_ms(date(2026, 8, 19), hour=12))):
            self._put(app_path(date(2026, 8, 21)), Planted(raw, "quarantined", reason))
        for reason, raw in malformed_gateway(lambda: self._call(at_ms(date(2026, 8, 26), hour=12))):
            self._put(gateway_path(date(2026, 8, 28)), Planted(raw, "quarantined", reason))

    def _strangers(self) -> None:
        for number, log in enumerate(("app",) * 3 + ("gateway",) * 2):
            call = replace(self._call(at_ms(date(2026, 9, 16), hour=number)), account_id=f"user9{number:03d}")
            self._add(log, date(2026, 9, 21), call, "quarantined", "unknown_account")

    def _late(self) -> None:
        # Delivered three to five weeks after they happened, some on the other side of the price change.
        for number, log in enumerate(("app",) * 10 + ("gateway",) * 5):
            day = (date(2026, 10, 7), date(2026, 9, 14), date(2026, 10, 28))[number % 3]
            self._add(log, day, self._call(at_ms(day, hour=8) - (21 + number) * DAY_MS))

    def _edges(self) -> None:
        # The last millisecond of the old multiplier and the first of the new one, then three calls before the books.
        self._add("app", date(2026, 9, 14), self._call(CHANGE_MS - 1))
        self._add("app", date(2026, 9, 21), self._call(CHANGE_MS))
        for hour in range(3):
            self._add(
                "app", date(2026, 8, 1), self._call(at_ms(date(2026, 7, 28), hour=hour)), "ignored", "before_start"
            )

    def _failed(self) -> None:
        for log, day, delivered, count in (
            ("app", date(2026, 10, 7), date(2026, 10, 7), 6),
            ("gateway", date(2026, 10, 10), date(2026, 10, 14), 4),
        ):
            for hour in range(count):
                call = self._call(at_ms(day, hour=hour))
                self._add(log, delivered, replace(call, failed=True, output_tokens=0, reasoning_tokens=0))

    def _images(self) -> None:
        for log, day, delivered in (
            ("app", date(2026, 8, 11), date(2026, 8, 14)),
            ("gateway", date(2026, 10, 19), date(2026, 10, 21)),
        ):
            for model in (*IMAGE_FAMILIES, *IMAGE_FAMILIES):
                self._number += 1
                provider = "openai" if model.startswith(("dall-e", "gpt")) else "google"
                account = self._accounts[self._number % _VICTIMS]
                self._add(
                    log, delivered, self._callers.image(self._number, at_ms(day, hour=6), account, provider, model)
                )

    def _drift(self) -> None:
        # The app went on with the multiplier of before for some calls, and charged some a few tokens too many.
        day, delivered = date(2026, 10, 5), date(2026, 10, 7)
        for number, kind in enumerate((STALE,) * STALE_CALLS + (TOO_MANY,) * TOO_MANY_CALLS):
            call = self._sized(at_ms(day, hour=number))
            used = call.input_tokens + call.output_tokens
            wrong = -(-used * MULTIPLIER_BEFORE.numerator // MULTIPLIER_BEFORE.denominator)
            if kind == TOO_MANY:
                wrong = (billable_tokens(call) or 0) + used
            raw = app_line(call, billableTokens=f"{wrong}.0")
            self._put(app_path(delivered), Planted(raw, "accepted", kind, call))

    def _outliers(self) -> None:
        # 4,000 and 1,000 tokens of gpt-4o cost 2 cents; the gateway says 40.
        for hour in range(OUTLIERS):
            call = self._sized(at_ms(date(2026, 10, 12), hour=hour))
            raw = gateway_line(call, cost="0.400000000")
            self._put(gateway_path(date(2026, 10, 14)), Planted(raw, "accepted", OUTLIER, call))

    def _sized(self, occurred_ms: int) -> Call:
        """A call of a fixed size, without any draw: what is drawn after it stays what it was."""
        self._number += 1
        account = self._accounts[self._number % _VICTIMS]
        caller = account.account_id, account.workspace_id
        return Call(self._number, occurred_ms, *caller, "chat", "openai", "gpt-4o", 4_000, 1_000)

    def _actors(self) -> None:
        # The bonus is half used, in good time; two customers use far more than their welcome bonus.
        for number in range(3):
            self._fixed(bonus_account(self._accounts), date(2026, 9, 7), number, 600)
        for account in overdrawn_accounts(self._accounts):
            for number in range(8):
                self._fixed(account, date(2026, 10, 7), number, 2_000)

    def _fixed(self, account: Account, day: date, number: int, tokens: int) -> None:
        made = tokens // 4
        call = replace(self._call(at_ms(day, hour=7 + number), account), input_tokens=tokens - made, output_tokens=made)
        self._add("app", day, replace(call, cache_read_tokens=0, reasoning_tokens=0))
