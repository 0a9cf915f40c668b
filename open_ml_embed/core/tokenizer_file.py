"""The `tokenizer.json` of a model: found in its folder, loaded, and its end token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.json_text import loads
from open_ml_embed.core.optional import require

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE, SETTINGS = "tokenizer.json", "tokenizer_config.json"


def tokenizer_file(path: Path, where: str) -> Path:
    """Return the file of a tokenizer: the one named, or that in the folder named.

    Args:
        path: of the file or the folder.
        where: the setting or option that names it, for the message.

    Raises:
        SettingsError: there is none.

    """
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise SettingsError("no such tokenizer", where=where, remedy=f"name a {FILE}, or a folder that holds one")
    return path


def load_tokenizer(path: Path, *, what: str, where: str) -> Tokenizer:
    """Load a tokenizer that neither cuts nor pads.

    Args:
        path: of its file, or of the folder that holds it.
        what: what it is needed for, for the message about a missing package.
        where: the setting or option that names it.

    Raises:
        SettingsError: there is no such tokenizer, or the file holds none.
        MissingPackageError: the package `tokenizers` is not installed.

    """
    path = tokenizer_file(path, where)
    require("tokenizers", what=what, where=where.partition(":")[0])
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises this class itself
        raise SettingsError(
            f"not a tokenizer: {error}", where=str(path), remedy=f"name the {FILE} of a fast tokenizer"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class TextTokenizer:
    """Token ids of texts, cut at a length, and the id of the end token.

    Attributes:
        end: id of the end token, which `encode` does not add.

    """

    def __init__(self, path: Path, *, where: str, longest: int) -> None:
        """Load it.

        Args:
            path: of `tokenizer.json` or its folder; `tokenizer_config.json` beside it names the end token.
            where: the setting or option that names it.
            longest: most tokens of a text.

        Raises:
            SettingsError: there is no such tokenizer, or it has no end token.
            MissingPackageError: the package `tokenizers` is not installed.

        """
        self._tokenizer = load_tokenizer(path, what="token ids", where=where)
        self._tokenizer.enable_truncation(longest)
        beside = tokenizer_file(path, where).parent / SETTINGS
        try:
            stated = loads(beside.read_text("utf-8"))["eos_token"]
            token = stated["content"] if isinstance(stated, dict) else stated
            end = self._tokenizer.token_to_id(token)
        except (OSError, ValueError, KeyError, TypeError):
            end = None
        if end is None:
            raise SettingsError(
                "it does not name an end token of this tokenizer",
                where=str(beside),
                remedy="name the folder of a model, whose tokenizer_config.json has `eos_token`",
            )
        self.end: int = end

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of each text, with what the tokenizer puts around it."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
