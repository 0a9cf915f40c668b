"""What holds for every source without exception: run on the raw rows that `tests.sources.raw` invents for it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import langcodes
import pyarrow as pa
import pytest

from sources import registry
from sources.languages import check_tag
from sources.manifest import Manifest, RawTable
from sources.normalize import Read, normalize, parts, read_file
from sources.parts import RawBatch, RawFile
from sources.quarantine import Quarantine
from sources.read_once import Keeper, replay
from sources.record_counts import FileCounts, Tally
from sources.schema import ROW_SCHEMA
from sources.shapes import arguments, kinds, shape
from sources.text import normalized
from tests.sources.raw import FIXTURES, raw_files

SOURCES = registry.names()
YOUNG = {"isv", "rsk", "tok"}
"""ISO 639-3 codes of 2022 and later, which the register that langcodes carries does not have."""


JOINS = {
    "clirmatrix", "debian", "debian_classes", "dialogue", "judged", "mediawiki", "message_tree", "nli", "paraphrase",
    "problem_solutions", "qrels", "sts",
}  # fmt: skip
"""Shapes that make one row of several records, or several of one; all others make a row of each that they let pass."""


@dataclass
class Result:
    manifest: Manifest
    rows: dict[str, pa.Table]
    quarantined: dict[str, pa.Table]
    filtered: Counter[str]
    files: list[dict[str, FileCounts]]
    """By part."""


def normalized_fixture(name: str) -> tuple[Result, Result]:
    """Fetch a source's fixture, and normalize it twice: from its files, and from what was kept of reading them once."""
    manifest = registry.load(name)
    with TemporaryDirectory() as folder:
        files = {subset: raw_files(name, subset, Path(folder)) for subset in FIXTURES[name].SUBSETS}
        return _normalized(manifest, files, read_file), _normalized(manifest, files, _kept)


def _kept(file: RawFile, table: RawTable, quarantine: Quarantine) -> Iterator[RawBatch]:
    """Read a file once, then again from what `sources.read_once` keeps of it."""
    keeper = Keeper(file, table)
    pieces = [batch.slice(start, 3) for batch in keeper.batches() for start in range(0, batch.num_rows, 3)]
    yield from replay(iter(pieces), keeper.schema, keeper.listing(), keeper.events(), quarantine)


def _normalized(manifest: Manifest, files: dict[str, list[RawFile]], read: Read) -> Result:
    result = Result(manifest, {}, {}, Counter(), [])
    per_file = shape(manifest.shape.kind).PER_FILE
    for subset, raw in files.items():
        batches, bad = [], []
        for part in parts(manifest, subset, raw):
            quarantine, filtered, tally = Quarantine(manifest.name, subset), Counter[str](), Tally(part)
            batches += normalize(part, manifest, quarantine, filtered, tally, read)
            bad.append(quarantine.table())
            result.filtered.update(filtered)
            result.files.append(tally.files(quarantine, filtered, per_file=per_file))
        result.rows[subset] = pa.Table.from_batches(batches, ROW_SCHEMA)
        result.quarantined[subset] = pa.concat_tables(bad)
    return result


@cache
def once(name: str) -> tuple[Result, Result]:
    return normalized_fixture(name)


@pytest.fixture(params=SOURCES)
def result(request) -> Result:
    assert request.param in FIXTURES, f"write tests/sources/raw/{request.param}.py"
    return once(request.param)[0]


def test_every_fixture_has_a_source():
    assert set(FIXTURES) == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_manifest_is_complete(name):
    manifest = registry.load(name)
    assert manifest.shape.kind in kinds()
    assert manifest.citation.strip()
    assert manifest.license.id
    if manifest.license.id.startswith("LicenseRef-"):
        assert manifest.license.note, "a license without an SPDX identifier needs a word on what it is"
    assert manifest.instruction.endswith(".")
    assert manifest.samples > 0
    if manifest.origin.kind == "manual":
        assert manifest.access.kind == "manual", "say what a person has to do"
    for tag in manifest.languages():
        assert tag.endswith("-Code") or tag[:3] in YOUNG or langcodes.tag_is_valid(tag), tag
    for subset in manifest.subsets:
        bound = manifest.bound(subset)
        arguments(shape(bound.shape.kind), bound)
        assert "{" not in bound.model_dump_json(include={"tables", "shape"}).replace('{"', "").replace("{}", "")


def test_no_two_sources_share_an_instruction():
    told = Counter(m.instruction for m in registry.load_all("f2llm-v2"))
    assert not [text for text, count in told.items() if count > 1]


def test_rows_have_the_schema_and_there_are_some(result):
    for subset, rows in result.rows.items():
        assert rows.schema.equals(ROW_SCHEMA), subset
        rows.validate(full=True)
        assert rows.num_rows > 0, subset
        for column in ROW_SCHEMA:
            if not column.nullable:
                assert rows[column.name].null_count == 0, column.name
        assert set(rows["source"].to_pylist()) == {result.manifest.name}
        assert set(rows["subset"].to_pylist()) == {subset}


def test_texts_are_normal_and_not_empty(result):
    for rows in result.rows.values():
        for side in ("query", "positive"):
            for code in (False, True):
                mask = [lang.endswith("-Code") == code for lang in rows[f"{side}_lang"].to_pylist()]
                texts = rows[side].combine_chunks().filter(pa.array(mask, pa.bool_()))
                assert normalized(texts, code=code).equals(texts)
                assert all(text.strip() for text in texts.to_pylist())
        for row in rows.select(["query", "positive", "negatives"]).to_pylist():
            assert row["query"] != row["positive"]
            assert row["positive"] not in row["negatives"]
            assert all(text and text.strip() for text in row["negatives"])


def test_ids_identify_content(result):
    content = {}
    for rows in result.rows.values():
        for row in rows.to_pylist():
            key = (row["source"], row["subset"], row["query"], row["positive"])
            assert content.setdefault(row["row_id"], key) == key
    assert len(set(content.values())) == len(content)


def test_languages_are_declared(result):
    for subset, rows in result.rows.items():
        declared = result.manifest.subsets[subset]
        for side in ("query", "positive"):
            found = set(rows[f"{side}_lang"].to_pylist())
            for tag in found:
                check_tag(tag)
            said = getattr(declared, f"{side}_lang")
            if isinstance(said, str):
                assert found == {said}


def test_family_rules(result):
    for subset, rows in result.rows.items():
        labels = rows["label"].to_pylist()
        if result.manifest.family == "retrieval":
            assert labels == [None] * len(labels)
            continue
        assert all(labels)
        if result.manifest.family == "classification":
            names = set(labels)
            own = result.manifest.shape.kind == "stated_labels"  # two of each record, not two of all
            assert own or len(names) == 2, subset
            for row in rows.to_pylist():
                assert row["positive"] == row["label"]
                if own:
                    assert len(row["negatives"]) == 1
                else:
                    assert row["negatives"] == sorted(names - {row["label"]})
        else:
            label_of = dict(zip(rows["query"].to_pylist(), labels, strict=True))
            for row in rows.to_pylist():
                # The partner is a text of the class, unless it was itself left out as somebody's duplicate.
                assert label_of.get(row["positive"], row["label"]) == row["label"]


def test_origin_leads_back(result):
    for rows in result.rows.values():
        for origin in rows["origin"].to_pylist():
            assert origin["file"]
            assert origin["record"] >= 0


def test_broken_record_is_quarantined_with_its_place(result):
    fixture = FIXTURES[result.manifest.name]
    ending, record, reason = fixture.BROKEN
    bad = result.quarantined[fixture.SUBSETS[0]].to_pylist()
    assert any(b["file"].endswith(ending) and (b["record"], b["reason"]) == (record, reason) for b in bad), bad


def test_every_record_is_accounted_for(result):
    rows, bad = (sum(t.num_rows for t in tables.values()) for tables in (result.rows, result.quarantined))
    counted = [counts for part in result.files for counts in part.values()]
    assert sum(counts.rows for counts in counted) == rows
    assert sum(counts.quarantined.total() for counts in counted) == bad
    records = sum(counts.records for counts in counted)
    kind = result.manifest.shape.kind
    kind = result.manifest.shape.args["shape"]["kind"] if kind == "by_file" else kind
    one_row_each = kind not in JOINS and "each" not in result.manifest.shape.args
    if one_row_each:
        assert records == rows + bad + result.filtered.total()
    if shape(result.manifest.shape.kind).PER_FILE and one_row_each:
        assert [counts.joined for counts in counted] == [0] * len(counted)
        assert sum(counts.filtered.total() for counts in counted) == result.filtered.total()


def test_same_raw_files_give_the_same_rows(result):
    first, again = once(result.manifest.name)
    assert again.rows == first.rows
    assert again.quarantined == first.quarantined
    assert again.filtered == first.filtered
    assert again.files == first.files
