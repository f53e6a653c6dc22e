"""Keys: from the environment, of the right mode, and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from billing_core.errors import ConfigurationError
from pipelines.books.config_models import Stripe
from pipelines.payments.keys import ApiKey, api_key
from pipelines.stripe_double import actions as do
from pipelines.stripe_double.faults import Fault
from pipelines.stripe_double.server import serve
from pipelines.stripe_double.service import Service
from pipelines.stripe_double.world import World
from tests.empty_warehouse import place_warehouse
from tests.payments.stripe_books import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

PLANTED = "rk_test_plantedPLANTEDplanted0123456789"


def key(text: str, *, live: bool = False, livemode: bool | None = None) -> ApiKey:
    """The key of a variable with this text."""
    return api_key(Stripe(livemode=livemode), live=live, environ={"STRIPE_API_KEY": text})


def test_key_of_the_right_mode_is_taken() -> None:
    """Test keys as they are, live keys with --live; restricted and secret ones."""
    assert not key("rk_test_abcdef").livemode
    assert key("sk_live_abcdef", live=True).livemode
    assert key("rk_live_abcdef", live=True, livemode=True).mode == "live"


@pytest.mark.parametrize(
    ("text", "live", "livemode", "message"),
    [
        ("", False, None, "the variable STRIPE_API_KEY is not set"),
        ("pk_test_abcdef", False, None, "does not hold a key of Stripe's API"),
        ("rk_live_abcdef", False, None, "holds a live key; add --live"),
        ("rk_live_abcdef", True, False, "holds a live key, but these books are of test mode"),
        ("rk_test_abcdef", False, True, "holds a test key, but these books are of live mode"),
        ("rk_test_abcdef", True, None, "--live: STRIPE_API_KEY holds a test key"),
    ],
)
def test_key_of_the_wrong_mode_is_refused(text: str, live: bool, livemode: bool | None, message: str) -> None:  # noqa: FBT001 parameters of the test
    """Before anything is asked, and without the key in the message."""
    with pytest.raises(ConfigurationError, match=message) as refused:
        key(text, live=live, livemode=livemode)
    assert not text or text not in str(refused.value)


def test_key_does_not_show_itself() -> None:
    """Neither its representation nor its text form holds it."""
    assert PLANTED not in f"{key(PLANTED)} {key(PLANTED)!r}"


def test_planted_key_is_found_nowhere(tmp_path: Path) -> None:
    """A whole sync by command, and one that fails: the key is in no file of the books and in nothing that was said."""
    world = World(seed=2)
    do.pay(world, amount=900, at=world.now - 3600)
    service = Service(world, keys=(PLANTED,))
    said, answers = [], []
    with serve(service) as url:
        root = tmp_path / "books"
        root.mkdir()
        text = CONFIG.format(mode="api", more=f'api_base = "{url}"')
        (root / "tollbook.toml").write_text(text, encoding="utf-8")
        place_warehouse(root / "warehouse" / "tollbook.duckdb")
        environment = {**os.environ, "STRIPE_API_KEY": PLANTED, "TOLLBOOK_NOW": "2026-09-21T16:00:00Z"}
        command = [sys.executable, "-m", "pipelines.cli", "--books", str(root), "--json", "stripe", "sync"]
        for fault, code in ((Fault("401"), 5), (None, 0)):
            service.faults.script.append(fault)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            said.append(done.stdout + done.stderr)
            answers.append(done.stdout)
            assert done.returncode == code, said[-1]
    assert json.loads(answers[-1])["rows"]["charges"] == 1
    assert "refused the key in STRIPE_API_KEY (401" in said[0]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if PLANTED.encode() in path.read_bytes()] == []
    assert PLANTED not in "".join(said)
    extract = next((root / "stripe").glob("api-*.jsonl"))
    assert extract.stat().st_mode & 0o077 == 0
