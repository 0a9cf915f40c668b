"""Run one miner in a separate process: python _mining_contestants.py NAME FOLDER; prints seconds and peak memory.

The folder holds the input, which is the same for all miners: `queries.arrow` (text, positive), `documents.arrow`
(text), their vectors in `queries.npy` and `documents.npy` (float16), `queries.jsonl` and `documents.jsonl` in
FlagEmbedding's format, and the rules in `rules.json`: `skip`, `ceiling`, `share`. The measured time begins with reading
the input and ends when the texts of the negatives are on the disk. Imports are not measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

KEEP, RETRIEVED = 24, 100
SLICE = 256
OUTPUT = pa.schema([("query", pa.string()), ("negatives", pa.list_(pa.string()))])


def read(folder: Path, name: str) -> pa.Table:
    """Return a memory-mapped table."""
    return pa.ipc.open_file(pa.memory_map(str(folder / f"{name}.arrow"))).read_all()


def ours(rules: dict[str, Any]) -> Callable[[Path], None]:
    from curation.mining.api import mine
    from curation.mining.settings import MiningSettings
    from curation.mining.vectors import NpyVectors
    from open_ml_embed.core.text.arrays import one_array

    settings = MiningSettings(
        preset="f2llm",
        range_max=RETRIEVED,
        range_min=rules["skip"],
        skip_from="survivors",
        max_score=rules["ceiling"],
        relative_margin=None if rules["share"] is None else 1 - rules["share"],
        num_negatives=KEEP,
        shortage="keep",
    )

    def job(folder: Path) -> None:
        queries, documents = read(folder, "queries"), read(folder, "documents")
        vectors = NpyVectors(folder / "queries.npy"), NpyVectors(folder / "documents.npy")
        texts = one_array(documents["text"])
        found = mine(queries["text"], texts, queries["positive"].to_numpy(), settings, embeddings=vectors)
        with pa.ipc.new_file(str(folder / "negatives.arrow"), OUTPUT) as sink:
            for start in range(0, len(found), SLICE):
                offsets = found.offsets[start : start + SLICE + 1]
                written = texts.take(pa.array(found.ids[offsets[0] : offsets[-1]]))
                lists = pa.ListArray.from_arrays(pa.array((offsets - offsets[0]).astype(np.int32)), written)
                asked = queries["text"].slice(start, SLICE).combine_chunks()
                sink.write_batch(pa.record_batch([asked, lists], schema=OUTPUT))

    return job


def sentence_transformers(rules: dict[str, Any], *, use_faiss: bool) -> Callable[[Path], None]:
    import torch
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    class Model:
        """Model that returns the vectors of the folder; the miner passes the texts in their order."""

        device = torch.device("cpu")

        def __init__(self, folder: Path) -> None:
            self.folder = folder

        def get_embedding_dimension(self) -> int:
            return np.load(self.folder / "documents.npy", mmap_mode="r").shape[1]

        def encode_query(self, texts: list[str], **_: object) -> np.ndarray:
            return np.load(self.folder / "queries.npy").astype(np.float32)

        def encode_document(self, texts: list[str], **_: object) -> np.ndarray:
            return np.load(self.folder / "documents.npy").astype(np.float32)

        def similarity(self, a: np.ndarray, b: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(a) @ torch.as_tensor(b).T

        def similarity_pairwise(self, a: np.ndarray, b: np.ndarray) -> torch.Tensor:
            return (torch.as_tensor(a) * torch.as_tensor(b)).sum(1)

    def job(folder: Path) -> None:
        queries, documents = read(folder, "queries"), read(folder, "documents")
        pairs = Dataset.from_dict(
            {"query": queries["text"].to_pylist(), "answer": documents["text"].take(queries["positive"]).to_pylist()}
        )
        found = mine_hard_negatives(
            pairs,
            Model(folder),
            corpus=documents["text"].to_pylist(),
            range_min=rules["skip"],
            range_max=RETRIEVED,
            max_score=rules["ceiling"],
            relative_margin=None if rules["share"] is None else 1 - rules["share"],
            num_negatives=KEEP,
            output_format="labeled-list",
            use_faiss=use_faiss,
            verbose=False,
        )
        found.save_to_disk(folder / "found")

    return job


def flag_embedding(rules: dict[str, Any]) -> Callable[[Path], None]:
    import importlib.util

    import faiss  # noqa: F401 (what the miner imports)

    # The package's __init__ needs an old version of transformers; the miner needs only one name of it, and only at run.
    sys.modules["FlagEmbedding"] = ModuleType("FlagEmbedding")
    sys.modules["FlagEmbedding"].FlagModel = None
    path = next(Path(entry) / "FlagEmbedding" for entry in sys.path if (Path(entry) / "FlagEmbedding").is_dir())
    spec = importlib.util.spec_from_file_location("hn_mine", path / "baai_general_embedding/finetune/hn_mine.py")
    miner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(miner)

    class Model:
        """Model that returns the vectors of the folder, in the order of the miner's corpus, which is that of a set."""

        def __init__(self, folder: Path) -> None:
            self.folder = folder

        def encode_queries(self, texts: list[str], **_: object) -> np.ndarray:
            return np.load(self.folder / "queries.npy").astype(np.float32)

        def encode(self, texts: list[str], **_: object) -> np.ndarray:
            place = {text: i for i, text in enumerate(read(self.folder, "documents")["text"].to_pylist())}
            return np.load(self.folder / "documents.npy").astype(np.float32)[[place[text] for text in texts]]

    def job(folder: Path) -> None:
        miner.find_knn_neg(
            Model(folder),
            str(folder / "queries.jsonl"),
            str(folder / "documents.jsonl"),
            str(folder / "found.jsonl"),
            [rules["skip"], RETRIEVED],
            KEEP,
            False,  # noqa: FBT003 (theirs)
        )

    return job


CONTESTANTS: dict[str, Callable[[dict[str, Any]], Callable[[Path], None]]] = {
    "ours": ours,
    "sentence-transformers, faiss": partial(sentence_transformers, use_faiss=True),
    "sentence-transformers, torch": partial(sentence_transformers, use_faiss=False),
    "FlagEmbedding": flag_embedding,
}


def peak_bytes() -> int:
    """Return the peak memory of this process in bytes (VmHWM)."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    job = CONTESTANTS[name](json.loads((folder / "rules.json").read_text()))
    imported = peak_bytes()
    start = time.perf_counter()
    job(folder)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak": peak_bytes(), "imported": imported}))


if __name__ == "__main__":
    main()
