"""A teacher's vectors for the texts of a mix: computed once, and read by row number during training.

A teacher may have any width, depth and tokenizer. Vectors that are computed here are rotated to their principal axes.
This keeps all distances, and makes prefixes meaningful: the first d components are the best d that a rotation can give.
A student that matches a teacher's vectors prefix by prefix needs that.
"""

from __future__ import annotations

import os
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
from open_ml_embed.core.os_errors import naming
from open_ml_embed.core.progress import Progress
from train.config import Distillation
from train.data.batch import Batch
from train.data.long_texts import kept_prefixes
from train.data.mix import Mix
from train.objective.loss import Taught

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

VERSION = 1
FILES = {"train": "queries.npy", "documents": "documents.npy"}
TEXTS = {"train": "query", "documents": "text"}
BLOCK_ROWS = 1 << 16
LONGEST = 1 << 20
"""Tokenizers without a limit have one of more tokens than this."""


@dataclass(frozen=True)
class TeacherVectors:
    """A teacher's vectors, memory-mapped; only the rows of a step are read.

    Attributes:
        queries: float16, training samples × width.
        documents: float16, documents × width.

    """

    queries: F16
    documents: F16

    def of(self, batch: Batch, device: torch.device) -> Taught:
        """Return the vectors of a batch, float32, on a device."""
        rows = ((self.queries, batch.query_rows), (self.documents, batch.document_rows))
        return Taught(*(torch.from_numpy(np.asarray(v[r], np.float32)).to(device) for v, r in rows))


def open_teacher(settings: Distillation, mix: Mix, work: Path, *, device: str) -> TeacherVectors:
    """Open the teacher's vectors of a mix; if the teacher is a model, compute them first where that is not done.

    A folder of vectors that were made elsewhere has a folder for each mix, named as the mix's folder. It holds
    `queries.npy` with one row for each training sample and `documents.npy` with one row for each document, in the order
    of the mix. If the student matches prefixes, the prefixes must be meaningful: from a Matryoshka teacher, or rotated
    to the principal axes.

    Args:
        settings: the teacher.
        mix: the mix.
        work: folder below which computed vectors are kept, by teacher and content of the mix.
        device: device of the teacher.

    Raises:
        SettingsError: the teacher's model cannot be loaded.
        StageError: the vectors do not match the mix.

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
                remedy="compute them again, one row for each text, all of the same width",
            )
    return TeacherVectors(vectors["train"], vectors["documents"])


def _encode(settings: Distillation, mix: Mix, folder: Path, device: str) -> None:
    teacher = _load(settings, device)
    prompts = {"train": settings.query_prompt, "documents": ""}
    second_moment = np.zeros(())
    with Progress("teacher", total=sum(map(mix.rows, FILES))) as progress:
        for kind, name in FILES.items():
            vectors, at = None, 0
            for batch in mix.batches(kind):
                texts = _kept(teacher, batch.column(TEXTS[kind]).to_pylist(), prompts[kind])
                embeddings = teacher.encode(texts, prompt=prompts[kind] or None, normalize_embeddings=True)
                if vectors is None:
                    shape = (mix.rows(kind), embeddings.shape[1])
                    vectors = new_file(folder / name, shape)
                vectors[at : at + len(texts)] = embeddings
                at += len(texts)
                second_moment = second_moment + embeddings.T.astype(np.float64) @ embeddings
                progress.advance(kind, by=len(texts))
            assert vectors is not None
            vectors.flush()
    _, axes = np.linalg.eigh(second_moment)
    for name in FILES.values():
        _rotate(folder / name, axes[:, ::-1].astype(np.float32))


def new_file(path: Path, shape: tuple[int, ...]) -> np.memmap[tuple[int, ...], np.dtype[np.float16]]:
    """Make a file for float16 vectors, and map it for writing.

    Its room on the disk is taken at once: a page that is written to a map of a file with holes, on a disk that is full,
    ends the process with SIGBUS.

    Raises:
        OSError: the disk has too little room.

    """
    vectors = np.lib.format.open_memmap(path, "w+", np.float16, shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with naming(path), path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return vectors


def _kept(teacher: SentenceTransformer, texts: list[str], prompt: str) -> list[str]:
    """Return the beginnings of texts that the teacher reads."""
    tokenizer = getattr(teacher.tokenizer, "backend_tokenizer", None)
    length = teacher.max_seq_length
    if tokenizer is None or not length or length > LONGEST:
        return texts
    whole = [prompt + text for text in texts]
    return [text[len(prompt) :] for text in kept_prefixes(whole, tokenizer, length)]


def _rotate(path: Path, axes: F32) -> None:
    """Multiply the vectors of a file by a rotation, in place."""
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
