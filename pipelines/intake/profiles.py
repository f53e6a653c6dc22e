"""Source profiles: TOML files that say how the records of one kind of log map onto the books' columns.

`paths` says what a path is, `profile_rules` what the tables of a profile hold. In `dedup` each item is one id column of
the key; `"id|call_id"` takes the first of the two that is present.
`records` is a dotted path whose exploded segments end in `[]`: `"resourceSpans[].scopeSpans[].spans[]"`.
"""

from __future__ import annotations

import importlib.resources
import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from billing_core.errors import ConfigurationError
from pipelines.intake.paths import KeyPath, Paths
from pipelines.intake.profile_rules import (
    AccountRule,
    AnyOf,
    Constant,
    Convention,
    ConventionRule,
    DedupRule,
    ElseRule,
    FieldRule,
    MoneyRule,
    OperationRule,
    Strict,
    Sum,
    TimeRule,
    listed,
)

if TYPE_CHECKING:
    from pathlib import Path

USAGE_TEXTS = (
    "user_id", "workspace_id", "project_id", "content_piece_id", "provider", "model", "image_size", "image_quality",
    "service_tier",
)  # fmt: skip
USAGE_COUNTS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens",
    "image_output_tokens", "image_count", "reported_billable_tokens",
)  # fmt: skip
CREDIT_FIELDS = (
    "transaction_type", "token_amount", "amount_cents", "currency", "package_id",
    "stripe_payment_intent_id", "stripe_charge_id", "stripe_refund_id", "admin_user_id", "effective_at", "expires_at",
    "priority", "tax_cents", "discount_cents", "settled_by", "source_credit_id", "description",
)  # fmt: skip
ACCOUNT_FIELDS = (
    "user_id", "workspace_id", "plan", "currency", "status", "auto_recharge_enabled", "auto_recharge_threshold",
    "auto_recharge_amount", "stripe_customer_id", "default_payment_method_id", "updated_at", "reported_balance",
)  # fmt: skip
PROVIDER_TEXTS = (
    "provider", "report", "model", "project_id", "workspace_id", "user_id", "api_key_id", "service_tier", "line_item",
)  # fmt: skip
PROVIDER_COUNTS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "audio_input_tokens",
    "audio_output_tokens", "image_count", "requests",
)  # fmt: skip
FIELDS_OF_KIND: dict[str, frozenset[str]] = {
    "usage": frozenset((*USAGE_TEXTS, *USAGE_COUNTS, "reported_cost", "success", "error_message", "request_metadata")),
    "credits": frozenset(CREDIT_FIELDS),
    "accounts": frozenset(ACCOUNT_FIELDS),
    "provider_usage": frozenset((*PROVIDER_TEXTS, *PROVIDER_COUNTS, "bucket_end", "cost")),
}
_USAGE_ONLY = ("version", "dedup_else", "operation", "error", "not_final", "gateway_cache_hit", "cancelled", "required")
Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else listed(value))]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Profile(Strict):
    """A source profile: how the records of one kind of file become columns of the books."""

    kind: Literal["usage", "credits", "accounts", "provider_usage"]
    member: str | None = Field(default=None, pattern=r"^[^/].*[.](jsonl|ndjson)$")
    records: str | None = Field(default=None, pattern=r"^[^\s\[\]$\"'*]+(\[\][^\s\[\]$\"'*]*)*\[\]$")
    carry: dict[Name, Annotated[Texts, Field(min_length=1)]] = Field(default_factory=dict)
    pairs: dict[Name, str] = Field(default_factory=dict)
    embedded: Texts = ()
    dedup: DedupRule | None = None
    dedup_else: ElseRule | None = None
    version: Paths | None = None
    time: TimeRule
    convention: ConventionRule = Convention()
    integers: Literal["strict", "float", "text"] = "strict"
    account: AccountRule | None = None
    fields: dict[str, FieldRule] = Field(default_factory=dict)
    required: Texts = ()
    operation: OperationRule | None = None
    leaf: AnyOf | None = None
    error: AnyOf | None = None
    not_final: AnyOf | None = None
    money: MoneyRule = MoneyRule()
    gateway_cache_hit: AnyOf | None = None
    cancelled: AnyOf | None = None
    welcome: AnyOf | None = None

    @model_validator(mode="after")
    def _known_fields(self) -> Profile:
        known = FIELDS_OF_KIND[self.kind]
        for name in self.fields:
            if name not in known:
                message = f"fields.{name}: not a column of kind {self.kind!r}; known: {', '.join(sorted(known))}"
                raise ValueError(message)
        for name, rule in self.fields.items():
            if isinstance(rule, Sum) and name not in (*USAGE_COUNTS, *PROVIDER_COUNTS):
                message = f"fields.{name}: only a count can be a sum"
                raise ValueError(message)
        for name in self.required:
            if name not in (*USAGE_TEXTS, *USAGE_COUNTS) or name not in self.fields:
                message = f"required: {name!r} is not a text or count among the mapped [fields]"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Profile:
        problem = _problem_of_kind(self)
        if problem:
            raise ValueError(problem)
        return self


def _problem_of_kind(profile: Profile) -> str | None:
    """What a profile says that its kind has no use for, or leaves out that it needs."""
    kind, dedup, given = profile.kind, profile.dedup, profile.model_fields_set
    misplaced = [name for name in _USAGE_ONLY if name in given] if kind != "usage" else []
    problems = {
        "dedup: versions of an account are told apart by account, updated_at and content; remove it": (
            kind == "accounts" and dedup is not None
        ),
        'dedup is missing and has no default: "line", "line_ordinal", "file_line" or the id columns\' paths': (
            kind != "accounts" and dedup is None
        ),
        f"dedup: a record of kind {kind!r} needs an id; give the id columns' paths": (
            kind in ("credits", "provider_usage") and isinstance(dedup, str)
        ),
        "key 'account' is missing": kind != "provider_usage" and profile.account is None,
        f"{''.join(misplaced[:1])}: only usage records have it": bool(misplaced),
        "dedup_else: needs id columns in `dedup`": profile.dedup_else is not None and isinstance(dedup, str),
        "carry: needs `records`; without it every key of the line is at hand": (
            bool(profile.carry) and profile.records is None
        ),
        "pairs: a name of `carry` cannot be used again": bool(set(profile.carry) & set(profile.pairs)),
    }
    return next((problem for problem, is_one in problems.items() if is_one), None)


def parse_profile(text: str, where: str) -> Profile:
    """Read a profile from TOML text; ConfigurationError names `where`, each key and what is wrong with it."""
    try:
        return Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = f"{where}: not valid TOML: {error}"
        raise ConfigurationError(message) from None
    except ValidationError as error:
        problems = dict.fromkeys(_problem(item["loc"], item["type"], item["msg"]) for item in error.errors())
        raise ConfigurationError("\n".join(f"{where}: {problem}" for problem in problems)) from None


def _problem(location: tuple[str | int, ...], kind: str, message: str) -> str:
    internal = ("constrained-str", "literal", "tuple")
    named = (str(part) for part in location if part not in internal)
    key = ".".join(part for part in named if not part.startswith(("tuple[", "literal[")))
    if kind == "extra_forbidden":
        return f"unknown key {key!r}; remove it or check its spelling"
    if kind == "missing":
        return f"key {key!r} is missing"
    said = message.removeprefix("Value error, ").replace("Input should be", "expected")
    return f"key {key!r}: {said}" if key else said


def built_in_profiles() -> list[str]:
    """Names of the profiles that ship with the package, sorted."""
    folder = importlib.resources.files(__package__) / "profiles"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def own_profiles(books_folder: Path | None) -> list[str]:
    """Names of the user's profiles beside tollbook.toml, sorted."""
    return sorted(path.stem for path in (books_folder / "profiles").glob("*.toml")) if books_folder is not None else []


def profile_text(name: str, books_folder: Path | None) -> tuple[str, str]:
    """(TOML text, where it was found) of a profile: the user's `profiles/NAME.toml` first, then the built-in ones."""
    plain = name.replace("_", "").replace("-", "").isalnum()
    if plain and books_folder is not None:
        own = books_folder / "profiles" / f"{name}.toml"
        if own.is_file():
            return own.read_text(encoding="utf-8"), f"profiles/{name}.toml"
    if plain and name in built_in_profiles():
        return (importlib.resources.files(__package__) / "profiles" / f"{name}.toml").read_text(
            "utf-8"
        ), f"built-in profile {name}"
    existing = own_profiles(books_folder) + built_in_profiles()
    near = get_close_matches(name, existing, n=1) if plain else []
    hint = f"Did you mean {near[0]}?" if near else f"Existing: {', '.join(existing)}."
    raise ConfigurationError(
        f"profile {name!r} does not exist: neither profiles/{name}.toml beside tollbook.toml nor built in. {hint}"
    )


def load_profile(name: str, books_folder: Path | None) -> Profile:
    """The profile of that name, the user's own first; ConfigurationError lists what exists."""
    text, where = profile_text(name, books_folder)
    return parse_profile(text, where)


__all__ = [
    "Constant",
    "KeyPath",
    "Profile",
    "Sum",
    "built_in_profiles",
    "load_profile",
    "own_profiles",
    "parse_profile",
    "profile_text",
]
