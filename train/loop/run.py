"""A training run: its key, tokenizer, token stores and model, and where they are kept on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from open_ml_embed.core.devices import require
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import whole_folder, write_whole
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.listing import check_listed, hash_of, is_as_listed, write_listing
from open_ml_embed.core.sealed import seal
from train.config import Pretrained, TrainSettings
from train.config_file import dims_of, layers_of, ranks_of
from train.data.long_texts import CHARACTERS_A_TOKEN
from train.data.mix import Mix
from train.data.token_store import HERE, Store, open_store
from train.data.tokenizer import encoder_of, load_pretrained, load_saved, train_tokenizer, wrap
from train.loop.checkpoint import load_weights
from train.loop.record import (
    REFRESHED,
    VERSION,
    description,
    finished_key,
    key_after,
    key_of,
    made_from,
    mixes_of,
)
from train.model.embedder import Embedder, backbone_config, build_backbone, empty_embedder
from train.model.embedding import nest
from train.model.sizes import Sizes, sizes_of
from train.model.stored_weights import first_state, stored_factors
from train.model.tensor_files import LazyTensor
from train.native import MODEL_LISTING, NATIVE, RUN, TRAINED, UNTRAINED

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast

WEIGHTS = {"trained": TRAINED, "untrained": UNTRAINED}


@dataclass(frozen=True)
class Shape:
    """The nested sizes of a model: depths, prefix dimensions and embedding ranks that it was trained at, ascending."""

    layers: tuple[int, ...]
    dims: tuple[int, ...]
    ranks: tuple[int, ...]


@dataclass(frozen=True)
class Run:
    """A training run, defined by its settings and a work folder; data and models are loaded lazily."""

    settings: TrainSettings
    work: Path
    workers: Workers = HERE
    """Processes that tokenize; results do not depend on them."""

    @cached_property
    def mixes(self) -> tuple[Mix, ...]:
        """The mixes of the stages, in the order of the stages."""
        return mixes_of(self.settings, self.work)

    @cached_property
    def sizes(self) -> Sizes:
        """Sizes of the backbone, read from its configuration."""
        return sizes_of(self.settings.backbone)

    @cached_property
    def shape(self) -> Shape:
        """The nested sizes of the model, known before any weights are read.

        Raises:
            SettingsError: a rank or dimension above the hidden size, or a layer beyond the depth.

        """
        settings, sizes = self.settings, self.sizes
        ranks = ranks_of(settings, sizes.hidden, sizes.embedding_rank)
        return Shape(layers_of(settings, sizes.layers), dims_of(settings, sizes.hidden), ranks)

    @cached_property
    def key(self) -> str:
        """Hash of the settings that training depends on and of all its inputs."""
        return key_of(self.settings, self.mixes, self.work)

    def key_after(self, stages: int) -> str:
        """Return what is recorded as the key of the model after some of the stages."""
        return key_after(self.key, stages)

    def made_from(self, then: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings that training depends on, and hashes of all its inputs.

        Args:
            then: the same for a model that was trained before; inputs that are no longer on this machine keep the
                hashes that they have there. Empty: all inputs must be on this machine.

        Raises:
            StageError: an input is missing.

        """
        return made_from(self.settings, self.mixes, self.work, then)

    @property
    def folder(self) -> Path:
        """Folder of the run's checkpoints and log."""
        return self.work / "runs" / self.key[:16]

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The backbone's tokenizer; that of a new model is trained on all mixes once and kept in the work folder."""
        backbone, length = self.settings.backbone, self.settings.max_length
        if isinstance(backbone, Pretrained):
            return load_pretrained(backbone.path, revision=backbone.revision, max_length=length)
        mixes = {mix.identity: mix for mix in self.mixes}
        made_from = [VERSION, list(mixes), backbone.vocab_size, backbone.tokenizer_texts, length]
        folder = self.work / "tokenizers" / digest(made_from)[:16]
        if not is_as_listed(folder):
            share = -(-backbone.tokenizer_texts // len(mixes))
            # A text's end that no model ever reads need not be in the vocabulary.
            characters = CHARACTERS_A_TOKEN * length
            texts = (text for mix in mixes.values() for text in mix.texts(share, characters=characters))
            trained = train_tokenizer(texts, vocab_size=backbone.vocab_size)
            with whole_folder(folder) as filled:
                wrap(trained, max_length=length).save_pretrained(filled)
                write_listing(filled)
        return load_saved(folder)

    @property
    def dropout(self) -> float:
        """Dropout of the backbone's hidden states while training."""
        backbone = self.settings.backbone
        return backbone.dropout if isinstance(backbone, Pretrained) else 0.0

    def store(self, mix: Mix) -> Store:
        """Return a mix, tokenized for this run."""
        return store_of(mix, self.tokenizer, self.settings, self.work, self.workers)

    def model(self) -> tuple[Embedder, Shape]:
        """Create the untrained model on the device of the settings, and return it with its nested sizes."""
        settings = self.settings
        backbone = build_backbone(settings.backbone, self.tokenizer, max_length=settings.max_length, seed=settings.seed)
        pretrained = settings.backbone if isinstance(settings.backbone, Pretrained) else None
        nest(backbone, self.shape.ranks, None if pretrained is None else stored_factors(pretrained))
        pooling = settings.pooling
        model = Embedder(
            backbone,
            layers=self.shape.layers,
            chunk_tokens=settings.chunk_tokens,
            pooling=pooling,
            dropout=self.dropout,
        )
        return model.to(settings.device), self.shape

    def empty_model(self) -> Embedder:
        """Create the model on the device `meta`, without weights."""
        settings, shape = self.settings, self.shape
        config = backbone_config(settings.backbone, self.tokenizer, max_length=settings.max_length)
        return empty_embedder(
            config,
            layers=shape.layers,
            ranks=shape.ranks,
            chunk_tokens=settings.chunk_tokens,
            pooling=settings.pooling,
            dropout=self.dropout,
        )

    def first_weights(self) -> dict[str, LazyTensor]:
        """Return the weights that training starts from, by the names of the model's state.

        Those of a pretrained backbone are read from its files one by one, so that the whole model is never in memory.

        """
        backbone = self.settings.backbone
        if isinstance(backbone, Pretrained):
            state = first_state(backbone, self.empty_model(), self.shape.ranks)
            if state is not None:
                return state
        model = replace(self, settings=self.settings.model_copy(update={"device": "cpu"})).model()[0]
        return {name: LazyTensor.of(value) for name, value in model.state_dict().items()}


def store_of(
    mix: Mix, tokenizer: PreTrainedTokenizerFast, settings: TrainSettings, work: Path, workers: Workers = HERE
) -> Store:
    """Return a mix as token ids; a mix is tokenized once for each tokenizer, and kept in the work folder."""
    return open_store(mix, encoder_of(tokenizer, max_length=settings.max_length), work / "stores", workers)


def configure(settings: TrainSettings) -> None:
    """Configure torch for reproducible results (threads, seed, deterministic kernels), for the whole process."""
    import transformers

    # Must be set before CUDA is initialized; otherwise deterministic matrix products raise an error.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(settings.seed)
    quiet: Any = transformers.utils.logging.disable_progress_bar
    quiet()


def describe(folder: Path, run: Run, shape: Shape, config: PretrainedConfig, *, until: int | None = None) -> None:
    """Write the configuration of the model and then `run.json`, which marks the run as complete.

    Args:
        folder: the model folder.
        run: the run.
        shape: the nested sizes of the model.
        config: configuration of the backbone.
        until: number of stages that the model was trained in; None: all.

    """
    config.save_pretrained(folder / NATIVE)
    write_listing(folder, MODEL_LISTING, without=REFRESHED)
    settings, backbone = run.settings, run.settings.backbone
    # The path of a folder differs between machines.
    hub = backbone.path if isinstance(backbone, Pretrained) and not Path(backbone.path).is_dir() else None
    data = {
        "key": run.key if until is None else run.key_after(until),
        "made_from": run.made_from({}),
        "shape": asdict(shape),
        "max_length": settings.max_length,
        "pooling": settings.pooling,
        "backbone": hub,
        "instructed": run.mixes[:until][-1].instructed,
        "weights": hash_of(folder, TRAINED, MODEL_LISTING),
        "stages": [
            [stage.name, mix.root.name, len(run.store(mix).train.queries)]
            for stage, mix in list(zip(settings.stages, run.mixes, strict=True))[:until]
        ],
    }
    write_whole(folder / RUN, seal(data, Path(RUN).name))


def shape_of(folder: Path) -> Shape:
    """Return the nested sizes of the finished model in a folder."""
    return Shape(**{name: tuple(values) for name, values in description(folder)["shape"].items()})


def load(
    folder: Path, settings: TrainSettings, *, weights: str = "trained"
) -> tuple[Embedder, Shape, PreTrainedTokenizerFast]:
    """Load a finished model.

    Args:
        folder: the model folder that `fit` wrote.
        settings: gives the device, the precision and the chunk size.
        weights: `trained` or `untrained`.

    Returns:
        The model in evaluation mode, its nested sizes, and its tokenizer.

    Raises:
        StageError: there is no finished run in the folder, or a file of it is damaged.
        SettingsError: the device does not exist on this machine.

    """
    from transformers import AutoConfig

    require(settings.device)
    if finished_key(folder) is None:
        raise StageError("no finished model", where=str(folder), remedy="run `train3d fit` first")
    check_listed(folder, MODEL_LISTING, remedy="run `train3d fit` again: it writes what is damaged")
    shape = shape_of(folder)
    model = empty_embedder(
        AutoConfig.from_pretrained(folder / NATIVE),
        layers=shape.layers,
        ranks=shape.ranks,
        chunk_tokens=settings.chunk_tokens,
        pooling=description(folder)["pooling"],
    )
    load_weights(folder / WEIGHTS[weights], model)
    model.autocast = torch.bfloat16 if settings.arithmetic == "bfloat16" else None
    return model.to(settings.device).eval(), shape, load_saved(folder)
