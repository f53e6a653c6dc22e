"""JSON Schemas of the files that a user writes, for editors; `python -m pipelines.books.schemas` writes docs/schemas.

Each is made of what its loader itself uses: the models of tollbook.toml and of profiles, the key tables of rates.toml
and packages.toml. A schema says what can be seen in one table; what only the whole file can tell stays with the loader.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from billing_core.charges import TOKEN_KINDS
from billing_core.packages import Package
from billing_core.rate_tables import (
    CHARGE_KEYS,
    ID_PATTERN,
    LONG_CONTEXT_KEYS,
    MATCH_KEYS,
    PACKAGE_KEYS,
    TIER_KEYS,
    TIERS_MAX,
)
from billing_core.settings import AMOUNT_MAX, POLICY_WORDS, Settings
from billing_core.vocabulary import OPERATION_ALIASES
from pipelines.books.config_models import BooksConfig
from pipelines.intake.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_core import CoreSchema, core_schema

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"
_DRAFT = "http://json-schema.org/draft-07/schema#"
_TEXT: dict[str, object] = {"type": "string", "pattern": r"\S"}
_DECIMAL: dict[str, object] = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,6})?$"}
_AMOUNT: dict[str, object] = {"type": "integer", "minimum": 0, "maximum": AMOUNT_MAX}
_COUNT = {**_AMOUNT, "minimum": 1}
# An editor hands a TOML date or time over as its text.
_INSTANT: dict[str, object] = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+([Zz]|[+-][0-9:]+))?$",
}


class _AsWritten(GenerateJsonSchema):
    """Models as the user writes them: a key whose text is taken apart before it is checked may hold that text."""

    schema_dialect = _DRAFT

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> dict[str, Any]:
        inner = super().function_before_schema(schema)
        if schema["schema"]["type"] in {"model", "model-fields"} and "$ref" not in inner:
            # The table may be written short, as a text; without its type a schema says nothing of texts.
            return {key: value for key, value in inner.items() if key != "type"}
        return {"anyOf": [inner, {"type": ["string", "array", "object"]}]}

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> dict[str, Any]:
        del schema
        return {}

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> dict[str, Any]:
        del schema
        return {}

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> dict[str, Any]:
        del schema, error_info
        return {}


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by the name of its file, without the ending."""
    return {
        "tollbook": BooksConfig.model_json_schema(schema_generator=_AsWritten),
        "rates": _file({"settings": _settings(), "rate": _rate()}),
        "packages": _file({"package": _package()}),
        "profile": Profile.model_json_schema(schema_generator=_AsWritten),
    }


def schema_texts() -> dict[str, str]:
    """The files of docs/schemas by name."""
    return {f"{name}.json": json.dumps(schema, indent=1, sort_keys=True) + "\n" for name, schema in schemas().items()}


def _file(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    lists = {name: {"type": "array", "items": table} for name, table in tables.items()}
    return {"$schema": _DRAFT, **_table(lists)}


def _table(properties: Mapping[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": sorted(required),
        "additionalProperties": False,
    }


def _settings() -> dict[str, Any]:
    known: dict[str, object] = {name: _AMOUNT for name, value in Settings().content().items() if isinstance(value, int)}
    known |= {name: {"enum": list(POLICY_WORDS)} for name in ("partial_error", "gateway_cache_hit", "cancelled_stream")}
    known |= {
        "effective_from": _INSTANT,
        "default_token_multiplier": _DECIMAL,
        "breakage_policy": {"type": "string", "pattern": r"^(at_expiry|proportional\(0\.[0-9]{1,6}\))$"},
        "tokens_per_usd": _COUNT,
        "updated_by": _TEXT,
        "reason": _TEXT,
    }
    return _table(known)


def _rate() -> dict[str, Any]:
    weights = _table(dict.fromkeys(TOKEN_KINDS, _DECIMAL), ["input", "output"])
    tier = _table({"up_to": {"type": "integer", "minimum": 1}, "multiplier": _DECIMAL}, ["multiplier"])
    tiers = {"type": "array", "items": tier, "minItems": 1, "maxItems": TIERS_MAX}
    match: dict[str, dict[str, object]] = dict.fromkeys(MATCH_KEYS, _TEXT)
    match = {**match, "operation": {"enum": sorted(OPERATION_ALIASES)}}
    long_context: dict[str, object] = {"above": _COUNT, "multiplier": _DECIMAL, "weights": weights}
    package = {"tokens": _COUNT, "cost": _AMOUNT}
    charges: dict[str, object] = {
        "multiplier": _DECIMAL,
        "weights": weights,
        "fixed": _AMOUNT,
        "package": _table(package, PACKAGE_KEYS),
        "graduated": tiers,
        "volume": tiers,
    }
    assert (set(charges), set(long_context), set(tier["properties"])) == (
        set(CHARGE_KEYS),
        set(LONG_CONTEXT_KEYS),
        set(TIER_KEYS),
    ), "the loader knows the same keys"
    keys = {
        "id": {"type": "string", "pattern": f"^{ID_PATTERN}$"},
        "effective_from": _INSTANT,
        "effective_to": _INSTANT,
        "match": _table(match),
        **charges,
        "per": {"enum": ["image", "call"]},
        "long_context": _table(long_context, ["above"]),
    }
    return {
        **_table(keys, ["id"]),
        "oneOf": [{"required": [charge]} for charge in CHARGE_KEYS],
        "dependencies": {"fixed": ["per"], "per": ["fixed"]},
    }


def _package() -> dict[str, Any]:
    kinds: dict[str, object] = {"bool": {"type": "boolean"}, "str": _TEXT, "int": {"type": "integer", "minimum": 0}}
    known = {field.name: kinds[str(field.type).split(" ", maxsplit=1)[0]] for field in fields(Package) if field.init}
    known |= {"token_amount": {"type": "integer", "minimum": 1}, "effective_from": _INSTANT}
    del known["effective_to"]
    return _table(known, ["package_id", "package_name", "token_amount", "price_cents"])


def main() -> None:
    """Write every schema."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in schema_texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
