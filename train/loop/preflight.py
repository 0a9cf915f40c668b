"""Checks before any weights are read: nested sizes, end-of-text token, vocabulary, learning rates and mixes."""

from __future__ import annotations

import math

from open_ml_embed.core.devices import present
from open_ml_embed.core.errors import SettingsError, StageError
from open_ml_embed.core.words import counted
from train.config import Pretrained, Stage
from train.data.mix import Mix
from train.data.shares import check_names
from train.data.tokenizer import encoder_of, end_token
from train.loop.run import Run
from train.model.sizes import Sizes

RATES = {80e6: 4e-5, 160e6: 3e-5, 330e6: 2e-5, 0.6e9: 1e-5, 1.7e9: 9e-6, 4e9: 7e-6, 8e9: 6e-6, 14e9: 5e-6}
"""Peak learning rates of the published recipe by number of parameters, including the token embedding."""


def peak_rate(stage: Stage, sizes: Sizes) -> float:
    """Return the peak learning rate of a stage: its setting, or the recipe's for the nearest published size.

    Raises:
        SettingsError: the stage sets none and the backbone is new, which the recipe does not cover.

    """
    if stage.learning_rate is not None:
        return stage.learning_rate
    parameters = sizes.parameters
    if parameters is None:
        raise SettingsError(
            "the recipe's learning rates are for pretrained backbones",
            where=f"train.stages: {stage.name}",
            remedy="set the stage's learning_rate",
        )
    return RATES[min(RATES, key=lambda size: abs(math.log(size / parameters)))]


def check(run: Run) -> None:
    """Check everything that can be checked before the backbone's weights are read, and tokenize the mixes.

    Raises:
        SettingsError: a rank or a dimension above the hidden size, or a layer beyond the depth; texts longer than the
            backbone has positions; a warm-up longer than its stage; a tokenizer whose texts do not end with its
            end-of-text token, or with more tokens than the backbone's embedding has rows.
        StageError: a mix is missing, has no training samples, or is invalid (see `train.data.tokenize.tokenize`).

    """
    sizes, backbone = run.sizes, run.settings.backbone
    assert run.shape
    for stage in run.settings.stages:
        peak_rate(stage, sizes)
        if stage.steps is not None:
            check_warmup(stage, stage.steps)
    check_length(run)
    for stage, mix in zip(run.settings.stages, run.mixes, strict=True):
        _filled(mix)
        if stage.sampling.weights:
            check_names(stage.sampling, mix.datasets(), f"train.stages: {stage.name}")
    where = f"train.backbone.path: {backbone.path}" if isinstance(backbone, Pretrained) else "train.backbone"
    tokenizer = run.tokenizer
    ids = encoder_of(tokenizer, max_length=run.settings.max_length).encode("a").ids
    end = end_token(tokenizer)
    if end is None or ids[-1:] != [tokenizer.convert_tokens_to_ids(end)]:
        raise SettingsError(
            f"the tokenizer ends no text with its end-of-text token {end!r}",
            where=where,
            remedy="set `eos_token` in tokenizer_config.json to a token that its tokenizer.json knows",
        )
    _check_first_token(run, ids, where)
    if sizes.vocabulary is not None and len(tokenizer) > sizes.vocabulary:
        raise SettingsError(
            f"the tokenizer has {len(tokenizer)} tokens, the backbone's embedding {sizes.vocabulary} rows",
            where=where,
            remedy="use the backbone's own tokenizer",
        )
    for mix in run.mixes:
        run.store(mix)


def _check_first_token(run: Run, ids: list[int], where: str) -> None:
    """Raise an error if the first token cannot stand for a text."""
    if run.settings.pooling != "cls":
        return
    backbone, tokenizer = run.settings.backbone, run.tokenizer
    causal = not isinstance(backbone, Pretrained) or run.sizes.causal
    if causal or ids[0] not in (tokenizer.cls_token_id, tokenizer.bos_token_id):
        reason = "in a causal backbone it sees no other" if causal else "the tokenizer begins texts with no such token"
        raise SettingsError(
            f"the first token cannot stand for a text: {reason}",
            where=f"train.pooling: cls; {where}",
            remedy="set `pooling` to mean or last",
        )


def check_length(run: Run) -> None:
    """Raise an error if `max_length` is beyond what the backbone has positions for.

    Raises:
        SettingsError: it is.

    """
    length, positions = run.settings.max_length, run.sizes.positions
    if positions is not None and length > positions:
        raise SettingsError(
            f"texts of {length} tokens, but the backbone has {positions} positions (`max_position_embeddings`)",
            where="train.max_length",
            remedy=f"set it to {positions} or less, or use another backbone",
        )


def check_warmup(stage: Stage, steps: int) -> None:
    """Raise an error if the warm-up of a stage is longer than its number of optimizer steps.

    Raises:
        SettingsError: it is; the learning rate would never reach its peak.

    """
    if stage.warmup_steps > steps:
        raise SettingsError(
            f"a warm-up of {stage.warmup_steps} steps, but the stage has {steps}",
            where=f"train.stages: {stage.name}: warmup_steps",
            remedy=f"set it to {max(1, steps // 10)}, a tenth of the stage, or train for longer",
        )


def outline(run: Run) -> str:
    """Describe what a run would train, from configurations and parquet footers only.

    A missing device only adds a line, so that a dry run also works on a login node without a GPU.

    Raises:
        CorpusError: see `check`; errors that only the texts would show are not looked for.

    """
    shape, sizes = run.shape, run.sizes
    check_length(run)
    size = f"{sizes.parameters / 1e6:,.0f} M parameters" if sizes.parameters else "a new model"
    lines = [
        f"backbone: {size}, {sizes.layers} layers, {sizes.hidden} wide",
        f"nested layers {_listed(shape.layers)}; dimensions {_listed(shape.dims)}; ranks {_listed(shape.ranks)}",
    ]
    for stage, mix in zip(run.settings.stages, run.mixes, strict=True):
        rows, datasets = _filled(mix), mix.datasets()
        check_names(stage.sampling, datasets, f"train.stages: {stage.name}")
        steps = stage.steps or math.ceil((stage.epochs or 0) * rows / stage.batch_size / stage.accumulate)
        if stage.steps is not None:
            check_warmup(stage, steps)
        lines.append(
            f"{stage.name}: {'' if stage.steps else 'about '}{steps:,} steps of {stage.batch_size} queries out of "
            f"{rows:,} from {counted(len(datasets), 'dataset')}, {mix.rows('documents'):,} documents; "
            f"peak learning rate {peak_rate(stage, sizes):g}"
        )
    if not present(run.settings.device):
        lines.append(f"device: there is no {run.settings.device} on this machine; without --dry-run it is refused here")
    return "\n".join(lines)


def _filled(mix: Mix) -> int:
    """Return the number of training samples of a mix.

    Raises:
        StageError: there are none.

    """
    rows = mix.rows("train")
    if not rows:
        raise StageError(
            "the mix has no samples to train on",
            where=str(mix.root),
            remedy="lower its `validation` share if that took all (the report's funnel says where rows went) and run "
            "`curate mix` again, or leave the stage out",
        )
    return rows


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
