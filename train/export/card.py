"""The model card of an export: what it is, how to load it, which smaller sizes it holds, and its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from train.export.export import Cut, Mode

TAGS = ["sentence-transformers", "feature-extraction", "sentence-similarity", "matryoshka", "3d-ml"]


POOLED = {"last": "last token (end of text)", "mean": "mean of all tokens", "cls": "first token"}


@dataclass(frozen=True)
class Card:
    """The data of a model card.

    Attributes:
        name: name of the model.
        backbone: Hub name of the backbone; None for a new or local one.
        stages: name, mix and number of queries of each stage.
        layers: depth of this export.
        dims: prefix dimensions that vectors may be truncated to; the last is that of the export.
        rank: rank of the token embedding.
        max_length: maximum number of tokens per text.
        pooling: what becomes the vector of a text.
        efficient: whether the token embedding is stored as two factors.
        prompts: prompts by name.
        evaluation: the report of `train3d evaluate` for the model, if there is one.

    """

    name: str
    backbone: str | None
    stages: Sequence[tuple[str, str, int]]
    layers: int
    dims: Sequence[int]
    rank: int
    max_length: int
    pooling: str
    efficient: bool
    prompts: Mapping[str, str]
    evaluation: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        name: str,
        description: Mapping[str, Any],
        cut: Cut,
        mode: Mode,
        prompts: Mapping[str, str],
        evaluation: Mapping[str, Any] | None = None,
    ) -> Card:
        """Return the card of a cut of a finished run; `description` is what `train.loop.run.describe` wrote."""
        return cls(
            name,
            backbone=description["backbone"],
            stages=description["stages"],
            layers=cut.layers,
            dims=[dim for dim in description["shape"]["dims"] if dim <= cut.dim],
            rank=cut.rank,
            max_length=description["max_length"],
            pooling=description["pooling"],
            efficient=mode == "efficient",
            prompts=prompts,
            evaluation=evaluation,
        )

    def markdown(self) -> str:
        """Return the card as Markdown with a YAML front matter."""
        head: dict[str, Any] = {"library_name": "sentence-transformers", "pipeline_tag": "sentence-similarity"}
        head |= {"tags": TAGS} | ({"base_model": self.backbone} if self.backbone else {})
        parts = [f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n", f"# {self.name}\n", self._what(), self._use()]
        if self.evaluation:
            parts.append(self._figures(self.evaluation))
        return "\n".join(parts)

    def _what(self) -> str:
        rows = [
            ("layers", self.layers),
            ("dimensions", self.dims[-1]),
            ("may be cut to", ", ".join(map(str, self.dims[:-1])) or "nothing smaller"),
            ("rank of the token embedding", f"{self.rank}{', stored as two factors' if self.efficient else ''}"),
            ("tokens a text", self.max_length),
            ("pooling", f"{POOLED[self.pooling]}, unit length"),
            ("similarity", "cosine"),
            *((f"prompt `{name}`", f"`{prompt!r}`") for name, prompt in self.prompts.items() if prompt),
        ]
        table = "\n".join(f"| {name} | {value} |" for name, value in rows)
        stages = "\n".join(f"- {stage}: {queries:,} queries of the {mix} mix" for stage, mix, queries in self.stages)
        return (
            "Text embeddings, trained with 3-dimensional Matryoshka learning: nested embedding ranks, layers and "
            f"dimensions.\n\n| | |\n| --- | --- |\n{table}\n\nTrained on\n\n{stages}\n"
        )

    def _use(self) -> str:
        register = "import open_ml_embed.factorized  # makes the model type known\n" if self.efficient else ""
        without = ""
        if self.efficient:
            without = (
                "\nThe token embedding is stored as two factors, which is a model type of its own. "
                "`pip install 'open-ml-embed[train]'` brings it, and the import above makes it known to transformers "
                "too. Without that package, load the model with `trust_remote_code=True`: the code is in this folder.\n"
            )
        smaller = ""
        if len(self.dims) > 1:
            smaller = (
                f'\nsmall = SentenceTransformer("{self.name}", truncate_dim={self.dims[-2]})\n'
                "small.encode(texts, normalize_embeddings=True)  # a cut vector has to be normalized again\n"
            )
        return (
            f"## Use\n\n```python\n{register}from sentence_transformers import SentenceTransformer\n\n"
            f'model = SentenceTransformer("{self.name}")\ntexts = ["how tall is a giraffe", "giraffes grow to 5 m"]\n'
            f"model.similarity(model.encode_query(texts[:1]), model.encode_document(texts[1:]))\n{smaller}```\n"
            f"{without}"
        )

    def _figures(self, evaluation: Mapping[str, Any]) -> str:
        cells = [c for c in evaluation["trained"] if (c["layers"], c["rank"]) == (self.layers, self.rank)]
        cells = [c for c in cells if c["dim"] in self.dims]
        if not cells:
            return ""
        metrics = [name for name in cells[0] if name not in ("layers", "dim", "rank")]
        head = f"| dimensions | {' | '.join(metrics)} |\n| --- |{' --- |' * len(metrics)}\n"
        rows = "".join(f"| {c['dim']} | {' | '.join(f'{c[m]:.4f}' for m in metrics)} |\n" for c in cells)
        return (
            f"## Evaluation\n\nHeld-out pairs of the training mix: {evaluation['queries']:,} queries in "
            f"{evaluation['documents']:,} documents (`train3d evaluate`).\n\n{head}{rows}"
        )
