"""prices.toml: prices and names that people write, and every mistake named with its place."""

from __future__ import annotations

import tomllib

import pytest

from billing_core.errors import ConfigurationError
from billing_core.own_prices import OwnPrices, parse_own_prices
from billing_core.provider_prices import price_images, usd

PRICE = '[[price]]\nprovider = "P"\nmodel = "M"\nusd = "0.04"\n'


def parsed(text: str) -> OwnPrices:
    """The tables of a file."""
    return parse_own_prices(tomllib.loads(text), "prices.toml")


def test_a_price_holds_until_the_next_of_its_kind() -> None:
    """A second price from a date closes the first, other units go on."""
    text = PRICE.replace("usd", 'unit = "input_tokens"\nusd')
    later = text.replace("0.04", "0.05") + "effective_from = 2026-09-02\n"
    (model,) = parsed(text + text.replace("input", "output") + later).models
    assert (model.provider, model.model) == ("p", "m")
    first, second = model.periods
    assert first.effective_to == second.effective_from == 1_788_307_200_000_000
    assert {rate.unit: rate.usd for rate in second.rates} == {"input_tokens": "0.05", "output_tokens": "0.04"}


def test_a_service_tier_has_a_list_of_its_own() -> None:
    """By the provider's word or the table's, in any case; what states none is the standard one."""
    text = PRICE.replace("usd", 'unit = "input_tokens"\nusd')
    (model,) = parsed(text + text.replace("0.04", "0.02") + 'service_tier = "ON_DEMAND_FLEX"\n').models
    assert {period.variant: period.rates[0].usd for period in model.periods} == {"standard": "0.04", "flex": "0.02"}
    with pytest.raises(ConfigurationError, match=r"table 2, key usd: .*table 1 prices the same always"):
        parsed(text + text + 'service_tier = "default"\n')


def test_the_default_size_is_that_of_calls_which_name_none() -> None:
    """The row marked as default is priced again for calls without size or quality."""
    sized = PRICE + 'size = "1024x1024"\nquality = "standard"\n'
    text = sized + "default = true\n" + sized.replace("0.04", "0.08").replace("standard", "hd")
    (model,) = parsed(text).models
    figures = [
        usd(price_images(model.periods[0], 1, size, quality).total)
        for size, quality in ((None, None), ("1024x1024", None), (None, "hd"), ("1024x1024", "hd"))
    ]
    assert [str(figure.normalize()) for figure in figures] == ["0.04", "0.04", "0.08", "0.08"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PRICE.replace('"0.04"', "0.04"), "price.*table 1, key usd: got 0.04"),
        (PRICE.replace("0.04", "4e-2"), "table 1, key usd: .*decimal"),
        (PRICE + 'unit = "tokens"\n', "key unit: got 'tokens'"),
        (PRICE + "sise = 1\n", "key sise: unknown key; did you mean size"),
        (PRICE + PRICE, "table 2, key usd: .*table 1 prices the same always"),
        (PRICE + PRICE + 'size = "64x64"\n', "some images of m have one, some none"),
        (PRICE.replace('provider = "P"\n', ""), "key provider: missing"),
        ('[[alias]]\nprovider = "x"\n', "key is_provider"),
        ('[[alias]]\nprovider = "x"\nmodel = "y"\nis_provider = "z"\n', "key is_model: missing"),
        ("[[prices]]\n", "prices: unknown key; expected only"),
    ],
)
def test_a_mistake_is_named_with_its_table_and_key(text: str, message: str) -> None:
    """Before anything is posted."""
    with pytest.raises(ConfigurationError, match=message):
        parsed(text)
