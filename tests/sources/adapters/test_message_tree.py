"""Which reply of a tree is chosen, and what becomes of broken trees."""

from collections import Counter

import pyarrow as pa
import pytest

from sources.adapters import message_tree
from sources.manifest import Manifest
from sources.parts import Context, RawBatch
from sources.quarantine import Quarantine

TYPES = {
    "deleted": pa.bool_(),
    "rank": pa.int64(),
    "labels": pa.struct([("name", pa.list_(pa.string())), ("value", pa.list_(pa.float64()))]),
}
NAMES = ("message_id", "parent_id", "text", "role", "lang", "deleted", "rank", "labels")
SCHEMA = pa.schema([(name, TYPES.get(name, pa.string())) for name in NAMES])


def prompt(key, *, parent=None, lang="en", deleted=False):
    return (key, parent, f"text {key}", "prompter", lang, deleted, None, None)


def reply(key, parent, *, rank=None, quality=None, deleted=False):
    labels = None if quality is None else {"name": ["spam", "quality"], "value": [0.9, quality]}
    return (key, parent, f"text {key}", "assistant", "en", deleted, rank, labels)


def run(*messages, size=None):
    """Return (prompt, chosen reply, language, record) of each row, quarantined records and filtered ones."""
    manifest = Manifest.model_validate(
        {
            "name": "s", "title": "S", "collection": "ml-embed", "task": "instruction", "family": "retrieval",
            "origin": {"kind": "hub", "repo": "o/r"}, "shape": {"kind": "message_tree"},
            "tables": {"messages": {"files": ["*"], "format": "parquet", "fields": dict.fromkeys(NAMES, "any")}},
            "subsets": {"t": {"query_lang": {"column": "lang"}}}, "samples": 0, "citation": "none",
            "license": {"id": "MIT", "commercial": True, "redistribution": True}, "instruction": "Find the reply.",
        }
    )  # fmt: skip
    records = [dict(zip(NAMES, message, strict=True)) for message in messages]

    def read(_):
        for start in range(0, len(records), size or max(len(records), 1)):
            some = records[start : start + (size or len(records))]
            yield RawBatch(pa.Table.from_pylist(some, SCHEMA), "f", pa.array(range(start, start + len(some))))

    context = Context(manifest, read, Quarantine("s", "t"), Counter())
    tables = list(message_tree.drafts(context, message_tree.Args()))
    rows = pa.concat_tables(tables).to_pylist() if tables else []
    found = [(r["query"][5:], r["positive"][5:], r["query_lang"], r["record"]) for r in rows]
    assert all(not row["negatives"] for row in rows)
    bad = [(q["record"], q["reason"]) for q in context.quarantine.table().to_pylist()]
    return found, bad, dict(context.filtered)


@pytest.mark.parametrize(
    ("replies", "best"),
    [
        ([("a", 1, 0.9), ("b", 0, 0.1)], "b"),  # what people ranked first, whatever its quality
        ([("a", None, 0.9), ("b", 0, 0.1)], "b"),
        ([("a", None, 0.2), ("b", None, None), ("c", None, 0.7)], "c"),
        ([("a", None, None), ("b", None, None)], "a"),
        ([("a", None, None)], "a"),
    ],
)
@pytest.mark.parametrize("size", [None, 1])
def test_best_reply(replies, best, size):
    messages = [reply(key, "p", rank=rank, quality=quality) for key, rank, quality in replies]
    rows, bad, filtered = run(prompt("p", lang="pt-BR"), *messages, size=size)
    assert rows == [("p", best, "por-Latn", 0)]
    assert not bad
    assert not filtered


def test_replies_may_stand_before_their_prompts_and_later_turns_do_not_count():
    rows, bad, _ = run(
        reply("a", "p"),
        prompt("q"),
        prompt("p"),
        prompt("more", parent="a"),
        reply("z", "more", rank=0),
        reply("b", "q"),
    )
    assert rows == [("q", "b", "eng-Latn", 1), ("p", "a", "eng-Latn", 2)]
    assert not bad


def test_what_is_left_out():
    rows, bad, filtered = run(
        prompt("gone", deleted=True),
        reply("a", "gone"),
        prompt("p"),
        reply("b", "p", rank=0, deleted=True),
        reply("c", "p", rank=1),
        prompt("lonely"),
        reply("d", "nowhere"),
        reply("first", None),
    )
    assert rows == [("p", "c", "eng-Latn", 2)]
    assert filtered == {"deleted": 1, "no-reply": 1}
    assert bad == [(6, "missing-parent"), (7, "no-user-turn")]


def test_no_messages():
    assert run() == ([], [], {})
