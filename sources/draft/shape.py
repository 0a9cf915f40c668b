"""Guesses the shape of records from column names and values.

The rules are tried in the order of their certainty: first names that only one kind of dataset has (premise and
hypothesis), then names of queries and positives, then a text with few distinct labels. Column names are compared
without case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from open_ml_embed.core.errors import SchemaError
from sources.draft.sample import Sample
from sources.languages import LanguageCodeError, tag_of

QUERIES = (
    "query",
    "question",
    "anchor",
    "sentence1",
    "text1",
    "question1",
    "premise",
    "claim",
    "title",
    "headline",
    "prompt",
    "instruction",
    "input",
    "source",
    "src",
    "comment",
    "summary",
)
POSITIVES = (
    "positive",
    "pos",
    "positives",
    "positive_passages",
    "answer",
    "answers",
    "response",
    "context",
    "passage",
    "document",
    "doc",
    "sentence2",
    "text2",
    "question2",
    "abstract",
    "body",
    "content",
    "article",
    "text",
    "output",
    "completion",
    "target",
    "tgt",
    "code",
    "highlights",
    "summary",
    "hypothesis",
)
TEXTS = (
    "text",
    "sentence",
    "content",
    "review",
    "utterance",
    "body",
    "title",
    "document",
    "query",
    "question",
    "tweet",
)
LABELS = ("label", "labels", "class", "category", "intent", "topic", "emotion", "sentiment", "domain", "target")
PAIRED = (
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("question1", "question2"),
    ("sentence_a", "sentence_b"),
    ("sent1", "sent2"),
    ("s1", "s2"),
)
SCORES = ("score", "similarity", "similarity_score", "relatedness_score", "label")
SAME = ("is_duplicate", "duplicate", "is_paraphrase", "label")
_NLI = {"entailment": "entailment", "entailed": "entailed", "e": "e"}
_MOST_CLASSES = 0.5
"""Largest ratio of distinct labels to records for a column of class labels."""
_WORDS_OF_TEXT = 2.0
_INNER = ("text", "content", "passage", "answer", "contents")
_LISTED = 12
_BINARY = {"0", "1", "true", "false"}
_CODE = re.compile(r"[a-z]{2,3}([-_]([A-Za-z]{2}|[A-Za-z]{4}))?")
"""A language code as a column name."""


@dataclass
class Guess:
    """A guessed shape.

    Attributes:
        kind: of the shape.
        args: its arguments.
        fields: columns that the arguments name.
        query: path of the query's text; several if they are joined.
        positive: path of the positive's text.
        task: task type.
        family: loss family.
        why: how the shape was guessed.
        names_why: what to check about class names or a threshold; may be empty.
        symmetric: query and positive are the same kind of text.
        instruction: one line for the task.

    """

    kind: str
    args: dict[str, Any]
    fields: list[str]
    query: str
    positive: str
    task: str
    family: str
    why: str
    instruction: str
    names_why: str = ""
    symmetric: bool = False


def guess_shape(sample: Sample, where: str) -> Guess:
    """Guess the shape of a dataset.

    Raises:
        SchemaError: no rule fits; the message lists the columns.

    """
    for rule in (_nli, _sts, _paraphrase, _bitext, _conversation, _qa, _pair, _label, _longest):
        if (guess := rule(sample)) is not None:
            return guess
    listed = ", ".join(f"{name}: {kind}" for name, kind in list(sample.columns.items())[:_LISTED])
    raise SchemaError(
        f"no two of its columns are a text and what belongs to it: {listed}",
        where=where,
        remedy="write the manifest by hand: `shape` in CONTRIBUTING.md; or name another file or folder",
    )


Test = Callable[[str], bool]


class _Columns:
    """Columns by their names in lower case."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.names = {name.lower(): name for name in reversed(sample.columns)}

    def first(
        self, names: tuple[str, ...], *, but: str | None = None, test: Callable[[str], bool] | None = None
    ) -> str | None:
        for name in names:
            column = self.names.get(name)
            if column is not None and column != but and (test is None or test(column)):
                return column
        return None

    def is_text(self, column: str) -> bool:
        """Tell whether a column holds texts, not numbers written as text."""
        return self.sample.columns[column] == "string" and not self.is_number(column)

    def is_number(self, column: str) -> bool:
        return bool(self.sample.values(column)) and all(
            number(value) is not None for value in self.sample.values(column)
        )

    def text_path(self, column: str) -> str | None:
        """Return the path of the texts of a column: itself, or the field of structs that holds them."""
        kind = self.sample.columns[column]
        if kind in ("list<string>", "string"):
            return column if kind != "string" or self.is_text(column) else None
        if kind == "list<struct>":
            inner = [one for value in self.sample.values(column) for one in value if isinstance(one, dict)]
            return next((f"{column}.{key}" for key in _INNER if any(isinstance(o.get(key), str) for o in inner)), None)
        return None

    def distinct(self, column: str) -> list[str]:
        """Return the distinct values of a column as texts, sorted; without blanks and -1, which mean unlabeled."""
        return sorted({_plain(value) for value in self.sample.values(column)} - {"", "-1"})


def number(value: object) -> float | None:
    """Return a number, or a text that is one, as float; None for other values."""
    if isinstance(value, int | float):
        return float(value)
    with suppress(ValueError, TypeError):
        return float(value) if isinstance(value, str) and not re.search("[A-Za-z_]", value) else None
    return None


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _pair_of(columns: _Columns) -> tuple[str, str] | None:
    for first, second in PAIRED:
        if first in columns.names and second in columns.names:
            one, other = columns.names[first], columns.names[second]
            if columns.is_text(one) and columns.is_text(other):
                return one, other
    return None


def _nli(sample: Sample) -> Guess | None:
    columns = _Columns(sample)
    label = columns.first(("label", "gold_label"))
    premise, hypothesis = columns.names.get("premise"), columns.names.get("hypothesis")
    named = [] if label is None else [value for value in columns.distinct(label) if value.lower() in _NLI]
    if (premise is None or hypothesis is None) and named:
        premise, hypothesis = _pair_of(columns) or (None, None)
    if premise is None or hypothesis is None or label is None:
        return None
    args: dict[str, Any] = {"premise": premise, "hypothesis": hypothesis, "label": label}
    if named:
        others = [value for value in columns.distinct(label) if value not in named and value not in ("-", "")]
        args |= {"entailed": named[0], "others": others, "unlabeled": ["-"]}
        why = ""
    else:
        args |= {"entailed": 0, "others": [1, 2], "unlabeled": [-1]}
        why = "0 as entailed, the usual order; check it with the card"
    return Guess(
        "nli",
        args,
        [premise, hypothesis, label],
        premise,
        hypothesis,
        "nli",
        "retrieval",
        "a premise, a hypothesis and a label",
        "Given a sentence, find a statement that must be true if it is.",
        why,
    )


def _sts(sample: Sample) -> Guess | None:
    columns = _Columns(sample)
    pair = _pair_of(columns)
    score = columns.first(SCORES, test=columns.is_number)
    if pair is None or score is None or len(columns.distinct(score)) < 3:
        return None
    highest = max(number(value) or 0.0 for value in sample.values(score))
    scale = next((top for top in (1.0, 5.0, 10.0, 100.0) if highest <= top), highest)
    return Guess(
        "sts",
        {"first": pair[0], "second": pair[1], "score": score, "threshold": scale * 0.8},
        [*pair, score],
        *pair,
        "sts",
        "retrieval",
        "two sentences and a score with several values",
        "Given a sentence, find another that means the same.",
        f"four fifths of {scale:g}, as the highest score of the head is {highest:g}",
        symmetric=True,
    )


def _paraphrase(sample: Sample) -> Guess | None:
    columns = _Columns(sample)
    pair = _pair_of(columns)
    label = columns.first(
        SAME, test=lambda one: len(columns.distinct(one)) > 0 and set(columns.distinct(one)) <= _BINARY
    )
    if pair is None or label is None:
        return None
    logical = sample.columns[label] == "bool"
    values = {"same": "true", "different": "false"} if logical else {"same": 1, "different": 0}
    return Guess(
        "paraphrase",
        {"first": pair[0], "second": pair[1], "label": label} | values,
        [*pair, label],
        *pair,
        "paraphrase",
        "retrieval",
        "two texts and a label with two values",
        "Given a text, find another that says the same.",
        "1 as the label of the same meaning",
        symmetric=True,
    )


def _bitext(sample: Sample) -> Guess | None:
    for name, kind in sample.columns.items():
        keys = [key for row in sample.values(name)[:1] if kind == "struct" for key in row]
        if len(keys) == 2 and all(_tag(key) for key in keys):
            return _translated(f"{name}.{keys[0]}", f"{name}.{keys[1]}", [name])
    coded = [name for name in sample.columns if _tag(name) and sample.columns[name] == "string"]
    if len(coded) == 2 and len(sample.columns) <= 4:  # others: an id, a score
        return _translated(coded[0], coded[1], coded)
    return None


def _tag(code: str) -> str | None:
    with suppress(LanguageCodeError):
        return tag_of(code) if _CODE.fullmatch(code) and code != "id" else None
    return None


def _translated(query: str, positive: str, fields: list[str]) -> Guess:
    return Guess(
        "bitext",
        {"query": query, "positive": positive},
        fields,
        query,
        positive,
        "bitext-mining",
        "retrieval",
        "two columns that are called as languages are",
        "Given a sentence, find its translation.",
        symmetric=True,
    )


def _conversation(sample: Sample) -> Guess | None:
    columns = _Columns(sample)
    messages = columns.first(
        ("messages", "conversations", "conversation"), test=lambda n: sample.columns[n] == "list<struct>"
    )
    line = "Given a request, find the reply that answers it."
    if messages is not None:
        first: dict[str, Any] = next((one for value in sample.values(messages) for one in value), {})
        role = next((key for key in ("role", "from", "speaker") if key in first), None)
        content = next((key for key in ("content", "value", "text") if key in first), None)
        if role and content:
            args: dict[str, Any] = {"messages": messages, "role": role, "content": content}
            return Guess(
                "conversation",
                args,
                [messages],
                f"{messages}.{content}",
                f"{messages}.{content}",
                "instruction",
                "retrieval",
                "a list of messages with roles",
                line,
            )
    request = columns.first(("instruction", "prompt"), test=columns.is_text)
    reply = columns.first(("output", "response", "completion", "answer"), test=columns.is_text)
    if request is None or reply is None:
        return None
    given = columns.first(("input",), test=lambda n: sample.columns[n] == "string")
    args = {"instruction": request, "output": reply} | ({"input": given} if given else {})
    fields = [request, *([given] if given else []), reply]
    return Guess(
        "conversation", args, fields, request, reply, "instruction", "retrieval", "an instruction and an output", line
    )


def _qa(sample: Sample) -> Guess | None:
    columns = _Columns(sample)
    question, context = columns.names.get("question"), columns.first(("context", "passage"))
    if question is None or context is None or _negatives(sample):
        return None
    if not (columns.is_text(question) and sample.columns[context] == "string"):
        return None
    return Guess(
        "qa",
        {"question": question, "context": context},
        [question, context],
        question,
        context,
        "question-answering",
        "retrieval",
        "a question and the context that answers it",
        "Given a question, find the passage that answers it.",
    )


def _negatives(sample: Sample) -> list[tuple[str, str]]:
    columns = _Columns(sample)
    names = [name for name in sample.columns if re.match(r"(hard_?)?neg(ative)?s?([_-]|\d|$)", name.lower())]
    return [(name, path) for name in names if (path := columns.text_path(name)) is not None]


def _pair(sample: Sample) -> Guess | None:
    columns = _Columns(sample)
    query = columns.first(QUERIES, test=columns.is_text)
    positive = columns.first(POSITIVES, but=query, test=lambda one: columns.text_path(one) is not None)
    if query is None or positive is None:
        return None
    path = columns.text_path(positive)
    assert path is not None
    label = columns.first(LABELS, test=lambda one: _is_label(sample, one))
    if label is not None and query.lower() in ("title", "source") and positive.lower() in ("text", "content", "body"):
        return None  # a titled text with a class
    negatives = _negatives(sample)
    args: dict[str, Any] = {"query": query, "positive": path}
    if negatives:
        args["negatives"] = [one for _, one in negatives]
    if path == positive and any(isinstance(value, list) and len(value) > 1 for value in sample.values(positive)):
        args["positives"] = "all"
    names = (query.lower(), positive.lower())
    if "question" in names[0] or "answer" in names[1]:
        task, line = "question-answering", "Given a question, find the passage that answers it."
    elif names[0] in ("title", "headline"):
        task, line = "title-matching", "Given a title, find the text that it belongs to."
    elif names[1] in ("summary", "highlights"):
        task, line = "summarization", "Given a text, find its summary."
    elif names[0] == "claim":
        task, line = "claim-verification", "Given a claim, find a passage that supports or refutes it."
    elif names[1] == "code":
        task, line = "text-to-code", "Given a description, find the code that does it."
    elif _pair_of(columns) == (query, positive):
        task, line = "paraphrase", "Given a text, find another that says the same."
    else:
        task, line = "question-answering", "Given a query, find a passage that answers it."
    fields = [query, positive, *(name for name, _ in negatives)]
    return Guess("pair", args, fields, query, path, task, "retrieval", f"{query} and {positive} by their names", line)


def _is_label(sample: Sample, column: str) -> bool:
    if sample.columns[column] not in ("string", "int64", "bool"):
        return False
    values = sample.values(column)
    distinct = {str(value) for value in values}
    return 2 <= len(distinct) <= max(2, _MOST_CLASSES * len(values))


def _label(sample: Sample) -> Guess | None:
    columns = _Columns(sample)
    text = columns.first(TEXTS, test=columns.is_text)
    label = columns.first(LABELS, but=text, test=lambda one: _is_label(sample, one))
    if text is None or label is None:
        return None
    worded = next(
        (
            name
            for name in sample.columns
            if re.fullmatch(rf"{re.escape(label.lower())}_?(text|name|str)", name.lower())
        ),
        None,
    )
    if worded is not None and _is_label(sample, worded):
        label = worded
    values = columns.distinct(label)
    card = sample.card.class_names(label)
    two = len(card) == 2 or (not card and len(values) == 2)
    args: dict[str, Any] = {"mode": "classification" if two else "clustering", "text": text, "label": label}
    names, why = card, "the names of the classes are the card's" if card else ""
    if not names and two:
        names = {value: value for value in values}
        why = "raw labels as names: write them in words" if columns.is_number(label) else ""
    if names:
        args["names"] = names
    sentiment = any(word in label.lower() for word in ("sentiment", "emotion"))
    task = (
        "intent-classification" if "intent" in label.lower() else "sentiment" if sentiment else "topic-classification"
    )
    line = (
        "Given a text, say which of the two classes it belongs to."
        if two
        else "Given a text, find another of the same class."
    )
    return Guess(
        "label",
        args,
        [text, label],
        text,
        text,
        task,
        "classification" if two else "clustering",
        f"{text} and {len(values)} distinct values of {label} in {len(sample.rows)} records",
        line,
        why,
        symmetric=not two,
    )


def _longest(sample: Sample) -> Guess | None:
    """Pair the two columns with the longest texts, the shorter one as the query."""
    columns = _Columns(sample)
    words = {
        name: sum(len(str(value).split()) for value in sample.values(name)) / len(sample.values(name))
        for name in sample.columns
        if columns.is_text(name)
    }
    texts = sorted((name for name in words if words[name] >= _WORDS_OF_TEXT), key=lambda name: -words[name])[:2]
    if len(texts) < 2:
        return None
    positive, query = texts
    return Guess(
        "pair",
        {"query": query, "positive": positive},
        [query, positive],
        query,
        positive,
        "question-answering",
        "retrieval",
        "no name that is known; the two columns with the longest texts, so check which belongs to which",
        "Given a text, find the text that belongs to it.",
    )
