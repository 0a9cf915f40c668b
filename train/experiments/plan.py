"""Experiments as data: `train/experiments/*.yaml`, each with a small and a full preset.

An experiment compares arms. An arm is a model, cut to one or more sizes or searched in one or more mixes: its points.
The same trainings are run for every seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from open_ml_embed.core.errors import ManifestError, SettingsError, UnknownNameError
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml

FOLDER = Path(__file__).parent
PresetName = Literal["small", "full"]
Axis = Literal["rank", "layers", "dim"]


class MixVariant(Section):
    """A mix of the experiment: that of the profile by its name, a folder, or another one changed in one thing."""

    mix: str | None = None
    """Name of a mix of the profile, or a folder (a value with a slash)."""
    of: str | None = None
    """Name of a mix of the experiment that this one is made from."""
    negatives: Literal["as-mined", "random", "none"] = "as-mined"
    """`random`: as many documents of the same source and subset, drawn at random; `none`: in-batch negatives only, in
    the retrieval family."""
    subsets: int | None = Field(default=None, ge=1)
    """Take the samples of so many largest subsets only: a batch holds one subset, and is small in a small one."""
    rows: int | None = Field(default=None, ge=1)
    """Take at most so many training samples, those with the smallest row ids, and the documents that they refer to.
    Row ids are hashes, so two mixes that differ in a few samples give the same ones but for these."""
    masks: bool = True
    """False: no document or query counts as a near-duplicate of another, so none is masked."""
    needed: bool = True
    """Whether the experiment is refused without this mix; otherwise its arms are left out, and the result says so."""

    @property
    def is_smaller(self) -> bool:
        """Whether it has a part of the samples."""
        return self.rows is not None or self.subsets is not None

    @property
    def changed(self) -> bool:
        """Whether this is not the mix itself."""
        return self.is_smaller or self.negatives != "as-mined" or not self.masks

    @model_validator(mode="after")
    def _one_origin(self) -> MixVariant:
        if (self.mix is None) == (self.of is None):
            raise ValueError("give either mix or of")
        return self


class Pruned(Section):
    """Structural pruning of the model that a training starts from; sizes that are left out stay."""

    size: str | None = None
    layers: int | None = None
    hidden: int | None = None
    intermediate: int | None = None
    texts: int = Field(default=2000, ge=1)
    """Texts of the first mix that activity is measured on."""


class Training(Section):
    """A model to train: the preset's settings, with some changed."""

    start: str | None = Field(default=None, alias="from")
    """Training whose finished model of the same seed is the backbone; null: the backbone of the settings."""
    prune: Pruned | None = None
    """Prune the backbone before training."""
    train: dict[str, Any] = {}
    """Changed settings of the section `train`; mappings are merged, lists are replaced."""


class Point(Section):
    """One measured value of an arm; sizes that are left out are the full ones."""

    training: str | None = None
    layers: int | None = None
    dim: int | None = None
    rank: int | None = None
    """A model with a plain token embedding is cut by SVD."""
    evaluate: str | None = None
    """Mix whose held-out pairs are searched; null: that of the settings' `evaluation`."""


class Arm(Section):
    """One line of the table and of the picture."""

    training: str | None = None
    """Training of all points that name no other."""
    sizes: dict[Axis, tuple[int, ...]] = {}
    """Short for points: the model cut along one axis."""
    points: dict[str, Point] = {}
    """Label on the horizontal axis → point."""

    @property
    def measured(self) -> dict[str, Point]:
        """Label → point, with the training of each."""
        cut = {str(size): Point.model_validate({axis: size}) for axis, sizes in self.sizes.items() for size in sizes}
        points = cut | self.points
        return {
            label: point.model_copy(update={"training": point.training or self.training})
            for label, point in points.items()
        }


class Effect(Section):
    """A claim that the result is checked against: at a label, one arm is better than another."""

    better: str
    worse: str
    at: str
    """Label; the value of the worse arm is the one at this label too, or at `against`."""
    against: str | None = None
    published: str = ""
    """What was published of it, with the source; empty: nothing."""


class Preset(Section):
    """What is trained and measured."""

    seeds: tuple[int, ...] = Field(min_length=1)
    mixes: dict[str, MixVariant]
    train: dict[str, Any]
    """Settings of all trainings, as the section `train` of a profile; `mix` names a mix of the experiment."""
    trainings: dict[str, Training]
    arms: dict[str, Arm]
    effects: tuple[Effect, ...] = ()
    needs: str = ""
    """What it takes, for the list: time, devices, models."""

    @model_validator(mode="after")
    def _names(self) -> Preset:
        started: set[str] = set()
        for name, training in self.trainings.items():
            if training.start is not None and training.start not in started:
                raise ValueError(f"training {name} starts from {training.start}, which is not above it")
            started.add(name)
        for label, arm in self.arms.items():
            for x, point in arm.measured.items():
                if point.training not in self.trainings:
                    raise ValueError(f"arm {label} at {x}: there is no training {point.training}")
                if point.evaluate is not None and point.evaluate not in self.mixes:
                    raise ValueError(f"arm {label} at {x}: there is no mix {point.evaluate}")
        for effect in self.effects:
            for side, at in ((effect.better, effect.at), (effect.worse, effect.against or effect.at)):
                if side not in self.arms or at not in self.arms[side].measured:
                    raise ValueError(f"an effect names arm {side!r} at {at!r}, which is not measured")
        for name, mix in self.mixes.items():
            if mix.of is not None and mix.of not in self.mixes:
                raise ValueError(f"mix {name} is made from {mix.of}, which is not there")
        return self


class Experiment(Section):
    """The content of a file in this folder."""

    name: str
    title: str
    question: str
    """What it answers, one sentence."""
    axis: str
    """What the labels of points are: the title of the horizontal axis."""
    presets: dict[PresetName, Preset]


def names() -> list[str]:
    """Return the names of all experiments, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_experiment(name: str) -> Experiment:
    """Read an experiment.

    Raises:
        UnknownNameError: there is none of this name.
        ManifestError: the file is invalid.

    """
    if name not in names():
        raise UnknownNameError("experiment", name, names(), where="train3d experiment")
    return read_experiment(FOLDER / f"{name}.yaml")


def read_experiment(path: Path) -> Experiment:
    """Read an experiment from a file.

    Raises:
        ManifestError: the file is invalid.

    """
    data = read_yaml(path, ManifestError)
    try:
        experiment = Experiment.model_validate(data)
    except ValidationError as error:
        raise refusal(error, Experiment, ManifestError, where=str(path)) from None
    if experiment.name != path.stem:
        raise ManifestError(f"it is called {experiment.name}", where=str(path), remedy=f"name it {path.stem}")
    return experiment


def preset_of(experiment: Experiment, name: PresetName, seeds: Iterable[int] = ()) -> Preset:
    """Return a preset, with other seeds if any are given."""
    preset, chosen = experiment.presets[name], tuple(seeds)
    return preset.model_copy(update={"seeds": chosen}) if chosen else preset


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with changes: mappings are merged, other values and lists are replaced.

    >>> merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"c": 3}, "d": []})
    {'a': {'b': 1, 'c': 3}, 'd': []}

    """
    result = dict(base)
    for key, value in changes.items():
        before = result.get(key)
        replaced = isinstance(value, Mapping) and "kind" in value  # another backbone has other settings
        inside = isinstance(value, Mapping) and isinstance(before, Mapping) and not replaced
        result[key] = merged(before, value) if inside and isinstance(before, Mapping) else value
    return result


def folders_of(
    preset: Preset, given: Mapping[str, Path], named: Mapping[str, Path], *, needed: bool = True
) -> dict[str, Path]:
    """Return the folders of the mixes that are not made from others; of those that are not needed, only what is there.

    Args:
        preset: the preset.
        given: name of a mix of the experiment → folder, from the command line.
        named: name of a mix of the profile → folder.
        needed: refuse an experiment without a mix that it needs.

    Raises:
        UnknownNameError: the experiment has no mix of a given name.
        SettingsError: a needed mix is not there.

    """
    for name in given:
        if name not in preset.mixes:
            raise UnknownNameError("mix of the experiment", name, preset.mixes, where="--mix")
    folders: dict[str, Path] = {}
    for name, mix in preset.mixes.items():
        folder = given.get(name) or (None if mix.mix is None else named.get(mix.mix, Path(mix.mix)))
        if folder is None:
            continue
        if (folder / "samples").is_dir():
            folders[name] = folder
        elif needed and (mix.needed or name in given):
            raise SettingsError(
                f"there is no mix at {folder}",
                where=f"mix {name} of the experiment",
                remedy=f"build it with `curate mix`, or name its folder: --mix {name}=FOLDER",
            )
    return folders


def origin_of(preset: Preset, name: str, folders: Mapping[str, Path]) -> Path | None:
    """Return the folder of the mix that a mix of the experiment is made from, or is; None if it is not at hand."""
    variant = preset.mixes[name]
    return folders.get(name) if variant.of is None else origin_of(preset, variant.of, folders)
