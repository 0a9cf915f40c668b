"""What a mix from anywhere may hold, and what is refused."""

from pathlib import Path

import pytest

from curation.mixing.files import MixFiles
from open_ml_embed.core.errors import StageError
from tests.curation.export import mixes
from tests.support.corruption import without_values


def test_a_file_that_gives_fewer_rows_than_its_footer_says_is_refused(tmp_path: Path) -> None:
    """Arrow ends at a page without values, and says nothing."""
    mix = MixFiles(mixes.make(tmp_path / "mix", rows=40).root)
    before = sum(batch.num_rows for batch in mix.read("documents", ["document_id", "text"]))
    assert before == mix.rows("documents") == 120
    damaged = mix.files("documents")[1]
    without_values(damaged, "text")
    assert mix.rows("documents") == 120
    with pytest.raises(StageError, match="20 rows fewer than its footer says") as caught:
        list(mix.read("documents", ["document_id", "text"]))
    assert caught.value.where == str(damaged)
