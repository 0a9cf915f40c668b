"""Personal data is masked where a library says that it is some, and nothing else is; in all texts of a row."""

import json
import subprocess
import sys

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core.errors import MissingPackageError, UnknownNameError
from sources.checks import RowChecks
from sources.masking import KINDS, MASKS, Masker
from tests.support import project


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Mail jane.doe@uni-koeln.de, or <hans+news@müller.de>.", "Mail [EMAIL], or <[EMAIL]>."),
        ("user@localhost and @decorator and a@b", "user@localhost and @decorator and a@b"),
        ("写信给 li@example.cn。", "写信给 [EMAIL]。"),
        ("mailto:jo@kernel.org?subject=x", "mailto:[EMAIL]?subject=x"),
        ("from 8.8.8.8 to 10.0.0.1 and 127.0.0.1:80", "from [IP] to 10.0.0.1 and 127.0.0.1:80"),
        ("version 1.2.3 of 300.1.1.1", "version 1.2.3 of 300.1.1.1"),
        ("resolver 2001:4860:4860::8888, std::vector, ab::cd", "resolver [IP], std::vector, ab::cd"),
        ("at 10:30:45, 3.14159265, +1 for that", "at 10:30:45, 3.14159265, +1 for that"),
        ("Call +49 30 901820 or +1 (650) 253-0000.", "Call [PHONE] or [PHONE]."),
        ("ISBN 978-3-16-148410-0, 1999-2003", "ISBN 978-3-16-148410-0, 1999-2003"),
        ("a@b.org a@b.org +44 20 7031 3000", "[EMAIL] [EMAIL] [PHONE]"),
    ],
)  # fmt: skip
def test_what_is_masked_and_what_is_not(text, masked):
    assert Masker(KINDS)(pa.array([text])).to_pylist() == [masked]


def test_only_the_chosen_kinds_are_masked():
    text = "jo@kernel.org 8.8.8.8 +49 30 901820"
    masked = {kind: Masker([kind])(pa.array([text]))[0].as_py() for kind in KINDS}
    assert masked == {
        "email": "[EMAIL] 8.8.8.8 +49 30 901820",
        "ip": "jo@kernel.org [IP] +49 30 901820",
        "phone": "jo@kernel.org 8.8.8.8 [PHONE]",
    }


def test_numbers_without_a_country_code_need_a_region():
    text = pa.array(["Ring 030 901820 or (650) 253-0000; order 1234567890; 2024-01-15 10:30:00; 1999-2003"])
    assert Masker(["phone"])(text) == text
    assert Masker(["phone"], ["US"])(text)[0].as_py().count("[PHONE]") == 1
    assert (
        Masker(["phone"], ["US", "DE"])(text)[0].as_py().startswith("Ring [PHONE] or [PHONE]; order 1234567890; 2024")
    )


def test_a_region_without_numbers_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown region 'UK'"):
        Masker(["phone"], ["UK"])


def test_masks_stay_what_they_are_and_count_as_no_damage():
    masker = Masker(KINDS, ["US"])
    texts = pa.array([f"write to {mask} now" for mask in MASKS.values()])
    assert masker(texts) == texts
    assert not masker.counts
    checks = RowChecks("retrieval")
    names = ["query", "positive", "query_lang", "positive_lang"]
    tags = pa.array(["eng-Latn"] * 3)
    rows = {"label": pa.nulls(3, pa.string()), **dict(zip(names, [texts, texts, tags, tags], strict=True))}
    checks.add(pa.RecordBatch.from_pydict(rows))
    assert all(counts.get("damaged", 0) == 0 for counts in checks.as_json().values())


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=5))
def test_texts_without_any_stay_byte_for_byte(texts):
    plain = pa.array(
        [text.replace("@", "").replace("+", "").replace(":", "").replace(".", "") for text in texts], pa.string()
    )
    assert Masker(KINDS)(plain) == plain


def test_all_texts_of_the_rows_are_masked_and_counted(tmp_path):
    root = project.make(tmp_path, rows=45)
    line = {
        "q": "who reads jo@kernel.org",
        "d": "He has +49 30 901820 and jo@kernel.org",
        "n": ["8.8.8.8 is not masked"],
    }
    with (root / "raw/pairs/part-0.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    settings = yaml.safe_load((root / "params.yaml").read_text())
    settings["tiny"]["normalize"]["mask"] = ["phone", "email"]
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    project.run(root, "fetch")
    said = json.loads(project.run(root, "normalize", "--json"))
    (pairs,) = [entry for entry in said["sources"] if entry["source"] == "pairs"]
    assert pairs["masked"] == 3
    stats = json.loads((root / "out/tiny/steps/normalize.json").read_text())["stats"]
    assert stats["sources"]["pairs"]["masked"] == {"email": 2, "phone": 1}
    shown = project.run(root, "show", "pairs", "-n", "100", "--json")
    (row,) = [row for row in map(json.loads, shown.splitlines()) if row["query"].startswith("who reads")]
    assert (row["query"], row["positive"]) == ("who reads [EMAIL]", "He has [PHONE] and [EMAIL]")


def test_unknown_kinds_are_refused_with_the_nearest(tmp_path):
    root = project.make(tmp_path, rows=45, normalize={"mask": ["emails"]})
    with pytest.raises(UnknownNameError, match=r"normalize\.mask\.0: unknown mask 'emails'"):
        project.run(root, "status")


def test_a_missing_library_is_said_before_any_work(tmp_path, monkeypatch):
    root = project.make(tmp_path, rows=45, normalize={"mask": ["phone"]})
    project.run(root, "fetch")
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(MissingPackageError, match=r"open-ml-embed\[pii\]"):
        project.run(root, "normalize")
    assert not (root / "work/tiny/rows").exists()


def test_without_masks_the_libraries_are_not_imported():
    code = "import sys, sources.normalize; print({'phonenumbers', 'email_validator'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
