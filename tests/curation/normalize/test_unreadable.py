"""What a step says of files that could not be read."""

from curation.normalize.settings import NormalizeSettings
from curation.normalize.shared_tables import SharedTables
from curation.normalize.step import Normalize, _add, _no_counts, _summed
from curation.raw_copies import RawCopies
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from sources.parts import Part, RawFile
from tests.sources.test_normalize import manifest

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n"


def test_files_that_cannot_be_read_are_named_in_the_statistics(tmp_path):
    store, stats = Store(str(tmp_path / "work")), _no_counts()
    good = b'{"q": "one", "p": "two", "n": [], "k": 1, "l": "en"}\n'
    for number, data in enumerate([POINTER, good, POINTER]):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(data)
        part = Part("example", "t", number, (RawFile("records", path.name, str(path), len(data), "x"),))
        task = Task(f"example/t/{number:05d}", ("0",), (part, manifest(), RawCopies(""), SharedTables("", {})))
        counts = Normalize(NormalizeSettings()).run(task, store, Outputs(store, "rows", task.path))
        _add(stats, counts)
    assert _summed([stats, _no_counts()])["unread_bytes"] == 2 * len(POINTER)
    why = "a Git LFS pointer, not the data: fetch the file itself"
    assert stats["unreadable"] == [["0.jsonl", why, len(POINTER)], ["2.jsonl", why, len(POINTER)]]
    assert _summed([stats]) == {
        "records": 3, "rows": 1, "beyond_limit": 0, "filtered": {}, "quarantined": {"unreadable-file": 2},
        "unread_files": 2, "unread_bytes": 2 * len(POINTER),
        "checks": {"query": {"texts": 1}, "positive": {"texts": 1}}, "masked": {},
    }  # fmt: skip
