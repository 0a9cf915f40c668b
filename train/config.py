"""What `<profile>.train` of `params.yaml` may say: frozen models, unknown keys refused with the nearest known one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from open_ml_embed.core.section import Section

SMALLEST_DIM = 8


class RandomQwen3(Section):
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


class Pretrained(Section):
    """A model that transformers' AutoModel loads, say Qwen3 or EuroBERT: a folder, or a Hub repository's revision."""

    kind: Literal["pretrained"]
    path: str
    revision: str | None = None


Size = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(gt=0)]
Sizes = Annotated[
    Annotated[dict[Size, Weight], Tag("weights")] | Annotated[tuple[Size, ...], Tag("sizes")],
    Discriminator(lambda value: "weights" if isinstance(value, dict) else "sizes"),
]
"""Sizes that are trained, as a list, or as a mapping to what each weighs."""
Backbone = Annotated[RandomQwen3 | Pretrained, Field(discriminator="kind")]


class Distillation(Section):
    """A teacher that the model follows beside its own loss; its width, depth and tokenizer are its own."""

    on: Literal["scores", "embeddings"]
    """`scores`: its distribution over a query's candidates. `embeddings`: its vectors, prefix by prefix."""
    teacher: str
    """A sentence-transformers model (a folder or a Hub repository), or a folder of vectors, one a text of the mix."""
    revision: str | None = None
    query_prompt: str = ""
    """What the teacher reads before a query."""
    weight: float = Field(default=1.0, gt=0)
    """Factor of the teacher's term."""
    temperature: float = Field(default=0.05, gt=0)
    """The teacher's scores are divided by it."""


class Objective(Section):
    """Which form of the 3D-ML objective, over which dimensions and layers.

    Each of the three can be switched off: `dims: []` leaves the full width (no MRL), `layers: []` the full depth
    (no MLL), and `ranks: []` beside this section a plain token embedding (no MEL).
    """

    preset: Literal["default", "upstream"] = "default"
    temperature: float = Field(default=0.05, gt=0)
    dims: Sizes | None = None
    """Prefix dimensions, the hidden size always among them; a mapping gives the factors of their losses.
    Null: 8, 16, … below the hidden size, and the hidden size."""
    layers: Sizes | None = None
    """Trained depths, the full depth always among them; a mapping gives their shares in the mean.
    Null: those of 1, 2, 4, 8, 16, 24, 32, 40, 48 below the depth, and the depth."""
    bidirectional: bool = False
    """Retrieval: each positive is asked for its query too, among all queries; the in-batch term is the mean of both."""
    same_side: bool = False
    """Retrieval: other queries are negatives of a query, and with `bidirectional` other positives of a positive."""
    distillation: Distillation | None = None


class Optimizer(Section):
    """AdamW, and where to clip."""

    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = Field(default=0.01, ge=0)
    embedding_rate: float = Field(default=1.0, gt=0)
    """Learning rate of the token embedding, in multiples of the stage's. A new model's embedding wants a higher one:
    its rows are seen rarely, and a rate that moves them fast enough makes the layers above collapse."""
    clip: float = Field(default=1.0, gt=0)


class Negatives(Section):
    """How many stored negatives a query gets in a step, by family; fewer where fewer are stored."""

    retrieval: int = Field(default=7, ge=0)
    clustering: int = Field(default=9, ge=1)
    classification: int = Field(default=1, ge=1)


class Stage(Section):
    """One pass of the optimizer over one mix, with its own learning-rate schedule and optimizer state."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    mix: str
    """A mix of the profile by its name, or any mix's folder, which has a slash in it (relative to the file's own)."""
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    batch_size: int = Field(ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak; null: the published recipe's for the pretrained backbone's size."""
    warmup_steps: int = Field(default=0, ge=0)
    negatives: Negatives = Negatives()
    accumulate: int = Field(default=1, ge=1)
    """Batches whose mean gradient makes up a step. It smooths; it adds no negatives, as each batch is scored by itself.
    A larger `batch_size` adds them, in the same memory."""

    @model_validator(mode="after")
    def _one_length(self) -> Stage:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self


class Evaluation(Section):
    """Which held-out pairs are searched in which pool."""

    mix: str
    """As in `Stage`."""
    queries: int = Field(default=2000, ge=1)
    documents: int | None = Field(default=None, ge=1)
    """Cap on the pool; documents that are the positive of a chosen query always stay. Null: no cap."""
    distractors: int = Field(default=0, ge=0)
    """Further documents of the mix, drawn at random, that no validation row has as its positive."""
    seed: int = 0


class Export(Section):
    """What an exported folder says beyond its weights."""

    prompts: dict[str, str] = {"query": "", "document": ""}


class Memory(Section):
    """What a step may take of a device. It changes no number: cached gradients are those of a step kept whole."""

    caching: Literal["auto", "always", "never"] = "auto"
    """Whether a step is encoded twice, a chunk at a time, instead of kept whole; `auto`: where it does not fit."""
    gib: float | None = Field(default=None, gt=0)
    """What a process may use; null: 90 % of the device's memory, on a CPU divided by the processes."""


class Lora(Section):
    """Train low-rank additions to the layers' matrices (and the token embedding), and nothing else of the backbone."""

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Watching(Section):
    """What is seen of a run while it goes; no number depends on it."""

    tensorboard: bool = False
    """Write scalars to `tensorboard/` in the run's folder."""
    wandb: str | None = None
    """Project to send scalars to."""
    peak_tflops: float | None = Field(default=None, gt=0)
    """What the device can do in the run's precision, for the share of it that is used; null: measured at the start."""


class TrainSettings(Section):
    """The section `train` of a profile."""

    backbone: Backbone
    stages: tuple[Stage, ...] = Field(min_length=1)
    evaluation: Evaluation
    objective: Objective = Objective()
    optimizer: Optimizer = Optimizer()
    export: Export = Export()
    watching: Watching = Watching()
    ranks: tuple[int, ...] | None = None
    """Embedding ranks, the largest being stored; null: 64, 128, … up to the hidden size's half, 512 at most.
    Empty, or the hidden size alone: a plain embedding, not nested."""
    max_length: int = Field(default=1024, ge=2)
    """Tokens a text, the end-of-text token included."""
    seed: int = 0
    threads: int = Field(default=2, ge=1)
    """CPU threads. Sums are split by it, so it is part of what a result depends on."""
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the backbone's arithmetic; weights, their updates and the loss are float32 either way."""
    chunk_tokens: int = Field(default=8192, ge=1)
    """Tokens that go through the backbone at once."""
    compile: bool = False
    """Compile each layer; worth its minute on CUDA."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """With several processes: each holds the whole model, or a shard of it."""
    memory: Memory = Memory()
    lora: Lora | None = None
    checkpoint_every: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _distinct_stages(self) -> TrainSettings:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("stages must have different names")
        return self
