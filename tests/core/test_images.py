"""Image families: one expression, two engines, and a plain-Python twin as oracle."""

from __future__ import annotations

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing_core.images import image_family

_CONNECTION = duckdb.connect()
PIECES = [
    "dall-e-3",
    "dall-e-2",
    "imagen",
    "image",
    "gemini",
    "DALL-E-",
    "/",
    "openai/",
    "-",
    "2",
    "\n",
    "\u212a",
    "\u0130",
]


def families_of(models: list[str | None]) -> list[str | None]:
    """The family of each model, after both engines agreed."""
    frame = pl.DataFrame({"row": range(len(models)), "model": models}, schema={"row": pl.Int64, "model": pl.String})
    family = image_family(nw.col("model")).alias("family")
    on_polars = nw.from_native(frame.lazy()).select("row", family).collect().to_native()
    _CONNECTION.register("models", frame.to_arrow())
    relation = nw.from_native(_CONNECTION.table("models"))
    on_duckdb = relation.select("row", family).collect("polars").to_native().sort("row")
    assert on_duckdb.equals(on_polars)
    families: list[str | None] = on_polars["family"].to_list()
    return families


def family_by_hand(model: str | None) -> str | None:
    """The rule in plain Python; lower case of ASCII letters only."""
    if model is None:
        return None
    bare = "".join(c.lower() if c.isascii() else c for c in model).rsplit("/", 1)[-1]
    if bare.startswith("dall-e-3"):
        return "dall_e_3"
    if bare.startswith("dall-e-2"):
        return "dall_e_2"
    is_google = bare.startswith("imagen") or (bare.startswith("gemini") and "image" in bare)
    return "google" if is_google else None


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("dall-e-3", "dall_e_3"),
        ("openai/DALL-E-3-hd", "dall_e_3"),
        ("dall-e-2", "dall_e_2"),
        ("gemini-2.5-flash-image", "google"),
        ("openrouter/google/gemini-3-pro-image-preview", "google"),
        ("vertex_ai/imagen-4.0-generate-001", "google"),
        ("gemini-2.5-flash", None),
        ("image-gemini", None),
        ("gemini/some-image-model", None),
        ("gpt-image-1", None),
        ("dall-e", None),
        ("dall-e-3/other", None),
        ("stable-diffusion-dall-e-3", None),
        ("", None),
        (None, None),
    ],
)
def test_a_model_belongs_to_the_family_its_name_says(model: str | None, family: str | None) -> None:
    """Only known names have a family; a near miss is priced as nothing, never as its neighbour."""
    assert families_of([model]) == [family]


@given(
    st.lists(st.none() | st.text(max_size=12) | st.lists(st.sampled_from(PIECES), max_size=5).map("".join), max_size=20)
)
@example(["\u0130magen", "\u212aimagen", "gem\u0130ni-image", "IMAGEN", "a\n/imagen", "imagen\n"])
def test_every_engine_says_what_plain_python_says(models: list[str | None]) -> None:
    """Whatever the text, letters with engine-dependent lower case included."""
    printable = [None if model is None else model.replace("\0", "") for model in models]
    assert families_of(printable) == [family_by_hand(model) for model in printable]
