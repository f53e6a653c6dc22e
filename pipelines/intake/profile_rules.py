"""The parts of a profile as typed models: where a column's value stands, and when a condition holds."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipelines.intake.paths import KeyPath, ListPath, OnePath, Paths, id_columns, one_path

Scalar: TypeAlias = str | bool | int


def listed(value: object) -> object:
    """A TOML list as a tuple; anything else as it is, for the type to refuse."""
    return tuple(value) if isinstance(value, list) else value


Values = Annotated[tuple[Scalar, ...], BeforeValidator(listed)]


class Strict(BaseModel):
    """A table of a profile. Unknown keys are refused and no value is converted from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Constant(Strict):
    """A column with the same value on every record: `provider = { const = "openai" }`."""

    const: Scalar


class Count(Strict):
    """How many items a list has: `{ count = "response.data[]" }`; absent where the list is."""

    count: ListPath


class Conditional(Strict):
    """A path that counts only where the value at `when` is one of `in`."""

    path: OnePath
    when: OnePath
    in_: Values = Field(alias="in")


class Items(Strict):
    """The values at `value` of those items of a list whose `when` is one of `in`; only part of a sum."""

    items: ListPath
    value: OnePath
    when: OnePath
    in_: Values = Field(alias="in")


def _sum_term(value: object) -> object:
    return value if isinstance(value, dict | BaseModel) else one_path(value)


class Sum(Strict):
    """Whole numbers added up; absent where all are. A last key that ends in `*` stands for all that begin so."""

    sum: Annotated[
        tuple[Annotated[Items | KeyPath, BeforeValidator(_sum_term)], ...],
        Field(min_length=1),
        BeforeValidator(listed),
    ]


Term: TypeAlias = KeyPath | Count | Conditional | Constant
_TABLES: tuple[tuple[str, type[Strict]], ...] = (
    ("const", Constant),
    ("sum", Sum),
    ("count", Count),
    ("when", Conditional),
)


def _term(value: object) -> object:
    if not isinstance(value, dict):
        return one_path(value)
    return next((model for key, model in _TABLES if key in value), Conditional).model_validate(value)


def _field(value: object) -> object:
    if isinstance(value, tuple | BaseModel):
        return value
    if isinstance(value, dict):
        table = next((model for key, model in _TABLES if key in value), Constant).model_validate(value)
        return table if isinstance(table, Constant | Sum) else (table,)
    if isinstance(value, list) and value:
        terms = tuple(_term(item) for item in value)
        if any(isinstance(term, Sum) for term in terms):
            message = "a sum stands alone: { sum = [...] }"
            raise ValueError(message)
        return terms
    return (one_path(value),)


FieldRule = Annotated[Constant | Sum | tuple[Term, ...], BeforeValidator(_field)]


class TimeRule(Strict):
    """When it happened. `unit` reads numbers and digit texts; ISO text with an offset is accepted in any unit."""

    path: Paths
    unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"
    naive_time: Literal["refuse", "UTC"] = "refuse"


class AccountRule(Strict):
    """Who pays: the first of `try` with a non-empty value, else `constant`."""

    try_: Paths | None = Field(default=None, alias="try")
    constant: str | None = None

    @model_validator(mode="after")
    def _some(self) -> AccountRule:
        if self.try_ is None and not self.constant:
            message = "needs `try` (paths) or `constant` (an account id)"
            raise ValueError(message)
        return self


OperationWord: TypeAlias = Literal["generation", "refinement", "repurpose", "chat", "image", "prompt"]


class OperationRule(Strict):
    """What a call was for: the first of `paths` with a value that `map` does not send to "" decides, else `default`.

    A value that `map` sends to "image" beats every other one, wherever it stands. Words compare lower-cased.
    `constant` is for logs of one kind of call alone.
    """

    paths: Paths = ()
    map: dict[str, OperationWord | Literal[""]] = Field(default_factory=dict)
    constant: OperationWord | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> OperationRule:
        if bool(self.paths) == bool(self.constant) or (self.constant and self.map):
            message = "needs `paths` (and `map`), or `constant`"
            raise ValueError(message)
        return self


class Membership(Strict):
    """True where the value at `path` is one of `in`, or a whole number of `min` to `max`, or `present` at all.

    Texts compare exactly, numbers and booleans by their text. Null is absent.
    """

    path: Paths
    in_: Values = Field(alias="in", default=())
    min: int | None = None
    max: int | None = None
    present: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Membership:
        ranged = self.min is not None or self.max is not None
        if bool(self.in_) + ranged + bool(self.present) != 1:
            message = "needs one of `in` (a list), `min` and `max` (whole numbers), `present = true`"
            raise ValueError(message)
        return self


def _memberships(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value if isinstance(value, tuple) else (value,)


AnyOf = Annotated[tuple[Membership, ...], BeforeValidator(_memberships)]
"""A table, or several of the same name (`[[error]]`): true where any of them is."""


class Convention(Strict):
    """Whether a total contains its parts, apart for input (cache reads and writes) and output (reasoning)."""

    input: Literal["inclusive", "disjoint", "auto"] = "inclusive"
    output: Literal["inclusive", "disjoint", "auto"] = "inclusive"


def _convention(value: object) -> object:
    return {"input": value, "output": value} if isinstance(value, str) else value


ConventionRule = Annotated[Convention, BeforeValidator(_convention)]


class MoneyRule(Strict):
    """The unit of reported_cost."""

    unit: Literal["usd", "usd_cents", "nano_usd"] = "usd"


class ElseRule(Strict):
    """The id columns of a record that lacks one of `dedup`; `lower`: they compare in lower case."""

    columns: Annotated[tuple[tuple[KeyPath, ...], ...], BeforeValidator(id_columns)]
    lower: bool = False


DedupRule = Annotated[
    Literal["line", "line_ordinal", "file_line"] | tuple[tuple[KeyPath, ...], ...], BeforeValidator(id_columns)
]
