"""Multilingual training data for embedding models, and a trainer: the names to import.

Identify languages, find duplicates and leaks, and mine hard negatives in texts at hand::

>>> import open_ml_embed as ome
>>> ome.identify(["Die Bücher liegen auf dem Tisch.", "Où est la gare, s'il vous plaît ?"]).languages
['deu-Latn', 'fra-Latn']

>>> passages = [
...     "The first passenger railway of the world opened between Stockton and Darlington in September 1825.",
...     "THE first passenger railway of the  world opened between Stockton and Darlington in September 1825.",
...     "Embedding models map texts to vectors, so that texts of similar meaning are near to each other.",
... ]
>>> found = ome.find_duplicates(passages)
>>> found
Duplicates(3 texts: 2 kept, 1 exact duplicate, 0 near-duplicates at threshold 0.8)
>>> found.kept.tolist(), found.duplicates.to_pylist()
([0, 2], [{'row': 1, 'kept': 0, 'reason': 'exact-duplicate', 'jaccard': 1.0}])

>>> held_out = ["texts of similar meaning are near to each other"]
>>> ome.find_contamination(passages, evaluation=held_out).contaminated.tolist()
[False, False, True]

>>> documents = [
...     "Bread is baked from flour, water and salt.",
...     "Bread was baked in stone ovens for centuries.",
...     "Salt is won from the sea.",
...     "The moon turns around the earth.",
... ]
>>> mined = ome.mine_hard_negatives(["how is bread baked"], documents, positives=[0], num_negatives=1)
>>> documents[mined.of(0)[0]]
'Bread was baked in stone ovens for centuries.'

Whole corpora are built from a settings file, step by step, by the code of the command `curate`::

    build = ome.Build.from_params("params.yaml", profile="sample")
    build.run(until="mix")
    config = ome.TrainConfig.from_params("params.yaml", profile="sample")
    ome.Trainer(config, build.mix("retrieval")).fit()
    model = ome.load_model("out/sample/model")

Every name is loaded when it is first asked for: `import open_ml_embed` itself loads nothing heavy. Whatever a user can
put right is a `CorpusError`, which says what, where and the remedy; what stems from an argument is a `ValueError` too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from open_ml_embed import sources
    from open_ml_embed.build import Build, report
    from open_ml_embed.contamination import Contamination, find_contamination
    from open_ml_embed.core.errors import CorpusError, TransientError
    from open_ml_embed.duplicates import Duplicates, find_duplicates
    from open_ml_embed.languages import Languages, identify
    from open_ml_embed.mix import Mix
    from open_ml_embed.negatives import HardNegatives, mine_hard_negatives
    from open_ml_embed.training import TrainConfig, Trainer, load_model

    __version__: str
else:

    def __getattr__(name: str) -> object:
        """Load a name when it is first asked for."""
        if name == "__version__":
            from open_ml_embed.core.version import version

            found = version()
        elif name in _MODULES:
            module = import_module(_MODULES[name])
            found = module if name == "sources" else getattr(module, name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=_this())
        globals()[name] = found
        return found


__all__ = [
    "Build",
    "Contamination",
    "CorpusError",
    "Duplicates",
    "HardNegatives",
    "Languages",
    "Mix",
    "TrainConfig",
    "Trainer",
    "TransientError",
    "__version__",
    "find_contamination",
    "find_duplicates",
    "identify",
    "load_model",
    "mine_hard_negatives",
    "report",
    "sources",
]

_MODULES = {
    "Build": "open_ml_embed.build",
    "Contamination": "open_ml_embed.contamination",
    "CorpusError": "open_ml_embed.core.errors",
    "Duplicates": "open_ml_embed.duplicates",
    "HardNegatives": "open_ml_embed.negatives",
    "Languages": "open_ml_embed.languages",
    "Mix": "open_ml_embed.mix",
    "TrainConfig": "open_ml_embed.training",
    "Trainer": "open_ml_embed.training",
    "TransientError": "open_ml_embed.core.errors",
    "find_contamination": "open_ml_embed.contamination",
    "find_duplicates": "open_ml_embed.duplicates",
    "identify": "open_ml_embed.languages",
    "load_model": "open_ml_embed.training",
    "mine_hard_negatives": "open_ml_embed.negatives",
    "report": "open_ml_embed.build",
    "sources": "open_ml_embed.sources",
}
"""Name → the module that it is defined in."""


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted(__all__)


def _this() -> object:
    import sys

    return sys.modules[__name__]
