"""Models made on the spot: tiny, untrained, and real to sentence-transformers."""

from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def make_tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {f"{name.strip('[]').lower()}_token": name for name in SPECIAL}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names)


def make_config(words: int, **changes: object) -> BertConfig:
    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "initializer_range": 0.5,
    }
    return BertConfig(vocab_size=words + len(SPECIAL), max_position_embeddings=64, **sizes, **changes)


def make_encoder(folder: Path, words: list[str], seed: int = 0, **options: object) -> Path:
    """Save a sentence-transformers model that knows `words`, and return its folder."""
    torch.manual_seed(seed)
    plain = folder / "plain"
    BertModel(make_config(len(words))).save_pretrained(plain)
    make_tokenizer(words).save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=32)
    pooling = Pooling(transformer.get_embedding_dimension(), "mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu", **options).save(str(folder / "model"))
    return folder / "model"


def make_cross_encoder(folder: Path, words: list[str], seed: int = 0) -> Path:
    """Save a cross-encoder with one output, and return its folder."""
    torch.manual_seed(seed)
    BertForSequenceClassification(make_config(len(words), num_labels=1)).save_pretrained(folder / "cross")
    make_tokenizer(words).save_pretrained(folder / "cross")
    return folder / "cross"
