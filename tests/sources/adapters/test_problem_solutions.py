"""Statements looked up by dataset, split and row; the best solution of each problem."""

from collections import Counter

import pyarrow as pa
import pytest

from open_ml_embed.core.errors import SchemaError
from sources.adapters import problem_solutions
from sources.manifest import Manifest
from sources.parts import Context, RawBatch
from sources.quarantine import Quarantine
from tests.support.shaping import run, texts

ARGS = {"problems": {"d": {"table": "train_d", "sections": {"title": "", "given": "Given"}}}}
PROBLEMS = [{"title": "A", "given": ""}, {"title": "B", "given": None}, {"title": "C", "given": "n"}]


def solution(number, code, rate="1.0", **place):
    return {"question_id": f"p{number}", "dataset": "d", "split": "train", "index": str(number), "solution": code,
            "pass_rate": rate, **place}  # fmt: skip


def solved(*solutions):
    # The name of the table stands in for the file's, which has to tell the split.
    args = {"problems": {"d": {**ARGS["problems"]["d"], "table": "train"}}}
    return run("problem_solutions", args, solutions=list(solutions), train=PROBLEMS)


def test_best_solution_of_each_problem():
    rows, bad, _ = solved(
        solution(0, "low", "0.2"),
        solution(2, "first"),
        solution(0, "high", "0.9"),
        solution(2, "second"),
        solution(1, "unknown rate", "n/a"),
        solution(1, "minus one", "-1"),
        solution(0, "", "1.0"),
    )
    assert texts(rows) == [("C\n\nGiven\nn", "first"), ("A", "high"), ("B", "unknown rate")]
    assert not bad


@pytest.mark.parametrize(
    ("place", "reason"),
    [({"index": "3"}, "missing-question"), ({"index": "one"}, "missing-question"),
     ({"split": "test"}, "missing-question"), ({"dataset": "e"}, "unknown-dataset")],
)  # fmt: skip
def test_problems_that_are_not_there(place, reason):
    rows, bad, _ = solved(solution(0, "x", **place), solution(1, "y"))
    assert texts(rows) == [("B", "y")]
    assert bad == [("solutions", 0, reason)]


def context(files):
    """Serve problems from files in which batches end anywhere."""

    def read(table):
        assert table == "train_d"
        for name, titles in files:
            for start in range(0, len(titles), 2):
                some = [{"title": title, "given": None} for title in titles[start : start + 2]]
                records = pa.array(range(start, start + len(some)), pa.int64())
                yield RawBatch(pa.Table.from_pylist(some), name, records)

    return Context(Manifest.model_construct(), read, Quarantine("s", "t"), Counter())


def test_rows_count_through_the_files_of_a_split():
    files = [("data/test-0.parquet", ["t0", "t1", "t2"]), ("data/train-0.parquet", ["a0", "a1", "a2"]),
             ("data/train-1.parquet", ["a3"]), ("data/train-2.parquet", ["a4", "a5"])]  # fmt: skip
    wanted = {("d", "train", n) for n in range(7)} | {("d", "test", 2), ("e", "train", 0)}
    problems = problem_solutions.Args.model_validate(ARGS).problems["d"]
    found = dict(problem_solutions._read(context(files), "d", problems, wanted))
    assert found == {**{("d", "train", n): f"a{n}" for n in range(6)}, ("d", "test", 2): "t2"}


def test_file_name_without_a_split():
    problems = problem_solutions.Args.model_validate(ARGS).problems["d"]
    with pytest.raises(SchemaError, match="tells no split"):
        list(problem_solutions._read(context([("data/all.parquet", ["x"])]), "d", problems, set()))
