"""Tokenizers whose `tokenizer.json` ends every text with the end-of-text token."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from open_ml_embed.core.errors import SettingsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

PAD, EOS = "<|pad|>", "<|endoftext|>"


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> Tokenizer:
    """Train a byte-level BPE tokenizer, which has no unknown tokens.

    Args:
        texts: training texts, consumed once; the result does not depend on their order.
        vocab_size: maximum size of the vocabulary, including special tokens and the 256 bytes.

    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    append_token(tokenizer, EOS)
    return tokenizer


def append_token(tokenizer: Tokenizer, eos: str) -> None:
    """Change the tokenizer in place so that it ends every encoded text with `eos`.

    Raises:
        SettingsError: the token is not in the vocabulary.

    """
    from tokenizers import processors

    eos_id = tokenizer.token_to_id(eos)
    if eos_id is None:
        raise SettingsError(
            f"the tokenizer does not know its end-of-text token {eos!r}",
            remedy="set `eos_token` in tokenizer_config.json to a token of its vocabulary",
        )
    if tokenizer.encode("a").ids[-1] == eos_id:
        return
    ending = processors.TemplateProcessing(single=f"$A {eos}", pair=f"$A $B:1 {eos}:1", special_tokens=[(eos, eos_id)])
    before = tokenizer.post_processor
    tokenizer.post_processor = ending if before is None else processors.Sequence([before, ending])


def wrap(tokenizer: Tokenizer, *, max_length: int) -> PreTrainedTokenizerFast:
    """Return a trained tokenizer as a `PreTrainedTokenizerFast`, padding on the right."""
    from transformers import PreTrainedTokenizerFast

    wrapped: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # transformers'
        tokenizer_object=tokenizer,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=max_length,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
    return wrapped


def load_pretrained(path: str, *, revision: str | None, max_length: int) -> PreTrainedTokenizerFast:
    """Load a fast tokenizer with AutoTokenizer and make it end texts with its end-of-text token.

    Args:
        path: a folder or a Hub repository.
        revision: revision on the Hub; None: the default branch.
        max_length: `model_max_length` of the result, in tokens.

    Raises:
        SettingsError: the tokenizer cannot be loaded, is not a fast one, or has no end-of-text token.

    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, revision=revision)
    except (OSError, ValueError) as error:
        raise SettingsError(f"no tokenizer: {error}", where=f"train.backbone.path: {path}") from None
    if not tokenizer.is_fast or tokenizer.eos_token is None:
        raise SettingsError(
            "this is not a fast tokenizer, or it has no end-of-text token",
            where=f"train.backbone.path: {path}",
            remedy="set `eos_token` in tokenizer_config.json; convert a slow tokenizer to a fast one",
        )
    append_token(tokenizer.backend_tokenizer, tokenizer.eos_token)
    # Padding is never recognized by its id, so a tokenizer without a padding token may share it with EOS.
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "right"
    tokenizer.model_max_length = max_length
    fast: PreTrainedTokenizerFast = tokenizer
    return fast


def load_saved(folder: Path) -> PreTrainedTokenizerFast:
    """Load a tokenizer from a folder that this package wrote."""
    from transformers import PreTrainedTokenizerFast

    saved: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder)
    return saved


def encoder_of(tokenizer: PreTrainedTokenizerFast, *, max_length: int) -> Tokenizer:
    """Return a copy of the Rust tokenizer that truncates to `max_length` tokens, keeps EOS last and never pads."""
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_padding()
    copy.enable_truncation(max_length)
    return copy
