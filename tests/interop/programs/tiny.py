"""A model of random weights and a tokenizer of the texts at hand, made on the spot in a library's own environment."""

import hashlib
import math

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedTokenizerFast

SPECIAL = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "cls_token": "<cls>",
    "sep_token": "<sep>",
    "eos_token": "<|endoftext|>",
}
CHAT = "{% for message in messages %}<{{ message.role }}>{{ message.content }}<|endoftext|>{% endfor %}"
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def tokenizer(texts, folder, *, template="<cls> $0 <sep>"):
    """Train a byte-level tokenizer on these texts, and save it."""
    inner = Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=512, special_tokens=list(SPECIAL.values()), initial_alphabet=alphabet)
    )
    specials = [(token, inner.token_to_id(token)) for token in SPECIAL.values() if token in template]
    inner.post_processor = processors.TemplateProcessing(single=template, special_tokens=specials)
    made = PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=512, **SPECIAL)
    made.chat_template = CHAT
    made.save_pretrained(folder)
    return made


def model(kind, tokens, folder, *, head=False, **more):
    """Make a model of this architecture in its smallest size, and save it; `head`: with one for the next word."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind, vocab_size=len(tokens), max_position_embeddings=512, pad_token_id=tokens.pad_token_id,
        eos_token_id=tokens.eos_token_id, bos_token_id=tokens.cls_token_id, **SIZES | more,
    )  # fmt: skip
    (AutoModelForCausalLM if head else AutoModel).from_config(config).save_pretrained(folder)


def fingerprint(module):
    """Return a digest of all weights."""
    digest = hashlib.sha256()
    for _, value in sorted(module.state_dict().items()):
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def losses(history):
    """Return the losses that a trainer of transformers wrote down, one a step."""
    found = [line["loss"] for line in history if "loss" in line]
    assert all(math.isfinite(loss) for loss in found), found
    return found
