"""Wording of numbers in messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "text"), counted(2000, "text"), counted(0, "query", "queries")
    ('1 text', '2,000 texts', '0 queries')

    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
