"""`import train` makes the efficiency mode's model types known to transformers, without importing transformers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

AUTO, MODELS = "transformers.models.auto.modeling_auto", "open_ml_embed.factorized.modeling"


class _WhenImported(MetaPathFinder):
    """Registers as soon as transformers' auto classes are imported by whoever does so first.

    Importing them here would add four seconds to every command, and to every worker that only counts tokens.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != AUTO:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                import_module(MODELS)

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def register_when_needed() -> None:
    """Register now if transformers' auto classes are there, when they are imported otherwise."""
    if AUTO in sys.modules:
        import_module(MODELS)
    elif not any(isinstance(finder, _WhenImported) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported())
