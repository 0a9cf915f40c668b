"""What is refused before a weight is read: sizes that do not nest, texts without an end, mixes that teach nothing."""

from __future__ import annotations

import math

from open_ml_embed.core.devices import present
from open_ml_embed.core.errors import SettingsError, StageError
from train.config import Pretrained, Stage
from train.data.mix import Mix
from train.data.tokenizer import encoder_of
from train.loop.run import Run
from train.model.sizes import Sizes

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
        StageError: a mix is missing, holds nothing to train on, or breaks its contract (see
            `train.data.tokenize.tokenize`).

    """
    sizes, backbone = run.sizes, run.settings.backbone
    assert run.shape
    for stage in run.settings.stages:
        peak_rate(stage, sizes)
    for mix in run.mixes:
        _filled(mix)
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
        CorpusError: see `check`; what only the texts show is not looked for. A device that is not here is said and
            not refused: such questions are asked where jobs are sent from.

    """
    shape, sizes = run.shape, run.sizes
    size = f"{sizes.parameters / 1e6:,.0f} M parameters" if sizes.parameters else "a new model"
    lines = [
        f"backbone: {size}, {sizes.layers} layers, {sizes.hidden} wide",
        f"nested layers {_listed(shape.layers)}; dimensions {_listed(shape.dims)}; ranks {_listed(shape.ranks)}",
    ]
    for stage, mix in zip(run.settings.stages, run.mixes, strict=True):
        rows, datasets = _filled(mix), mix.datasets()
        moves = stage.steps or math.ceil((stage.epochs or 0) * rows / stage.batch_size / stage.accumulate)
        lines.append(
            f"{stage.name}: {'' if stage.steps else 'about '}{moves:,} steps of {stage.batch_size} queries out of "
            f"{rows:,} from {len(datasets)} datasets, {mix.rows('documents'):,} documents; "
            f"peak learning rate {peak_rate(stage, sizes):g}"
        )
    if not present(run.settings.device):
        lines.append(f"device: there is no {run.settings.device} on this machine; without --dry-run it is refused here")
    return "\n".join(lines)


def _filled(mix: Mix) -> int:
    """Return how many samples a mix has to train on.

    Raises:
        StageError: none.

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
