"""Publishes a model folder as a model of the Hub: everything that loads it, and a card with what the Hub reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from curation.mixing.files import MixFiles
from curation.publish.private import check_texts
from curation.publish.upload import File, Published, Repository, content_of, publish, sizes_of
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.listing import check_listed
from open_ml_embed.core.optional import check_installed
from train.loop.record import CARD
from train.native import MODEL_LISTING, UNTRAINED

TEXTS = (".json", ".md", ".py", ".txt", ".jinja")
"""Endings of the files that are looked through for paths and tokens."""
FOLDERS = ("train3d/", "1_Pooling/", "2_Dense/", "3_Normalize/", "onnx/", "gguf/", "model-")
"""What an earlier publication may have left that a later one does not have."""
CODE_LENGTH = 3
UNDETERMINED = "und"
METRICS = {"ndcg@10": "ndcg_at_10", "mrr@10": "mrr_at_10", "accuracy@1": "accuracy_at_1"}
"""Our names → those of MTEB and the Hub."""


@dataclass(frozen=True)
class Facts:
    """What the card of a published model says besides the card of its folder.

    Attributes:
        license: identifier of the Hub, such as apache-2.0.
        datasets: repositories of the mixes that it was trained on.
        languages: ISO 639-3 codes of those mixes.
        evaluation: the report of `train3d evaluate` on the model, if there is one.
        mix: name of the mix of the evaluation.

    """

    license: str
    datasets: Sequence[str] = ()
    languages: Sequence[str] = ()
    evaluation: Mapping[str, Any] | None = None
    mix: str = ""


def publish_model(folder: Path, to: Repository, facts: Facts, *, root: Path, dry_run: bool = False) -> Published:
    """Publish a model folder or an export.

    Args:
        folder: with its card, README.md.
        to: the repository, which is made if it is not there.
        facts: for the card.
        root: the folder of the settings file, whose path must not leave this machine.
        dry_run: return what would be uploaded; nothing is sent or asked.

    Raises:
        StageError: the folder holds no model.
        DamagedFileError: a file of it is not as it was written.
        PublishError: the Hub refuses, or a text holds a path or a token.
        TransientError: the Hub may answer later.

    """
    check_installed("huggingface_hub", what="publishing", where=to.where)
    if not (folder / CARD).is_file() or not (folder / "config.json").is_file():
        what = "no model: there is no config.json with a README.md"
        raise StageError(what, where=str(folder), remedy="run `train3d fit` or `train3d export` first")
    check_listed(folder, MODEL_LISTING, remedy="run `train3d fit` again: it writes what is damaged")
    files: dict[str, File] = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    files.pop(UNTRAINED, None)
    card = published_card((folder / CARD).read_text("utf-8"), folder.resolve().name, to.name, facts)
    files[CARD] = card.encode()
    texts = {name: content_of(file) for name, file in files.items() if name.endswith(TEXTS)}
    check_texts(texts, root, to.where)
    if dry_run:
        return Published(to.name, sizes_of(files))
    return publish(to, files, message=f"Model {folder.resolve().name}", folders=FOLDERS)


def published_card(card: str, name: str, repository: str, facts: Facts) -> str:
    """Return the card of a folder with the fields that the Hub reads, and with the name it is loaded by there."""
    _, front, body = card.split("---\n", 2)
    fields: dict[str, Any] = yaml.safe_load(front)
    fields["license"] = facts.license
    if facts.languages:
        fields["language"] = sorted(set(facts.languages))
    if facts.datasets:
        fields["datasets"] = list(facts.datasets)
    if facts.evaluation:
        results = _results(facts.evaluation, facts.mix)
        fields |= {"metrics": [metric["type"] for metric in results[0]["metrics"]]}
        fields |= {"model-index": [{"name": repository.rpartition("/")[2], "results": results}]}
    body = body.replace(f'SentenceTransformer("{name}"', f'SentenceTransformer("{repository}"')
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---\n{body}"


def _results(evaluation: Mapping[str, Any], mix: str) -> list[dict[str, Any]]:
    """Return the metrics of the full model, as the Hub's model-index has them."""
    full = evaluation["trained"][-1]
    metrics = [
        {"type": METRICS.get(name, name), "value": round(value, 5)}
        for name, value in full.items()
        if name not in ("layers", "dim", "rank")
    ]
    held_out = {"name": f"held-out pairs of the mix {mix}", "type": f"open-ml-embed/{mix}", "split": "validation"}
    return [{"task": {"type": "Retrieval"}, "dataset": held_out, "metrics": metrics}]


def languages_of(mixes: Sequence[Path]) -> list[str]:
    """Return the natural languages of the training samples of mixes: ISO 639-3, sorted."""
    found: set[str] = set()
    for mix in mixes:
        for batch in MixFiles(mix).read("train", ["language", "positive_language"]):
            found |= {*batch["language"].unique().to_pylist(), *batch["positive_language"].unique().to_pylist()}
    return sorted(code for code in found if len(code) == CODE_LENGTH and code.isalpha() and code != UNDETERMINED)
