"""What is refused before a weight is read: sizes that do not nest, texts without an end, mixes that teach nothing."""

from __future__ import annotations

import math

from sources.errors import SettingsError
from train.config import Pretrained, Stage
from train.run import Run
from train.sizes import Sizes
from train.tokenizer import encoder_of

RATES = {80e6: 4e-5, 160e6: 3e-5, 330e6: 2e-5, 0.6e9: 1e-5, 1.7e9: 9e-6, 4e9: 7e-6, 8e9: 6e-6}
"""The published recipe's peak learning rate, by the backbone's parameters (token embedding included)."""


def peak_rate(stage: Stage, sizes: Sizes) -> float:
    """Return a stage's peak learning rate: its own, or the recipe's for the nearest published size.

    Raises:
        SettingsError: there is no recipe for a new model.

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
    """Refuse what could not be trained, before the backbone's weights are read.

    Raises:
        SettingsError: a rank above the width, a dimension beyond it, a layer beyond the depth; a tokenizer whose
            texts do not end in its end-of-text token, or whose tokens the backbone has no embedding for.
        StageError: a mix is missing, or breaks its contract (see `train.tokenising.tokenise`).

    """
    sizes, backbone = run.sizes, run.settings.backbone
    assert run.shape
    for stage in run.settings.stages:
        peak_rate(stage, sizes)
    for mix in run.mixes:
        mix.files("train")
    where = f"train.backbone.path: {backbone.path}" if isinstance(backbone, Pretrained) else "train.backbone"
    tokenizer = run.tokenizer
    ids = encoder_of(tokenizer, max_length=run.settings.max_length).encode("a").ids
    if ids[-1:] != [tokenizer.eos_token_id]:
        raise SettingsError(
            f"the tokenizer ends no text with its end-of-text token {tokenizer.eos_token!r}",
            where=where,
            remedy="set `eos_token` in tokenizer_config.json to a token that its tokenizer.json knows",
        )
    if sizes.vocabulary is not None and len(tokenizer) > sizes.vocabulary:
        raise SettingsError(
            f"the tokenizer has {len(tokenizer)} tokens, the backbone's embedding {sizes.vocabulary} rows",
            where=where,
            remedy="use the backbone's own tokenizer",
        )
    for mix in run.mixes:
        run.store(mix)


def outline(run: Run) -> str:
    """Return what a run would train, from configurations and file footers alone: the refusals that cost nothing.

    Raises:
        CorpusError: see `check`; what only the texts show is not looked for.

    """
    shape, sizes = run.shape, run.sizes
    size = f"{sizes.parameters / 1e6:,.0f} M parameters" if sizes.parameters else "a new model"
    lines = [
        f"backbone: {size}, {sizes.layers} layers, {sizes.hidden} wide",
        f"nested layers {_listed(shape.layers)}; dimensions {_listed(shape.dims)}; ranks {_listed(shape.ranks)}",
    ]
    for stage, mix in zip(run.settings.stages, run.mixes, strict=True):
        rows, datasets = mix.rows("train"), mix.datasets()
        moves = stage.steps or math.ceil((stage.epochs or 0) * rows / stage.batch_size / stage.accumulate)
        lines.append(
            f"{stage.name}: {'' if stage.steps else 'about '}{moves:,} steps of {stage.batch_size} queries out of "
            f"{rows:,} from {len(datasets)} datasets, {mix.rows('documents'):,} documents; "
            f"peak learning rate {peak_rate(stage, sizes):g}"
        )
    return "\n".join(lines)


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
