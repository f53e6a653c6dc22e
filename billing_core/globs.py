"""Names of models by pattern: `*` is any run of characters, `?` any one; upper and lower case are the same.

A pattern without a slash is compared with what follows the last slash of a name, so `gpt-4o*` takes `openai/gpt-4o`
as well; a pattern with a slash is compared with the whole name.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

_WILD = frozenset("*?")


def is_glob(pattern: str) -> bool:
    """Whether a pattern may stand for more than one name."""
    return not _WILD.isdisjoint(pattern)


def bare_name(name: str) -> str:
    """A model's name in lower case, without the providers and routers before it."""
    return name.lower().rsplit("/", 1)[-1]


@lru_cache(maxsize=65536)
def matches(pattern: str, name: str) -> bool:
    """Whether a model's name falls under a pattern."""
    wanted = pattern.lower()
    compared = name.lower() if "/" in wanted else bare_name(name)
    return wanted == compared or (is_glob(wanted) and _regex(wanted).fullmatch(compared) is not None)


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(character, re.escape(character)) for character in pattern), re.DOTALL)


def overlap(one: str, other: str) -> bool:
    """Whether some name falls under both patterns."""
    steps, others = _steps(one), _steps(other)
    # A bare pattern sees only the last part of the names that a pattern with a slash sees whole.
    if ("/" in one) != ("/" in other):
        bare = others if "/" in one else steps
        bare[:0] = [("*", True), ("/", True)]
    return _meet(tuple(steps), tuple(others))


_Step = tuple[str, bool]
"""One character of a pattern, and whether a wildcard there takes a slash."""


def _steps(pattern: str) -> list[_Step]:
    takes_slash = "/" in pattern
    return [(character, takes_slash) for character in pattern.lower()]


@lru_cache(maxsize=4096)
def _meet(one: tuple[_Step, ...], other: tuple[_Step, ...]) -> bool:
    """Whether two patterns share a name: walk every pair of places that some common beginning leads to."""
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        place = waiting.pop()
        if place == (len(one), len(other)):
            return True
        for following in _following(one, other, *place):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _following(one: tuple[_Step, ...], other: tuple[_Step, ...], i: int, j: int) -> list[tuple[int, int]]:
    places = []
    here = one[i] if i < len(one) else None
    there = other[j] if j < len(other) else None
    if here and here[0] == "*":
        places.append((i + 1, j))
    if there and there[0] == "*":
        places.append((i, j + 1))
    if here and there and _share(here, there):
        places.append((i if here[0] == "*" else i + 1, j if there[0] == "*" else j + 1))
    return places


def _share(here: _Step, there: _Step) -> bool:
    """Whether one character can stand at both places."""
    if here[0] in _WILD and there[0] in _WILD:
        return True
    if here[0] in _WILD:
        return here[1] or there[0] != "/"
    if there[0] in _WILD:
        return there[1] or here[0] != "/"
    return here[0] == there[0]
