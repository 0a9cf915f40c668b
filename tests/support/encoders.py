"""Tiny BERT-like encoders with random weights, each with a tokenizer of its own kind, as folders to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    BertConfig,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

from tests.support.synthetic import WORDS

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
}
TEXTS = [*WORDS, *(word[::-1].upper() for word in WORDS)] * 3


def config_of(kind: str, vocabulary: int = 60) -> Any:
    """Return the configuration of a kind of encoder; windows are so small that the texts of tests exceed them."""
    sizes: dict[str, Any] = SIZES | {"vocab_size": vocabulary}
    if kind == "bert":
        return BertConfig(**sizes, pad_token_id=0)
    if kind == "modernbert":
        special = {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
        return ModernBertConfig(**sizes, **special, local_attention=6)
    special = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    made = {"roberta": RobertaConfig, "xlm-roberta": XLMRobertaConfig}[kind]
    return made(**sizes | {"type_vocab_size": 1, "max_position_embeddings": 66}, **special)


def backbone_of(kind: str, vocabulary: int = 60) -> Any:
    """Return a transformers model with random weights, norms included."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = AutoModel.from_config(config_of(kind, vocabulary)).eval()
        for name, parameter in backbone.named_parameters():
            torch.nn.init.normal_(parameter, 1.0 if "norm" in name.lower() else 0.0, 0.3)
    return backbone


def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer as this kind of encoder has it: its pieces, its first token and its separator."""
    if kind == "bert":
        special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=list(special.values()), show_progress=False)
    elif kind == "modernbert":
        special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=list(special.values()), initial_alphabet=alphabet, show_progress=False
        )
    else:
        special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=150, special_tokens=list(special.values()), unk_token="<unk>", show_progress=False
        )
    made.train_from_iterator(TEXTS, trainer)
    first = special.get("cls_token", "<s>")
    last = special.get("sep_token", "</s>")
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(token, made.token_to_id(token)) for token in (first, last)],
    )
    if kind in ("roberta", "xlm-roberta"):
        special |= {"cls_token": "<s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


def write_encoder(folder: Path, kind: str) -> Path:
    """Write weights and tokenizer of an encoder into a folder."""
    tokenizer = tokenizer_of(kind)
    backbone_of(kind, len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
