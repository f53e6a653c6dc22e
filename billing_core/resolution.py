"""Which terms each call is charged by: rules are weighed once per distinct kind of call and span of time, not per row.

A call's kind is its product (what was called). Time is cut wherever a settings version or a rule starts or ends; a
product in one span is a slot. Rules that name an account, workspace or plan are looked up by it and the slot, the
narrowest scope first; what none of them claims falls under the term of its slot. Rows meet terms by equality joins on
a few small tables, which every engine does alike.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import narwhals as nw
import polars as pl

from billing_core.charges import TokenCharge
from billing_core.price_book import default_rule
from billing_core.rules import SCOPES, Product, narrowest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from billing_core.charges import Charge
    from billing_core.price_book import PriceBook
    from billing_core.rules import Rule
    from billing_core.settings import Settings

    Lift: TypeAlias = Callable[[pl.DataFrame], nw.LazyFrame[Any]]

_CLAIMS_MIN = 20_000
_CALLS_PER_CLAIM = 50
"""To ask some fifty calls whether they occur costs what it does to weigh one claim."""
PRODUCT_KEYS = ("operation_type", "provider", "model", "image_size", "image_quality")
_ALWAYS = frozenset({"operation_type", "model"})
_KEY = "_key_{}"
PRODUCT = "_product"


class Term(NamedTuple):
    """What a call is charged by: the settings version in force, and the rule (id, version, charge), None if held.

    A call that a policy of the version calls free has no rule either and `is_free`.
    """

    settings: Settings
    rule: tuple[str, str, Charge] | None
    is_free: bool = False

    @property
    def above(self) -> int | None:
        """The input tokens beyond which the call has a long context; None where that changes nothing."""
        charge = self.rule[2] if self.rule else None
        return charge.above if isinstance(charge, TokenCharge) else None

    @property
    def long(self) -> Term | None:
        """The term of a call with a long context, where the rule has one."""
        if self.rule is None or not isinstance(self.rule[2], TokenCharge) or self.rule[2].long is None:
            return None
        return self._replace(rule=(*self.rule[:2], self.rule[2].long))


class Products(NamedTuple):
    """Calls with the number of their product in column PRODUCT, and the products by number."""

    calls: nw.LazyFrame[Any]
    products: list[Product]


def in_polars(frame: pl.DataFrame) -> nw.LazyFrame[Any]:
    """A small table for an engine that is Polars; other engines bring their own."""
    return nw.from_native(frame.lazy())


def with_products(events: nw.LazyFrame[Any], books: Iterable[PriceBook], lift: Lift) -> Products:
    """Number the products of the events; only the columns that some book looks at tell them apart."""
    stated = {key for book in books for rule in book.rates for key in rule.match.stated()}
    columns = [key for key in PRODUCT_KEYS if key in stated | _ALWAYS]
    # A null never equals a null in a join. Every call has an operation.
    keyed = events.with_columns(
        (nw.col(column) if column == "operation_type" else nw.col(column).fill_null("")).alias(_KEY.format(column))
        for column in columns
    )
    keys = [_KEY.format(column) for column in columns]
    found = _distinct(keyed, keys)
    numbered = found.with_row_index(PRODUCT).with_columns(pl.col(PRODUCT).cast(pl.Int64))
    fields = ["operation" if column == "operation_type" else column for column in columns]
    products = [
        Product(**{name: value or None for name, value in zip(fields, row, strict=True)})  # type: ignore[arg-type]
        for row in found.iter_rows()
    ]
    return Products(keyed.join(lift(numbered), on=keys, how="left"), products)


def with_terms(
    calls: nw.LazyFrame[Any], book: PriceBook, products: Sequence[Product], column: str, lift: Lift, count: int
) -> tuple[nw.LazyFrame[Any], list[Term]]:
    """Add the number of each call's term as `column`; returns the terms by number too. `count` is how many calls."""
    terms = _Terms(book, products)
    slot = f"{column}_slot"
    calls = calls.with_columns((nw.col(PRODUCT) * terms.spans + stepped(book.cuts, range(terms.spans))).alias(slot))
    claims = []
    for number, (scope, rules) in enumerate(_by_scope(book.rates)):
        claim = f"{column}_claim{number}"
        claimed = _claimed(calls, scope, rules, slot, terms, lift, count).rename({"term": claim})
        calls = calls.join(lift(claimed), on=[*(SCOPES[key] for key in scope), slot], how="left")
        claims.append(nw.col(claim))
    calls = calls.with_columns(nw.coalesce(*claims, nw.col(slot)).alias(column))
    return calls, terms.terms


def _distinct(calls: nw.LazyFrame[Any], columns: Sequence[str]) -> pl.DataFrame:
    """The distinct rows of some columns, in order. Grouped: `unique` numbers every row on engines that take SQL."""
    found: pl.DataFrame = calls.group_by(*columns).agg(nw.len().alias("_calls")).collect("polars").to_native()
    return found.select(columns).sort(columns)


def stepped(cuts: Sequence[int], values: Sequence[int | bool]) -> nw.Expr:
    """A step function of `occurred_us`: the value before the first cut, then the one from each cut on.

    Halved at the middle cut, so that many versions make a shallow expression; an as-of join runs on fewer engines.
    """
    if len(set(values)) == 1:
        return literal(values[0])
    middle = len(cuts) // 2
    earlier = stepped(cuts[:middle], values[: middle + 1])
    later = stepped(cuts[middle + 1 :], values[middle + 1 :])
    return nw.when(nw.col("occurred_us") < literal(cuts[middle])).then(earlier).otherwise(later)


def literal(value: int | bool) -> nw.Expr:  # noqa: FBT001 a value like any other
    """A literal of a fixed width, so that no engine picks a narrower or unsigned integer."""
    return nw.lit(value) if isinstance(value, bool) else nw.lit(value, dtype=nw.Int64)


class _Terms:
    """The terms of a book by number: that of slot n is number n, those that scopes claim follow."""

    def __init__(self, book: PriceBook, products: Sequence[Product]) -> None:
        cuts = book.cuts
        self.starts: list[int | None] = [None, *cuts]
        self.spans = len(self.starts)
        self.products = products
        self._settings = [book.settings.versions[0], *(book.settings.at(cut) for cut in cuts)]
        everyone = [rule for rule in book.rates if not rule.match.scope]
        self.terms = [
            self._term(span, product, [rule for rule in fitting if rule.is_in_force(start)])
            for product in products
            for fitting in [[rule for rule in everyone if rule.fits(product)]]
            for span, start in enumerate(self.starts)
        ]
        self._numbers: dict[tuple[int, int], int] = {}
        self._fitting: dict[int, list[bool]] = {}

    def _term(self, span: int, product: Product, rules: Iterable[Rule]) -> Term:
        settings = self._settings[span]
        rule = narrowest(rules)
        if rule is not None:
            return Term(settings, (rule.rate_id, rule.rate_version, rule.charge))
        stated = default_rule(settings, product)
        return Term(settings, stated and (stated[0], settings.settings_version, stated[1]))

    def claim(self, slot: int, rules: Sequence[Rule]) -> int | None:
        """The number of the term by which the first of these rules that can claims a slot; None when none does."""
        place, span = divmod(slot, self.spans)
        start = self.starts[span]
        rule = next((rule for rule in rules if self._fits(rule, place) and rule.is_in_force(start)), None)
        if rule is None:
            return None
        key = (id(rule), id(self._settings[span]))
        if key not in self._numbers:
            self._numbers[key] = len(self.terms)
            self.terms.append(self._term(span, self.products[place], [rule]))
        return self._numbers[key]

    def _fits(self, rule: Rule, place: int) -> bool:
        """Whether a rule is for a product, by its number; asked once for every span and claim."""
        if id(rule) not in self._fitting:
            self._fitting[id(rule)] = [rule.fits(product) for product in self.products]
        return self._fitting[id(rule)][place]


_Scoped: TypeAlias = "dict[tuple[str, ...], list[Rule]]"


def _by_scope(rules: Iterable[Rule]) -> list[tuple[tuple[str, ...], _Scoped]]:
    """Rules that name whose call it is, narrowest first, by the keys they name, then by the values of those keys."""
    found: dict[tuple[str, ...], _Scoped] = defaultdict(lambda: defaultdict(list))
    for rule in sorted(rules, key=lambda rule: rule.match.rank, reverse=True):
        if scope := rule.match.scope:
            found[scope][tuple(getattr(rule.match, key) for key in scope)].append(rule)
    return sorted(found.items(), key=lambda item: tuple(key in item[0] for key in SCOPES), reverse=True)


def _claimed(
    calls: nw.LazyFrame[Any], scope: tuple[str, ...], rules: _Scoped, slot: str, terms: _Terms, lift: Lift, count: int
) -> pl.DataFrame:
    """The slots that rules of one scope claim: the scope's columns, the slot and the term.

    Of many rules and slots only those that occur are weighed; to ask the events for them costs a pass over them all.
    """
    keys = {SCOPES[key]: pl.String for key in scope}
    slots = len(terms.products) * terms.spans
    found: Iterable[tuple[Any, ...]]
    if len(rules) * slots <= max(_CLAIMS_MIN, count // _CALLS_PER_CLAIM):
        found = [(*values, place) for values in sorted(rules) for place in range(slots)]
    else:
        named = pl.DataFrame(list(rules), schema=keys, orient="row")
        found = _distinct(calls.join(lift(named), on=list(keys), how="semi"), [*keys, slot]).iter_rows()
    rows = []
    for *values, place in found:
        term = terms.claim(place, rules[tuple(values)])
        if term is not None:
            rows.append((*values, place, term))
    return pl.DataFrame(rows, schema={**keys, slot: pl.Int64, "term": pl.Int64}, orient="row")
