"""The step on sources that are their own test sets: found by themselves, from the fixtures' real manifests."""

import json
from urllib.parse import quote

import yaml

from curation.build import Build
from curation.decontamination.evaluation_sets import load_catalog
from curation.pipeline.run import run_step
from curation.settings import Profile
from open_ml_embed.core.engine import Workers
from sources import registry
from tests.sources.raw import FIXTURES
from tests.support.hub.server import serving
from tests.support.workshop import written_report

SOURCES = ("mkqa", "sib200", "squad")


def own_test_sets(root, monkeypatch):
    """Put the fixtures of three sources on a Hub, and two of MTEB's tasks that read the same repositories."""
    real = {
        name: yaml.safe_load((registry.manifest_root() / "sources" / f"{name}.yaml").read_text()) for name in SOURCES
    }
    tasks = load_catalog().tasks
    chosen = [tasks[name] for name in ("MKQARetrieval", "SIB200Classification", "SIB200ClusteringS2S")]
    folder = root / "manifests"
    (folder / "sources").mkdir(parents=True)
    (folder / "evaluations").mkdir()
    (folder / "evaluations" / "task_types.yaml").write_text(
        (registry.manifest_root() / "evaluations" / "task_types.yaml").read_text()
    )
    header = {"mteb": "as committed", "benchmarks": []}
    lines = [json.dumps(header)]
    for task in chosen:
        source = "mkqa" if task.name.startswith("MKQA") else "sib200"
        kept = {name: task.subsets[name] for name in FIXTURES[source].SUBSETS if name in task.subsets}
        lines.append(task.model_copy(update={"subsets": kept, "benchmarks": []}).model_dump_json())
    (folder / "evaluations" / "mteb.jsonl").write_text("\n".join(lines) + "\n")
    for name, data in real.items():
        data["subsets"] = {key: data["subsets"][key] for key in FIXTURES[name].SUBSETS}
        for subset in data["subsets"].values():
            subset.pop("samples", None)
        (folder / "sources" / f"{name}.yaml").write_text(yaml.safe_dump(data))
        FIXTURES[name].build(root / "raw")
    revisions = [(real[name]["origin"]["repo"], real[name]["origin"].get("ref", "main")) for name in SOURCES]
    for repo, ref in {*revisions, *((task.repo, task.revision) for task in chosen)}:
        branch = root / "hub" / repo / quote(ref, safe="")
        branch.parent.mkdir(parents=True, exist_ok=True)
        branch.symlink_to(root / "raw" / repo)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(folder))


def test_mkqa_and_sib200_are_found_to_be_their_own_test_sets(tmp_path, monkeypatch):
    own_test_sets(tmp_path, monkeypatch)
    with serving(tmp_path / "hub", page=500) as server:
        profile = Profile.model_validate(
            {
                "sources": {"include": list(SOURCES), "endpoint": server.endpoint},
                "decontaminate": {"mteb": {"tasks": ["*"]}, "distrust": {"at_least": 2}},
            }
        )
        build = Build("test", profile, tmp_path, Workers("local", 1))
        run_step(build, "fetch")
        run_step(build, "normalize")
        result = run_step(build, "decontaminate")
    listed = {(entry["source"], entry["task"]) for entry in result.stats["distrust"]}
    assert listed == {
        ("mkqa", None), ("mkqa", "MKQARetrieval"),
        ("sib200", None), ("sib200", "SIB200Classification"), ("sib200", "SIB200ClusteringS2S"),
    }  # fmt: skip
    shares = {entry["task"]: entry["share"] for entry in result.stats["distrust"] if entry["task"]}
    assert shares["SIB200ClusteringS2S"] == 1.0
    assert shares["SIB200Classification"] > 0.8  # the source leaves out a sentence without a label
    assert shares["MKQARetrieval"] > 0.9
    assert result.stats["sources"]["squad"]["contaminated"] == 0
    html = written_report(build)
    assert "Sources to distrust" in html
    assert "SIB200ClusteringS2S" in html[html.index("Sources to distrust") :]
