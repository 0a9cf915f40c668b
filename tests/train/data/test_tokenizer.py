"""Tokenizers as others wrote them, made to end texts with their end-of-text token, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from train.data.tokenizer import append_token, encoder_of, end_token, load_pretrained

VOCABULARY = {"<first>": 0, "<last>": 1, "<pad>": 2, "a": 3, "b": 4}
FIRST = processors.TemplateProcessing(
    single="<first> $A", pair="<first> $A <first>:1 $B:1", special_tokens=[("<first>", 0)]
)
WHOLE = processors.TemplateProcessing(
    single="<first> $A <last>", pair="<first> $A <last> $B:1 <last>:1", special_tokens=[("<first>", 0), ("<last>", 1)]
)
BYTES = processors.ByteLevel(trim_offsets=False)


def made(post: processors.PostProcessor | None) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if post is not None:
        tokenizer.post_processor = post
    return tokenizer


@pytest.mark.parametrize(
    ("post", "first"),
    [
        (None, []),
        (BYTES, []),
        (FIRST, [0]),
        (WHOLE, [0]),
        (processors.Sequence([BYTES, FIRST]), [0]),
        (processors.Sequence([BYTES]), []),
    ],
    ids=["none", "bytes", "first token", "first and last", "bytes and first token", "sequence of one"],
)
@pytest.mark.parametrize("padded", [False, True])
def test_texts_end_with_the_token_once(
    post: processors.PostProcessor | None, first: list[int], *, padded: bool
) -> None:
    tokenizer = made(post)
    if padded:
        tokenizer.enable_padding(pad_id=2, pad_token="<pad>", length=9)
    for _ in range(2):
        append_token(tokenizer, "<last>")
    again = Tokenizer.from_str(tokenizer.to_str())
    assert again.encode("a b").ids == [*first, 3, 4, 1]
    again.enable_truncation(3)
    assert again.encode("a b a b").ids == [*first, *[3, 4][: 2 - len(first)], 1]
    assert again.encode("").ids == [*first, 1]
    pair = made(post)
    append_token(pair, "<last>")
    assert pair.encode("a", "b").ids[-2:] == [4, 1]
    assert pair.encode("a", "b").type_ids[-2:] == [1, 1]


def test_the_separator_of_an_encoder_ends_its_texts(tmp_path: Path) -> None:
    special = {"cls_token": "<first>", "sep_token": "<last>", "pad_token": "<pad>", "unk_token": "a"}
    stored = made(WHOLE)
    stored.enable_padding(pad_id=2, pad_token="<pad>", length=9)
    PreTrainedTokenizerFast(tokenizer_object=stored, **special).save_pretrained(tmp_path)
    loaded = load_pretrained(str(tmp_path), revision=None, max_length=4)
    assert loaded.eos_token is None
    assert end_token(loaded) == "<last>"
    assert encoder_of(loaded, max_length=4).encode("a b a b").ids == [0, 3, 4, 1]
