"""Parses JSON that others may have written: whatever is wrong with it is a `ValueError`."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """Parse JSON, as `json.loads`.

    Raises:
        ValueError: it is no JSON, is no UTF-8, or is nested too deeply to be parsed.

    >>> loads('{"a": [1]}')
    {'a': [1]}

    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
