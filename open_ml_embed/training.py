"""`Trainer`: an embedding model from settings and a mix; `load_model`: the model it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.pipeline.opening import PARAMS, open_build
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.optional import check_installed
from open_ml_embed.core.printing import say
from open_ml_embed.core.validation_errors import from_arguments
from open_ml_embed.mix import Mix
from train.config import TrainSettings
from train.config_file import model_folder, settings_of, work_folder

if TYPE_CHECKING:
    from os import PathLike

    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class TrainConfig:
    """What a profile trains, with its mixes and folders as paths.

    Attributes:
        profile: its name.
        settings: its section `train`, every default filled in; docs/training.md says what each setting does.
        params: the settings file.
        out: where the finished model goes.
        work: where token ids, checkpoints and logs go.

    """

    profile: str
    settings: TrainSettings
    params: Path
    out: Path
    work: Path

    @classmethod
    def from_params(cls, params: str | PathLike[str] = PARAMS, profile: str | None = None) -> TrainConfig:
        """Read the section `train` of a profile; every name in it is looked up first.

        Args:
            params: the settings file.
            profile: its section; null: the one that the file's entry `profile` names.

        Raises:
            ValueError: (a `CorpusError`) no such file or profile, it trains nothing, or a setting that cannot be.

        """
        path = Path(params)
        build = open_build(profile, path)
        settings = settings_of(build, f"{path}, profile {build.name}")
        return cls(build.name, settings, path, model_folder(build), work_folder(build))

    def replace(self, **changes: Any) -> TrainConfig:
        """Return the same with some settings of the section `train` changed: `config.replace(seed=1, device="cuda")`.

        Raises:
            ValueError: (a `CorpusError`) there is no such setting, or it cannot have this value.

        """
        values = {name: getattr(self.settings, name) for name in type(self.settings).model_fields} | changes
        return replace(self, settings=from_arguments(TrainSettings, "TrainConfig.replace", values))

    def __repr__(self) -> str:
        stages = ", ".join(f"{stage.name} on {stage.mix}" for stage in self.settings.stages)
        kind = self.settings.backbone.kind
        return f"TrainConfig(profile {self.profile}, backbone {kind}, stages: {stages}; to {self.out})"


@dataclass(frozen=True)
class FittedModel:
    """A finished model.

    Attributes:
        path: its folder, which sentence-transformers loads too.
        trained: whether it was trained now; otherwise it was complete for these settings and mixes.

    """

    path: Path
    trained: bool

    def load(self, device: str | None = None) -> SentenceTransformer:
        """Load it; see `load_model`."""
        return load_model(self.path, device=device)


class Trainer:
    """Trains the stages of a configuration, and resumes by itself."""

    def __init__(
        self,
        config: TrainConfig,
        mix: Mix | Mapping[str, Mix] | None = None,
        *,
        out: str | PathLike[str] | None = None,
        work: str | PathLike[str] | None = None,
        workers: int = 0,
    ) -> None:
        """Say what to train; nothing is read or made yet.

        Args:
            config: the settings.
            mix: to train every stage on, and to evaluate with; or the mix of each stage, by the stage's name. Null: the
                mixes that the settings name.
            out: where the finished model goes; null: as the configuration says.
            work: where token ids, checkpoints and logs go; null: as the configuration says.
            workers: who tokenizes; 0: one process per core. No number depends on it.

        Raises:
            ValueError: (a `CorpusError`) a stage of this name that there is not.

        """
        self.config = config
        self.settings = config.settings if mix is None else _with_mix(config.settings, mix)
        self.out = config.out if out is None else Path(out)
        self.work = config.work if work is None else Path(work)
        self._workers = Workers("local", workers)

    def outline(self) -> str:
        """Return what would be trained, a line a stage, from configurations and file footers alone.

        Raises:
            CorpusError: what could not be trained; see `fit`.

        """
        from train.loop.preflight import outline

        return outline(self._run())

    def fit(self, *, resume: bool = True) -> FittedModel:
        """Train what is left to train, and write the model.

        Torch is set up for repeatable results, in the whole process: threads, seed, deterministic kernels. What is done
        goes to standard error, line by line.

        Args:
            resume: go on from the last checkpoint; otherwise what an earlier run left is deleted first.

        Raises:
            StageError: a mix is missing, stale, or holds nothing to train on.
            ValueError: (a `CorpusError`) sizes that do not nest, a device that is not here, a backbone that is none.

        """
        from train.loop.fit import fit

        return FittedModel(self.out, fit(self._run(), self.out, resume=resume, say=say))

    def __repr__(self) -> str:
        stages = ", ".join(f"{stage.name} on {stage.mix}" for stage in self.settings.stages)
        return f"Trainer(stages: {stages}; to {self.out})"

    def _run(self) -> Any:
        from train.loop.run import Run
        from train.loop.upstream import check_mixes

        check_mixes(self.config.params, [stage.mix for stage in self.settings.stages])
        return Run(self.settings, self.work, self._workers)


def load_model(path: str | PathLike[str], *, device: str | None = None) -> SentenceTransformer:
    """Load a finished or exported model with sentence-transformers.

    Args:
        path: its folder, as `Trainer.fit` or `train3d export` wrote it; exports in efficiency mode load too.
        device: where it runs; null: an accelerator if there is one.

    Returns:
        The model; `encode` takes a list of texts and returns float32[n, dim] of length 1.

    Raises:
        ValueError: (a `CorpusError`) the folder holds no model.

    """
    folder = Path(path)
    if not (folder / "modules.json").is_file():  # the name would be looked for on the Hub
        raise SettingsError(
            "no finished or exported model", where=str(folder), remedy="give the folder that `Trainer.fit` wrote"
        )
    check_installed("torch", "transformers", "sentence_transformers", what="loading a model")
    from sentence_transformers import SentenceTransformer

    import open_ml_embed.factorized  # noqa: F401 (the model types of exports in efficiency mode)

    return SentenceTransformer(str(folder), device=device)


def _with_mix(settings: TrainSettings, mix: Mix | Mapping[str, Mix]) -> TrainSettings:
    names = [stage.name for stage in settings.stages]
    by_stage = dict.fromkeys(names, mix) if isinstance(mix, Mix) else dict(mix)
    for name in by_stage:
        if name not in names:
            raise UnknownNameError("stage", name, names, where="Trainer: mix")
    folders = {name: str(one.path) for name, one in by_stage.items()}
    stages = [stage.model_copy(update={"mix": folders.get(stage.name, stage.mix)}) for stage in settings.stages]
    evaluation = settings.evaluation
    if isinstance(mix, Mix):
        evaluation = evaluation.model_copy(update={"mix": str(mix.path)})
    return settings.model_copy(update={"stages": tuple(stages), "evaluation": evaluation})
