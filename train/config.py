"""The settings of `<profile>.train` in `params.yaml`, as frozen pydantic models that refuse unknown keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from open_ml_embed.core.section import Section

SMALLEST_DIM = 8


class RandomQwen3(Section):
    """A new model of the Qwen3 architecture: random weights, and a tokenizer that is trained on the mixes."""

    kind: Literal["random-qwen3"]
    vocab_size: int = Field(default=16384, ge=300)
    """Entries of the tokenizer that is trained."""
    hidden_size: int = Field(default=128, ge=SMALLEST_DIM)
    """Dimensions of hidden states and of vectors."""
    layers: int = Field(default=4, ge=1)
    """Number of layers."""
    heads: int = Field(default=2, ge=1)
    """Attention heads."""
    kv_heads: int = Field(default=1, ge=1)
    """Heads of keys and values; a divisor of `heads`."""
    head_dim: int = Field(default=64, ge=2)
    """Dimensions of each head."""
    intermediate_size: int = Field(default=384, ge=1)
    """Width of the feed-forward part."""
    tokenizer_texts: int = Field(default=200_000, ge=1)
    """Maximum number of documents and queries that the tokenizer is trained on, evenly spaced over the mixes."""


class Pretrained(Section):
    """A model that transformers' AutoModel loads: a folder, or a Hub repository.

    Qwen3 and EuroBERT, or a BERT-like encoder: ModernBERT (mmBERT is one), BERT, RoBERTa, XLM-RoBERTa.
    """

    kind: Literal["pretrained"]
    path: str
    """A folder, or a repository of the Hub."""
    revision: str | None = None
    """Revision of the repository; null: its default branch."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of hidden states while training, in backbones that have some (BERT, RoBERTa, XLM-RoBERTa, ModernBERT).
    It replaces what the backbone's configuration says. Attention weights get none."""


Precision = Literal["float32", "bfloat16"]
PoolingMode = Literal["last", "mean", "cls"]
Size = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(gt=0)]
Sizes = Annotated[
    Annotated[dict[Size, Weight], Tag("weights")] | Annotated[tuple[Size, ...], Tag("sizes")],
    Discriminator(lambda value: "weights" if isinstance(value, dict) else "sizes"),
]
"""Trained sizes: a list, or a mapping from each size to the weight of its loss."""
Backbone = Annotated[RandomQwen3 | Pretrained, Field(discriminator="kind")]


class Distillation(Section):
    """Knowledge distillation, added to the contrastive loss. The teacher may have any width, depth and tokenizer."""

    on: Literal["scores", "embeddings", "states"]
    """`scores`: match its softmax over a query's candidates. `embeddings`: match its vectors, prefix by prefix.
    `states`: match its hidden states, depth by depth, as published; the teacher then has the student's tokenizer."""
    teacher: str
    """A sentence-transformers model (a folder or a Hub repository), or a folder of vectors of the mix's texts. For
    `states`: a backbone, such as an export of this project."""
    revision: str | None = None
    """Revision of the teacher's repository; null: its default branch."""
    query_prompt: str = ""
    """Text put before every query that the teacher encodes; not for `states`, where it reads the student's tokens."""
    weight: float = Field(default=1.0, gt=0)
    """Weight of the distillation loss."""
    temperature: float = Field(default=0.05, gt=0)
    """Temperature that the teacher's scores are divided by."""
    live: bool = True
    """`states` only: the teacher reads every batch, as published. False: the states of all texts are computed once and
    kept as float16, 2 bytes for each text, depth and dimension. Vectors and scores are always computed once."""
    stages: tuple[str, ...] | None = None
    """Names of the stages that have the teacher; published: the second one. Null: all."""

    @model_validator(mode="after")
    def _no_prompt_for_states(self) -> Distillation:
        if self.on == "states" and self.query_prompt:
            raise ValueError("with `on: states` the teacher reads the student's tokens, without a query_prompt")
        return self


class Objective(Section):
    """The 3D-ML objective: preset, prefix dimensions, depths and optional terms.

    Each of the three kinds of nesting can be switched off. `dims: []` trains the full width only (no MRL),
    `layers: []` the full depth only (no MLL), and `ranks: []` (beside this section) a plain token embedding (no MEL).
    """

    preset: Literal["default", "upstream"] = "default"
    """`default`: the computation of this project; `upstream`: that of the public trainer, for parity."""
    temperature: float = Field(default=0.05, gt=0)
    """Scores (cosines) are divided by it."""
    dims: Sizes | None = None
    """Prefix dimensions; the hidden size is always added. A mapping gives the weight of each dimension's loss.
    Null: 8, 16, 32, … below the hidden size, and the hidden size."""
    layers: Sizes | None = None
    """Trained depths; the full depth is always added. A mapping gives the share of each depth in the mean.
    Null: all of 1, 2, 4, 8, 16, 24, 32, 40, 48 below the full depth, and the full depth."""
    bidirectional: bool = False
    """Retrieval: also score each positive against all queries; the in-batch term is the mean of both directions."""
    same_side: bool = False
    """Retrieval: other queries are negatives of a query; with `bidirectional`, also other positives of a positive."""
    distillation: Distillation | None = None


OptimizerName = Literal[
    "adamw",
    "torchao.AdamW8bit",
    "torchao.AdamW4bit",
    "torchao.AdamWFp8",
    "bitsandbytes.AdamW8bit",
    "bitsandbytes.PagedAdamW8bit",
]


class Optimizer(Section):
    """The optimizer and gradient clipping."""

    name: OptimizerName = "adamw"
    """`adamw` is torch's, with moments in float32. The others keep them in 4 or 8 bits, and are classes of the package
    that their name begins with (`pip install 'open-ml-embed[torchao]'` or `[bitsandbytes]`)."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Decay of the running means of gradients and of their squares."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of all matrices, the embedding among them; norms and biases have none."""
    embedding_rate: float = Field(default=1.0, gt=0)
    """Learning rate of the token embedding, as a multiple of the stage's. A new model's embedding needs a higher rate,
    because each of its rows gets few updates; the same rate for the layers would make them collapse."""
    clip: float = Field(default=1.0, gt=0)
    """Maximum norm of the gradient of a step."""


class Negatives(Section):
    """Hard negatives per query and step, by family; a query with fewer stored negatives gets all of them."""

    retrieval: int = Field(default=7, ge=0)
    """In retrieval batches."""
    clustering: int = Field(default=9, ge=1)
    """In clustering batches."""
    classification: int = Field(default=1, ge=1)
    """In classification batches."""


class Sampling(Section):
    """How often datasets are drawn. By default every sample is trained on once an epoch."""

    temperature: float = Field(default=1.0, ge=1)
    """A dataset's share of the batches is proportional to the `1 / temperature` power of its size: 1 is by size, and
    the higher it is, the more alike are large and small datasets."""
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Factors of the shares by source, or by `source/subset`; others have 1, and 0 leaves a dataset out."""


class Schedule(Section):
    """How the learning rate of a stage goes on after its warm-up."""

    kind: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    """`cosine` and `linear` fall over the whole stage; `constant` stays at the peak; `wsd` (warm-up, stable, decay)
    stays there and falls linearly at the end."""
    floor: float = Field(default=0.0, ge=0, lt=1)
    """Lowest rate that it falls to, as a share of the peak."""
    decay: float = Field(default=0.1, gt=0, le=1)
    """Share of the stage's steps over which `wsd` falls."""


class Stage(Section):
    """A training stage: a mix, a length and a batch size, with its own learning-rate schedule and optimizer."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    """Name of the stage; unique in a run."""
    mix: str
    """Name of a mix of the profile, or a folder: a value with a slash, relative to the settings file."""
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps; give this or `epochs`."""
    epochs: float | None = Field(default=None, gt=0)
    """Passes over the mix; give this or `steps`."""
    batch_size: int = Field(ge=1)
    """Queries per batch."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate. Null: the published recipe's rate for the size of the pretrained backbone."""
    warmup_steps: int = Field(default=0, ge=0)
    """Optimizer steps of linear warm-up."""
    schedule: Schedule = Schedule()
    negatives: Negatives = Negatives()
    sampling: Sampling = Sampling()
    accumulate: int = Field(default=1, ge=1)
    """Gradient accumulation: batches per optimizer step, their gradients averaged. It adds no in-batch negatives: each
    batch is scored by itself. A larger `batch_size` adds them and needs no more memory."""

    @model_validator(mode="after")
    def _one_length(self) -> Stage:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self


class Evaluation(Section):
    """Evaluation on held-out pairs: which queries are searched in which pool of documents."""

    mix: str
    """As `mix` of a stage."""
    queries: int = Field(default=2000, ge=1)
    """Maximum number of held-out queries."""
    documents: int | None = Field(default=None, ge=1)
    """Cap on the pool; the positives of the chosen queries always stay. Null: no cap."""
    distractors: int = Field(default=0, ge=0)
    """Number of extra documents, drawn at random from those that are the positive of no held-out row."""
    seed: int = 0
    """Seed of the random choice of queries and documents."""


class Validation(Section):
    """Evaluation while training, on the held-out samples of the stage's mix: nDCG@10 of each dataset, and its mean."""

    every: int = Field(ge=1)
    """Batches between two evaluations; the end of a stage is evaluated too."""
    queries: int = Field(default=100, ge=1)
    """Maximum number of held-out queries of each dataset."""
    seed: int = 0
    """Seed of the random choice of queries."""
    best: bool = True
    """At the end of a stage, go back to the weights of its best evaluation, and export and train on with these."""
    patience: int | None = Field(default=None, ge=1)
    """End a stage after so many evaluations in a row without a better one. Null: never."""


class Export(Section):
    """What is written into an exported folder besides the model."""

    prompts: dict[str, str] | None = None
    """Prompts by name; the text is put before every text that is encoded under that name. Null: `document` is empty;
    `query` is the layout of the mix, `Instruct: …` newline `Query: `, with a general instruction, if the model is
    trained with instructions, and otherwise empty."""
    stages: bool = True
    """Also write the model after each stage but the last, into `model-stages/<stage>` beside the finished model."""


class Memory(Section):
    """Device memory that a step may use. Results do not depend on it: cached gradients are exact."""

    caching: Literal["auto", "always", "never"] = "auto"
    """Gradient caching, which encodes a step twice, chunk by chunk. `auto`: where a step does not fit otherwise."""
    gib: float | None = Field(default=None, gt=0)
    """GiB that one process may use. Null: 90 % of the memory of its GPU, or of the machine divided by the processes."""


class Lora(Section):
    """LoRA: train low-rank updates of the layers' matrices, and the token embedding; freeze all other weights."""

    dora: bool = False
    """DoRA: also train the length of each row of the matrices (Liu et al. 2024, arXiv:2402.09353)."""
    embedding: bool = True
    """Train the token embedding. False is for a plain one (`ranks: []`): ranks become nested only by training."""
    rank: int = Field(default=16, ge=1)
    """Rank of the updates."""
    alpha: float = Field(default=32, gt=0)
    """Updates are scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the updates."""


class Watching(Section):
    """Monitoring of a run. It does not change results."""

    tensorboard: bool = False
    """Write scalars to `tensorboard/` in the folder of the run."""
    wandb: str | None = None
    """Name of the Weights & Biases project that scalars are sent to."""
    peak_tflops: float | None = Field(default=None, gt=0)
    """Peak TFLOP/s of the device in the precision of the run, for MFU. Null: measured when the run starts."""


class TrainSettings(Section):
    """The section `train` of a profile."""

    backbone: Backbone
    stages: tuple[Stage, ...] = Field(min_length=1)
    evaluation: Evaluation
    validation: Validation | None = None
    objective: Objective = Objective()
    optimizer: Optimizer = Optimizer()
    export: Export = Export()
    watching: Watching = Watching()
    ranks: tuple[int, ...] | None = None
    """Ranks of the token embedding; the largest is stored. Null: the published ones, which are 64, 128, 256, 512, or
    below a hidden size of 512 the doublings of 64 and the hidden size. Each step draws one rank, with probability
    proportional to it. An empty list, or the hidden size alone: a plain embedding, not nested."""
    pooling: PoolingMode = "last"
    """What becomes the vector of a text: the state of its `last` token (end of text), the `mean` of the states of all
    its tokens, or the state of its first token (`cls`), for bidirectional backbones whose tokenizer adds one, such as
    BERT-like encoders."""
    max_length: int = Field(default=1024, ge=2)
    """Maximum number of tokens per text, including the end-of-text token."""
    seed: int = 0
    """Seed of new weights, batches, drawn ranks and dropout."""
    threads: int = Field(default=2, ge=1)
    """CPU threads. The number decides how sums are split, so the last bits of results depend on it."""
    device: str = "cpu"
    """`cpu`, `cuda`, or one GPU such as `cuda:1`."""
    precision: Precision | None = None
    """Precision of the backbone's arithmetic, in training and evaluation; weights, their updates and the loss are
    float32 in both cases. Null: bfloat16 on CUDA, where the attention kernel needs it, and float32 elsewhere."""
    chunk_tokens: int = Field(default=8192, ge=1)
    """Number of tokens that go through the backbone at once."""
    prefetch: int = Field(default=2, ge=0)
    """Batches that a thread reads ahead of the step that needs them; 0: none. It changes no number."""
    compile: bool = False
    """Compile each layer with `torch.compile`; takes about a minute and pays off on CUDA."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """With several processes: `ddp` keeps the whole model in each, `fsdp` a shard of it."""
    memory: Memory = Memory()
    lora: Lora | None = None
    checkpoint_every: int = Field(default=100, ge=1)
    """Batches between two checkpoints; a checkpoint is only written after a whole optimizer step."""
    checkpoint_async: bool = False
    """Write checkpoints in a thread while training goes on. A copy of weights and moments is in the host's memory
    meanwhile: three times the trained weights, with `fsdp` divided by the processes."""
    checkpoints_kept: int = Field(default=2, ge=1)
    """Number of latest checkpoints that are kept."""
    checkpoints_averaged: int | None = Field(default=None, ge=2)
    """Export the mean of the weights of so many latest checkpoints of the last stage, at most `checkpoints_kept`.
    Null: the last weights."""

    @property
    def arithmetic(self) -> Precision:
        """Precision of the backbone's arithmetic on the device of these settings."""
        if self.precision is not None:
            return self.precision
        return "bfloat16" if self.device.startswith("cuda") else "float32"

    @model_validator(mode="after")
    def _distinct_stages(self) -> TrainSettings:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("stages must have different names")
        return self

    @model_validator(mode="after")
    def _nested_ranks_are_trained(self) -> TrainSettings:
        if self.lora is not None and not self.lora.embedding and self.ranks != ():
            raise ValueError("lora.embedding: false needs a plain token embedding; set `ranks: []` beside it")
        return self

    @model_validator(mode="after")
    def _known_stages(self) -> TrainSettings:
        distillation = self.objective.distillation
        unknown = sorted(set((distillation and distillation.stages) or ()) - {stage.name for stage in self.stages})
        if unknown:
            names = ", ".join(stage.name for stage in self.stages)
            raise ValueError(f"objective.distillation.stages: there is no stage {unknown[0]}; there are {names}")
        return self

    @model_validator(mode="after")
    def _enough_checkpoints(self) -> TrainSettings:
        if (self.checkpoints_averaged or 0) > self.checkpoints_kept:
            raise ValueError("checkpoints_averaged is more than checkpoints_kept; raise the latter")
        return self
