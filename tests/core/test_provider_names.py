"""Names of models as logs write them, and the priced model that each one means."""

from __future__ import annotations

import pytest

from billing_core.provider_names import UNKNOWN_MODEL, UNKNOWN_PROVIDER, matches
from pipelines.prices.book import release_book


@pytest.mark.parametrize(
    ("provider", "model", "meant"),
    [
        ("openai", "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        (None, "azure/gpt-4o", ("openai", "gpt-4o")),
        ("azure.ai.openai", "GPT-4o", ("openai", "gpt-4o")),
        ("litellm", "openai/gpt-4o", ("openai", "gpt-4o")),
        ("openai", "gpt-5.2-20251211", ("openai", "gpt-5.2")),
        ("gcp.vertex_ai", "models/gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("gcp.gemini", "publishers/google/models/gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("vertex_ai", "claude-3-5-sonnet@20240620", ("google", "claude-3-5-sonnet")),
        ("x_ai", "grok-4", ("x-ai", "grok-4-0709")),
        ("mistral_ai", "mistral-large-latest", ("mistral", "mistral-large")),
        ("openrouter", "anthropic/claude-sonnet-4-5", ("openrouter", "anthropic/claude-sonnet-4.5")),
        (None, "openrouter/anthropic/claude-3.5-sonnet", ("openrouter", "anthropic/claude-3.5-sonnet")),
        (
            "aws.bedrock",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            ("aws", "regional.anthropic.claude-sonnet-4-20250514-v1:0"),
        ),
        (
            None,
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
            ("aws", "regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ),
    ],
)
def test_a_logged_name_means_a_priced_model(provider: str | None, model: str, meant: tuple[str, str]) -> None:
    """Providers by any of their names, prefixes, paths, regions, versions and dates taken off."""
    found = release_book().find(provider, model, "tokens").priced
    assert found is not None
    assert (found.provider, found.model) == meant


@pytest.mark.parametrize(
    ("provider", "model", "reason"),
    [
        ("ollama", "mistral-7b", UNKNOWN_PROVIDER),
        (None, "ollama/deepseek-r1", UNKNOWN_PROVIDER),
        ("our-proxy", "gpt-4o", UNKNOWN_PROVIDER),
        ("azure", "our-deployment", UNKNOWN_MODEL),
        (None, "REDACTED", UNKNOWN_MODEL),
        ("openai", " ", "no_model"),
        ("openai", None, "no_model"),
        ("openai", "dall-e-3", UNKNOWN_MODEL),
    ],
)
def test_what_is_not_known_is_not_guessed(provider: str | None, model: str | None, reason: str) -> None:
    """A model on one's own machine is not its maker's, an image model has no token price."""
    assert release_book().find(provider, model, "tokens") == (None, reason)


def test_images_have_prices_of_their_own() -> None:
    """DALL-E under Azure costs what it costs at OpenAI; Imagen has one price whatever the size."""
    book = release_book()
    for provider, model in (("azure", "dall-e-3"), (None, "openai/dall-e-2"), ("vertex_ai", "imagen-4.0-generate-001")):
        assert book.find(provider, model, "images").priced is not None
    assert book.find("openai", "gpt-4o", "images").reason == "no_image_price"


def test_a_clause_is_any_of_a_list_and_all_of_its_parts() -> None:
    """Equal, prefix, suffix, contained, searched, and both at once."""
    assert matches(["gpt-4o", {"prefix": "o1"}], "o1-mini")
    assert matches({"all": [{"contains": "flash"}, {"suffix": "-lite"}]}, "gemini-flash-lite")
    assert not matches({"all": [{"contains": "flash"}, {"suffix": "-lite"}]}, "gemini-flash")
    assert matches({"regex": "^o[134]"}, "o3-pro")
    assert not matches([], "anything")
