"""Tables at any width: every number and word is there whole, and no line is longer than the terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.terminal import Terminal

ROWS = [
    ("mediawiki_messages", "retrieval", "bitext-mining", "955,377", "GPL-2.0-or-later"),
    ("debian_tags", "classification", "domain-classification", "135,557", "LicenseRef-Debian-descriptions"),
]


def printed(table, width):
    out = io.StringIO()
    Terminal(file=out, width=width).print(table)
    return out.getvalue()


def of_sources(box=True):
    table = Table(title="2 sources") if box else Table(title="2 sources", box=None, pad_edge=False)
    for heading in ("source", "family", "task"):
        table.add_column(heading)
    table.add_column("rows in all", justify="right", no_wrap=True)
    table.add_column("license", no_wrap=True)
    for row in ROWS:
        table.add_row(*row)
    return table


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("box", [True, False])
def test_no_word_is_cut_and_no_column_is_empty(width, box):
    text = printed(of_sources(box), width)
    assert max(map(len, text.splitlines())) <= width
    assert all(cell in text for row in ROWS for cell in row)
    assert "…" not in text
    assert "┃┃" not in text


def test_what_does_not_fit_side_by_side_is_a_paragraph_a_row():
    assert printed(of_sources(), 40).split("\n")[:5] == [
        "2 sources", "mediawiki_messages", "  family: retrieval  task: bitext-mining", "  rows in all: 955,377",
        "  license: GPL-2.0-or-later",
    ]  # fmt: skip
    assert printed(of_sources(), 200).splitlines()[1].startswith("┏")


def test_groups_and_tables_without_headings_are_paragraphs_too():
    table = Table(title="totals")
    for heading in ("rows by", "", "corpus of all sources", "mix of seven"):
        table.add_column(heading, justify="right" if " of " in heading else "left")
    table.add_row("family", "clustering", "1,000,000", "0")
    table.add_section()
    table.add_row("family", "retrieval", "2,000,000", "17")
    table.add_row("", "nothing", "", "")
    table.add_section()
    table.add_row("", "languages", "9", "4")
    lines = printed(table, 24).split("\n")
    assert lines[1:5] == ["family clustering", "  corpus of all sources:", "1,000,000", "  mix of seven: 0"]
    assert [line for line in lines[5:] if line and ":" not in line] == [
        "family retrieval", "2,000,000", "family nothing", "languages", "9"
    ]  # fmt: skip
    about = Table(show_header=False, box=None)
    about.add_row("title", "a-word-that-is-wider-than-the-terminal-is")
    assert printed(about, 20).replace("\n", "") == "title: a-word-that-is-wider-than-the-terminal-is"


@given(
    st.lists(
        st.tuples(
            st.text("ab x", min_size=1, max_size=30).map(lambda name: " ".join(name.split())), st.integers(0, 10**12)
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(20, 90),
)
def test_every_number_and_every_word_is_printed(rows, width):
    table = Table("name", title="t")
    table.add_column("a number of things", justify="right")
    for name, number in rows:
        table.add_row(name, f"{number:,}")
    text = printed(table, width)
    assert max(map(len, text.splitlines())) <= width
    for name, number in rows:
        assert f"{number:,}" in text
        assert all(word in text.replace("\n", "") for word in name.split())
