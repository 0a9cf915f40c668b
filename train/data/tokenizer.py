"""Tokenizers whose `tokenizer.json` ends every text with the end-of-text token."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.json_text import loads

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

    tokenizer.no_padding()  # a stored one would put its token last
    eos_id = tokenizer.token_to_id(eos)
    if eos_id is None:
        raise SettingsError(
            f"the tokenizer does not know its end-of-text token {eos!r}",
            remedy="set `eos_token` in tokenizer_config.json to a token of its vocabulary",
        )
    if tokenizer.encode("a").ids[-1] == eos_id:
        return
    stored = loads(tokenizer.to_str())["post_processor"]
    parts: list[dict[str, Any]] = []
    made: list[Any] = []
    if stored is not None and stored["type"] == "Sequence":
        parts, made = stored["processors"], list(tokenizer.post_processor)
    elif stored is not None:
        parts, made = [stored], [tokenizer.post_processor]
    # A second template would get the pieces of the first one, which the library does not join: there is one for both.
    templates = [at for at, part in enumerate(parts) if part["type"] == "TemplateProcessing"]
    template: dict[str, Any] = parts[templates[-1]] if templates else {"single": ["$A:0"], "pair": ["$A:0", "$B:1"]}
    ending = processors.TemplateProcessing(
        single=[*map(_piece, template["single"]), f"{eos}:0"],
        pair=[*map(_piece, template["pair"]), f"{eos}:1"],
        special_tokens=[
            *template.get("special_tokens", {}).values(),
            {"id": eos, "ids": [eos_id], "tokens": [eos]},
        ],
    )
    if templates:
        made[templates[-1]] = ending
    else:
        made.append(ending)
    tokenizer.post_processor = made[0] if len(made) == 1 else processors.Sequence(made)


def _piece(piece: str | dict[str, dict[str, Any]]) -> str:
    """Return a piece of a template as the library takes it: the name of a text or of a token, and its type."""
    if isinstance(piece, str):
        return piece
    ((kind, content),) = piece.items()
    return f"{'$' if kind == 'Sequence' else ''}{content['id']}:{content['type_id']}"


def end_token(tokenizer: PreTrainedTokenizerFast) -> str | None:
    """Return the token that ends a text: the end-of-text token, or the separator of a BERT-like encoder."""
    token: str | None = tokenizer.eos_token or tokenizer.sep_token
    return token


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


def load_pretrained(
    path: str, *, revision: str | None, max_length: int, where: str = "train.backbone.path"
) -> PreTrainedTokenizerFast:
    """Load a fast tokenizer with AutoTokenizer and make it end texts with its end-of-text token (`end_token`).

    Args:
        path: a folder or a Hub repository.
        revision: revision on the Hub; None: the default branch.
        max_length: `model_max_length` of the result, in tokens.
        where: the setting that names the path, for messages.

    Raises:
        SettingsError: the tokenizer cannot be loaded, is not a fast one, or has no end-of-text token.

    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, revision=revision)
    except (OSError, ValueError) as error:
        raise SettingsError(f"no tokenizer: {error}", where=f"{where}: {path}") from None
    end = end_token(tokenizer)
    if not tokenizer.is_fast or end is None:
        raise SettingsError(
            "this is not a fast tokenizer, or it has no end-of-text token",
            where=f"{where}: {path}",
            remedy="set `eos_token` (or `sep_token`) in tokenizer_config.json; convert a slow tokenizer to a fast one",
        )
    append_token(tokenizer.backend_tokenizer, end)
    # Padding is never recognized by its id, so a tokenizer without a padding token may share it with EOS.
    tokenizer.pad_token = tokenizer.pad_token or end
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
