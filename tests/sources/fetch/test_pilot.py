"""Of which tables a pilot leaves out files: of those whose records need no record of another file."""

import pytest

from sources import registry
from sources.fetch import FetchOptions, most_files


@pytest.mark.parametrize(
    ("source", "whole", "cut"),
    [
        ("fever", {"queries", "corpus"}, {"judgements"}),
        ("clirmatrix", {"corpus"}, {"judgements"}),
        ("opencodereasoning_2", {"taco", "apps", "code_contests", "codeforces"}, {"solutions"}),
        ("xcodeeval_translation", {"records"}, set()),
        ("bactrianx_language_classification", {"records"}, set()),
        ("stack_exchange_clustering_p2p", set(), {"records"}),
        ("gooaq", set(), {"records"}),
        ("mnli", set(), {"records"}),
    ],
)
def test_tables_to_which_others_refer_are_whole(source, whole, cut):
    manifest = registry.load(source)
    bound = manifest.bound(next(iter(manifest.subsets)))
    options = FetchOptions("raw", files_per_table=2)
    assert set(bound.tables) == whole | cut
    assert {table: most_files(bound, table, options) for table in bound.tables} == dict.fromkeys(whole) | dict.fromkeys(
        cut, 2
    )
    assert all(most_files(bound, table, FetchOptions("raw")) is None for table in bound.tables)
