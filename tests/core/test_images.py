"""Image families, and a twin without patterns as oracle."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing_core.images import family_of

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
    assert family_of(model) == family


@given(st.text(max_size=12) | st.lists(st.sampled_from(PIECES), max_size=5).map("".join))
@example("\u0130magen")
@example("\u212aimagen")
@example("gem\u0130ni-image")
@example("a\n/imagen")
@example("imagen\n")
def test_only_ascii_letters_fold(model: str) -> None:
    """Whatever the text: letters outside ASCII that fold to one inside are other letters."""
    assert family_of(model) == family_by_hand(model)
