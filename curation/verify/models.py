"""Checks what the trainer wrote: token stores, tokenizers, checkpoints, the model's folder and its evaluation."""

from __future__ import annotations

from pathlib import Path

from curation.build import Build
from curation.verify.findings import Checked, Finding
from curation.verify.hashed import fault_of
from curation.verify.shards import Place, check_shards
from open_ml_embed.core.listing import LISTING, damaged_in
from open_ml_embed.core.sealed import SEAL, DamagedRecordError, read_sealed
from open_ml_embed.core.store import Output, Store

STORE_INDEX = "store.json"
"""The index of a token store, a sealed record that names the parts."""
POSITION = "position.json"
FIT, EVALUATE = "train3d fit", "train3d evaluate"


def check_models(build: Build, checked: Checked, *, deep: bool) -> None:
    """Check everything of the trainer in `work/<profile>/train` and `out/<profile>`; add what is found."""
    work, model = build.local_work / build.name / "train", build.out / "model"
    again = f"`{build.command(FIT)}`"
    for folder in sorted((work / "stores").glob("*/")):
        _check_store(build, folder, checked, f"{again} makes it again", deep=deep)
    for folder in sorted((work / "tokenizers").glob("*/")):
        _check_listed(build, folder, LISTING, checked, f"{again} makes it again", deep=deep)
    for folder in sorted((work / "runs").glob("*/checkpoints/*/")):
        name = folder.relative_to(build.root).as_posix()
        remedy = f"delete the folder {name}: {again} goes on from the checkpoint before, if it has to"
        _check_checkpoint(build, folder, checked, remedy, deep=deep)
    for folder in (model, *sorted(model.with_name(f"{model.name}-stages").glob("*/"))):
        if folder.is_dir():
            remedy = f"{again} writes it again from the weights in the folder, or from the last checkpoint"
            _check_listed(build, folder, f"train3d/{LISTING}", checked, remedy, deep=deep)
            _check_record(build, folder / "train3d" / "run.json", checked, remedy, strict=True)
    _check_record(
        build, build.out / "evaluation.json", checked, f"`{build.command(EVALUATE)}` makes it again", strict=False
    )


def _check_store(build: Build, folder: Path, checked: Checked, remedy: str, *, deep: bool) -> None:
    name = folder.relative_to(build.root).as_posix()
    place = Place(Store(str(folder)), name, lambda _: "", remedy, left_out=(STORE_INDEX, "tokenizer.json"))
    check_shards(place, checked, deep=deep)
    _check_record(build, folder / STORE_INDEX, checked, remedy, strict=True)


def _check_record(build: Build, path: Path, checked: Checked, remedy: str, *, strict: bool) -> None:
    name = path.relative_to(build.root).as_posix()
    if not path.is_file():
        return
    checked.count(path.stat().st_size)
    try:
        read_sealed(path)
    except DamagedRecordError as error:
        if strict or f'"{SEAL}"'.encode() in path.read_bytes():
            checked.add([Finding(name, "damaged", f"is damaged: {error.what}", remedy=remedy)])
        else:
            checked.add([Finding(name, "unknown", "holds no digest of itself: it was not written by this program")])


def _check_checkpoint(build: Build, folder: Path, checked: Checked, remedy: str, *, deep: bool) -> None:
    """Check a checkpoint against its `position.json`, which lists the size and hash of every other file."""
    name = folder.relative_to(build.root).as_posix()
    try:
        record = read_sealed(folder / POSITION)
    except DamagedRecordError as error:
        checked.add([Finding(f"{name}/{POSITION}", "damaged", f"is damaged: {error.what}", remedy=remedy)])
        return
    if record is None:
        checked.add([Finding(name, "unknown", f"has no {POSITION}: it was not finished")])
        return
    files = {path: Output(path, 0, int(size), str(xxh3)) for path, (size, xxh3) in record["files"].items()}
    store = Store(str(folder))
    sizes = store.sizes(files)
    for path, output in files.items():
        checked.count(output.bytes)
        fault = fault_of(store, output, sizes[path], deep=deep)
        if fault:
            checked.add([Finding(f"{name}/{path}", *fault, remedy=remedy)])


def _check_listed(build: Build, folder: Path, listing: str, checked: Checked, remedy: str, *, deep: bool) -> None:
    name = folder.relative_to(build.root).as_posix()
    try:
        damaged = damaged_in(folder, listing, deep=deep)
    except DamagedRecordError as error:
        checked.add([Finding(f"{name}/{listing}", "damaged", f"is damaged: {error.what}", remedy=remedy)])
        return
    if damaged is None:
        checked.add([Finding(name, "unknown", f"has no {listing} that describes it")])
        return
    for path in folder.rglob("*"):
        if path.is_file():
            checked.count(path.stat().st_size)
    for path_below, what in damaged.items():
        kind = "missing" if what == "is missing" else "damaged"
        checked.add(
            [Finding(f"{name}/{path_below}", "missing" if kind == "missing" else "damaged", what, remedy=remedy)]
        )
