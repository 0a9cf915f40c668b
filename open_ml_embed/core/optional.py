"""Packages that a plain `pip install open-ml-embed` does not bring: looked for in one place, missing with one line.

The plain installation holds what identifying languages, finding duplicates and leaks, mining with BM25 or vectors, and
reading mixes need. Everything else is in an extra of the distribution, named by what it is for.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from open_ml_embed.core.errors import MissingPackageError

EXTRAS: dict[str, tuple[str, ...]] = {
    "build": ("fasttext", "ftfy", "httpx2", "huggingface_hub", "pycld2"),
    "faiss": ("faiss",),
    "heliport": ("heliport",),
    "lora": ("peft",),
    "mteb": ("mteb",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "ray": ("ray",),
    "report": ("jinja2", "markupsafe", "matplotlib"),
    "tensorboard": ("tensorboard",),
    "train": ("sentence_transformers", "tokenizers", "torch", "transformers"),
    "wandb": ("wandb",),
}
"""Extra → the modules of its packages that this project imports."""
EXTRA_OF = {module: extra for extra, modules in EXTRAS.items() for module in modules}


def install_command(extra: str) -> str:
    """Return what to type to have an extra.

    >>> install_command("train")
    "pip install 'open-ml-embed[train]'"
    """
    return f"pip install 'open-ml-embed[{extra}]'"


def installed(module: str) -> bool:
    """Tell whether a package is there, without importing it."""
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False


def require(module: str, *, what: str, where: str = "", instead: str = "") -> Any:
    """Import a module of an optional package and return it.

    Typed code calls this first and then imports the names it wants as usual.

    Args:
        module: dotted name, as `faiss` or `mteb.models`; its package is in `EXTRAS`.
        what: that needs it, as the message says: `the cld2 backend`.
        where: setting or option concerned; may be empty.
        instead: what else the user can do; may be empty.

    Raises:
        MissingPackageError: the package, or one that it needs itself, is not installed.

    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
    raise _missing(missing, EXTRA_OF[module.partition(".")[0]], what, where, instead)


def check_installed(*modules: str, what: str, where: str = "") -> None:
    """Refuse to go on without some optional packages; none is imported.

    Raises:
        MissingPackageError: see `require`.

    """
    for module in modules:
        if not installed(module):
            raise _missing(module, EXTRA_OF[module], what, where)


def _missing(module: str, extra: str, what: str, where: str, instead: str = "") -> MissingPackageError:
    return MissingPackageError(
        f"{what} needs the package {module}, which is not installed",
        where=where,
        remedy=install_command(extra) + (f", or {instead}" if instead else ""),
    )
