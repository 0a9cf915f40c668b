"""What `<profile>.train` of `params.yaml` may say: frozen models, unknown keys refused with the nearest known one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sources.errors import SettingsError, UnknownNameError

SMALLEST_DIM = 8
LAYER_SET = (1, 2, 4, 8, 16, 24, 32, 40, 48)
SMALLEST_RANK = 64


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RandomQwen3(_Section):
    """A Qwen3-architecture model made on the spot: its own tokenizer, random weights."""

    kind: Literal["random-qwen3"]
    vocab_size: int = Field(default=16384, ge=300)
    hidden_size: int = Field(default=128, ge=SMALLEST_DIM)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=2, ge=1)
    kv_heads: int = Field(default=1, ge=1)
    head_dim: int = Field(default=64, ge=2)
    intermediate_size: int = Field(default=384, ge=1)
    tokenizer_texts: int = Field(default=200_000, ge=1)
    """The tokenizer is trained on at most so many documents and queries, evenly spaced over the mixes."""


class Pretrained(_Section):
    """A decoder that transformers' AutoModel loads: a folder, or a Hub repository at a revision."""

    kind: Literal["pretrained"]
    path: str
    revision: str | None = None


Backbone = Annotated[RandomQwen3 | Pretrained, Field(discriminator="kind")]


class Objective(_Section):
    """Which form of the 3D-ML objective, over which dimensions and layers."""

    preset: Literal["default", "upstream"] = "default"
    temperature: float = Field(default=0.05, gt=0)
    dims: tuple[int, ...] | None = None
    """Prefix dimensions; null: 8, 16, … below the hidden size, and the hidden size."""
    layers: tuple[int, ...] | None = None
    """Null: those of 1, 2, 4, 8, 16, 24, 32, 40, 48 below the depth, and the depth."""


class Optimiser(_Section):
    """AdamW, and where to clip."""

    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = Field(default=0.01, ge=0)
    embedding_rate: float = Field(default=1.0, gt=0)
    """Learning rate of the token embedding, in multiples of the stage's. A new model's embedding wants a higher one:
    its rows are seen rarely, and a rate that moves them fast enough makes the layers above collapse."""
    clip: float = Field(default=1.0, gt=0)


class Negatives(_Section):
    """How many stored negatives a query gets in a step, by family; fewer where fewer are stored."""

    retrieval: int = Field(default=7, ge=0)
    clustering: int = Field(default=9, ge=1)
    classification: int = Field(default=1, ge=1)


class Stage(_Section):
    """One pass of the optimiser over one mix, with its own learning-rate schedule and optimiser state."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    mix: str
    """Folder of the mix."""
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    negatives: Negatives = Negatives()

    @model_validator(mode="after")
    def _one_length(self) -> Stage:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self


class Evaluation(_Section):
    """Which held-out pairs are searched in which pool."""

    mix: str
    queries: int = Field(default=2000, ge=1)
    documents: int | None = Field(default=None, ge=1)
    """Cap on the pool; documents that are the positive of a chosen query always stay. Null: no cap."""
    distractors: int = Field(default=0, ge=0)
    """Further documents of the mix, drawn at random, that no validation row has as its positive."""
    seed: int = 0


class Export(_Section):
    """What an exported folder says beyond its weights."""

    prompts: dict[str, str] = {"query": "", "document": ""}


class TrainSettings(_Section):
    """The section `train` of a profile."""

    backbone: Backbone
    stages: tuple[Stage, ...] = Field(min_length=1)
    evaluation: Evaluation
    objective: Objective = Objective()
    optimiser: Optimiser = Optimiser()
    export: Export = Export()
    ranks: tuple[int, ...] | None = None
    """Embedding ranks, the largest being stored; null: 64, 128, … up to the hidden size's half, 512 at most."""
    max_length: int = Field(default=1024, ge=2)
    """Tokens a text, the end-of-text token included."""
    seed: int = 0
    threads: int = Field(default=2, ge=1)
    """CPU threads. Sums are split by it, so it is part of what a result depends on."""
    device: str = "cpu"
    chunk_tokens: int = Field(default=4096, ge=1)
    """Padded tokens that go through the backbone at once."""
    checkpoint_every: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _distinct_stages(self) -> TrainSettings:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("stages must have different names")
        return self


def dims_of(settings: TrainSettings, hidden_size: int) -> tuple[int, ...]:
    """Return the prefix dimensions, ascending, ending in the hidden size.

    Raises:
        SettingsError: a given dimension is larger than the hidden size.

    """
    chosen = settings.objective.dims
    if chosen is None:
        doubling = [SMALLEST_DIM << i for i in range(hidden_size.bit_length()) if SMALLEST_DIM << i < hidden_size]
        return (*doubling, hidden_size)
    return _nested("objective.dims", chosen, hidden_size)


def layers_of(settings: TrainSettings, depth: int) -> tuple[int, ...]:
    """Return the trained depths, ascending, ending in the backbone's own.

    Raises:
        SettingsError: a given layer is deeper than the backbone.

    """
    chosen = settings.objective.layers
    if chosen is None:
        return (*(layer for layer in LAYER_SET if layer < depth), depth)
    return _nested("objective.layers", chosen, depth)


def ranks_of(settings: TrainSettings, hidden_size: int) -> tuple[int, ...]:
    """Return the embedding ranks, ascending; the last is the rank stored.

    Raises:
        SettingsError: a given rank is larger than the hidden size.

    """
    if settings.ranks is None:
        largest = max(min(512, hidden_size // 2), min(SMALLEST_RANK, hidden_size))
        return (*range(SMALLEST_RANK, largest, SMALLEST_RANK), largest)
    ranks = tuple(sorted(set(settings.ranks)))
    if not ranks or not 1 <= ranks[0] <= ranks[-1] <= hidden_size:
        raise SettingsError(f"{settings.ranks} are no ranks of a {hidden_size} wide embedding", where="train.ranks")
    return ranks


def _nested(where: str, chosen: tuple[int, ...], full: int) -> tuple[int, ...]:
    nested = tuple(sorted({*chosen, full}))
    if nested[-1] > full or nested[0] < 1:
        raise SettingsError(f"{chosen} must lie between 1 and {full}", where=f"train.{where}")
    return nested


def load_settings(path: Path, profile: str | None) -> tuple[str, TrainSettings]:
    """Read the `train` section of one profile.

    Args:
        path: `params.yaml`.
        profile: its name; null takes the file's `profile` entry.

    Returns:
        The profile's name and its settings.

    Raises:
        SettingsError: no such file, not YAML, no `train` section, or a value or key that it refuses.
        UnknownNameError: no such profile.

    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError("no such file", where=str(path), remedy="run from the checkout, or give --params") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"not YAML: {error}", where=str(path)) from None
    profiles = {key: value for key, value in (data or {}).items() if isinstance(value, dict)}
    name = profile or str((data or {}).get("profile", "sample"))
    if name not in profiles:
        raise UnknownNameError("profile", name, profiles, where=str(path))
    if not profiles[name].get("train"):
        raise SettingsError("this profile trains nothing", where=f"{path}: {name}", remedy=f"add `{name}.train`")
    try:
        return name, TrainSettings.model_validate(profiles[name]["train"])
    except ValidationError as error:
        raise _explained(error, f"{path}: {name}.train") from None


def _explained(error: ValidationError, where: str) -> SettingsError:
    """Turn the first thing pydantic refuses into our own error."""
    first = error.errors()[0]
    place = ".".join([where, *(str(part) for part in first["loc"])])
    if first["type"] != "extra_forbidden":
        return SettingsError(f"{first['msg']} (got {first['input']!r})", where=place)
    key = str(first["loc"][-1])
    known = sorted(_fields_at(TrainSettings, first["loc"][:-1]))
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(known)}"
    return SettingsError(f"unknown setting {key!r}", where=place, remedy=remedy)


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> Iterator[str]:
    """Yield the fields of the model that stands at `loc` below `model`."""
    if not loc:
        yield from model.model_fields
        return
    part, rest = loc[0], loc[1:]
    below: list[Any] = [model.model_fields[part].annotation] if part in model.model_fields else []
    while below:
        annotation = below.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            # A union's tag and a tuple's index are part of the place but not fields: step over them.
            yield from _fields_at(annotation, tuple(p for p in rest if p in annotation.model_fields))
        below.extend(get_args(annotation))
