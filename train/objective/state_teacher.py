"""A teacher whose hidden states a student follows, layer by layer, as F2LLM-v2 and ML-Embed were distilled.

Known of the published training, from its paper and its public code: the states are those of the pooled token after
the final norm, not of unit length; the teacher's are cut to the student's width; depth i of the student's list follows
depth i of the teacher's list; the teacher reads the same token ids, without gradient, in every step; it is used in the
second stage only. Not known: which checkpoint of the teacher was taken.

The states can also be computed once and kept, which takes 2 bytes for each text, depth and dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from open_ml_embed.core.array_types import F16, I64
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.files import whole_folder
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.progress import Progress
from train.config import Distillation, Pretrained
from train.config_file import layer_set
from train.data.batch import Batch
from train.data.memmap_columns import Ragged
from train.data.packing import share_out
from train.data.segments import Segments
from train.data.token_store import Store
from train.data.tokenizer import encoder_of, load_pretrained
from train.distributed.parallel import Group
from train.loop.keys import content_digest
from train.loop.record import DIGESTS
from train.loop.run import Run
from train.model.embedder import Embedder, build_backbone
from train.model.embedding import nest
from train.model.sizes import sizes_of
from train.objective.distill import new_file
from train.objective.loss import TaughtStates

VERSION = 1
WHERE = "train.objective.distillation"
BLOCK_TEXTS = 4096
FILES = ("queries.npy", "documents.npy")


def check_state_teacher(run: Run) -> None:
    """Check what can be checked before any weights are read.

    Raises:
        SettingsError: the teacher is narrower than the student, has fewer depths to follow, or another tokenizer.

    """
    settings = run.settings.objective.distillation
    assert settings is not None
    teacher, student = sizes_of(_backbone(settings), f"{WHERE}.teacher"), run.sizes
    where = f"{WHERE}.teacher: {settings.teacher}"
    if teacher.hidden < student.hidden:
        raise SettingsError(
            f"the teacher's states have {teacher.hidden} numbers, the student's {student.hidden}",
            where=where,
            remedy="choose a teacher that is as wide as the student or wider, or `on: embeddings`, or `on: scores`",
        )
    depths = followed_depths(run, teacher.layers)
    if len(depths) < len(run.shape.layers):
        raise SettingsError(
            f"the student trains {len(run.shape.layers)} depths, the teacher has {len(depths)} to follow "
            f"({', '.join(map(str, depths))})",
            where=where,
            remedy="choose a deeper teacher, or fewer `objective.layers`",
        )
    length = run.settings.max_length
    tokenizer = load_pretrained(
        settings.teacher, revision=settings.revision, max_length=length, where=f"{WHERE}.teacher"
    )
    if encoder_of(tokenizer, max_length=length).to_str() != encoder_of(run.tokenizer, max_length=length).to_str():
        raise SettingsError(
            "the teacher has another tokenizer than the student, and reads the same token ids",
            where=where,
            remedy="choose a teacher of the student's family, or `on: embeddings` or `on: scores`",
        )


def followed_depths(run: Run, depth: int) -> tuple[int, ...]:
    """Return the depths of a teacher with so many layers that the student's depths follow, in their order.

    They are what the setting `objective.layers` means for the teacher: the published depths and its full one, or the
    given ones and its full one. So the full depths follow each other unless the student has fewer published depths.
    """
    chosen = run.settings.objective.layers
    if chosen is None:
        return layer_set(depth)
    return (*sorted(layer for layer in {*chosen} - {run.sizes.layers} if layer < depth), depth)


@dataclass(frozen=True)
class StateTeacher:
    """A teacher that reads every batch.

    Attributes:
        model: the teacher, in evaluation mode; its layers are those that the student's follow, in that order.
        width: hidden size of the student.

    """

    model: Embedder
    width: int

    @property
    def bytes(self) -> int:
        """Memory of the weights."""
        return sum(parameter.numel() * parameter.element_size() for parameter in self.model.parameters())

    @torch.no_grad()
    def read(self, batch: Batch, group: Group) -> TaughtStates:
        """Return the states of a batch; a collective call: every process computes a share of the texts."""
        lengths = batch.segments.lengths
        shares = share_out(lengths, tokens=self.model.chunk_tokens, processes=group.size)
        local = self.model(batch.segments, shares[group.rank])
        states_LNH = group.gather(local, [np.concatenate(chunks) for chunks in shares])[..., : self.width]
        return TaughtStates(states_LNH[:, : batch.queries], states_LNH[:, batch.queries :])


@dataclass(frozen=True)
class StoredStates:
    """A teacher's states, memory-mapped; only the rows of a step are read.

    Attributes:
        queries: float16, training samples × layers × width.
        documents: float16, documents × layers × width.

    """

    queries: F16
    documents: F16

    def of(self, batch: Batch, device: torch.device) -> TaughtStates:
        """Return the states of a batch, float32, on a device."""
        rows = ((self.queries, batch.query_rows), (self.documents, batch.document_rows))
        return TaughtStates(*(_on(values[at], device) for values, at in rows))


def load_state_teacher(run: Run) -> StateTeacher:
    """Load the teacher of a run on the run's device, with the run's pooling and precision.

    Raises:
        SettingsError: there is no such model, or the trainer cannot use it.

    """
    distillation, settings = run.settings.objective.distillation, run.settings
    assert distillation is not None
    backbone = build_backbone(_backbone(distillation), run.tokenizer, max_length=settings.max_length, seed=0)
    depths = followed_depths(run, backbone.config.num_hidden_layers)[: len(run.shape.layers)]
    model = Embedder(
        nest(backbone, [backbone.config.hidden_size]),
        layers=depths,
        chunk_tokens=settings.chunk_tokens,
        pooling=settings.pooling,
    )
    model.autocast = torch.bfloat16 if settings.arithmetic == "bfloat16" else None
    return StateTeacher(model.requires_grad_(requires_grad=False).to(settings.device).eval(), run.sizes.hidden)


def open_stored_states(run: Run, store: Store, mix: str) -> StoredStates:
    """Open the states of a mix, and compute them first where that is not done.

    Args:
        run: names the teacher.
        store: the tokenized mix.
        mix: identity of the mix.

    """
    distillation, settings = run.settings.objective.distillation, run.settings
    assert distillation is not None
    local = Path(distillation.teacher)
    files = sorted(path for path in local.rglob("*.safetensors") if path.is_file()) if local.is_dir() else []
    teacher = content_digest(files, remembered=run.work / DIGESTS) if files else distillation.teacher
    tokens = encoder_of(run.tokenizer, max_length=settings.max_length).to_str()
    sizes = [run.sizes.hidden, len(run.shape.layers), settings.pooling, settings.arithmetic]
    folder = run.work / "teachers" / digest([VERSION, teacher, distillation.revision, mix, tokens, sizes])[:16]
    if not folder.is_dir():
        model = load_state_teacher(run)
        with (
            whole_folder(folder) as filled,
            Progress("teacher", total=len(store.train.row) + len(store.documents)) as p,
        ):
            rows = store.train.row[np.arange(len(store.train.row))]
            _write(model, store.train.queries, rows, filled / FILES[0], p)
            _write(model, store.documents, np.arange(len(store.documents)), filled / FILES[1], p)
    return StoredStates(*(np.load(folder / name, mmap_mode="r") for name in FILES))


@torch.no_grad()
def _write(teacher: StateTeacher, texts: Ragged, rows: I64, path: Path, progress: Progress) -> None:
    """Write the states of texts; `rows` says where in the file each of them goes."""
    states = new_file(path, (int(rows.max(initial=-1)) + 1, len(teacher.model.layers), teacher.width))
    for first in range(0, len(texts), BLOCK_TEXTS):
        some = np.arange(first, min(first + BLOCK_TEXTS, len(texts)))
        segments: Segments = texts.gather(some)
        states_NLH = teacher.model(segments)[..., : teacher.width].transpose(0, 1)
        states[rows[some]] = states_NLH.float().cpu().numpy()
        progress.advance(path.stem, by=len(some))
    states.flush()


def _on(values: F16, device: torch.device) -> Tensor:
    """Return rows × layers × width as layers × rows × width, float32, on a device."""
    return torch.from_numpy(np.ascontiguousarray(np.asarray(values, np.float32).transpose(1, 0, 2))).to(device)


def _backbone(settings: Distillation) -> Pretrained:
    return Pretrained(kind="pretrained", path=settings.teacher, revision=settings.revision)


def stages_taught(settings: Distillation | None, names: Sequence[str]) -> frozenset[str]:
    """Return the names of the stages that have a teacher."""
    if settings is None:
        return frozenset()
    return frozenset(names if settings.stages is None else settings.stages)
