"""Records held by column behave as a list of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core.records import Records
from open_ml_embed.core.store import Output

OUTPUTS = st.lists(st.builds(Output, st.text(), st.integers(), st.integers(), st.text()))


@given(OUTPUTS, OUTPUTS)
def test_they_are_a_list(first, second):
    records = Records(Output, first)
    assert records == first
    assert len(records) == len(first)
    assert bool(records) == bool(first)
    records += second
    assert list(records) == first + second
    assert records[1:3] == (first + second)[1:3]
    again = Records(Output, first)
    again += Records(Output, second)
    assert again == records
    assert records.column("path") == [output.path for output in first + second]
    assert Records.of_columns(Output, records.columns) == records
    if second:
        assert records[-1] == second[-1]
        assert (records == first) is False


def test_adding_copies_what_is_added():
    first, second = Records(Output, [Output("a", 1, 2, "x")]), Records(Output)
    second += first
    second.append(Output("b", 1, 2, "x"))
    assert len(first) == 1


@pytest.mark.parametrize("columns", [{"path": []}, {"path": ["a"], "rows": [], "bytes": [], "xxh3": []}])
def test_other_columns_are_refused(columns):
    with pytest.raises(ValueError, match="not the columns of Output"):
        Records.of_columns(Output, columns)
