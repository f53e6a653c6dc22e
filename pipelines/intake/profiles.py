"""Source profiles: TOML files that say how the records of one kind of log map onto the books' columns.

A *path* is a dotted text `"usage.prompt_tokens"`, or, where a key itself holds a dot, a list of the exact keys inside a
list of paths: `[["gen_ai.usage", "input"]]`. A flat list of texts is always *several dotted paths tried in order*; the
first one whose value is present and not null gives the value. So `["a.b", "c"]` is two paths and
`[["a.b", "c"]]` is one.
In `dedup` each item is one id column of the key; `"id|call_id"` takes the first of the two that is present.
`records` is a dotted path whose exploded segments end in `[]`: `"resourceSpans[].scopeSpans[].spans[]"`.
"""

from __future__ import annotations

import importlib.resources
import tomllib
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

KeyPath: TypeAlias = tuple[str, ...]
_PATH_HELP = (
    'a dotted text "a.b.c", or a list of paths tried in order (a path whose keys hold dots is itself a list of keys)'
)

USAGE_TEXTS = (
    "user_id", "workspace_id", "project_id", "content_piece_id", "provider", "model", "image_size", "image_quality",
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
FIELDS_OF_KIND: dict[str, frozenset[str]] = {
    "usage": frozenset((*USAGE_TEXTS, *USAGE_COUNTS, "reported_cost", "success", "error_message", "request_metadata")),
    "credits": frozenset(CREDIT_FIELDS),
    "accounts": frozenset(ACCOUNT_FIELDS),
}


def _one_path(value: object) -> KeyPath:
    keys: list[object] = (
        list(value.split(".")) if isinstance(value, str) else list(value) if isinstance(value, list) else []
    )
    if not keys or not all(isinstance(key, str) and key and key.isprintable() for key in keys):
        message = f"expected {_PATH_HELP}, got {value!r}"
        raise ValueError(message)
    return tuple(str(key) for key in keys)


def _paths(value: object) -> tuple[KeyPath, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, str):
        return (_one_path(value),)
    if isinstance(value, list) and value:
        return tuple(_one_path(item) for item in value)
    message = f"expected {_PATH_HELP}, got {value!r}"
    raise ValueError(message)


def _dedup(value: object) -> object:
    if isinstance(value, str) and value in ("line", "line_ordinal", "file_line"):
        return value
    if not isinstance(value, list) or not value:
        message = f'expected "line", "line_ordinal", "file_line" or a list of the id columns\' paths, got {value!r}'
        raise ValueError(message)
    return tuple(
        tuple(_one_path(text) for text in item.split("|")) if isinstance(item, str) else (_one_path(item),)
        for item in value
    )


Paths = Annotated[tuple[KeyPath, ...], BeforeValidator(_paths)]
Scalar: TypeAlias = str | bool | int


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Constant(_Strict):
    """A column with the same value on every record: `provider = { const = "openai" }`."""

    const: Scalar


def _field(value: object) -> object:
    if isinstance(value, dict):
        return Constant.model_validate(value)
    return value if isinstance(value, Constant) else _paths(value)


FieldRule = Annotated[Constant | tuple[KeyPath, ...], BeforeValidator(_field)]


class TimeRule(_Strict):
    """When it happened. `unit` reads numbers and digit texts; ISO text with an offset is accepted in any unit."""

    path: Paths
    unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"
    naive_time: Literal["refuse", "UTC"] = "refuse"


class AccountRule(_Strict):
    """Who pays: the first of `try` with a non-empty value, else `constant`."""

    try_: Paths | None = Field(default=None, alias="try")
    constant: str | None = None

    @model_validator(mode="after")
    def _some(self) -> AccountRule:
        if self.try_ is None and not self.constant:
            message = "needs `try` (paths) or `constant` (an account id)"
            raise ValueError(message)
        return self


class OperationRule(_Strict):
    """What a call was for: the first of `paths` with a value that `map` does not send to "" decides.

    A value that `map` sends to "image" beats every other one, wherever it stands. Words compare lower-cased.
    """

    paths: Paths
    map: dict[str, Literal["generation", "refinement", "repurpose", "chat", "image", "prompt", ""]] = Field(
        default_factory=dict
    )


class Membership(_Strict):
    """True where the value at `path` equals one of `in` (texts compare exactly, numbers and booleans by their text)."""

    path: Paths
    in_: tuple[Scalar, ...] = Field(alias="in", strict=False)


class MoneyRule(_Strict):
    """The unit of reported_cost."""

    unit: Literal["usd", "usd_cents", "nano_usd"] = "usd"


DedupRule = Annotated[
    Literal["line", "line_ordinal", "file_line"] | tuple[tuple[KeyPath, ...], ...], BeforeValidator(_dedup)
]


class Profile(_Strict):
    """A source profile: how the records of one kind of file become columns of the books."""

    kind: Literal["usage", "credits", "accounts"]
    records: str | None = Field(default=None, pattern=r"^[^\s\[\]$\"'*]+(\[\][^\s\[\]$\"'*]*)*\[\]$")
    dedup: DedupRule | None = None
    version: Paths | None = None
    time: TimeRule
    convention: Literal["inclusive", "disjoint", "auto"] = "inclusive"
    integers: Literal["strict", "float", "text"] = "strict"
    account: AccountRule
    fields: dict[str, FieldRule] = Field(default_factory=dict)
    operation: OperationRule | None = None
    leaf: Membership | None = None
    error: Membership | None = None
    money: MoneyRule = MoneyRule()
    gateway_cache_hit: Membership | None = None
    cancelled: Membership | None = None
    welcome: Membership | None = None

    @model_validator(mode="after")
    def _known_fields(self) -> Profile:
        for name in self.fields:
            if name not in FIELDS_OF_KIND[self.kind]:
                known = ", ".join(sorted(FIELDS_OF_KIND[self.kind]))
                message = f"fields.{name}: not a column of kind {self.kind!r}; known: {known}"
                raise ValueError(message)
        if self.kind == "accounts" and self.dedup is not None:
            message = "dedup: versions of an account are told apart by account, updated_at and content; remove it"
            raise ValueError(message)
        if self.kind != "accounts" and self.dedup is None:
            message = (
                'dedup is missing and has no default: "line", "line_ordinal", "file_line" or the id columns\' paths'
            )
            raise ValueError(message)
        if self.kind == "credits" and isinstance(self.dedup, str):
            message = "dedup: a credit needs an id; give the id columns' paths"
            raise ValueError(message)
        if self.kind != "usage" and self.version is not None:
            message = "version: only usage records have versions"
            raise ValueError(message)
        return self


def parse_profile(text: str, where: str) -> Profile:
    """Read a profile from TOML text; ConfigurationError names `where`, each key and what is wrong with it."""
    try:
        return Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = f"{where}: not valid TOML: {error}"
        raise ConfigurationError(message) from None
    except ValidationError as error:
        lines = [f"{where}: {_problem(item['loc'], item['type'], item['msg'])}" for item in error.errors()]
        raise ConfigurationError("\n".join(lines)) from None


def _problem(location: tuple[str | int, ...], kind: str, message: str) -> str:
    key = ".".join(str(part) for part in location if part not in ("constrained-str", "literal", "tuple"))
    if kind == "extra_forbidden":
        return f"unknown key {key!r}; remove it or check its spelling"
    if kind == "missing":
        return f"key {key!r} is missing"
    said = message.removeprefix("Value error, ")
    return f"key {key!r}: {said}" if key else said


def built_in_profiles() -> list[str]:
    """Names of the profiles that ship with the package, sorted."""
    folder = importlib.resources.files(__package__) / "profiles"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


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
    own_names = sorted(p.stem for p in (books_folder / "profiles").glob("*.toml")) if books_folder is not None else []
    message = (
        f"profile {name!r} does not exist: neither profiles/{name}.toml beside tollbook.toml nor built in. "
        f"Existing: {', '.join(own_names + built_in_profiles())}."
    )
    raise ConfigurationError(message)


def load_profile(name: str, books_folder: Path | None) -> Profile:
    """The profile of that name, the user's own first; ConfigurationError lists what exists."""
    text, where = profile_text(name, books_folder)
    return parse_profile(text, where)
