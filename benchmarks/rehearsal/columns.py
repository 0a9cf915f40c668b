"""What the columns of a raw table are for: texts that get other words, names that link records, and what stays."""

from __future__ import annotations

from typing import Any

from sources.manifest import LangColumn, Manifest

IDENTIFIERS = frozenset(
    ("_id", "id", "qid", "docid", "pid", "query-id", "corpus-id", "query_id", "corpus_id", "message_id", "parent_id",
     "src_uid", "question_id")
)  # fmt: skip
KEPT = frozenset(
    ("role", "from", "a_id", "docid", "labels", "meshes", "language", "code_uid", "index", "dataset", "split", "lang",
     "sample_inputs")
)  # fmt: skip
"""Columns, and fields of nested values, that are no texts, besides those that a manifest tells."""
ARTICLES = frozenset(("article", "document"))
PASSAGES = frozenset(
    ("positive", "negative", "answer", "passage", "abstract", "context", "contexts", "output", "response", "responses",
     "targets", "content", "body", "value", "citation", "review_snippets", "ans", "pos", "neg", "answers", "post1",
     "post2", "reference_answer", "positive_passages", "negative_passages", "title_body", "upvoted_answer", "desc",
     "solution", "source_code", "selftext", "code", "texts", "Conversation", "conversation", "conversations",
     "dialogue", "Positive Document", "Hard Negative Document", "positive_document", "hard_negative_document", "reply",
     "exp")
)  # fmt: skip
SENTENCES = frozenset(
    ("premise", "hypothesis", "sentence1", "sentence2", "sentence", "translation", "simplified", "summary",
     "highlights", "instruction", "inputs")
)  # fmt: skip
LONG_TEXTS = frozenset(
    ("arguana", "bioasq", "cord_19", "healthcaremagic", "imdb", "mlsum_clustering", "mlsum_retrieval", "muri", "oasst2",
     "thucnews")
)  # fmt: skip
"""Sources whose columns `text` and `input` hold passages and not sentences."""
BITEXTS = frozenset(("europarl", "paracrawl", "unpc"))
CODE = {
    "codesearchnet": {("queries", "text")},
    "codesearchnet_ccr": {("queries", "text"), ("corpus", "text")},
    "codefeedbackst": {("corpus", "text")},
    "synthetictext2sql": {("corpus", "text")},
    "cosqa": {("records", "code")},
    "ocgi": {("records", "output"), ("records", "solution")},
    "opencodereasoning_2": {("solutions", "solution")},
    "procqa": {("records", "answer")},
    "xcodeeval_code2code": {("records", name) for name in ("source_code", "positive_code", "negative_code")},
    "xcodeeval_nl2code": {("records", name) for name in ("positive_code", "negative_code")},
    "xcodeeval_translation": {("records", "source_code")},
}
"""Source → (table, column) of programs."""
WITHOUT_A_HEAD = {"medi2"}
"""Sources whose lists of texts begin with an instruction that all records share."""


def roles(manifest: Manifest, key: str) -> dict[str, str]:
    """Return what each declared column of a bound table is for.

    Returns:
        Column, by any of its names → `identifier`, `kept`, `code`, or a kind of text (`benchmarks.rehearsal.words`).

    """
    table = manifest.tables[key]
    kept = KEPT | _labels(manifest) | {path.split(".")[0] for path in manifest.where}
    found = {}
    for column, kind in table.fields.items():
        if column in IDENTIFIERS or (key == "judgements" and kind in ("string", "int64") and len(table.fields) > 1):
            role = "kept" if column in ("score", "rel") else "identifier"
        elif column in kept or kind in ("bool", "int64", "float64"):
            role = "kept"
        elif (key, column) in CODE.get(manifest.name, ()):
            role = "code"
        else:
            role = text_kind(manifest.name, key, column)
        for name in (column, *table.other_names.get(column, ())):
            found[name] = role
    return found


def text_kind(source: str, key: str, column: str) -> str:
    """Return how long the texts of a column are: the name of a kind of text."""
    if column in ARTICLES:
        return "article"
    if column in PASSAGES or (column in ("text", "input") and (key == "corpus" or source in LONG_TEXTS)):
        return "passage"
    if column in SENTENCES or column in ("text", "input") or source in BITEXTS:
        return "sentence"
    return "question"


def _labels(manifest: Manifest) -> set[str]:
    """Return the columns of classes and of languages."""
    args: dict[str, Any] = manifest.shape.args
    inner = args.get("shape", {})
    args = {**args, **inner.get("args", {})}
    kinds = {manifest.shape.kind, inner.get("kind")}
    labels = {
        args[name] for name in ("label", "wrong", "scores", "score", "language") if isinstance(args.get(name), str)
    }
    if "multiple_choice" in kinds:  # an answer is one of its options
        options = args["options"]
        labels |= {args["answer"], *([options] if isinstance(options, str) else options)}
    if kinds & {"label", "nli", "paraphrase", "judged"} and "label" not in args:
        labels.add("label")
    labels |= {column.column for column in manifest.language_columns() if isinstance(column, LangColumn)}
    key = args.get("key", [])
    return labels | {name for name in ([key] if isinstance(key, str) else key) if name not in IDENTIFIERS}
