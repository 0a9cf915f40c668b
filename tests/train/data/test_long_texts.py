from __future__ import annotations

import random
import time

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from train.data import tokenize
from train.data.long_texts import kept_prefixes
from train.data.tokenizer import encoder_of, train_tokenizer, wrap

PIECES = [
    *(
        "wo",
        "rd",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "é",
        "e\u0301",
        "猫が座った",
        "한국어",
        "🙂",
        "👩\u200d💻",
        "123456",
        ".",
    ),
    *("...", "'s", "\u00a0", "don't", "CamelCase", "_", "https://a.b/c?d=e", "ﬁ", "\u0b95\u0bbf"),
]
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)


def text_of(rng: random.Random, pieces: int) -> str:
    return "".join(rng.choice(PIECES) for _ in range(pieces))


def bpe(texts: list[str], split: object) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    if split is not None:
        tokenizer.pre_tokenizer = split
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=600, show_progress=False, initial_alphabet=alphabet)
    )
    return tokenizer


def unigram(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    rng = random.Random(0)
    texts = [text_of(rng, 60) for _ in range(200)]
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made = {
        "own": encoder_of(wrap(train_tokenizer(iter(texts), vocab_size=600), max_length=12), max_length=12),
        "qwen": bpe(texts, pre_tokenizers.Sequence([pre_tokenizers.Split(_regex(), "isolated"), bytes_of])),
        "one word": bpe(texts, bytes_of),
        "unigram": unigram(texts),
    }
    for tokenizer in made.values():
        tokenizer.enable_truncation(12)
    return made


def _regex() -> object:
    from tokenizers import Regex

    return Regex(SPLIT)


@pytest.mark.parametrize("kind", ["own", "qwen", "one word", "unigram"])
def test_prefixes_give_the_ids_of_whole_texts(tokenizers, kind: str, monkeypatch) -> None:
    monkeypatch.setattr("train.data.long_texts.CHARACTERS_A_TOKEN", 2)
    monkeypatch.setattr("train.data.long_texts.GROWTH", 2)
    tokenizer, rng = tokenizers[kind], random.Random(1)
    texts = [text_of(rng, rng.randint(0, 300)) for _ in range(400)]
    texts += ["a" * 4000, " " * 4000, "\n " * 3000, "e\u0301" * 3000, "1" * 3000]
    prefixes = kept_prefixes(texts, tokenizer, 12)
    assert all(text.startswith(prefix) for text, prefix in zip(texts, prefixes, strict=True))
    wanted = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
    assert [encoding.ids for encoding in tokenizer.encode_batch_fast(prefixes)] == wanted
    if kind != "one word":
        assert sum(map(len, prefixes)) < 0.7 * sum(map(len, texts))


def test_only_what_is_kept_is_encoded(tokenizers) -> None:
    words = np.array([f"wo{i:x}rd" for i in range(4000)])
    texts = [" ".join(np.random.default_rng(i).choice(words, 20_000)) for i in range(12)]
    tokenizer = tokenizers["own"]

    def seconds(some: list[str]) -> tuple[float, pa.Array]:
        began = time.process_time()
        return tokenize._encode(tokenizer, pa.array(some)), time.process_time() - began

    short, cheap = seconds([text[:200] for text in texts])
    whole, taken = seconds(texts)
    assert whole.equals(short)
    began = time.process_time()
    tokenizer.encode_batch_fast(texts)
    assert taken < 0.2 * (time.process_time() - began), (cheap, taken)
