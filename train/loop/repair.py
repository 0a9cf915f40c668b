"""Finds what is damaged of a complete model and of the models after its earlier stages, and writes it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import remove
from train.distributed.parallel import leads
from train.export.adapter import FOLDER as ADAPTER
from train.export.prompts import PROMPTS
from train.loop import checkpoint
from train.loop.finished import write_folder
from train.loop.record import CARD, damage, finished_key, stage_folders
from train.loop.run import Run
from train.model.tensor_files import write_tensors
from train.native import MODEL_LISTING, RUN, TRAINED, UNTRAINED

AGAIN = "`train3d fit --no-resume` trains again"


def has_weights(run: Run, out: Path) -> bool:
    """Tell whether the weights of a complete model are whole, those of its adapter too; the last checkpoint has them.

    Raises:
        StageError: they are not, and there is no checkpoint.

    """
    found = damage(out)
    lost = [name for name in found if name == TRAINED or name.startswith(f"{ADAPTER}/")]
    if MODEL_LISTING in found and (out / ADAPTER).is_dir():  # nothing else has the hashes of its files
        lost.append(MODEL_LISTING)
    if not lost:
        return True
    if checkpoint.latest(run.folder / checkpoint.FOLDER) is None:
        what = f"the weights of the finished model are damaged: {lost[0]} {found[lost[0]]}, and there is no checkpoint"
        raise StageError(what, where=str(out), remedy=AGAIN)
    if leads():
        for name in found:
            remove(out / name)
    return False


def mend(run: Run, out: Path, say: Callable[[str], None]) -> bool:
    """Write again what is damaged of a complete model whose weights are whole, and of the models after earlier stages.

    Args:
        run: the run.
        out: the model folder.
        say: takes a line for whoever is watching.

    Returns:
        Whether anything was damaged.

    Raises:
        StageError: the weights after an earlier stage are damaged; no checkpoint keeps them.

    """
    mended = _mended(run, out, None, say)
    for folder, number in stage_folders(run.settings, out).items():
        mended = _mended(run, folder, number, say) or mended
    return mended


def _mended(run: Run, folder: Path, until: int | None, say: Callable[[str], None]) -> bool:
    wrong = damage(folder)
    if not (folder / CARD).is_file():
        wrong[CARD] = "is missing"
    if not (folder / PROMPTS).is_file():
        wrong[PROMPTS] = "is missing"
    key = run.key if until is None else run.key_after(until)
    if not wrong and finished_key(folder) == key:
        return False
    if TRAINED in wrong:
        what = f"the weights of the model after an earlier stage are damaged: {TRAINED} {wrong[TRAINED]}"
        raise StageError(what, where=str(folder), remedy=f"delete the folder {folder}, or {AGAIN}")
    say(
        f"{folder}: {', '.join(f'{name} {what}' for name, what in wrong.items()) or f'{RUN} is damaged'}; written again"
    )
    for name in (*wrong, RUN):
        remove(folder / name)
    model = run.empty_model()
    checkpoint.load_weights(folder / TRAINED, model)
    if until is None and not wrong.keys().isdisjoint((UNTRAINED, MODEL_LISTING)):
        write_tensors(folder / UNTRAINED, run.first_weights())
    write_folder(run, model, folder, until=until)
    return True
