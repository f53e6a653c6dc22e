"""Intervals on an account's tape of debits.

Every debited token of an account has one position on the account's tape: 0 is the first token ever debited, `tape_end`
the next one. A list of pieces holds disjoint half-open intervals in rising order, each with its owner: the lot that
covers it, or None for debt. Lists are changed in place; each operation costs O(log n) plus the pieces that it touches.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from operator import itemgetter
from typing import TypeAlias

Piece: TypeAlias = tuple[int, int, str | None]
"""(first position, position after the last, owning lot or None for debt), never empty."""

_START = itemgetter(0)


def length(pieces: list[Piece]) -> int:
    """How many tokens lie in the pieces."""
    return sum([end - start for start, end, _ in pieces]) if pieces else 0


def append(pieces: list[Piece], piece: Piece) -> None:
    """Add a piece behind all others; it grows the last one if they touch and have one owner."""
    if pieces and pieces[-1][1] == piece[0] and pieces[-1][2] == piece[2]:
        piece = (pieces.pop()[0], piece[1], piece[2])
    pieces.append(piece)


def insert(pieces: list[Piece], piece: Piece) -> None:
    """Add a piece wherever it belongs; it must not overlap another."""
    insort(pieces, piece, key=_START)


def overlaps(pieces: list[Piece], start: int, end: int) -> list[Piece]:
    """The parts of the pieces that lie in [start, end), in rising order."""
    found: list[Piece] = []
    if start >= end:
        return found
    for index in range(_first_touching(pieces, start), len(pieces)):
        left, right, owner = pieces[index]
        if left >= end:
            break
        found.append((max(left, start), min(right, end), owner))
    return found


def cut(pieces: list[Piece], start: int, end: int) -> None:
    """Take the interval [start, end) out of the pieces; what sticks out on either side stays."""
    first = last = _first_touching(pieces, start)
    kept: list[Piece] = []
    while last < len(pieces) and pieces[last][0] < end:
        left, right, owner = pieces[last]
        if left < start:
            kept.append((left, start, owner))
        if end < right:
            kept.append((end, right, owner))
        last += 1
    pieces[first:last] = kept


def newest(pieces: list[Piece], tokens: int) -> list[Piece]:
    """The parts with the highest positions, at most `tokens` in all, newest first; those that touch are one."""
    found: list[Piece] = []
    for start, end, owner in sorted(pieces, key=_START, reverse=True):
        if tokens <= 0:
            break
        left = max(start, end - tokens)
        tokens -= end - left
        if found and found[-1][0] == end and found[-1][2] == owner:
            found[-1] = (left, found[-1][1], owner)
        else:
            found.append((left, end, owner))
    return found


def take_front(pieces: list[Piece], tokens: int) -> list[Piece]:
    """Remove and return the parts with the lowest positions, at most `tokens` in all."""
    taken: list[Piece] = []
    whole = 0
    for start, end, owner in pieces:
        if end - start > tokens:
            break
        taken.append((start, end, owner))
        tokens -= end - start
        whole += 1
    del pieces[:whole]
    if tokens and pieces:
        start, end, owner = pieces[0]
        taken.append((start, start + tokens, owner))
        pieces[0] = (start + tokens, end, owner)
    return taken


def _first_touching(pieces: list[Piece], position: int) -> int:
    """Index of the first piece that ends after the position."""
    index = bisect_right(pieces, position, key=_START)
    return index - 1 if index and pieces[index - 1][1] > position else index
