"""From a call to its billable tokens: the terms in force when it happened, the rule that applies, the exact figure.

One text of narwhals lazy expressions for every engine. Integers only, and no step can leave Int64: what would not
fit is found by comparison before anything is multiplied, because some engines wrap in silence and others raise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals as nw

from billing_core.images import DALL_E_2, DALL_E_3, GOOGLE, image_family
from billing_core.money import INT64_MAX, PPM
from billing_core.vocabulary import ChargeType, Operation, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from billing_core.settings import Settings, SettingsBook

DEFAULT_MULTIPLIER = "default_multiplier"
RATED_COLUMNS = (
    "row_id",
    "settings_version",
    "rate_id",
    "rate_version",
    "charge_type",
    "multiplier_ppm",
    "fixed_cost",
    "billable_tokens",
    "rating_reason",
)
"""What `rate` returns, in order."""

_Scalar: TypeAlias = int | str | bool
_FAMILY_COST: dict[str, Callable[[Settings], int]] = {
    DALL_E_3: lambda settings: settings.image_generation_cost_dall_e_3,
    DALL_E_2: lambda settings: settings.image_generation_cost_dall_e_2,
    GOOGLE: lambda settings: settings.image_generation_cost_google,
}
_LLM_OPERATIONS = sorted(operation.value for operation in Operation if operation is not Operation.IMAGE)
# How a call is charged, before its figure: one of these words per row.
_FREE, _HELD, _FIXED, _MULTIPLIED = "free", "held", "fixed", "multiplied"


@dataclass(frozen=True)
class RateRule:
    """A rule behind a `rate_id`, as it stood in one settings version: enough to recompute a row from tables alone.

    Times are epoch microseconds, None without limit. `match` and `charge` hold JSON values only, decimals as text.
    """

    rate_id: str
    rate_version: str
    effective_from: int | None
    effective_to: int | None
    match: dict[str, object]
    charge: dict[str, object]
    multiplier_ppm: int | None
    fixed_cost: int | None


def rate(events: nw.LazyFrame[Any], book: SettingsBook) -> nw.LazyFrame[Any]:
    """Rate every event at the terms in force at its `occurred_us`; one row out per row in, in no given order.

    In: row_id, occurred_us (epoch microseconds), total_tokens, image_count (Int64), operation_type, model (String),
    success, gateway_cache_hit, cancelled (Boolean; null means a plain success). Out: RATED_COLUMNS.

    - A call that a policy in force calls free, be it failed, served from the gateway's cache or cancelled, is
      billable 0 under no rule. Any one policy that says free suffices.
    - An image call costs image_count times the fixed cost of its family; without a family it is held: billable null.
    - Any other call costs ceil(total_tokens x multiplier).
    - A charged quantity that is null, negative or too large for an Int64 result has billable null and the
      rating_reason 'amount_out_of_range'.
    """
    in_force = events.with_columns(_is_free(book).alias("_is_free"), _family().alias("_family"), **_terms(book))
    charged = in_force.with_columns(_charge().alias("_charge"), _fixed_terms(book, lambda cost: cost).alias("_cost"))
    limited = charged.with_columns(_fits(book).alias("_fits"))
    return limited.select(*_rated())


def rate_rules(book: SettingsBook) -> list[RateRule]:
    """Every rule that `rate` can name under a book, version by version: the default multiplier, then the families."""
    return [rule for version in book.versions for rule in _rules_of(version)]


def _rules_of(version: Settings) -> list[RateRule]:
    span = (version.settings_version, version.effective_from, version.effective_to)
    multiplied = RateRule(
        DEFAULT_MULTIPLIER,
        *span,
        match={"operation": list(_LLM_OPERATIONS)},
        charge={"multiplier": version.default_token_multiplier, "per": "token"},
        multiplier_ppm=version.multiplier_ppm,
        fixed_cost=None,
    )
    images = [
        RateRule(
            f"image_{family}",
            *span,
            match={"operation": [Operation.IMAGE.value], "image_family": family},
            charge={"fixed": cost(version), "per": "image"},
            multiplier_ppm=None,
            fixed_cost=cost(version),
        )
        for family, cost in _FAMILY_COST.items()
    ]
    return [multiplied, *images]


def _in_force(book: SettingsBook, term: Callable[[Settings], _Scalar]) -> nw.Expr:
    """One term of the version in force at `occurred_us`."""
    return _stepped(book.cuts, [term(version) for version in book.versions])


def _stepped(cuts: Sequence[int], values: Sequence[_Scalar]) -> nw.Expr:
    """A step function of `occurred_us`: the value before the first cut, then the one from each cut on.

    Halved at the middle cut, so that many versions make a shallow expression; an as-of join runs on fewer engines.
    """
    if len(set(values)) == 1:
        return _literal(values[0])
    middle = len(cuts) // 2
    earlier = _stepped(cuts[:middle], values[: middle + 1])
    later = _stepped(cuts[middle + 1 :], values[middle + 1 :])
    return nw.when(nw.col("occurred_us") < _literal(cuts[middle])).then(earlier).otherwise(later)


def _literal(value: _Scalar) -> nw.Expr:
    """A literal of a fixed width, so that no engine picks a narrower or unsigned integer."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return nw.lit(value, dtype=nw.Int64) if is_count else nw.lit(value)


def _no_text() -> nw.Expr:
    return nw.lit(None, dtype=nw.String)


def _no_count() -> nw.Expr:
    return nw.lit(None, dtype=nw.Int64)


def _terms(book: SettingsBook) -> dict[str, nw.Expr]:
    return {
        "_version": _in_force(book, lambda settings: settings.settings_version),
        "_ppm": _in_force(book, lambda settings: settings.multiplier_ppm),
    }


def _is_free(book: SettingsBook) -> nw.Expr:
    """Whether some policy in force records the call without billing it; null, as good as false, for a null flag."""
    failed = ~nw.col("success")
    from_cache = nw.col("gateway_cache_hit")
    cancelled = nw.col("cancelled")
    return (
        (failed & _in_force(book, lambda settings: settings.partial_error == "free"))
        | (from_cache & _in_force(book, lambda settings: settings.gateway_cache_hit == "free"))
        | (cancelled & _in_force(book, lambda settings: settings.cancelled_stream == "free"))
    )


def _is_image() -> nw.Expr:
    return nw.col("operation_type") == Operation.IMAGE.value


def _family() -> nw.Expr:
    return nw.when(_is_image()).then(image_family(nw.col("model"))).otherwise(_no_text())


def _charge() -> nw.Expr:
    """Which of the four ways a call is charged."""
    image = nw.when(nw.col("_family").is_null()).then(nw.lit(_HELD)).otherwise(nw.lit(_FIXED))
    priced = nw.when(_is_image()).then(image).otherwise(nw.lit(_MULTIPLIED))
    return nw.when(nw.col("_is_free")).then(nw.lit(_FREE)).otherwise(priced)


def _images_max(cost: int) -> int:
    """The largest image count whose product with `cost` is an Int64."""
    return INT64_MAX // cost if cost else INT64_MAX


def _tokens_max(settings: Settings) -> int:
    """The largest token count whose product with the multiplier, rounded up, is an Int64.

    ceil(t x ppm / PPM) <= INT64_MAX exactly when t x ppm <= INT64_MAX x PPM, the right side being whole.
    """
    return min(INT64_MAX, INT64_MAX * PPM // settings.multiplier_ppm)


def _fixed_terms(book: SettingsBook, term: Callable[[int], int]) -> nw.Expr:
    """A figure made from the fixed cost of the row's family in force; null for a row without a family."""
    chosen = _no_count()
    for family, cost in _FAMILY_COST.items():
        figure = _in_force(book, _composed(term, cost))
        chosen = nw.when(nw.col("_family") == family).then(figure).otherwise(chosen)
    return chosen


def _composed(term: Callable[[int], int], cost: Callable[[Settings], int]) -> Callable[[Settings], int]:
    return lambda settings: term(cost(settings))


def _fits(book: SettingsBook) -> nw.Expr:
    """Whether the charged quantity is a count whose figure is an Int64; null or false when it is not."""
    images, tokens = nw.col("image_count"), nw.col("total_tokens")
    images_fit = (images >= 0) & (images <= _fixed_terms(book, _images_max))
    tokens_fit = (tokens >= 0) & (tokens <= _in_force(book, _tokens_max))
    return nw.when(nw.col("_charge") == _FIXED).then(images_fit).otherwise(tokens_fit)


def _figure() -> nw.Expr:
    """The billable tokens, computed on 0 wherever the real quantity would not fit: both branches may be evaluated."""
    charge, fits = nw.col("_charge"), nw.col("_fits")
    nothing = _literal(0)
    images = nw.when((charge == _FIXED) & fits).then(nw.col("image_count")).otherwise(nothing)
    tokens = nw.when((charge == _MULTIPLIED) & fits).then(nw.col("total_tokens")).otherwise(nothing)
    fixed = nw.when((charge == _FIXED) & fits).then(images * nw.col("_cost")).otherwise(_no_count())
    multiplied = nw.when((charge == _MULTIPLIED) & fits).then(ceil_times_ppm(tokens, nw.col("_ppm"))).otherwise(fixed)
    return nw.when(charge == _FREE).then(nothing).otherwise(multiplied)


def ceil_times_ppm(tokens: nw.Expr, ppm: nw.Expr) -> nw.Expr:
    """ceil(tokens x ppm / PPM) for a result that fits Int64; the plain product would leave it for far smaller counts.

    With tokens = whole x PPM + rest the figure is whole x ppm + ceil(rest x ppm / PPM): the first product is at most
    the result, and the second stays below PPM x PPM_LIMIT = 10^18.
    """
    rest = tokens % PPM
    whole = _divided(tokens, PPM)
    return whole * ppm + _divided(rest * ppm + (PPM - 1), PPM)


def _divided(dividend: nw.Expr, divisor: int) -> nw.Expr:
    """Floor division of a count by an even constant.

    Some engines divide integers through a double. Taking off the remainder first and adding half a divisor puts the
    true quotient in the middle between two integers, far from where a double's rounding could tip it over.
    """
    multiple = dividend - dividend % divisor
    return ((multiple + divisor // 2) // divisor).cast(nw.Int64)


def _rated() -> list[nw.Expr]:
    """The columns of RATED_COLUMNS."""
    charge = nw.col("_charge")
    is_multiplied, is_fixed = charge == _MULTIPLIED, charge == _FIXED
    is_charged = is_multiplied | is_fixed

    def by_charge(multiplied: nw.Expr, fixed: nw.Expr, otherwise: nw.Expr) -> nw.Expr:
        return nw.when(is_multiplied).then(multiplied).otherwise(nw.when(is_fixed).then(fixed).otherwise(otherwise))

    image_rule = nw.concat_str(nw.lit("image_"), nw.col("_family"))
    out_of_range = nw.lit(Reason.AMOUNT_OUT_OF_RANGE.value)
    columns = (
        nw.col("row_id"),
        nw.col("_version"),
        by_charge(nw.lit(DEFAULT_MULTIPLIER), image_rule, _no_text()),
        nw.when(is_charged).then(nw.col("_version")).otherwise(_no_text()),
        by_charge(nw.lit(ChargeType.MULTIPLIER.value), nw.lit(ChargeType.FIXED.value), _no_text()),
        by_charge(nw.col("_ppm"), _no_count(), _no_count()),
        by_charge(_no_count(), nw.col("_cost"), _no_count()),
        _figure(),
        nw.when(is_charged & ~nw.coalesce(nw.col("_fits"), nw.lit(value=False)))
        .then(out_of_range)
        .otherwise(_no_text()),
    )
    return [column.alias(name) for name, column in zip(RATED_COLUMNS, columns, strict=True)]
