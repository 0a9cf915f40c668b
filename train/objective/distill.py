"""A teacher's vectors of a mix: made once, one a text, and read by row number while training.

A teacher may have any width, depth and tokenizer: it reads texts and gives vectors. Those made here are turned to
their principal axes, which changes no distance and makes prefixes meaningful: the first d numbers are the best d that
a rotation can give. A student that follows a teacher's vectors prefix by prefix needs that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from open_ml_embed.core.array_types import F16, F32
from open_ml_embed.core.errors import SettingsError, StageError
from open_ml_embed.core.files import whole_folder
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.progress import Progress
from train.config import Distillation
from train.data.batch import Batch
from train.data.mix import Mix
from train.objective.loss import Taught

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

VERSION = 1
FILES = {"train": "queries.npy", "documents": "documents.npy"}
TEXTS = {"train": "query", "documents": "text"}
BLOCK_ROWS = 1 << 16


@dataclass(frozen=True)
class TeacherVectors:
    """Memory-mapped vectors; nothing is read before a step asks for it.

    Attributes:
        queries: training samples × width.
        documents: documents × width.

    """

    queries: F16
    documents: F16

    def of(self, batch: Batch, device: torch.device) -> Taught:
        """Return a step's vectors, float32."""
        rows = ((self.queries, batch.query_rows), (self.documents, batch.document_rows))
        return Taught(*(torch.from_numpy(np.asarray(v[r], np.float32)).to(device) for v, r in rows))


def open_teacher(settings: Distillation, mix: Mix, work: Path, *, device: str) -> TeacherVectors:
    """Open the teacher's vectors of a mix, making them first if `teacher` is a model and they are not there yet.

    Args:
        settings: which teacher.
        mix: the mix.
        work: vectors made here lie below it, by teacher and content of the mix.
        device: where the teacher runs.

    A folder of vectors made elsewhere holds, for each mix by the name of its folder, `queries.npy` and
    `documents.npy`: one row a training sample and one a document, in the mix's order. If their prefixes are to be
    followed, they must be worth following: a Matryoshka teacher's, or turned to their principal axes.

    Raises:
        SettingsError: no such model.
        StageError: the vectors are not those of this mix.

    """
    given = Path(settings.teacher) / mix.root.name
    if all((given / name).is_file() for name in FILES.values()):
        return _mapped(given, mix)
    made_from = [VERSION, settings.teacher, settings.revision, settings.query_prompt, mix.identity]
    folder = work / "teachers" / digest(made_from)[:16]
    if not folder.is_dir():
        with whole_folder(folder) as filled:
            _encode(settings, mix, filled, device)
    return _mapped(folder, mix)


def _mapped(folder: Path, mix: Mix) -> TeacherVectors:
    vectors = {kind: np.load(folder / name, mmap_mode="r") for kind, name in FILES.items()}
    for kind, rows in vectors.items():
        if rows.ndim != 2 or len(rows) != mix.rows(kind) or rows.shape[1] != vectors["documents"].shape[1]:
            raise StageError(
                f"vectors of shape {rows.shape} for {mix.rows(kind)} texts",
                where=str(folder / FILES[kind]),
                remedy="make them anew: one row a text, all of one width",
            )
    return TeacherVectors(vectors["train"], vectors["documents"])


def _encode(settings: Distillation, mix: Mix, folder: Path, device: str) -> None:
    teacher = _load(settings, device)
    prompts = {"train": settings.query_prompt, "documents": ""}
    moment = np.zeros(())
    with Progress("teacher", total=sum(map(mix.rows, FILES))) as progress:
        for kind, name in FILES.items():
            vectors, at = None, 0
            for batch in mix.batches(kind):
                texts = batch.column(TEXTS[kind]).to_pylist()
                found = teacher.encode(texts, prompt=prompts[kind] or None, normalize_embeddings=True)
                if vectors is None:
                    shape = (mix.rows(kind), found.shape[1])
                    vectors = np.lib.format.open_memmap(folder / name, "w+", np.float16, shape)
                vectors[at : at + len(texts)] = found
                at += len(texts)
                moment = moment + found.T.astype(np.float64) @ found
                progress.advance(kind, by=len(texts))
            assert vectors is not None
            vectors.flush()
    _, axes = np.linalg.eigh(moment)
    for name in FILES.values():
        _turn(folder / name, axes[:, ::-1].astype(np.float32))


def _turn(path: Path, axes: F32) -> None:
    """Multiply the vectors in a file by a rotation, in place."""
    vectors = np.load(path, mmap_mode="r+")
    for block in _blocks(len(vectors)):
        vectors[block] = vectors[block].astype(np.float32) @ axes
    vectors.flush()


def _blocks(rows: int) -> Iterator[slice]:
    for first in range(0, rows, BLOCK_ROWS):
        yield slice(first, first + BLOCK_ROWS)


def _load(settings: Distillation, device: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(settings.teacher, revision=settings.revision, device=device)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"no teacher: {error}",
            where=f"train.objective.distillation.teacher: {settings.teacher}",
            remedy="name a sentence-transformers model, or a folder with queries.npy and documents.npy for each mix",
        ) from None
