"""Sources whose columns nobody has seen: other columns than the stated ones are an error that names them."""

import gzip
import json
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from open_ml_embed.core.errors import SchemaError
from sources import registry
from sources.normalize import normalize, parts
from sources.quarantine import Quarantine
from tests.sources.raw import FIXTURES, raw_files

OPEN = {
    "cmcqa": "abteilung, gespräch",
    "refgpt": "gespräch, quelle",
    "mailruqa": "antwort, frage",
    "siberiandataset": "antwort, art, frage",
    "nordic_text_matching": "eins, zwei, drei",
    "nordic_retrieval": "eins, zwei, drei, vier",
    "nordic_classification": "eins, zwei, drei, vier",
    "nordic_sts": "eins, zwei, drei, vier",
}
"""Source → the columns of a copy of its fixture, in the order of the fixture's columns by name."""
VARIANTS = [
    (name, field, other)
    for name in OPEN
    for field, others in registry.load(name).tables["records"].other_names.items()
    for other in others
]


def rename(path: Path, names: dict[str, str]) -> None:
    """Rename the columns of a raw file."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        pq.write_table(table.rename_columns([names.get(name, name) for name in table.column_names]), path)
    elif path.suffix == ".csv":
        header, _, rest = path.read_text("utf-8").partition("\n")
        path.write_text(",".join(names.get(name, name) for name in header.split(",")) + "\n" + rest, "utf-8")
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            ((member, data),) = [(name, archive.read(name)) for name in archive.namelist()]
        rows = [{names.get(key, key): value for key, value in row.items()} for row in json.loads(data)]
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, json.dumps(rows))
    else:
        unpack, pack = (gzip.decompress, gzip.compress) if path.suffix == ".gz" else (bytes, bytes)
        rows = [json.loads(line) for line in unpack(path.read_bytes()).splitlines()]
        lines = [json.dumps({names.get(key, key): value for key, value in row.items()}) + "\n" for row in rows]
        path.write_bytes(pack("".join(lines).encode()))


def columns(path: Path) -> list[str]:
    """Return the columns of a raw file, sorted."""
    if path.suffix == ".parquet":
        return sorted(pq.read_schema(path).names)
    if path.suffix == ".csv":
        return sorted(path.read_text("utf-8").partition("\n")[0].split(","))
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return sorted(json.loads(archive.read(archive.namelist()[0]))[0])
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return sorted(json.loads(data.splitlines()[0]))


def normalized(name: str, folder: Path, names) -> int:
    """Normalize a source whose fixture got other column names; return the number of rows."""
    subset = FIXTURES[name].SUBSETS[0]
    manifest = registry.load(name)
    rows = 0
    for file in raw_files(name, subset, folder):
        path = Path(file.path).resolve()
        rename(path, names(path))
        for part in parts(manifest, subset, [file]):
            rows += sum(b.num_rows for b in normalize(part, manifest, Quarantine(name, subset), Counter()))
    return rows


@pytest.mark.parametrize("name", OPEN)
def test_other_columns_are_named_by_the_error(name, tmp_path):
    found = OPEN[name].split(", ")
    with pytest.raises(SchemaError, match=f"no column .*found: {', '.join(sorted(found))}; expected: ") as caught:
        normalized(name, tmp_path, lambda path: dict(zip(columns(path), found, strict=True)))
    assert "correct `fields` in the manifest" in str(caught.value)


@pytest.mark.parametrize(("name", "field", "other"), VARIANTS)
def test_every_stated_variant_is_read(name, field, other, tmp_path):
    assert normalized(name, tmp_path, lambda _: {field: other}) > 0


def test_another_number_of_values_is_an_error_where_there_is_no_header(tmp_path):
    (file,) = raw_files("webmedqa", "zh", tmp_path)
    with zipfile.ZipFile(file.path) as archive:
        lines = archive.read("medQA.train.txt").decode().splitlines() * 3
    with zipfile.ZipFile(file.path, "w") as archive:
        archive.writestr("medQA.train.txt", "".join(line.partition("\t")[2] + "\n" for line in lines))
    manifest = registry.load("webmedqa")
    (part,) = parts(manifest, "zh", [file])
    with pytest.raises(SchemaError, match=r"4 values.*5"):
        list(normalize(part, manifest, Quarantine("webmedqa", "zh"), Counter()))
