"""A price book: the settings versions and the `[[rate]]` rules of one rates file, and every rule they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from billing_core.charges import Unit, UnitCharge, multiplied
from billing_core.images import DALL_E_2, DALL_E_3, GOOGLE, family_of
from billing_core.rate_tables import DEFAULT_MULTIPLIER, IMAGE_RULES, parse_rates
from billing_core.rules import LLM_OPERATIONS, Product, Rule
from billing_core.settings import SettingsBook, parse_settings
from billing_core.vocabulary import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from billing_core.charges import Charge
    from billing_core.settings import Settings

FAMILY_COST: dict[str, Callable[[Settings], int]] = {
    DALL_E_3: lambda settings: settings.image_generation_cost_dall_e_3,
    DALL_E_2: lambda settings: settings.image_generation_cost_dall_e_2,
    GOOGLE: lambda settings: settings.image_generation_cost_google,
}


@dataclass(frozen=True)
class PriceBook:
    """What every call costs at every instant: the settings, and the rules that come before what the settings say."""

    settings: SettingsBook
    rates: tuple[Rule, ...] = ()

    @property
    def cuts(self) -> list[int]:
        """The instants, in epoch microseconds, at which something changes; between two of them nothing does."""
        edges = {edge for rule in self.rates for edge in (rule.effective_from, rule.effective_to) if edge is not None}
        return sorted(edges | set(self.settings.cuts))


@dataclass(frozen=True)
class RateRule:
    """A rule behind a `rate_id`, as it stood in one version: enough to recompute a row from tables alone.

    Times are epoch microseconds, None without limit. `match`, `charge` and `integers` hold JSON values only, decimals
    as text; an operation that a rule states is a text, those that follow from its charge are a list. `effective_to` is
    None for a rule that its book does not end.
    """

    rate_id: str
    rate_version: str
    effective_from: int | None
    effective_to: int | None
    match: dict[str, Any]
    charge: dict[str, Any]
    integers: dict[str, Any]


def parse_price_book(document: Mapping[str, object], where: str = "rates.toml") -> PriceBook:
    """Read the tables of a rates file as parsed from TOML; without any the defaults hold.

    Raises ConfigurationError for the first that is wrong, with `where`, table and key.
    """
    return PriceBook(parse_settings(document.get("settings", []), where), parse_rates(document.get("rate", []), where))


def default_rule(settings: Settings, product: Product) -> tuple[str, Charge] | None:
    """Id and charge of what a settings version says of a call; None for an image model of no family."""
    if product.operation != Operation.IMAGE:
        return DEFAULT_MULTIPLIER, multiplied(settings.multiplier_ppm)
    family = family_of(product.model)
    if family is None:
        return None
    return IMAGE_RULES[family], UnitCharge(FAMILY_COST[family](settings), Unit.IMAGE)


def rate_rules(book: PriceBook) -> list[RateRule]:
    """Every rule that a call can name under a book: those of each settings version, then those of the file."""
    return [
        *(rule for version in book.settings.versions for rule in _rules_of(version)),
        *(_row(rule) for rule in book.rates),
    ]


def _rules_of(version: Settings) -> list[RateRule]:
    charges: dict[str, tuple[dict[str, Any], Charge]] = {
        DEFAULT_MULTIPLIER: ({"operation": list(LLM_OPERATIONS)}, multiplied(version.multiplier_ppm)),
    }
    for family, cost in FAMILY_COST.items():
        match = {"operation": [Operation.IMAGE.value], "image_family": family}
        charges[IMAGE_RULES[family]] = (match, UnitCharge(cost(version), Unit.IMAGE))
    span = (version.settings_version, version.effective_from, version.effective_to)
    return [
        RateRule(rate_id, *span, match=match, charge=charge.document(), integers=charge.integers())
        for rate_id, (match, charge) in charges.items()
    ]


def _row(rule: Rule) -> RateRule:
    return RateRule(
        rule.rate_id,
        rule.rate_version,
        rule.effective_from,
        rule.effective_to,
        match={"operation": list(rule.operations)} | rule.match.stated(),
        charge=rule.charge.document(),
        integers=rule.charge.integers(),
    )
