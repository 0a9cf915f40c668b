"""`curate dvc`: write the DVC pipeline of every profile.

Each profile has its own folder with a `dvc.yaml`, and so its own state (the `dvc.lock` next to it):
`dvc repro pipelines/pilot/dvc.yaml` builds that profile and no other. DVC cannot skip a stage and fails on a setting
that a profile does not have. So the files are generated for the existing profiles, and the first stage of each pipeline
fails if its file is out of date.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from curation.build import STEPS, Build
from curation.decontamination.origins import chosen_sets
from curation.mixing.recipe import built_mixes
from curation.pipeline.dvc_inputs import FOLDER, has_sources, step_inputs
from curation.pipeline.validation import trained_on
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.params import DEFAULT, read_profiles

PIPELINES = "pipelines"
_HEAD = """\
# Written by `curate dvc` from {params}: change that, and run `curate dvc` again.
"""
_ABOUT = """\
# Every stage is one verb of a command, and DVC tracks one small file a step: the list of shards with hash and row
# count. The shards themselves, and their markers, lie in work/, which DVC does not own: it deletes a stage's outs
# before running it, and resuming would be lost. The stage `settings` always runs, for a second: it looks up every name,
# and writes what each step reads of settings and manifests. A step whose file has not changed is not run again.
"""
_ROOT_ABOUT = """\
# `dvc repro` builds the profile that `profile` in params.yaml names, through its own pipeline, and shows its status.
#
#   dvc repro                            that profile
#   dvc repro pipelines/pilot/dvc.yaml   another one
"""
_BEFORE = {
    "fetch": (),
    "normalize": ("fetch",),
    "identify": ("normalize",),
    "measure": ("normalize",),
    "dedup": ("normalize",),
    "decontaminate": ("normalize",),
    "mine": ("normalize", "dedup", "decontaminate"),
}
"""Step → the steps whose files it reads."""
_DESC = {
    "fetch": "raw files of every source",
    "normalize": "raw records to rows",
    "identify": "languages of all texts",
    "measure": "figures of the quality of all rows",
    "dedup": "exact and near-duplicates across sources",
    "decontaminate": "rows that evaluation sets have too",
    "mine": "hard negatives",
}
_OURS = _HEAD.partition("{")[0]
"""First words of every file that this module writes."""
assert tuple(_BEFORE) == tuple(_DESC) == STEPS


def pipeline_file(build: Build) -> Path:
    """Return the path of a profile's pipeline."""
    return build.root / PIPELINES / build.name / "dvc.yaml"


def pipeline_text(build: Build, params: Path, trained: list[Path] | None) -> str:
    """Return the pipeline of a profile as YAML.

    Args:
        build: the profile.
        params: the settings file.
        trained: folders of the mixes that it trains on and, last, of the mix that it evaluates on; null if it trains no
            model.

    """
    stages = _stages(build, trained)
    options = f" --profile {build.name}" + ("" if params.name == "params.yaml" else f" --params {params.name}")
    stages_with_commands = {
        name: {"desc": stage.pop("desc"), "cmd": stage.pop("cmd") + options, "wdir": "../..", **stage}
        for name, stage in stages.items()
    }
    text = yaml.safe_dump({"stages": stages_with_commands}, sort_keys=False, allow_unicode=True, width=200)
    return _HEAD.format(params=params.name) + _ABOUT + text


def _stages(build: Build, trained: list[Path] | None) -> dict[str, dict[str, Any]]:
    out = f"out/{build.name}"
    steps = [f"mix-{name}" for name in built_mixes(build.profile, build.root)]
    stages: dict[str, dict[str, Any]] = {
        "settings": {
            "desc": "every name looked up, and what each step reads of settings and manifests",
            "cmd": "curate settings",
            "always_changed": True,
            "outs": [_uncached(f"{out}/{FOLDER}/{step}.json") for step in step_inputs(build)],
        }
    }

    def add(name: str, desc: str, cmd: str, deps: list[str], *outs: str) -> None:
        stages[name] = {
            "desc": desc,
            "cmd": cmd,
            "deps": [f"{out}/{FOLDER}/{name}.json", *deps],
            "outs": [_uncached(path) for path in outs],
        }

    def files(*names: str) -> list[str]:
        return [f"{out}/steps/{name}.json" for name in names]

    if has_sources(build):
        for step, before in _BEFORE.items():
            set_folders = _own_sets(build) if step == "decontaminate" else []
            add(step, _DESC[step], f"curate {step}", [*files(*before), *set_folders], *files(step))
        for step in steps:
            mix = step.removeprefix("mix-")
            add(step, f"the mix {mix}", f"curate mix {mix}", files(*STEPS[1:]), f"{out}/mixes/{mix}", *files(step))
    if trained is not None:
        *training_mixes, evaluation_mix = (_below(folder, build.root) for folder in trained)
        add("train", "a 3D-ML embedding model", "train3d fit", list(dict.fromkeys(training_mixes)), f"{out}/model")
        description = "held-out nDCG@10 for every depth, dimension and rank"
        add("evaluate", description, "train3d evaluate", [evaluation_mix, f"{out}/model"], f"{out}/evaluation.json")
    if has_sources(build):
        inputs = [*files(*STEPS, *steps), *([f"{out}/evaluation.json"] if trained is not None else [])]
        add("report", "statistics of everything above, one HTML file", "curate report", inputs, f"{out}/report.html")
    return stages


def _own_sets(build: Build) -> list[str]:
    sets = chosen_sets(build.profile.decontaminate, build.root)
    return [
        _below(Path(evaluation_set.definition[0]), build.root)
        for evaluation_set in sets
        if isinstance(evaluation_set.definition, tuple)
    ]


def _below(folder: Path, root: Path) -> str:
    """Return a folder in the form that DVC uses: relative to the root if it is below it, absolute otherwise."""
    path = Path(os.path.normpath(root / folder))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _uncached(path: str) -> dict[str, dict[str, bool]]:
    return {path: {"cache": False}}


def check_pipeline(build: Build, params: Path, trained: list[Path] | None) -> None:
    """Refuse a pipeline file that is out of date.

    Args:
        build: the profile.
        params: the settings file.
        trained: see `pipeline_text`.

    Raises:
        SettingsError: the file exists and differs from `pipeline_text`.

    """
    path = pipeline_file(build)
    if path.is_file() and path.read_text("utf-8") != pipeline_text(build, params, trained):
        raise SettingsError(
            "the stages are not those of the settings", where=str(path), remedy="run `curate dvc`, and this again"
        )


def write_pipelines(builds: Sequence[Build], params: Path, *, dry_run: bool) -> Iterator[str]:
    """Write the pipelines of profiles and the top-level `dvc.yaml`; yield a line for each file that changes.

    A file that this command did not write is not changed. Pipelines of profiles that are no longer in the settings file
    are kept, with a message, because their results still exist.

    Args:
        builds: the profiles.
        params: the settings file of the profiles.
        dry_run: only report what would change.

    """
    profiles, default = read_profiles(params)
    texts = {pipeline_file(b): pipeline_text(b, params, trained_on(b, str(params))) for b in builds}
    root = params.resolve().parent
    for build in builds:
        if build.name == default and params.name == "params.yaml":
            texts[root / "dvc.yaml"] = _root_text(build)
    for path, text in texts.items():
        old_text = path.read_text("utf-8") if path.is_file() else None
        if old_text == text:
            continue
        relative_path = path.relative_to(root)
        if old_text is not None and not old_text.startswith(_OURS):
            yield f"{relative_path}: not written by this command, so it stays as it is"
            continue
        if not dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        yield f"{relative_path}: {'would be ' if dry_run else ''}{'written' if old_text is None else 'written anew'}"
    for path in sorted((root / PIPELINES).glob("*/dvc.yaml")):
        if path.parent.name not in profiles and path.read_text("utf-8").startswith(_OURS):
            yield f"{path.relative_to(root)}: {params.name} has no such profile any more; delete the folder if you like"


def _root_text(build: Build) -> str:
    stage = {
        "desc": "the profile that params.yaml names",
        "cmd": f"curate status --profile ${{{DEFAULT}}}",
        "deps": [f"out/${{{DEFAULT}}}/{'report.html' if has_sources(build) else 'evaluation.json'}"],
    }
    text = yaml.safe_dump({"stages": {"build": stage}}, sort_keys=False, width=200)
    return _HEAD.format(params="params.yaml") + _ROOT_ABOUT + text
