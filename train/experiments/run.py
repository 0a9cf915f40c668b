"""Runs an experiment: its trainings for every seed, then the points of its arms; finished ones are kept.

Each training is a run of `train3d fit` with a settings file of its own, which is written beside it. So it resumes, and
one that is too large for this process can be run by hand, as over several GPUs, before the experiment goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import SettingsError, StageError
from open_ml_embed.core.files import whole_folder, write_whole
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.sealed import read_sealed, seal
from open_ml_embed.factorized.embedding import FactorizedEmbedding
from train.config import TrainSettings
from train.config_file import load_settings
from train.data.mix import Mix
from train.data.token_store import HERE
from train.evaluation.evaluate import cells
from train.evaluation.retrieval_metrics import Pool, make_pool, metrics
from train.experiments.plan import Point, Preset, merged
from train.experiments.variants import write_variant
from train.loop.fit import fit
from train.loop.record import DIGESTS, finished_key
from train.loop.run import Run, Shape, configure, load, store_of
from train.model.embedder import Embedder
from train.model.prune import write_pruned

METRIC = "ndcg@10"
PROFILE = "experiment"


@dataclass(frozen=True)
class Measured:
    """One measured value.

    Attributes:
        arm: name of the arm.
        label: label of the point on the horizontal axis.
        seed: of the training.
        score: nDCG@10, 0 to 1.
        parameters: of the model as it is cut.
        queries: number of held-out queries.
        documents: number of documents that they are searched in.

    """

    arm: str
    label: str
    seed: int
    score: float
    parameters: int
    queries: int
    documents: int


@dataclass(frozen=True)
class Bench:
    """Where the trainings of an experiment are, and what they read.

    Attributes:
        preset: what is trained and measured.
        work: folder of trainings, token ids and results.
        mixes: name of a mix of the experiment → its folder; those that are not at hand are not in it.
        workers: processes that tokenize.

    """

    preset: Preset
    work: Path
    mixes: Mapping[str, Path]
    workers: Workers = HERE

    def folder(self, training: str, seed: int) -> Path:
        """Return the folder of a training: `params.yaml`, and the finished model in `model`."""
        return self.work / "trainings" / f"{training}-{seed}"

    def uses(self, training: str) -> set[str]:
        """Return the mixes that a training, or one that it starts from, is trained on."""
        own = {stage["mix"] for stage in self._section(training)["stages"]}
        start = self.preset.trainings[training].start
        return own | (self.uses(start) if start else set())

    def is_at_hand(self, point: Point) -> bool:
        """Return whether all mixes that a point needs are there."""
        assert point.training is not None
        needed = self.uses(point.training) | ({point.evaluate} if point.evaluate else set())
        return needed <= self.mixes.keys()

    def left_out(self) -> dict[str, list[str]]:
        """Return the arms of which no point can be measured, with the mixes that are not at hand."""
        found: dict[str, list[str]] = {}
        for name, arm in self.preset.arms.items():
            points = list(arm.measured.values())
            if not any(self.is_at_hand(point) for point in points):
                needed = {mix for p in points for mix in self.uses(p.training or "") | ({p.evaluate} - {None})}
                found[name] = sorted(str(mix) for mix in needed - self.mixes.keys())
        return found

    def trainings(self) -> list[str]:
        """Return the trainings that points at hand need, in the order of the preset."""
        points = [p for arm in self.preset.arms.values() for p in arm.measured.values() if self.is_at_hand(p)]
        needed = {p.training for p in points}
        for name in reversed(self.preset.trainings):
            if name in needed:
                needed.add(self.preset.trainings[name].start)
        return [name for name in self.preset.trainings if name in needed]

    def _section(self, training: str) -> dict[str, Any]:
        return merged(self.preset.train, self.preset.trainings[training].train)

    def settings(self, training: str, seed: int) -> TrainSettings:
        """Write the settings file of a training, and return its settings.

        Raises:
            SettingsError: a setting is invalid; the message names the training.

        """
        section = self._section(training)
        stages = [stage | {"mix": str(self.mixes[stage["mix"]].resolve())} for stage in section["stages"]]
        evaluation = section["evaluation"] | {"mix": str(self.mixes[section["evaluation"]["mix"]].resolve())}
        section |= {"stages": stages, "evaluation": evaluation, "seed": seed}
        start = self.preset.trainings[training].start
        if start is not None:
            pruned = self.preset.trainings[training].prune is not None
            folder = self.folder(training, seed) / "pruned" if pruned else self.folder(start, seed) / "model"
            section["backbone"] = {"kind": "pretrained", "path": str(folder.resolve())}
        path = self.folder(training, seed) / "params.yaml"
        text = yaml.safe_dump({"profile": PROFILE, PROFILE: {"train": section}}, sort_keys=False)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
        return load_settings(path, None)[1]


def prepare_mixes(preset: Preset, folders: Mapping[str, Path], work: Path) -> dict[str, Path]:
    """Return the folders of all mixes of an experiment; those that are made from others are written.

    Args:
        preset: the preset.
        folders: from `plan.folders_of`.
        work: the work folder.

    """
    made = dict(folders)
    for name, variant in preset.mixes.items():
        origin = made.get(name) if variant.of is None else made.get(variant.of)
        if origin is not None:
            changed = variant.changed
            made[name] = write_variant(Mix(origin, work / DIGESTS), variant, work / "mixes") if changed else origin
    return made


def outline(bench: Bench) -> str:
    """Return what would be run, as text."""
    todo = bench.trainings()
    lines = [f"{len(todo)} trainings for each of the seeds {', '.join(map(str, bench.preset.seeds))}, in {bench.work}"]
    for name in todo:
        spec = bench.preset.trainings[name]
        start = f", from {spec.start}" if spec.start else ""
        lines.append(f"  {name}: on {', '.join(sorted(bench.uses(name)))}{start}{', pruned' if spec.prune else ''}")
    lines += [f"{arm} is left out: no mix {', '.join(mixes)} at hand" for arm, mixes in bench.left_out().items()]
    return "\n".join(lines)


def commands(bench: Bench) -> Iterator[str]:
    """Write the settings file of each training, and yield its command, for whoever runs it elsewhere.

    A training on a pruned backbone has none: its backbone is made when the experiment comes to it.

    """
    for seed in bench.preset.seeds:
        for training in bench.trainings():
            if bench.preset.trainings[training].prune is None:
                bench.settings(training, seed)
                folder = bench.folder(training, seed)
                yield f"train3d fit --params {folder}/params.yaml --out {folder}/model --work {bench.work}/fit"


def run(bench: Bench, say: Callable[[str], None] = lambda _: None) -> list[Measured]:
    """Run all trainings and measure all points, and return the values, by seed, arm and point.

    Args:
        bench: the experiment.
        say: gets a line for each training that is run.

    Raises:
        CorpusError: a setting is invalid, or see `train.loop.fit.train`.

    """
    found: list[Measured] = []
    todo = bench.trainings()
    for seed in bench.preset.seeds:
        for number, training in enumerate(todo, 1):
            _train(bench, training, seed, f"seed {seed}, {number}/{len(todo)} {training}", say)
        found += [value for training in todo for value in _measure(bench, training, seed)]
    order = list(bench.preset.arms)
    return sorted(found, key=lambda value: (value.seed, order.index(value.arm)))


def _train(bench: Bench, training: str, seed: int, here: str, say: Callable[[str], None]) -> None:
    spec, out = bench.preset.trainings[training], bench.folder(training, seed) / "model"
    if spec.prune is not None:
        _prune(bench, training, seed)
    settings = bench.settings(training, seed)
    wanted = Run(settings, bench.work / "fit", bench.workers)
    if finished_key(out) == wanted.key:
        return
    say(here)
    fit(wanted, out, resume=True, say=lambda _: None)


def _prune(bench: Bench, training: str, seed: int) -> None:
    """Write the pruned backbone of a training, unless it is there."""
    spec = bench.preset.trainings[training]
    assert spec.prune is not None
    if spec.start is None:
        raise SettingsError(
            "pruning needs a model to start from", where=f"training {training}", remedy="add `from: TRAINING`"
        )
    origin, to = bench.folder(spec.start, seed) / "model", bench.folder(training, seed) / "pruned"
    before = bench.settings(spec.start, seed)
    backbone = {"kind": "pretrained", "path": str(origin.resolve())}
    settings = TrainSettings.model_validate(before.model_dump() | {"backbone": backbone})
    made_from = digest([finished_key(origin), spec.prune.model_dump()])
    mark = to.with_suffix(".json")
    if to.is_dir() and (read_sealed(mark) or {}).get("made_from") == made_from:
        return
    sizes = spec.prune.model_dump(include={"layers", "hidden", "intermediate"})
    to.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(to) as filled:
        write_pruned(
            Run(settings, bench.work / "fit", bench.workers),
            filled,
            size=spec.prune.size,
            sizes=sizes,
            texts=spec.prune.texts,
        )
    write_whole(mark, seal({"made_from": made_from}, mark.name))


def _measure(bench: Bench, training: str, seed: int) -> list[Measured]:
    """Measure the points of a training, or take what was measured before on the same model and mixes."""
    wanted = [
        (arm_name, label, point)
        for arm_name, arm in bench.preset.arms.items()
        for label, point in arm.measured.items()
        if point.training == training and bench.is_at_hand(point)
    ]
    if not wanted:
        return []
    folder, settings = bench.folder(training, seed), bench.settings(training, seed)
    own = settings.evaluation
    trained_on = sorted({str(path) for name, path in bench.mixes.items() if _is_trained_on(bench, name)})
    pools = {name: Mix(path, bench.work / "fit" / DIGESTS) for name, path in bench.mixes.items()}
    used = [(point.evaluate and pools[point.evaluate].identity) for _, _, point in wanted]
    unseen = [Mix(Path(path), bench.work / "fit" / DIGESTS).identity for path in trained_on]
    made_from = digest(
        [
            finished_key(folder / "model"),
            own.model_dump(mode="json", exclude={"mix"}),
            Mix(Path(own.mix), bench.work / "fit" / DIGESTS).identity,
            [(arm, label, point.model_dump()) for arm, label, point in wanted],
            used,
            unseen,
        ]
    )
    path = folder / "measured.json"
    record = read_sealed(path, remedy="remove it") or {}
    if record.get("made_from") != made_from:
        values = [vars(value) for value in _measured(bench, folder, settings, seed, wanted)]
        record = {"made_from": made_from, "values": values}
        write_whole(path, seal(record, path.name))
    return [Measured(**value) for value in record["values"]]


def _is_trained_on(bench: Bench, mix: str) -> bool:
    return any(mix in bench.uses(training) for training in bench.trainings())


def _measured(
    bench: Bench, folder: Path, settings: TrainSettings, seed: int, wanted: list[tuple[str, str, Point]]
) -> Iterator[Measured]:
    configure(settings)
    model, shape, tokenizer = load(folder / "model", settings)
    pools: dict[str, tuple[Any, Pool]] = {}
    for arm, label, point in wanted:
        mix = str(bench.mixes[point.evaluate]) if point.evaluate else settings.evaluation.mix
        if mix not in pools:
            store = store_of(Mix(Path(mix), bench.work / "fit" / DIGESTS), tokenizer, settings, bench.work / "fit")
            pools[mix] = store, _unseen(bench, Path(mix), make_pool(store, **_choice(settings)))
        store, pool = pools[mix]
        if not len(pool.queries):
            raise StageError(
                "no held-out retrieval pairs that no training has seen",
                where=mix,
                remedy="raise its `validation` share",
            )
        size = _size(model, shape, point)
        ((*_, positive_ranks),) = cells(model, size, store, pool)
        yield Measured(
            arm=arm,
            label=label,
            seed=seed,
            score=metrics(positive_ranks)[METRIC],
            parameters=parameters(model, size),
            queries=len(pool.queries),
            documents=len(pool.documents),
        )


def _choice(settings: TrainSettings) -> dict[str, Any]:
    return settings.evaluation.model_dump(exclude={"mix"})


def _unseen(bench: Bench, mix: Path, pool: Pool) -> Pool:
    """Return a pool without the queries that any mix of the experiment trains on; its own mix holds them out."""
    others = {path for name, path in bench.mixes.items() if path != mix and _is_trained_on(bench, name)}
    if not others:
        return pool
    queries = [text for batch in Mix(mix).read("validation", ["query"]) for text in batch.column("query").to_pylist()]
    own = [queries[row] for row in pool.queries]
    sought, seen = set(own), set[str]()
    for path in sorted(others):
        for batch in Mix(path).read("train", ["query"]):
            seen.update(sought.intersection(batch.column("query").to_pylist()))
    kept: I64 = np.flatnonzero([query not in seen for query in own])
    return Pool(pool.queries[kept], pool.documents, pool.positive[kept], tuple(pool.known[row] for row in kept))


def _size(model: Embedder, shape: Shape, point: Point) -> Shape:
    """Return the size of a point, and prepare the model for it: a plain token embedding is decomposed."""
    hidden, depth = int(model.config.hidden_size), int(model.config.num_hidden_layers)
    layers, dim, rank = point.layers or depth, point.dim or hidden, point.rank or shape.ranks[-1]
    if not isinstance(model.embedding, FactorizedEmbedding) and rank < hidden:
        # Factors of the whole table by SVD: the first r columns are the best approximation of rank r.
        table = model.embedding.weight.detach()
        model.backbone.set_input_embeddings(FactorizedEmbedding.from_weight(table, hidden))
    largest = model.embedding.left.shape[1] if isinstance(model.embedding, FactorizedEmbedding) else hidden
    if layers > depth or dim > hidden or rank > largest:
        raise SettingsError(
            f"the model has {depth} layers, {hidden} dimensions and rank {largest}",
            where=f"a point at layers {layers}, dim {dim}, rank {rank}",
            remedy="name sizes up to these",
        )
    model.layers = (layers,)
    return Shape((layers,), (dim,), (rank,))


def parameters(model: Embedder, size: Shape) -> int:
    """Return the number of parameters of a model that is cut to a size; dimensions of the vector cost none."""
    (layers,), (rank,) = size.layers, size.ranks
    hidden, vocabulary = int(model.config.hidden_size), int(model.config.vocab_size)
    nested = isinstance(model.embedding, FactorizedEmbedding) and rank < hidden
    embedding = rank * (vocabulary + hidden) if nested else vocabulary * hidden
    counted = [*model.backbone.layers[:layers], model.norm]
    return embedding + sum(int(p.numel()) for module in counted for p in module.parameters())
