"""The 3D-ML trainer: nested embedding ranks, layers and dimensions on the curated mixes."""

from open_ml_embed.core.optional import check_installed


def check_packages(what: str) -> None:
    """Refuse to go on where the extra `train` is not installed; loads nothing.

    Raises:
        MissingPackageError: it is not.

    """
    check_installed("torch", "transformers", "tokenizers", "sentence_transformers", what=what)
