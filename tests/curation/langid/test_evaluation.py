"""Scores against ones worked out by hand, the formats of labeled files, and the commands."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from curation.cli.langid import CHUNK, _chunks, app
from curation.langid.evaluation import evaluate, read_labeled, score
from curation.langid.settings import LanguageSettings
from open_ml_embed.core.errors import CorpusError, SettingsError, UnknownNameError

TEXTS = {
    "eng-Latn": "Save the page and return to the main page of the site",
    "ekk-Latn": "Salvesta lehekülg ja mine tagasi avalehele, palun oota natuke",
    "rus-Cyrl": "Сохраните страницу и вернитесь на главную страницу сайта",
    "heb-Hebr": "שמור את הדף וחזור לדף הראשי של האתר",
}
CODES = ["eng", "deu", "cmn", "nan", "und", "new"]


def scored(labels, codes, *, confidence=None, claimed=frozenset(CODES), policy="corpus"):
    confidence = np.full(len(codes), 0.75, np.float32) if confidence is None else np.array(confidence, np.float32)
    return score(labels, pa.array(codes, pa.string()), confidence, claimed=frozenset(claimed), policy=policy)


def test_scores_by_hand():
    found = scored(["eng-Latn"] * 4 + ["deu-Latn"] * 2, ["eng", "eng", "eng", "deu", "deu", "und"], claimed={"eng"})
    whole = found.sets["corpus"]
    assert (whole.languages, whole.texts, whole.accuracy) == (2, 6, pytest.approx(4 / 6))
    assert whole.macro_recall == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert whole.macro_f1 == pytest.approx((6 / 7 + 2 / 4) / 2)
    # Over what the model claims, what it says of other languages' texts does not count.
    assert (found.sets["claimed"].languages, found.sets["claimed"].accuracy) == (1, 0.75)
    eng = next(s for s in found.languages if s.code == "eng")
    assert (eng.precision, eng.recall, eng.confused) == (1.0, 0.75, {"deu": 1})
    assert found.undetermined == 1


def test_a_language_that_a_model_lacks_is_wrong():
    found = scored(["eng-Latn", "new-Deva"], ["eng", "nep"], claimed={"eng", "nep"})
    assert found.sets["claimed"].macro_f1 == 1
    assert found.sets["corpus"].macro_f1 == 0.5
    assert found.sets["largest"].languages == 1  # Newari is not among the sixty


def test_both_sides_fold():
    assert scored(["cmn-Hani", "zho_Hans", "zh"], ["zho", "cmn", "cmn"]).sets["corpus"].accuracy == 1
    assert scored(["nan-Latn"], ["zho"]).languages[0].f1 == 0
    assert scored(["nan-Latn"], ["zho"], policy="macro").languages[0].f1 == 1
    assert scored(["arb-Arab"], ["ara"], policy="individual").sets["corpus"].macro_f1 == 1


def test_refused_labels_are_left_out_and_named():
    found = scored(["nah", "eng", "nah"], ["eng", "eng", "und"])
    assert found.refused == {"nah": 2}
    assert (found.texts, found.undetermined, found.sets["corpus"].accuracy) == (1, 0, 1)


def test_reliability():
    found = scored(["eng"] * 4 + ["deu"], ["eng", "eng", "deu", "eng", "und"], confidence=[0.95, 0.97, 0.91, 0.05, 0])
    low, high = found.reliability
    assert (low.above, low.texts, low.accuracy) == (0.0, 1, 1.0)
    assert (high.above, high.texts, high.accuracy) == (0.9, 3, pytest.approx(2 / 3))
    distance = abs(high.confidence - 2 / 3) * 3 / 4 + 0.95 / 4
    assert found.calibration_error == pytest.approx(distance, abs=1e-6)


@given(st.lists(st.tuples(st.sampled_from([c for c in CODES if c != "und"]), st.sampled_from(CODES)), min_size=1))
def test_any_answers_score_between_nothing_and_all(pairs):
    found = scored([label for label, _ in pairs], [code for _, code in pairs])
    right = sum(label == code for label, code in pairs)
    assert sum(s.texts for s in found.languages) == len(pairs)
    assert sum(s.recall * s.texts for s in found.languages) == pytest.approx(right)
    assert sum(b.texts for b in found.reliability) == len(pairs) - found.undetermined
    for s in found.sets.values():
        assert 0 <= s.macro_f1 <= 1
        assert 0 <= s.accuracy <= 1
    perfect = scored([label for label, _ in pairs], [label for label, _ in pairs]).sets["claimed"]
    assert (perfect.accuracy, perfect.macro_f1) == (1, 1)


@pytest.fixture
def labeled(tmp_path):
    rows = [{"text": text, "label": label, "split": "test"} for label, text in TEXTS.items()]
    rows.append({"text": "left out", "label": "eng-Latn", "split": "train"})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "some.parquet")
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "some.tsv").write_text("".join(f"{label}\t{text}\n" for label, text in TEXTS.items()), "utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["some.parquet", "some.jsonl", "some.tsv"])
def test_labeled_files(labeled, name):
    table = read_labeled(labeled / name, split="test")
    assert dict(zip(table["label"].to_pylist(), table["text"].to_pylist(), strict=True)) == TEXTS
    found = evaluate(labeled / name, LanguageSettings(), split="test")
    assert found.sets["corpus"].accuracy == 1
    assert {s.code for s in found.languages} == {"eng", "est", "rus", "heb"}
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [("a.tsv", "eng-Latn\tgood\nbad\n", "a.tsv:2: no tab"), ("a.jsonl", "{}\n[1]\n", "a.jsonl:2: not a JSON object"),
     ("a.jsonl", '{"text": "x"}\n', "no column label"), ("a.tsv", "", "no column"), ("b.parquet", None, "no such file"),
     ("a.jsonl", '{"text": "x", "label": "eng", "split": "train"}\n', "no labeled texts of split 'test'")],
)  # fmt: skip
def test_unusable_files_say_so(tmp_path, name, text, says):
    if text is not None:
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        read_labeled(tmp_path / name, split="test")
    assert says in str(caught.value)


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, list(map(str, arguments)), input=stdin, catch_exceptions=False)


def test_predict_keeps_the_order_and_every_line():
    lines = [*TEXTS.values(), "", "a\tb\r", *reversed(TEXTS.values())]
    answers = run("predict", stdin="\n".join(lines)).stdout.splitlines()
    assert len(answers) == len(lines)
    tags = [answer.split("\t")[0] for answer in answers]
    assert tags[:4] == ["eng-Latn", "est-Latn", "rus-Cyrl", "heb-Hebr"]
    assert tags[4] == "zxx-Zxxx"
    assert tags[:4] == tags[:-5:-1]
    assert all(0 <= float(answer.split("\t")[1]) <= 1 for answer in answers)


def test_predict_from_a_file_with_alternatives(tmp_path):
    (tmp_path / "lines").write_bytes(TEXTS["rus-Cyrl"].encode() + b"\n\xff\xfe\n")
    first, second = run("predict", tmp_path / "lines", "--top-k", 3, "--policy", "individual").stdout.splitlines()
    assert first.startswith("rus-Cyrl\t")
    assert second.startswith("zxx-")


@given(st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line), max_size=20), st.integers(1, 7))
def test_lines_are_the_same_however_they_come(lines, piece):
    class Slow(io.BytesIO):
        def read1(self, size=-1):
            return super().read1(min(size, piece))

    whole = b"".join(line + b"\n" for line in lines)
    expected = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]
    assert piece < CHUNK
    assert [line for chunk in _chunks(Slow(whole)) for line in chunk] == expected


def test_evaluate_prints_a_table_or_json(labeled):
    found = json.loads(run("evaluate", labeled / "some.tsv", labeled, "--json").stdout)
    assert found["backend"] == "bundled"
    assert [result["sets"]["largest"]["macro_f1"] for result in found["files"].values()] == [1.0, 1.0]
    shown = run("evaluate", labeled / "some.tsv").stdout
    assert "largest" in shown
    assert "worst languages" in shown


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [(("predict", "--backend", "cld3"), UnknownNameError), (("predict", "--policy", "all"), UnknownNameError),
     (("predict", "nowhere.txt"), SettingsError), (("evaluate", "nowhere.txt"), SettingsError)],
)  # fmt: skip
def test_mistakes_are_ours_to_explain(arguments, kind):
    with pytest.raises(CorpusError) as caught:
        run(*arguments, stdin="")
    assert isinstance(caught.value, kind)
