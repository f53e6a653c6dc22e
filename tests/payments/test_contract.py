"""The double behaves as Tollbook relies on Stripe to behave; with a test key, Stripe itself is asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import stripe

from tests.payments.contract import PROBES, get

if TYPE_CHECKING:
    from pipelines.stripe_double.service import Service
    from tests.payments.contract import Probe

each_probe = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)


@each_probe
def test_double_in_process(client: stripe.StripeClient, probe: Probe) -> None:
    """Each probe against the double, without a network."""
    probe(client)


@each_probe
def test_double_over_http(http_client: stripe.StripeClient, probe: Probe) -> None:
    """Each probe against the double, through the SDK's own HTTP client."""
    probe(http_client)


@pytest.mark.stripe_live
@each_probe
def test_stripe_in_test_mode(probe: Probe) -> None:
    """Each probe against Stripe; it makes small payments in test mode, which the key must be allowed to do."""
    key = os.environ.get("STRIPE_API_KEY", "")
    if not key.startswith(("sk_test_", "rk_test_")):
        pytest.skip("STRIPE_API_KEY holds no test key")
    probe(stripe.StripeClient(key))


def test_wrong_key_is_refused(service: Service, client: stripe.StripeClient) -> None:
    """A key that the account does not have is 401, whatever is asked."""
    service.keys = ("rk_test_another",)
    with pytest.raises(stripe.AuthenticationError):
        get(client, "charges")


def test_restricted_key_is_told_what_it_may_not(service: Service, client: stripe.StripeClient) -> None:
    """A resource outside the key's permissions is 403."""
    service.forbidden = frozenset({"payouts"})
    get(client, "charges")
    with pytest.raises(stripe.PermissionError):
        get(client, "payouts")
