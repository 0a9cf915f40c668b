"""What CONTRIBUTING says about adding a source is true: the file on that page is added and gives rows."""

import json
import re
import shutil

import yaml

from curation.build import Build
from curation.pipeline.plan import make_plan
from curation.settings import load_profile
from sources import registry
from sources.fetch import FetchOptions, fetch
from sources.normalize import normalize, parts
from sources.quarantine import Quarantine
from tests.support import ROOT
from tests.support.hub.server import serving

PAGE = ROOT / "CONTRIBUTING.md"
COMMUNITY = list(registry.load_all("community"))


def test_the_ten_lines_are_ten():
    section = PAGE.read_text("utf-8").split("## How to add a source")[1].split("\n## ")[0]
    assert [int(n) for n in re.findall(r"^(\d+)\. ", section, re.MULTILINE)] == list(range(1, 11))


def test_what_the_page_names_is_there():
    section = PAGE.read_text("utf-8").split("## How to add a source")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-z0-9_]+)\.yaml`", section)) - {"params"}
    assert named
    assert named <= set(registry.names())


def manifest_on_the_page() -> str:
    return re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]


def test_the_corpus_stays_the_corpus_with_the_file_added(tmp_path, monkeypatch):
    text = manifest_on_the_page()
    name = yaml.safe_load(text)["name"]
    shutil.copytree(PAGE.parent / "manifests", tmp_path / "manifests")
    (tmp_path / "manifests/sources" / f"{name}.yaml").write_text(text)
    before = registry.names()
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path / "manifests"))
    assert registry.names() == sorted([*before, name])
    community = [m.name for m in registry.load_all("community")]
    assert name in community
    assert set(community) - {name} == {m.name for m in COMMUNITY}
    corpus = list(registry.load_all("ml-embed"))
    assert (len(corpus), sum(m.samples for m in corpus)) == (121, 50_513_802)
    # What `sources.include` in params.yaml asks for comes on top, and in no other way.
    params = yaml.safe_load((PAGE.parent / "params.yaml").read_text("utf-8"))
    params["mine"] = {"sources": {"collection": "ml-embed", "include": [name]}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for profile, sources, rows in (("full", 121, 50_513_802), ("mine", 122, 50_516_202)):
        made = make_plan(Build(*load_profile(tmp_path / "params.yaml", profile), tmp_path))
        assert (made["sources"], made["corpus"]["rows"]) == (sources, rows)


def test_the_file_on_the_page_is_a_source(tmp_path, monkeypatch):
    text = manifest_on_the_page()
    name = yaml.safe_load(text)["name"]
    path = tmp_path / "manifests" / "sources" / f"{name}.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path / "manifests"))
    assert registry.names() == [name]
    manifest = registry.load(name)
    entries = [
        {"question": "Hvað sást um miðnætti?", "entry": "Segl í norðri, hvarf í þoku.", "watch": "night"},
        {"question": "Hver kveikti?", "entry": "Vörðurinn kveikti klukkan níu.", "watch": "day"},
        {"question": "", "entry": "Ekkert að segja.", "watch": "night"},
    ]
    lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    with serving(tmp_path / "hub") as server:
        server.add(manifest.origin.repo, "isl/train-0.jsonl", lines.encode())
        server.add(manifest.origin.repo, "fao/train-0.jsonl", lines.encode())
        files = fetch(manifest, "isl", FetchOptions(str(tmp_path / "raw"), endpoint=server.endpoint))
    (part,) = parts(manifest, "isl", files)
    quarantine, filtered = Quarantine(name, "isl"), {"where": 0}
    (batch,) = normalize(part, manifest, quarantine, filtered)
    (row,) = batch.to_pylist()
    assert (row["query"], row["positive"]) == (entries[0]["question"], entries[0]["entry"])
    assert (row["query_lang"], row["subset"]) == ("isl-Latn", "isl")
    assert filtered == {"where": 1}
    assert dict(quarantine.counts) == {"empty-query": 1}
