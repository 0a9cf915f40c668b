"""Conversations in all the forms that the adapter reads, and those that it refuses."""

import pytest

from open_ml_embed.core.errors import SchemaError
from tests.support.shaping import run, texts

ARGS = {"turns": "d", "user": ["<user>", "user", "Q:"], "assistant": ["<assistant>", "assistant", "A:"]}
TALK = [("q1", "a1"), ("q2", "a2")]
PAIRS = (("user", "q1"), ("assistant", "a1"), ("User", "q2"), ("assistant", "a2"))
FORMS = {
    "text": "Preamble. <user> q1 <assistant> a1\n<user>q2<assistant>a2 <user> thanks",
    "texts": ["q1", "a1", "q2", "a2", "thanks"],
    "texts with markers": ["Q: q1", "A: a1", " Q:q2", "A: a2"],
    "objects": [{"role": who, "content": what} for who, what in PAIRS],
    "other keys": [{"from": who, "value": what} for who, what in (("system", "s"), *PAIRS)],
    "pairs": [list(pair) for pair in PAIRS],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_request_with_its_reply_is_a_row(form):
    rows, bad, filtered = run("dialogue", ARGS, records=[{"d": FORMS[form]}])
    assert (texts(rows), bad, filtered) == (TALK, [], {})
    first, *_ = run("dialogue", ARGS | {"pairs": "first"}, records=[{"d": FORMS[form]}])
    assert texts(first) == TALK[:1]


def test_consecutive_turns_of_a_speaker_are_one():
    turns = [["user", "q1"], ["user", "and more"], ["assistant", "a1"], ["assistant", " "], ["assistant", "a2"]]
    rows, *_ = run("dialogue", ARGS, records=[{"d": turns}])
    assert texts(rows) == [("q1\nand more", "a1\na2")]


def test_a_name_within_a_text_is_no_marker():
    rows, *_ = run("dialogue", ARGS, records=[{"d": "<user>is a user an assistant?<assistant>a user is no assistant"}])
    assert texts(rows) == [("is a user an assistant?", "a user is no assistant")]


def test_greetings_are_left_out_and_what_is_no_conversation_is_quarantined():
    records = [
        {"d": [["user", "Hi"], ["assistant", "Hello"]]},
        {"d": [["user", "Hi"], ["assistant", "Hello"], ["user", "long enough"], ["assistant", "this too, surely"]]},
        {"d": [["user", "anybody?"]]},
        {"d": [["assistant", "hello?"]]},
        {"d": None},
    ]
    rows, bad, filtered = run("dialogue", ARGS | {"min_characters": 6}, records=records)
    assert texts(rows) == [("long enough", "this too, surely")]
    assert filtered == {"short-text": 1}
    assert bad == [("records", 2, "no-reply"), ("records", 3, "no-user-turn"), ("records", 4, "no-user-turn")]


@pytest.mark.parametrize(
    ("talk", "found"),
    [
        ("Human: q1 Bot: a1", "no turn begins with any of '<user>', 'Q:', '<assistant>', 'A:'.*begins: 'Human: q1"),
        ([{"who": "user", "said": "q"}], "found: an object with said, who"),
        ([{"role": "moderator", "content": "q"}], "spoken by 'moderator'"),
        ([["user", "q", "extra"]], "found: \\['user', 'q', 'extra'\\]"),
        (7, "found: 7"),
    ],
)
def test_another_form_is_an_error_that_says_what_was_found(talk, found):
    with pytest.raises(SchemaError, match=found):
        run("dialogue", ARGS, records=[{"d": talk}])
