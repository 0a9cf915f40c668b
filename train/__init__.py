"""The 3D-ML trainer: embedding models with nested ranks, layers and dimensions, trained on the curated mixes."""

from open_ml_embed.core.optional import check_installed


def check_packages(what: str) -> None:
    """Raise an error if a package of the extra `train` is missing; imports none of them.

    Args:
        what: what needs the packages, for the error message.

    Raises:
        MissingPackageError: at least one package is not installed.

    """
    check_installed("torch", "transformers", "tokenizers", "sentence_transformers", what=what)
