"""Which model of the price table a logged name means: aliases first, then rules of spelling, then the table itself.

Logs name models in many ways (`openai/gpt-4o`, `models/gemini-2.5-flash`, a Bedrock ARN, a dated version). A name that
nothing resolves stays unresolved with its reason: it is counted, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from billing_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Clause: TypeAlias = "str | Mapping[str, Any] | Sequence[Any]"
"""What a name must be. A text: equal to it. A list: any of its clauses. Else one of `prefix`, `suffix`, `contains`,
`regex` (searched) and `all` (a list of clauses). Names are compared in lower case."""

_OPERATORS = frozenset({"prefix", "suffix", "contains", "regex", "all"})


def matches(clause: Clause, name: str) -> bool:
    """Whether a lower-cased name is what the clause says."""
    if isinstance(clause, str):
        return name == clause
    if not isinstance(clause, dict):
        return any(matches(part, name) for part in clause)
    if unknown := clause.keys() - _OPERATORS:
        raise ConfigurationError(f"price table: unknown match {min(unknown)!r}")
    return all(_holds(operator, value, name) for operator, value in clause.items())


def _holds(operator: str, value: Any, name: str) -> bool:
    if operator == "all":
        return all(matches(part, name) for part in value)
    if operator == "regex":
        return re.search(value, name) is not None
    if operator == "contains":
        return value in name
    return name.startswith(value) if operator == "prefix" else name.endswith(value)


@dataclass(frozen=True)
class NamedProvider:
    """A provider of the table: other names it goes by, the models known by name alone, whose prices it falls back to.

    `models` are (id, clause), in the order in which they are tried.
    """

    provider: str
    names: Clause = ()
    model_names: Clause = ()
    fallback: tuple[str, ...] = ()
    models: tuple[tuple[str, Clause], ...] = ()


class Resolved(NamedTuple):
    """The provider and model whose prices hold, or None and the reason why there is none."""

    provider: str | None
    model: str | None
    reason: str | None


NO_MODEL = "no_model"
UNKNOWN_PROVIDER = "unknown_provider"
UNKNOWN_MODEL = "unknown_model"

_STRIPPED = (
    re.compile(r"^arn:.*/"),  # a Bedrock inference profile or foundation model
    re.compile(r"^models/"),
    re.compile(r"^(?:accounts/)?[^/]+/(?:models|deployments)/"),
    re.compile(r"^publishers/[^/]+/models/"),
    re.compile(r"^(?:us|eu|apac|global|jp|au|ca|sa|us-gov)\.(?=[a-z0-9-]+\.)"),  # a Bedrock region
    re.compile(r":latest$"),
    re.compile(r"@(?:default|latest|20\d{6})$"),  # a Vertex version
    re.compile(r"-v\d+(?::\d+)?$"),  # a Bedrock version
    re.compile(r"[-_]20\d{2}[-_]?(?:0[1-9]|1[0-2])[-_]?(?:0[1-9]|[12]\d|3[01])$"),  # a dated version
)
_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
_DASHED_VERSION = re.compile(r"(?<=[a-z]-)(\d)-(\d)(?=-|:|$)|(?<=-\d)-(\d)(?=-|:|$)")


def spellings(model: str) -> Iterator[str]:
    """The name as logged, then ever plainer ones: without paths, regions, tags and, last, its date."""
    seen: dict[str, None] = {}
    name = model.strip().lower()
    seen[name] = None
    seen[_COMPACT_DATE.sub(r"-\1-\2-\3", name)] = None
    for pattern in _STRIPPED:
        name = pattern.sub("", name)
        seen[name] = None
    for plain in list(seen):
        seen[_DASHED_VERSION.sub(_with_point, plain)] = None
    yield from (name for name in seen if name)


def _with_point(match: re.Match[str]) -> str:
    return f"{match[1]}.{match[2]}" if match[1] else f".{match[3]}"


@dataclass(frozen=True)
class NameBook:
    """Everything that names are resolved by.

    `aliases` maps (provider, model) as logged, lower case, to one of the table; a provider "*" holds for any, also for
    calls that name none. `provider_aliases` maps provider names as logged to the table's, a gateway's to "": there the
    model tells.
    """

    providers: tuple[NamedProvider, ...]
    aliases: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    provider_aliases: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, provider: str | None, model: str | None) -> Resolved:
        """The priced model that a call names. Without a provider the model's prefix or its name tells it."""
        if not model or not model.strip():
            return Resolved(None, None, NO_MODEL)
        logged = (provider or "").strip().lower(), model.strip().lower()
        for key in (logged, ("*", logged[1])):
            if key in self.aliases:
                return Resolved(*self.aliases[key], None)
        asked = self.provider_aliases.get(logged[0], logged[0])
        if not asked:
            asked = self.provider_aliases.get(logged[1].partition("/")[0], "")
        named, name = self._placed(asked, logged[1])
        if asked and named is None:
            return Resolved(None, None, UNKNOWN_PROVIDER)
        for spelling in dict.fromkeys((logged[1], *spellings(name))):
            found = self._of(named, spelling) if named else self._by_name(spelling)
            if found:
                return Resolved(*found, None)
        return Resolved(None, None, UNKNOWN_MODEL)

    def _placed(self, asked: str, model: str) -> tuple[NamedProvider | None, str]:
        """The provider of a call, and the model's name without a prefix that only repeats it."""
        prefix, slash, rest = model.partition("/")
        owner = self._provider(prefix) if slash else None
        named = self._provider(asked) if asked else owner
        return named, rest if owner is not None and owner is named else model

    def _provider(self, name: str) -> NamedProvider | None:
        wanted = self.provider_aliases.get(name, name)
        for provider in self.providers:
            if provider.provider == wanted:
                return provider
        return next((provider for provider in self.providers if matches(provider.names, wanted)), None)

    def _by_name(self, name: str) -> tuple[str, str] | None:
        """The model of the first provider whose models are known by name alone."""
        for provider in self.providers:
            if matches(provider.model_names, name) and (found := self._of(provider, name)):
                return found
        return None

    def _of(self, provider: NamedProvider, name: str) -> tuple[str, str] | None:
        """A model of the provider, or of one whose models it serves at their own price; one step of falling back."""
        owners = [provider, *(other for other in self.providers if other.provider in provider.fallback)]
        if provider.fallback:
            order = {provider.provider: -1, **{name: place for place, name in enumerate(provider.fallback)}}
            owners.sort(key=lambda owner: order[owner.provider])
        for owner in owners:
            for model, clause in owner.models:
                if matches(clause, name):
                    return owner.provider, model
        return None
