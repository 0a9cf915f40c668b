"""Packages that a plain `pip install open-ml-embed` does not bring: imported in one place, missing with one line.

The plain installation holds what identifying languages, finding duplicates and leaks, mining with BM25 or vectors, and
reading mixes need. Everything else is in an extra of the distribution, named by what it is for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from open_ml_embed.core.errors import MissingToolError

DISTRIBUTION = "open-ml-embed"
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
"""Extra → the modules that it brings and that this project imports."""
EXTRA_OF = {module: extra for extra, modules in EXTRAS.items() for module in modules}


def install_command(extra: str) -> str:
    """Return what to type to have an extra.

    >>> install_command("train")
    "pip install 'open-ml-embed[train]'"
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def require(module: str, *, what: str, where: str = "", instead: str = "") -> Any:
    """Import a module of an optional package and return it.

    Typed code calls this first and then imports the names it wants as usual.

    Args:
        module: dotted name, as `torch` or `sentence_transformers`; its package is in `EXTRAS`.
        what: that needs it, as the message says: "training", "the cld2 backend".
        where: setting or option concerned; may be empty.
        instead: what else the user can do; may be empty.

    Raises:
        MissingToolError: the package, or one that it needs itself, is not installed.

    """
    extra = EXTRA_OF[module.partition(".")[0]]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
    raise MissingToolError(
        f"{what} needs the package {missing}, which is not installed",
        where=where,
        remedy=install_command(extra) + (f", or {instead}" if instead else ""),
    )
