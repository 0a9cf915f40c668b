"""Transcripts: the first exchange, and what is none."""

from tests.support.shaping import run

ARGS = {"text": "c", "user": "[|Human|]", "assistant": "[|AI|]"}


def test_first_exchange_of_a_transcript():
    written = [
        "Preamble.\n[|Human|] q\nmore [|AI|] a\nb",
        "[|Human|]q[|AI|]a[|Human|]q2[|AI|]a2",
        "[|AI|]Hello[|Human|]q[|AI|]a",
        "Preamble. [|Human|] q",
        "Preamble.",
        None,
    ]
    rows, bad, _ = run("transcript", ARGS, records=[{"c": text} for text in written])
    found = [(row["query"].strip(), row["positive"].strip(), row["record"]) for row in rows]
    assert found == [("q\nmore", "a\nb", 0), ("q", "a", 1), ("q", "a", 2)]
    assert [(record, reason) for _, record, reason in bad] == [
        (3, "no-reply"),
        (4, "no-user-turn"),
        (5, "no-user-turn"),
    ]
