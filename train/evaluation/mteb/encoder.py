"""An exported model as an MTEB encoder, with the prompts that it was trained with."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from open_ml_embed.core.errors import SettingsError
from train.evaluation.mteb.catalog import installed_mteb
from train.evaluation.mteb.nested import NestedModel
from train.export.export import Cut, instructed_by
from train.export.prompts import LAYOUT
from train.loop.keys import content_digest
from train.loop.record import DIGESTS
from train.native import NATIVE


@dataclass(frozen=True)
class Identity:
    """What mteb files the results of a model under.

    Attributes:
        name: `organization/model`.
        revision: of the model; by default a hash of its files.
        instructed: whether tasks give their instructions.
        overridden: whether that is not what the export records.
        weights: hash of the model's files.

    """

    name: str
    revision: str
    instructed: bool
    overridden: bool
    weights: str

    def meta(self, cut: Cut | None, trained_on: Iterable[str] | None) -> Any:
        """Return mteb's metadata of the model, or of a cut of it, whose results then are an experiment of the model.

        Args:
            cut: the cut; None: the whole model.
            trained_on: names of the tasks that the training data contaminates; None: not known.

        """
        models = importlib.import_module("mteb.models")
        experiment: dict[str, Any] = {} if cut is None else {"layers": cut.layers, "dim": cut.dim, "rank": cut.rank}
        if self.overridden:
            experiment["instructions"] = self.instructed
        return models.ModelMeta.create_empty(
            {
                "name": self.name,
                "revision": self.revision,
                "similarity_fn_name": models.model_meta.ScoringFunction.COSINE,
                "use_instructions": self.instructed,
                "framework": ["Sentence Transformers"],
                "training_datasets": None if trained_on is None else set(trained_on),
                "experiment_kwargs": experiment or None,
            }
        )


def identify(
    folder: Path, work: Path, *, instructed: bool | None = None, name: str | None = None, revision: str | None = None
) -> Identity:
    """Return the identity of a model folder.

    Args:
        folder: a sentence-transformers folder.
        work: the work folder, where hashes are cached.
        instructed: use the instructions of the tasks; None: if the model was trained with any.
        name: `organization/model`; None: `local/<name of the folder>`.
        revision: None: a hash of the folder's files, so that other weights or prompts have other results.

    Raises:
        SettingsError: the folder holds no exported model, or the name is not of that form.

    """
    if not (folder / "modules.json").is_file():
        # sentence-transformers would look for the name on the Hub.
        raise SettingsError(
            "no exported model",
            where=f"--model {folder}",
            remedy="give a folder that `train3d fit` or `train3d export` has written",
        )
    if name is not None and (name.count("/") != 1 or not all(name.split("/"))):
        raise SettingsError(f"{name!r} is no name of a model", where="--name", remedy="give ORGANIZATION/MODEL")
    files = {path for path in folder.rglob("*") if path.is_file() and NATIVE not in path.relative_to(folder).parts}
    weights = content_digest(sorted(files - {folder / "README.md"}), remembered=work / DIGESTS)
    by_default = bool(instructed_by(folder))
    chosen = by_default if instructed is None else instructed
    return Identity(
        name=name or f"local/{folder.resolve().name}",
        revision=revision or weights[:16],
        instructed=chosen,
        overridden=chosen != by_default,
        weights=weights,
    )


def open_model(folder: Path, identity: Identity, *, device: str = "cpu", nested: NestedModel | None = None) -> Any:
    """Return a model as an MTEB encoder.

    Queries and texts of symmetric tasks get the instruction of the task, in the layout of the mix, if the identity says
    so. Otherwise the prompts of the folder are used.

    Args:
        folder: a sentence-transformers folder, in either export mode.
        identity: from `identify`.
        device: device of the model.
        nested: the same model at all its sizes, which then encodes at its `cut`.

    Raises:
        MissingPackageError: mteb is not installed.

    """
    installed_mteb()
    models = importlib.import_module("mteb.models")
    options: dict[str, Any] = {"revision": None, "device": device}
    if identity.instructed:
        model = importlib.import_module("mteb.models.instruct_wrapper").InstructSentenceTransformerModel(
            str(folder), instruction_template=LAYOUT, apply_instruction_to_passages=False, **options
        )
    else:
        model = models.SentenceTransformerEncoderWrapper(str(folder), **options)
    if nested is not None:
        nested.prompts = dict(model.model.prompts)
        model.model = nested
    model.mteb_model_meta = identity.meta(None, None)
    return model
