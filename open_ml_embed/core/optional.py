"""Imports of optional packages, with one error message that names the extra to install.

A plain `pip install open-ml-embed` covers language identification, deduplication, decontamination, mining with BM25 or
with given vectors, and reading mixes. Everything else is in an extra of the distribution.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from open_ml_embed.core.errors import MissingPackageError

EXTRAS: dict[str, tuple[str, ...]] = {
    "bitsandbytes": ("bitsandbytes",),
    "build": ("fasttext", "ftfy", "httpx2", "huggingface_hub", "pycld2"),
    "faiss": ("faiss",),
    "heliport": ("heliport",),
    "lora": ("peft",),
    "mteb": ("mteb",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "pii": ("email_validator", "phonenumbers"),
    "ray": ("ray",),
    "s3": ("s3fs",),
    "report": ("jinja2", "markupsafe", "matplotlib"),
    "tensorboard": ("tensorboard",),
    "torchao": ("torchao",),
    "train": ("accelerate", "sentence_transformers", "tokenizers", "torch", "transformers"),
    "wandb": ("wandb",),
}
"""Extra → modules that this project imports from the extra's packages."""
EXTRA_OF = {module: extra for extra, modules in EXTRAS.items() for module in modules}


def install_command(extra: str) -> str:
    """Return the command that installs an extra.

    >>> install_command("train")
    "pip install 'open-ml-embed[train]'"
    """
    return f"pip install 'open-ml-embed[{extra}]'"


def installed(module: str) -> bool:
    """Return whether a package is installed, without importing it."""
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False


def require(module: str, *, what: str, where: str = "", instead: str = "") -> Any:
    """Import a module of an optional package and return it.

    Typed code calls this first and then imports the names it needs with a normal import statement.

    Args:
        module: dotted name, as `faiss` or `mteb.models`; its top-level package is in `EXTRAS`.
        what: the feature that needs the package, for the message: `the cld2 backend`.
        where: the setting or option concerned; may be empty.
        instead: an alternative for the user, for the message; may be empty.

    Raises:
        MissingPackageError: the package, or one of its own dependencies, is not installed.

    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
    raise _missing(missing, EXTRA_OF[module.partition(".")[0]], what, where, instead)


def check_installed(*modules: str, what: str, where: str = "") -> None:
    """Check that optional packages are installed, without importing them.

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
