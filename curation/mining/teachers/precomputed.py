"""Vectors made elsewhere, as a teacher: looked up by text, never made.

A folder holds `queries/` and `documents/`, each with any number of files of two kinds:

- `NAME.arrow` (IPC file): columns `id` (string) and `vector` (fixed-size list of float16 or float32);
- `NAME.npy`: float16 or float32[n, dim], and beside it `NAME.ids.txt` with n lines.

A vector's id is the xxh3-128 of its text in UTF-8, as 32 hexadecimal digits (`text_id`): whoever has the text has the
id, one text has one vector, and nothing depends on the order of rows.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from curation.mining.teachers.protocol import Side
from open_ml_embed.core.array_types import F32, I32, I64, Array
from open_ml_embed.core.errors import SettingsError, StageError
from open_ml_embed.core.hashing import digest, hash_file
from open_ml_embed.core.text.tokens import string_buffers

FOLDERS: dict[Side, str] = {"query": "queries", "document": "documents"}


def text_id(text: str) -> str:
    """Return the id of a text's vector.

    >>> text_id("a")
    'a96faf705af16834e6c632b61e964e1f'
    """
    return xxhash.xxh3_128_hexdigest(text.encode())


class PrecomputedVectors:
    """Looks vectors up in a folder; they are normalized as they are read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in FOLDERS.values():
            if not (folder / name).is_dir():
                raise SettingsError(
                    f"no folder {name}/ with vectors",
                    where=f"mining.teacher: vectors:{folder}",
                    remedy="one folder queries/ and one documents/, with .arrow or .npy files: see docs/mining.md",
                )

    @functools.cached_property
    def identity(self) -> str:
        """Hash of all files."""
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return digest({path.relative_to(self._folder).as_posix(): hash_file(path) for path in paths})

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._side("document").dim

    def encode(self, texts: list[str], side: Side) -> F32:
        """Return float32[len(texts), dim].

        Raises:
            StageError: a text has no vector, or only zeros for one.

        """
        table = self._side(side)
        ids = _ids("".join(text_id(text) for text in texts))
        place = np.minimum(np.searchsorted(table.ids, ids), len(table.ids) - 1)
        missing = np.flatnonzero(table.ids[place] != ids)
        where = f"vectors:{self._folder}, {FOLDERS[side]}"
        if len(missing):
            raise StageError(
                f"{len(missing):,} of {len(texts):,} texts have no vector, the first: {texts[missing[0]][:80]!r}",
                where=where,
                remedy="add their vectors; the id is the xxh3-128 of the text",
            )
        vectors = table.take(place)
        norms: F32 = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and norms.all()):
            bad = int(np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))[0])
            raise StageError(f"the vector of {texts[bad][:80]!r} is zero or not finite", where=where)
        vectors /= norms
        return vectors

    @functools.cache  # noqa: B019 (there is one teacher a process)
    def _side(self, side: Side) -> _Table:
        folder = self._folder / FOLDERS[side]
        parts = [_read_arrow(path) for path in sorted(folder.glob("*.arrow"))]
        parts += [_read_npy(path) for path in sorted(folder.glob("*.npy"))]
        dims = {vectors.shape[1] for _, vectors in parts}
        if len(dims) != 1:
            what = f"vectors of different lengths: {sorted(dims)}" if dims else "no .arrow or .npy file"
            raise SettingsError(what, where=f"mining.teacher: vectors:{folder}")
        return _Table.of(parts)


Ids = npt.NDArray[np.bytes_]


@dataclass(frozen=True)
class _Table:
    """Ids in order, and where the vector of each stands: file, and row of it."""

    ids: Ids
    file: I32
    row: I64
    parts: list[Array]

    @classmethod
    def of(cls, parts: list[tuple[Ids, Array]]) -> _Table:
        ids = np.concatenate([ids for ids, _ in parts])
        order = np.argsort(ids, kind="stable")
        file = np.repeat(np.arange(len(parts), dtype=np.int32), [len(ids) for ids, _ in parts])
        row = np.concatenate([np.arange(len(ids)) for ids, _ in parts])
        return cls(ids[order], file[order], row[order], [vectors for _, vectors in parts])

    @property
    def dim(self) -> int:
        return int(self.parts[0].shape[1])

    def take(self, places: I64) -> F32:
        file, row = self.file[places], self.row[places]
        result = np.empty((len(places), self.dim), np.float32)
        for i in np.unique(file):
            result[file == i] = self.parts[i][row[file == i]]
        return result


def _read_arrow(path: Path) -> tuple[Ids, Array]:
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        vector = table["vector"].combine_chunks()
        ids = _ids(string_buffers(table["id"])[1].tobytes().decode())
    except (ValueError, KeyError) as error:
        raise SettingsError(
            f"unreadable: {error}", where=str(path), remedy="an Arrow IPC file with the columns id and vector"
        ) from None
    kind = vector.type
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type)):
        raise SettingsError(f"column vector is {kind}", where=str(path), remedy="fixed_size_list<float16|float32>")
    return _of_each(ids, vector.flatten().to_numpy().reshape(-1, kind.list_size), path)


def _read_npy(path: Path) -> tuple[Ids, Array]:
    names = path.with_suffix(".ids.txt")
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        ids = _ids(names.read_text("utf-8"))
    except (ValueError, FileNotFoundError) as error:
        raise SettingsError(
            f"unreadable: {error}", where=str(path), remedy=f"float[n, dim] here and n ids in {names.name}"
        ) from None
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        what = f"{vectors.dtype} with shape {vectors.shape}"
        raise SettingsError(what, where=str(path), remedy="float16 or float32[n, dim]")
    return _of_each(ids, vectors, path)


def _of_each(ids: Ids, vectors: Array, path: Path) -> tuple[Ids, Array]:
    if len(ids) != len(vectors):
        raise SettingsError(
            f"{len(vectors):,} vectors and {len(ids):,} ids",
            where=str(path),
            remedy="one id a vector: the xxh3-128 of its text, 32 hexadecimal digits",
        )
    return ids, vectors


def _ids(digits: str) -> Ids:
    """Return ids as bytes of 16 from their hexadecimal digits; white space between them counts for nothing."""
    raw = bytes.fromhex(digits)
    return np.frombuffer(raw[: len(raw) // 16 * 16], "S16")
