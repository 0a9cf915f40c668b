"""Cuts long texts before they are encoded, without changing the token ids that are kept.

A tokenizer that truncates encodes the whole text first, which takes time and memory in proportion to it. Here a prefix
is encoded instead. Tokenizers split a text into words and encode these one by one, so the tokens of a prefix are those
of the whole text, except in its last words. Where that does not give enough tokens, a longer prefix is tried, and at
last the whole text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHARACTERS_A_TOKEN = 8
"""Length of the first prefix, in characters for each token that is kept."""
GROWTH = 4
UNCERTAIN_WORDS = 4
"""Last words of a prefix whose tokens may differ from those of the whole text."""


def kept_prefixes(texts: Sequence[str], tokenizer: Tokenizer, max_length: int) -> list[str]:
    """Return prefixes of texts that give the same token ids as the texts, after truncation to `max_length` tokens.

    Args:
        texts: the texts.
        tokenizer: it may truncate and add special tokens; it is not changed.
        max_length: tokens that are kept, special tokens included.

    """
    size = CHARACTERS_A_TOKEN * max_length
    kept = list(texts)
    long = [i for i, text in enumerate(texts) if len(text) > GROWTH * size]
    probe = _untruncated(tokenizer) if long else tokenizer
    while long:
        prefixes = [texts[i][:size] for i in long]
        encodings = probe.encode_batch(prefixes, add_special_tokens=False)
        left = []
        for i, prefix, encoding in zip(long, prefixes, encodings, strict=True):
            if _certain(encoding.word_ids) >= max_length:
                kept[i] = prefix
            else:
                left.append(i)
        size *= GROWTH
        long = [i for i in left if len(texts[i]) > GROWTH * size]
    return kept


def _untruncated(tokenizer: Tokenizer) -> Tokenizer:
    from tokenizers import Tokenizer

    copy: Tokenizer = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _certain(words: Sequence[int | None]) -> int:
    """Return the number of tokens before the last words of a prefix."""
    seen: set[int] = set()
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        if word is not None:
            seen.add(word)
        if len(seen) > UNCERTAIN_WORDS:
            return at + 1
    return 0
