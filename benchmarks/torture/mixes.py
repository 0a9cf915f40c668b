"""Mixes that are damaged or not ours: every reader takes them or refuses them in words."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.torture.isolated import faults_of
from benchmarks.torture.rows import Row
from open_ml_embed.core.errors import CorpusError

FORMATS = ("sentence-transformers", "flagembedding", "tevatron", "ms-swift", "nemotron", "triplets", "beir")


def row(count: int, seed: int) -> Row:
    """Try `count` mixes."""
    result = Row("mixes: files cut, flipped, of other columns, types and numbers; read, exported, tokenized")
    with tempfile.TemporaryDirectory() as folder:
        from tests.curation.export import mixes as made

        template = made.make(Path(folder) / "template" / "mix", rows=40).root
        tokenizer = _tokenizer()
        found = faults_of(lambda case: _fault(template, Path(folder) / "case", tokenizer, seed, case), 0, count)
    result.tried, result.failed = count, len(found)
    result.faults = [f"seed {seed}, mix {case}: {fault}" for case, fault in sorted(found.items())]
    return result


def _tokenizer() -> object:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "document": 1, "query": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def _fault(template: Path, root: Path, tokenizer: object, seed: int, case: int) -> str:
    import open_ml_embed as ome
    from open_ml_embed.core.engine import Workers
    from train.data.mix import Mix
    from train.data.tokenize import tokenize

    rng = random.Random(f"{seed}/{case}")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root / "mix")
    files = sorted((root / "mix").rglob("*.parquet"))
    for path in rng.sample(files, rng.choice([1, 1, 2])):
        damage(path, rng)
    mix = root / "mix"
    for call in (
        lambda: ome.Mix(mix).statistics,
        lambda: repr(ome.Mix(mix)),
        lambda: ome.Mix(mix).samples,
        lambda: ome.Mix(mix).export(rng.choice(FORMATS), root / "export"),
        lambda: Mix(mix).identity,
        lambda: Mix(mix).instructed,
        lambda: list(Mix(mix).texts(10)),
        lambda: tokenize(Mix(mix), tokenizer, root / "store", Workers(count=1)),
    ):
        try:
            call()
        except CorpusError as error:
            str(error)
    return ""


Change = Callable[[pa.Table, random.Random], pa.Table]


def _without(table: pa.Table, rng: random.Random) -> pa.Table:
    return table.drop_columns([rng.choice(table.column_names)])


def _null(table: pa.Table, rng: random.Random) -> pa.Table:
    """Put nulls into a column."""
    name = rng.choice(table.column_names)
    values = table[name].to_pylist()
    for at in rng.sample(range(len(values)), min(2, len(values))):
        values[at] = None
    return _with(table, name, pa.array(values, table.schema.field(name).type))


def _retyped(table: pa.Table, rng: random.Random) -> pa.Table:
    name = rng.choice(table.column_names)
    n = table.num_rows
    other = rng.choice(
        [
            pa.array([b"\xff\xfe"] * n), pa.array([1.5] * n), pa.array([None] * n), pa.array([{"a": 1}] * n),
            pa.array([[["x"]]] * n), pa.array([["1"]] * n), pa.array([True] * n),
            pa.array(["x"] * n).dictionary_encode(), pa.array([2**40] * n), pa.array(["7"] * n),
            pa.array([[None, 1]] * n, pa.list_(pa.int64())), pa.array([[-1]] * n, pa.list_(pa.int64())),
        ]
    )  # fmt: skip
    return _with(table, name, other)


def _numbers(table: pa.Table, rng: random.Random) -> pa.Table:
    """Make numbers of documents impossible."""
    names = [name for name in ("positive_id", "document_id", "query_cluster", "cluster") if name in table.column_names]
    name = rng.choice(names)
    value = rng.choice([-1, 10**6, 2**31, 2**62, -(2**63)])
    return _with(table, name, pa.array([value] * table.num_rows, pa.int64()))


def _words(table: pa.Table, rng: random.Random) -> pa.Table:
    """Give a column of texts other texts."""
    names = [field.name for field in table.schema if pa.types.is_string(field.type)]
    value = rng.choice(["", "\0", "../../x", "[red]", "\x1b]52;c;x\a", "x" * 100_000, "nobody"])
    return _with(table, rng.choice(names), pa.array([value] * table.num_rows))


def _invalid(table: pa.Table, rng: random.Random) -> pa.Table:
    """Put bytes that are no UTF-8 into a column of texts."""
    names = [field.name for field in table.schema if pa.types.is_string(field.type)]
    data = pa.array([b"caf\xe9 \xff"] * table.num_rows, pa.binary())
    broken = pa.StringArray.from_buffers(len(data), data.buffers()[1], data.buffers()[2])
    return _with(table, rng.choice(names), broken)


def _none(table: pa.Table, rng: random.Random) -> pa.Table:
    return table.slice(0, 0)


def _twice(table: pa.Table, rng: random.Random) -> pa.Table:
    return pa.concat_tables([table, table])


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


CHANGES: tuple[Change, ...] = (_without, _null, _null, _retyped, _retyped, _numbers, _words, _invalid, _none, _twice)


def damage(path: Path, rng: random.Random) -> None:
    """Damage a Parquet file in its bytes, or in what it says."""
    way = rng.randrange(4)
    if way == 0:
        from tests.support.corruption import corrupt

        corrupt(path, rng)
    elif way == 1:
        data = path.read_bytes()
        path.unlink()
        other = rng.choice(["folder", "text", "nothing", "gone", "magic"])
        if other == "folder":
            path.mkdir()
        elif other != "gone":
            path.write_bytes({"text": b"404", "nothing": b"", "magic": b"PAR1" + data[4:60] + b"PAR1"}[other])
    else:
        table = rng.choice(CHANGES)(pq.read_table(path), rng)
        pq.write_table(table, path)
