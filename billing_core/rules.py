"""Price rules: which calls one is for, when it holds, and which of two is the narrower.

A call is charged by the narrowest rule that fits it at the instant it happened. Two rules of which neither is narrower
than the other must never fit one call at one instant; `find_ambiguity` proves it from the rules alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from billing_core.charges import TokenCharge, Unit, UnitCharge
from billing_core.globs import bare_name, is_glob, matches, overlap
from billing_core.images import family_of
from billing_core.instants import utc_text
from billing_core.toml_tables import content_version
from billing_core.vocabulary import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from billing_core.charges import Charge

SCOPES: Mapping[str, str] = {"account": "account_id", "workspace": "workspace", "plan": "plan"}
"""Keys of a match that name whose call it is, narrowest first, and the columns of a call that hold it."""

LLM_OPERATIONS = tuple(sorted(operation.value for operation in Operation if operation is not Operation.IMAGE))
_NO_GLOB, _GLOB, _EXACT = range(3)

Rank: TypeAlias = tuple[int, ...]


class Product(NamedTuple):
    """What was called: the part of a call that a rule looks at besides whose call it was and when."""

    operation: str
    provider: str | None = None
    model: str | None = None
    image_size: str | None = None
    image_quality: str | None = None


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which calls a rule is for; a key that is None takes any. Only `model` takes patterns."""

    account: str | None = None
    workspace: str | None = None
    plan: str | None = None
    provider: str | None = None
    model: str | None = None
    operation: str | None = None
    image_size: str | None = None
    image_quality: str | None = None

    @property
    def rank(self) -> Rank:
        """How narrow it is, to be compared: account, workspace, plan; model by name, by pattern; then what is left."""
        model = _NO_GLOB if self.model is None else _GLOB if is_glob(self.model) else _EXACT
        whose = (self.account, self.workspace, self.plan)
        rest = (self.provider, self.operation, self.image_size, self.image_quality)
        return (*(int(key is not None) for key in whose), model, *(int(key is not None) for key in rest))

    @property
    def scope(self) -> tuple[str, ...]:
        """The keys of SCOPES that it states."""
        return tuple(key for key in SCOPES if getattr(self, key) is not None)

    def stated(self) -> dict[str, str]:
        """The keys it states."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}


@dataclass(frozen=True)
class Rule:
    """One `[[rate]]` table: in force from `effective_from` (inclusive) to `effective_to` (exclusive).

    Times are epoch microseconds, None without limit. `number` is the place of its table in the file.
    """

    rate_id: str
    match: Match
    charge: Charge
    effective_from: int | None = None
    effective_to: int | None = None
    number: int = 0

    @property
    def rate_version(self) -> str:
        """The version by what it says; how it ends is not part of it."""
        starts = None if self.effective_from is None else utc_text(self.effective_from)
        said = {"id": self.rate_id, "effective_from": starts, "match": self.match.stated()}
        return content_version(said | {"charge": self.charge.document()})

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations it is for: those of images for a cost per image, all others for anything else."""
        if self.match.operation is not None:
            return (self.match.operation,)
        is_per_image = isinstance(self.charge, UnitCharge) and self.charge.unit is Unit.IMAGE
        return (Operation.IMAGE.value,) if is_per_image else LLM_OPERATIONS

    def is_in_force(self, instant_us: int | None) -> bool:
        """Whether it holds at an instant in epoch microseconds; None is before all time."""
        if instant_us is None:
            return self.effective_from is None
        starts_by_then = self.effective_from is None or self.effective_from <= instant_us
        return starts_by_then and (self.effective_to is None or instant_us < self.effective_to)

    def fits(self, product: Product) -> bool:
        """Whether it is for such a call, whosever it is. An image model of no family must be named by the rule."""
        match = self.match
        if product.operation not in self.operations:
            return False
        if match.model is None:
            if product.operation == Operation.IMAGE and family_of(product.model) is None:
                return False
        elif product.model is None or not matches(match.model, product.model):
            return False
        return (
            _same(match.provider, product.provider)
            and _same(match.image_size, product.image_size)
            and _same(match.image_quality, product.image_quality)
        )


def _same(wanted: str | None, found: str | None) -> bool:
    return wanted is None or (found is not None and wanted.lower() == found.lower())


def narrowest(rules: Iterable[Rule]) -> Rule | None:
    """The rule of the highest rank; None when there is none."""
    return max(rules, key=lambda rule: rule.match.rank, default=None)


class Ambiguity(NamedTuple):
    """Two rules of equal rank that can fit one call, and the first instant at which they do (None: from ever)."""

    one: Rule
    other: Rule
    instant_us: int | None


def find_ambiguity(rules: Sequence[Rule]) -> Ambiguity | None:
    """The first two rules between which a call could not choose; None when every call can."""
    alike: dict[tuple[object, ...], list[Rule]] = defaultdict(list)
    for rule in rules:
        group = alike[_likeness(rule)]
        for other in group:
            if _share_a_call(other, rule) and _share_a_time(other, rule):
                starts = [r.effective_from for r in (other, rule) if r.effective_from is not None]
                return Ambiguity(other, rule, max(starts, default=None))
        group.append(rule)
    return None


def _likeness(rule: Rule) -> tuple[object, ...]:
    """Rules that differ in this can never be ambiguous, so only few are compared in pairs."""
    match = rule.match
    exact = bare_name(match.model) if match.model is not None and not is_glob(match.model) else None
    words = (match.provider, match.image_size, match.image_quality)
    lowered = tuple(word.lower() if word is not None else None for word in words)
    return (match.rank, match.account, match.workspace, match.plan, exact, *lowered)


def _share_a_call(one: Rule, other: Rule) -> bool:
    if set(one.operations).isdisjoint(other.operations):
        return False
    return one.match.model is None or other.match.model is None or overlap(one.match.model, other.match.model)


def _share_a_time(one: Rule, other: Rule) -> bool:
    starts_before_end = other.effective_to is None or one.effective_from is None
    ends_after_start = one.effective_to is None or other.effective_from is None
    return (starts_before_end or one.effective_from < other.effective_to) and (  # type: ignore[operator]
        ends_after_start or other.effective_from < one.effective_to  # type: ignore[operator]
    )


def uses_long_context(rules: Iterable[Rule]) -> bool:
    """Whether some rule charges long calls otherwise."""
    return any(isinstance(rule.charge, TokenCharge) and rule.charge.long is not None for rule in rules)
