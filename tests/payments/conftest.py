"""Doubles of Stripe, in this process and over HTTP, and clients of the official SDK that talk to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import stripe

from pipelines.stripe_double.server import serve
from pipelines.stripe_double.service import TEST_KEY, Service
from pipelines.stripe_double.transport import InProcessClient
from pipelines.stripe_double.world import World
from pipelines.warehouse.connection import open_warehouse
from tests.empty_warehouse import place_warehouse
from tests.payments.stripe_books import StripeBooks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world() -> World:
    """An empty account."""
    return World(seed=11)


@pytest.fixture
def service(world: World) -> Service:
    """Its API, which answers over many lines as Stripe does."""
    return Service(world, indent=2)


@pytest.fixture
def client(service: Service) -> stripe.StripeClient:
    """The SDK, answered in this process."""
    return stripe.StripeClient(TEST_KEY, http_client=InProcessClient(service), max_network_retries=0)


@pytest.fixture
def http_client(service: Service) -> Iterator[stripe.StripeClient]:
    """The SDK over HTTP on the loopback address."""
    with serve(service) as url:
        yield stripe.StripeClient(TEST_KEY, base_addresses={"api": url}, max_network_retries=0)


@pytest.fixture
def books(tmp_path: Path, service: Service) -> Iterator[StripeBooks]:
    """Books that sync with the double."""
    folder = tmp_path / "books"
    folder.mkdir()
    place_warehouse(folder / "warehouse" / "tollbook.duckdb")
    with open_warehouse(folder / "warehouse" / "tollbook.duckdb") as connection:
        yield StripeBooks.make(folder, connection, service)
