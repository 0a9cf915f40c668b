"""Titles, citations and notes of manifests are text in Markdown, as a parser of CommonMark reads it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from open_ml_embed.core.markdown import markdown_text
from open_ml_embed.core.printing import visible

PIECES = st.sampled_from(
    ["a", "b c", "*", "_", "__", "`", "[x](y)", "![x](y)", "<b>", "&amp;", "&#60;", "|", "#", "-", "1.", "12)", "\\",
     "~~", "\n", "\n\n", "    ", "> ", "+", "=", "<!--", "$x$", "a_b", "é", "\x1b[31m", "://", ".", " "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30))
@example("1. one")
@example("12) one")
@example("- one")
@example("a\n===")
@pytest.mark.parametrize("before", ["- ", "# ", "A title: ", "> "])
def test_a_parser_reads_the_text_that_was_given(before, text):
    shown = visible(" ".join(text.split()))
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(before + markdown_text(text))
    inline = [token for token in tokens if token.type == "inline"]
    read = "".join(child.content for token in inline for child in token.children)
    kinds = {child.type for token in inline for child in token.children}
    assert read.strip() == (before.lstrip("-#> ") + shown).strip()
    assert kinds <= {"text", "text_special"}
    assert not {"fence", "code_block", "html_block", "hr"} & {token.type for token in tokens}
