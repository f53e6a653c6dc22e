"""Rates files that are wrong: each has one message that names the file, the table, the key and what to do."""

from __future__ import annotations

import tomllib

import pytest

from billing_core.errors import ConfigurationError
from billing_core.price_book import PriceBook, parse_price_book
from billing_core.rules import Product

WRONG: dict[str, tuple[str, str]] = {
    "no id": ('multiplier = "2"', "[[rate]] table 1, key id: missing; every table of this kind needs it"),
    "odd id": ('id = "a b"\nmultiplier = "2"', "key id: got 'a b'; write letters, digits and _ . : - only"),
    "id of a setting": ('id = "default_multiplier"\nmultiplier = "2"', "kept for the rules that [[settings]] make"),
    "unknown key": ('id = "a"\nmultipler = "2"', "table 1, key multipler: unknown key; did you mean multiplier?"),
    "unknown match": ('id = "a"\nmultiplier = "2"\nmatch = { modle = "x" }', "key match.modle: unknown key; did you"),
    "float": ('id = "a"\nmultiplier = 1.5', 'key multiplier: got 1.5 (a float); put it in quotes, multiplier = "1.5"'),
    "float inside": (
        'id = "a"\nweights = { input = "1", output = 2.5 }',
        'key weights.output: got 2.5 (a float); put it in quotes, output = "2.5"',
    ),
    "float cost": ('id = "a"\nfixed = 1.5\nper = "call"', "key fixed: got 1.5 (a float); write a whole number"),
    "seven decimals": ('id = "a"\nmultiplier = "1.0000001"', "'1.0000001' has 7 decimals; at most 6 are kept exactly"),
    "no charge": ('id = "a"', "a rule has exactly one charge of multiplier, weights, fixed"),
    "two charges": ('id = "a"\nmultiplier = "2"\nfixed = 5', "key fixed: a rule has exactly one charge"),
    "no per": ('id = "a"\nfixed = 5', 'key per: missing; write per = "image" or per = "call"'),
    "per of a multiplier": ('id = "a"\nmultiplier = "2"\nper = "call"', "key per: only a fixed cost is per something"),
    "image cost for chats": (
        'id = "a"\nfixed = 5\nper = "image"\nmatch = { operation = "chat" }',
        'key match.operation: a cost per image is for operation "image"',
    ),
    "output without weight": ('id = "a"\nweights = { input = "1" }', "key weights.output: missing"),
    "long context of a cost": (
        'id = "a"\nfixed = 5\nper = "call"\nlong_context = { above = 1, multiplier = "2" }',
        "key long_context: only multiplier and weights have one",
    ),
    "long context of another kind": (
        'id = "a"\nmultiplier = "2"\nlong_context = { above = 1, weights = { input = "1", output = "1" } }',
        "key long_context.multiplier: a rule with multiplier has multiplier for long calls too",
    ),
    "dear package": ('id = "a"\npackage = { tokens = 1, cost = 2000000 }', "key package.cost: got 2000000; write a"),
    "closed tiers": (
        'id = "a"\ngraduated = [{ up_to = 10, multiplier = "1" }]',
        "key graduated[1].up_to: the last tier takes all further tokens; leave its up_to out",
    ),
    "open tier inside": (
        'id = "a"\nvolume = [{ multiplier = "1" }, { multiplier = "2" }]', "key volume[1].up_to: missing"
    ),
    "falling tiers": (
        'id = "a"\nvolume = [{ up_to = 9, multiplier = "1" }, { up_to = 9, multiplier = "1" }, { multiplier = "2" }]',
        "key volume[2].up_to: got 9; a tier ends after the one before it, which ends at 9",
    ),
    "unknown operation": ('id = "a"\nmultiplier = "2"\nmatch = { operation = "chatter" }', "key match.operation: got"),
    "pattern of an account": ('id = "a"\nmultiplier = "2"\nmatch = { account = "a*" }', "only model takes a pattern"),
    "backwards": (
        'id = "a"\nmultiplier = "2"\neffective_from = 2026-09-02\neffective_to = 2026-09-01',
        "key effective_to: 2026-09-01T00:00:00Z is not after effective_from 2026-09-02T00:00:00Z",
    ),
    "second version without a start": (
        'id = "a"\nmultiplier = "2"\n[[rate]]\nid = "a"\nmultiplier = "3"',
        "table 2, key effective_from: missing; only the first table of an id may leave it out",
    ),
    "same start": (
        ('id = "a"\nmultiplier = "2"\neffective_from = 2026-09-01\n'
        '[[rate]]\nid = "a"\nmultiplier = "3"\neffective_from = 2026-09-01'),
        "table 2, key effective_from: rate 'a' starts at 2026-09-01T00:00:00Z in table 1 too",
    ),
    "versions that overlap": (
        ('id = "a"\nmultiplier = "2"\neffective_to = 2026-10-02\n'
        '[[rate]]\nid = "a"\nmultiplier = "3"\neffective_from = 2026-10-01'),
        "table 1, key effective_to: overlap: rate 'a' runs on to 2026-10-02T00:00:00Z but its next version, table 2",
    ),
    "versions with a gap": (
        ('id = "a"\nmultiplier = "2"\neffective_to = 2026-09-30\n'
        '[[rate]]\nid = "a"\nmultiplier = "3"\neffective_from = 2026-10-01'),
        "table 1, key effective_to: gap: rate 'a' ends at 2026-09-30T00:00:00Z and its next version, table 2, starts",
    ),
    "rules that overlap": (
        ('id = "a"\nmultiplier = "2"\nmatch = { model = "gpt-4*" }\neffective_from = 2026-09-01\n'
        '[[rate]]\nid = "b"\nmultiplier = "3"\nmatch = { model = "gpt-?o" }\neffective_from = 2026-09-05T06:00:00Z'),
        "(table 1, model 'gpt-4*') and 'b' (table 2, model 'gpt-?o') are equally specific and both hold at 2026-09-05",
    ),
}  # fmt: skip


def book(text: str) -> PriceBook:
    """The price book of a text that begins inside its first rule."""
    return parse_price_book(tomllib.loads(f"[[rate]]\n{text}\n"))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rule_has_a_precise_message(name: str) -> None:
    """File, table, key, what is wrong, what to do."""
    text, message = WRONG[name]
    with pytest.raises(ConfigurationError) as caught:
        book(text)
    assert str(caught.value).startswith("rates.toml: ")
    assert message in str(caught.value)


APART: dict[str, tuple[str, str]] = {
    "other accounts": ('account = "a"', 'account = "b"'),
    "name and pattern": ('model = "gpt-4o"', 'model = "gpt-*"'),
    "patterns without a common name": ('model = "gpt-4*"', 'model = "gpt-5*"'),
    "patterns of other providers": ('model = "azure/*"', 'model = "openai/gpt-*"'),
    "account and workspace": ('account = "a"', 'workspace = "w"'),
    "other operations": ('operation = "chat"', 'operation = "prompt"'),
    "pattern and provider": ('model = "gpt-*"', 'provider = "openai"'),
}


@pytest.mark.parametrize("name", APART)
def test_rules_that_cannot_meet_or_differ_in_rank_are_allowed(name: str) -> None:
    """Either no call falls under both, or one of them is narrower."""
    one, other = APART[name]
    found = book(
        f'id = "a"\nmultiplier = "2"\nmatch = {{ {one} }}\n[[rate]]\nid = "b"\nmultiplier = "3"\nmatch = {{ {other} }}'
    )
    assert [rule.rate_id for rule in found.rates] == ["a", "b"]


MEET = [("gpt-*", "*-mini"), ("gpt-4o*", "openai/*"), ("a?c", "ab?"), ("*", "?"), ("OpenAI/*", "openai/gpt-*")]


@pytest.mark.parametrize(("one", "other"), MEET)
def test_patterns_with_a_common_name_are_an_overlap(one: str, other: str) -> None:
    """Whatever their letters' case, with a provider before the name or without."""
    text = 'id = "{0}"\nmultiplier = "2"\nmatch = {{ model = "{1}" }}\n'
    with pytest.raises(ConfigurationError, match="equally specific and both hold from the beginning"):
        book(text.format("a", one) + "[[rate]]\n" + text.format("b", other))


def test_pattern_without_a_slash_is_for_the_bare_name() -> None:
    """A gateway writes its provider before the name; a pattern with a slash is for the whole."""
    text = 'id = "a"\nmultiplier = "2"\nmatch = {{ model = "{0}" }}'
    ((bare,), (whole,)) = (book(text.format(pattern)).rates for pattern in ("gpt-4?", "azure/gpt-5*"))
    for model, is_fit in (("gpt-4o", True), ("x/y/GPT-4O", True), ("gpt-4", False), (None, False)):
        assert bare.fits(Product("chat", model=model)) == is_fit
    assert [whole.fits(Product("chat", model=model)) for model in ("azure/gpt-5-mini", "gpt-5")] == [True, False]


def test_a_rule_ends_where_the_next_version_starts_and_keeps_its_name() -> None:
    """How a version ends is no part of what it says."""
    text = 'id = "a"\nmultiplier = "2"\n'
    (alone,) = book(text).rates
    first, second = book(f'{text}[[rate]]\nid = "a"\nmultiplier = "3"\neffective_from = 2026-10-01').rates
    assert first.effective_to == second.effective_from is not None
    assert first.rate_version == alone.rate_version != second.rate_version
