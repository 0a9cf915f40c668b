"""Files in SQuAD's nested JSON: articles, their paragraphs, and the questions of each."""

import json
from collections.abc import Iterable

Question = tuple[str, str]
"""Question, and the span that answers it; an empty span: the paragraph does not answer it."""


def squad_json(articles: Iterable[tuple[str, list[tuple[str, list[Question]]]]], *, version: str | None = None) -> str:
    """Return the text of a file.

    Args:
        articles: title, and paragraphs with their questions.
        version: of the format, if the file states one.

    """
    number = 0
    data = []
    for title, paragraphs in articles:
        entry: dict = {"title": title, "paragraphs": []}
        for context, questions in paragraphs:
            qas = []
            for question, span in questions:
                number += 1
                answers = [{"answer_start": max(context.find(span), 0), "text": span}] if span else []
                qas.append({"answers": answers, "question": question, "is_impossible": not span, "id": str(number)})
            entry["paragraphs"].append({"qas": qas, "context": context})
        data.append(entry)
    return json.dumps({"version": version, "data": data} if version else {"data": data}, ensure_ascii=False)
