"""Reading `[[rate]]` tables: every rule of a rates file, or one precise message about the first that is wrong."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from billing_core.charges import TOKEN_KINDS, Tier, TierCharge, TokenCharge, Unit, UnitCharge, multiplied
from billing_core.errors import ConfigurationError
from billing_core.images import DALL_E_2, DALL_E_3, GOOGLE
from billing_core.instants import utc_text
from billing_core.rules import Match, Rule, find_ambiguity
from billing_core.settings import AMOUNT_MAX
from billing_core.toml_tables import Table, read_tables
from billing_core.vocabulary import OPERATION_ALIASES, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from billing_core.charges import Charge

DEFAULT_MULTIPLIER = "default_multiplier"
IMAGE_RULES = {family: f"image_{family}" for family in (DALL_E_3, DALL_E_2, GOOGLE)}
"""Ids of the rules that the settings make: for the tokens of a call, and for the images of each family."""

MATCH_KEYS = (
    "account",
    "workspace",
    "plan",
    "provider",
    "model",
    "operation",
    "image_size",
    "image_quality",
)
CHARGE_KEYS = ("multiplier", "weights", "fixed", "package", "graduated", "volume")
RATE_KEYS = ("id", "effective_from", "effective_to", "match", *CHARGE_KEYS, "per", "long_context")
TIER_KEYS = ("up_to", "multiplier")
PACKAGE_KEYS = ("tokens", "cost")
LONG_CONTEXT_KEYS = ("above", "multiplier", "weights")
TIERS_MAX = 100
PACKAGE_COST_PER_TOKEN_MAX = 999_999
"""A package costs fewer tokens per token than any multiplier may, so that its figure too stays in 64 bits."""

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}"
_ID = re.compile(ID_PATTERN)


def parse_rates(tables: object, where: str = "rates.toml") -> tuple[Rule, ...]:
    """Read `[[rate]]` tables as parsed from TOML, in file order.

    Tables of one id are its versions: each ends at its `effective_to`, else where the next one starts. They must not
    overlap nor leave a gap, and only the first may leave `effective_from` out. Two rules of equal rank that fit one
    call at one instant are refused too. Every ConfigurationError names `where`, the table, the key and what to do.
    """
    rules = [_rule(table) for table in read_tables(tables, "rate", where, RATE_KEYS)]
    by_id: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_id[rule.rate_id].append(rule)
    ended = [version for versions in by_id.values() for version in _versions(versions, where)]
    ended.sort(key=lambda rule: rule.number)
    _refuse_ambiguity(ended, where)
    return tuple(ended)


def _rule(table: Table) -> Rule:
    rate_id = table.required_text("id")
    if not _ID.fullmatch(rate_id):
        raise table.refusal("id", f"got {rate_id!r}; write letters, digits and _ . : - only, at most 100 of them")
    if rate_id in {DEFAULT_MULTIPLIER, *IMAGE_RULES.values()}:
        raise table.refusal("id", f"{rate_id!r} is kept for the rules that [[settings]] make; choose another")
    starts, ends = table.instant("effective_from"), table.instant("effective_to")
    if starts is not None and ends is not None and ends <= starts:
        raise table.refusal("effective_to", f"{utc_text(ends)} is not after effective_from {utc_text(starts)}")
    rule = Rule(rate_id, _match(table), _charge(table), starts, ends, table.number)
    is_per_image = isinstance(rule.charge, UnitCharge) and rule.charge.unit is Unit.IMAGE
    if is_per_image and rule.operations != (Operation.IMAGE.value,):
        raise table.refusal("match.operation", f'a cost per image is for operation "image", got {rule.operations[0]!r}')
    return rule


def _match(table: Table) -> Match:
    inside = table.inside("match", MATCH_KEYS)
    stated = {key: inside.text(key) for key in MATCH_KEYS}
    operation = stated["operation"]
    if operation is not None:
        known = OPERATION_ALIASES.get(operation.lower())
        if known is None:
            raise inside.refusal("operation", f"got {operation!r}; write one of {', '.join(Operation)}")
        stated["operation"] = known.value
    for key in MATCH_KEYS:
        value = stated[key]
        if key != "model" and value is not None and "*" in value:
            raise inside.refusal(key, f"got {value!r}; only model takes a pattern, name one {key}")
    return Match(**stated)


def _charge(table: Table) -> Charge:
    said = [key for key in CHARGE_KEYS if key in table.values]
    if len(said) != 1:
        found = f"got {' and '.join(said)}" if said else "got none"
        raise table.refusal(
            said[1] if said else "multiplier", f"a rule has exactly one charge of {', '.join(CHARGE_KEYS)}; {found}"
        )
    charge = _READERS[said[0]](table)
    if "per" in table.values and said[0] != "fixed":
        raise table.refusal("per", f"only a fixed cost is per something; remove it from a rule with {said[0]}")
    if "long_context" in table.values and not isinstance(charge, TokenCharge):
        raise table.refusal(
            "long_context", f"only multiplier and weights have one; remove it from a rule with {said[0]}"
        )
    return charge


def _token_charge(table: Table) -> TokenCharge:
    """A multiplier or weights, with what holds for long calls."""
    charge = _plain_token_charge(table)
    if "long_context" not in table.values:
        return charge
    inside = table.inside("long_context", LONG_CONTEXT_KEYS)
    above = inside.required_whole("above", 1, AMOUNT_MAX)
    key = "multiplier" if charge.is_multiplier else "weights"
    other = "weights" if charge.is_multiplier else "multiplier"
    if other in inside.values or key not in inside.values:
        raise inside.refusal(key, f"a rule with {key} has {key} for long calls too, and no {other}")
    return replace(charge, above=above, long=_plain_token_charge(inside))


def _plain_token_charge(table: Table) -> TokenCharge:
    if "multiplier" in table.values:
        return multiplied(table.required_ppm("multiplier"))
    inside = table.inside("weights", TOKEN_KINDS)
    weights = {kind: inside.required_ppm(kind) for kind in TOKEN_KINDS if kind in inside.values}
    for kind in ("input", "output"):
        inside.required_ppm(kind)
    return TokenCharge(weights)


def _fixed(table: Table) -> UnitCharge:
    if "per" not in table.values:
        raise table.refusal("per", 'missing; write per = "image" or per = "call"')
    unit = table.word("per", (Unit.IMAGE.value, Unit.CALL.value), Unit.IMAGE.value)
    return UnitCharge(table.required_whole("fixed", 0, AMOUNT_MAX), Unit(unit))


def _package(table: Table) -> UnitCharge:
    inside = table.inside("package", PACKAGE_KEYS)
    tokens = inside.required_whole("tokens", 1, AMOUNT_MAX)
    most = min(AMOUNT_MAX, tokens * PACKAGE_COST_PER_TOKEN_MAX)
    return UnitCharge(inside.required_whole("cost", 0, most), Unit.BLOCK, tokens)


def _tiers(key: str) -> Callable[[Table], TierCharge]:
    def read(table: Table) -> TierCharge:
        inside = table.each_inside(key, TIER_KEYS)
        if len(inside) > TIERS_MAX:
            raise table.refusal(key, f"got {len(inside)} tiers; at most {TIERS_MAX} are kept")
        for one in inside[:-1]:
            one.required_whole("up_to", 1, AMOUNT_MAX * 1000)
        if "up_to" in inside[-1].values:
            raise inside[-1].refusal("up_to", "the last tier takes all further tokens; leave its up_to out")
        ends = [one.optional_whole("up_to") for one in inside]
        for one, before, end in zip(inside[1:-1], ends, ends[1:-1], strict=False):
            if before is not None and end is not None and end <= before:
                raise one.refusal("up_to", f"got {end}; a tier ends after the one before it, which ends at {before}")
        tiers = tuple(Tier(end, one.required_ppm("multiplier")) for one, end in zip(inside, ends, strict=True))
        return TierCharge(tiers, is_volume=key == "volume")

    return read


_READERS: Mapping[str, Callable[[Table], Charge]] = {
    "multiplier": _token_charge,
    "weights": _token_charge,
    "fixed": _fixed,
    "package": _package,
    "graduated": _tiers("graduated"),
    "volume": _tiers("volume"),
}


def _versions(versions: list[Rule], where: str) -> list[Rule]:
    """The versions of one id in force order, each with its end."""
    for rule in versions[1:]:
        if rule.effective_from is None:
            raise _refusal(where, rule, "effective_from", "missing; only the first table of an id may leave it out")
    ordered = sorted(versions, key=lambda rule: (rule.effective_from is not None, rule.effective_from or 0))
    ended = []
    for rule, following in pairwise(ordered):
        starts = following.effective_from
        assert starts is not None, "a version after the first has a start"
        if rule.effective_from == starts:
            problem = f"rate {rule.rate_id!r} starts at {utc_text(starts)} in table {rule.number} too"
            raise _refusal(where, following, "effective_from", f"{problem}; give one another date or id, or remove it")
        if rule.effective_to is not None and rule.effective_to > starts:
            problem = f"overlap: rate {rule.rate_id!r} runs on to {utc_text(rule.effective_to)}"
            raise _refusal(
                where,
                rule,
                "effective_to",
                f"{problem} but its next version, table {following.number}, starts at {utc_text(starts)}; "
                "leave effective_to out, or give one of them another id",
            )
        if rule.effective_to is not None and rule.effective_to < starts:
            raise _refusal(
                where,
                rule,
                "effective_to",
                f"gap: rate {rule.rate_id!r} ends at {utc_text(rule.effective_to)} and its next version, table "
                f"{following.number}, starts at {utc_text(starts)}; leave effective_to out, or give the later one "
                "another id if calls in between should fall under other rules",
            )
        ended.append(replace(rule, effective_to=starts))
    return [*ended, ordered[-1]]


def _refuse_ambiguity(rules: Sequence[Rule], where: str) -> None:
    found = find_ambiguity(rules)
    if found is None:
        return
    one, other, instant_us = found
    when = "from the beginning" if instant_us is None else f"at {utc_text(instant_us)}"
    names = f"rates {_named(one)} and {_named(other)}"
    raise ConfigurationError(
        f"{where}: overlap: {names} are equally specific and both hold {when} for one call. "
        "Make the match of one narrower, end one before the other starts, or merge them"
    )


def _named(rule: Rule) -> str:
    """A rule as its reader finds it again: id, table, and the pattern where one is the reason."""
    pattern = f", model {rule.match.model!r}" if rule.match.model is not None else ""
    return f"{rule.rate_id!r} (table {rule.number}{pattern})"


def _refusal(where: str, rule: Rule, key: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: [[rate]] table {rule.number}, key {key}: {problem}")
