"""Teacher with precomputed vectors, which are looked up by the hash of the text.

A folder holds `queries/` and `documents/`, each with any number of files of two kinds:

- `NAME.arrow` (IPC file): columns `id` (string) and `vector` (fixed-size list of float16 or float32);
- `NAME.npy`: float16 or float32[n, dim], and beside it `NAME.ids.txt` with n ids, one on each line.

The id of a vector is the xxh3-128 of its text in UTF-8, as 32 hexadecimal digits (`text_id`). So the id follows from
the text, a text has one vector, and the order of rows does not matter.
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

FOLDERS: dict[Side, str] = {"query": "queries", "document": "documents"}


def text_id(text: str) -> str:
    """Return the id of a text's vector.

    >>> text_id("a")
    'a96faf705af16834e6c632b61e964e1f'
    """
    return xxhash.xxh3_128_hexdigest(text.encode())


class PrecomputedVectors:
    """Reads vectors from a folder and normalizes them to length 1.

    Raises:
        SettingsError: the folder has no `queries/` or no `documents/`.

    """

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
        """Hash of all files of the folder."""
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return digest({path.relative_to(self._folder).as_posix(): hash_file(path) for path in paths})

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return self._side("document").dim

    def encode(self, texts: list[str], side: Side) -> F32:
        """Return the vectors of texts, float32[len(texts), dim], each of length 1.

        Raises:
            StageError: a text has no vector, or its vector is zero or not finite.
            SettingsError: a file is unreadable, or its arrays do not fit together.

        """
        table = self._side(side)
        ids = _ids("".join(text_id(text) for text in texts))
        position = np.minimum(np.searchsorted(table.ids, ids), len(table.ids) - 1)
        missing = np.flatnonzero(table.ids[position] != ids)
        where = f"vectors:{self._folder}, {FOLDERS[side]}"
        if len(missing):
            raise StageError(
                f"{len(missing):,} of {len(texts):,} texts have no vector, the first: {texts[missing[0]][:80]!r}",
                where=where,
                remedy="add their vectors; the id is the xxh3-128 of the text",
            )
        vectors = table.take(position)
        norms: F32 = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and norms.all()):
            invalid = int(np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))[0])
            raise StageError(f"the vector of {texts[invalid][:80]!r} is zero or not finite", where=where)
        vectors /= norms
        return vectors

    @functools.cache  # noqa: B019 (there is one teacher a process)
    def _side(self, side: Side) -> _Table:
        folder = self._folder / FOLDERS[side]
        parts = [_read_arrow(path) for path in sorted(folder.glob("*.arrow"))]
        parts += [_read_npy(path) for path in sorted(folder.glob("*.npy"))]
        dims = {vectors.shape[1] for _, vectors in parts}
        if len(dims) != 1:
            message = f"vectors of different lengths: {sorted(dims)}" if dims else "no .arrow or .npy file"
            raise SettingsError(message, where=f"mining.teacher: vectors:{folder}")
        return _Table.of(parts)


Ids = npt.NDArray[np.bytes_]


@dataclass(frozen=True)
class _Table:
    """Sorted ids, and the location of each vector.

    Attributes:
        ids: bytes[n] of 16, sorted.
        file: int32[n], index into `parts`.
        row: int64[n], row in that array.
        parts: arrays of vectors, float16 or float32[rows, dim].

    """

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

    def take(self, positions: I64) -> F32:
        file, row = self.file[positions], self.row[positions]
        result = np.empty((len(positions), self.dim), np.float32)
        for i in np.unique(file):
            result[file == i] = self.parts[i][row[file == i]]
        return result


def _read_arrow(path: Path) -> tuple[Ids, Array]:
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        vector = table["vector"].combine_chunks()
        from open_ml_embed.core.text.tokens import string_buffers  # numba: a command that only asks never needs it

        ids = _ids(string_buffers(table["id"])[1].tobytes().decode())
    except (ValueError, KeyError) as error:
        raise SettingsError(
            f"unreadable: {error}", where=str(path), remedy="an Arrow IPC file with the columns id and vector"
        ) from None
    kind = vector.type
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type)):
        raise SettingsError(f"column vector is {kind}", where=str(path), remedy="fixed_size_list<float16|float32>")
    return _checked(ids, vector.flatten().to_numpy().reshape(-1, kind.list_size), path)


def _read_npy(path: Path) -> tuple[Ids, Array]:
    ids_path = path.with_suffix(".ids.txt")
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        ids = _ids(ids_path.read_text("utf-8"))
    except (ValueError, FileNotFoundError) as error:
        raise SettingsError(
            f"unreadable: {error}", where=str(path), remedy=f"float[n, dim] here and n ids in {ids_path.name}"
        ) from None
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        message = f"{vectors.dtype} with shape {vectors.shape}"
        raise SettingsError(message, where=str(path), remedy="float16 or float32[n, dim]")
    return _checked(ids, vectors, path)


def _checked(ids: Ids, vectors: Array, path: Path) -> tuple[Ids, Array]:
    """Return ids and vectors; refuse a file with different numbers of them."""
    if len(ids) != len(vectors):
        raise SettingsError(
            f"{len(vectors):,} vectors and {len(ids):,} ids",
            where=str(path),
            remedy="one id a vector: the xxh3-128 of its text, 32 hexadecimal digits",
        )
    return ids, vectors


def _ids(digits: str) -> Ids:
    """Parse ids from hexadecimal digits, 16 bytes each; white space between them is ignored."""
    raw = bytes.fromhex(digits)
    return np.frombuffer(raw[: len(raw) // 16 * 16], "S16")
