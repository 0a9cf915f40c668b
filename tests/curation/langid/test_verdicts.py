"""Verdicts per source: what differs is found, shown, and dropped or overruled as the policy says, with its reason."""

import html
import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from curation.langid.confidence import SHORT
from curation.langid.interface import IDENTIFIED_SCHEMA
from curation.langid.settings import LanguageSettings, SourceTrust, TrustSettings
from curation.langid.step import run as langid_step
from curation.langid.step.verdicts import SHOWN, VERDICTS, VERDICTS_SCHEMA, judge, strongest, verdict
from curation.pipeline.freshness import inputs_of, load
from curation.pipeline.run import run_step
from curation.pipeline.show import show_disagreements, show_rows
from curation.report.data import collect
from curation.settings import load_profile
from open_ml_embed.core.errors import SettingsError, StageError, UnknownNameError
from tests.support.workshop import written_report

DROP = {"policy": "drop-disagreement", "confidence": 0.8}
OVERRULE = {"policy": "trust-identified", "confidence": 0.8}


@pytest.fixture
def calls(monkeypatch):
    """Texts say themselves what they are identified as: `nld 0.95 some words`."""
    made = []

    def identify(texts, settings):
        made.append(len(texts))
        words = [text.split() for text in texts.to_pylist()]
        columns = [
            [w[0] for w in words],
            ["Latn"] * len(words),
            [float(w[1]) for w in words],
            [len(t) for t in texts.to_pylist()],
        ]
        return pa.table(
            [pa.array(c, f.type) for c, f in zip(columns, IDENTIFIED_SCHEMA, strict=True)], IDENTIFIED_SCHEMA
        )

    monkeypatch.setattr(langid_step, "identify", identify)
    return made


def row(query, positive, **more):
    return {"query": query, "positive": positive, "negatives": [f"negative of {positive}"]} | more


ROWS = [
    row("eng 0.99 right", "eng 0.99 both right"),
    row("nld 0.95 wrong", "eng 0.99 one wrong"),
    row("eng 0.99 fine", "nld 0.85 the other wrong"),
    row("deu 0.9 wrong", "nld 0.9 and wrong again"),
    row("nld 0.5 weak", "eng 0.9 too weak to count"),
    row("und 0.0 ??", "zxx 1.0 123 456"),
    row("nld 0.99 a query", "zxx 0.0 a body of code", positive_lang="python-Code"),
]


@pytest.fixture
def made(workshop, calls):
    """A build with one source under the policy given."""
    workshop.manifest("pairs", ["all"])
    workshop.manifest("others", ["all"])
    workshop.mix("plain")

    def make(trust=None, rows=ROWS, shard_rows=1000):
        build = workshop.build(
            languages={"trust": {"sources": {"pairs": trust}} if trust else {}}, mixes={"plain": {"validation": 0.2}}
        )
        others = [row(f"nld 0.99 another {i}", f"eng 0.99 text {i}") for i in range(9)]
        workshop.rows(build, {("pairs", "all"): rows, ("others", "all"): others}, shard_rows)
        return build

    return make


def verdicts(build, source="pairs"):
    shards = [s for s in load(build, "identify").shards if s.source == source]
    tables = [build.store.read_table(f"verdicts/{s.path}.verdicts.arrow") for s in shards]
    assert all(table.schema == VERDICTS_SCHEMA for table in tables)
    return pa.concat_tables(tables).to_pylist()


def samples(build):
    files = sorted((build.out / "mixes" / "plain" / "samples").glob("*.parquet"))
    return {r["query"]: r for f in files for r in pq.read_table(f).to_pylist() if r["source"] == "pairs"}


@pytest.mark.parametrize(
    ("tag", "code", "says"),
    [("deu-Latn", "deu", "agree"), ("zho-Hans", "cmn", "agree"), ("nob-Latn", "nor", "agree"),
     ("zho-Hant", "yue", "agree"),
     ("nan-Latn", "zho", "agree"), ("ajp-Arab", "apc", "agree"), ("tgl-Latn", "fil", "agree"),
     ("srp-Latn", "hrv", "disagree"), ("nob-Latn", "nno", "disagree"), ("deu-Latn", "nld", "disagree"),
     ("hin-Latn", "hif", "agree"), ("urd-Latn", "hif", "agree"), ("hin-Deva", "hif", "agree"),
     ("hif-Latn", "urd", "agree"), ("hin-Latn", "urd", "agree"), ("hin-Deva", "urd", "disagree"),
     ("hin-Latn", "eng", "disagree"), ("bos-Latn", "hrv", "agree"), ("cnr-Cyrl", "srp", "agree"),
     ("hbs-Latn", "hrv", "agree"), ("zsm-Latn", "ind", "disagree"), ("msa-Latn", "zsm", "agree"),
     ("deu-Latn", "python", "disagree"), ("deu-Latn", "und", "undetermined"),
     ("deu-Latn", "zxx", "undetermined"), ("zxx-Zxxx", "eng", "declared-only"),
     ("python-Code", "python", "declared-only")],
)  # fmt: skip
def test_what_a_verdict_says(tag, code, says):
    assert verdict(tag, code, code_declared=True) == says


def test_code_that_nobody_takes_at_its_word_can_disagree():
    assert verdict("python-Code", "python", code_declared=False) == "agree"
    assert verdict("python-Code", "ruby", code_declared=False) == "disagree"


def test_trusting_the_declaration_changes_nothing(made):
    build = made()
    run_step(build, "identify")
    found = verdicts(build)
    assert [(r["query_verdict"], r["positive_verdict"]) for r in found] == [
        ("agree", "agree"), ("disagree", "agree"), ("agree", "disagree"), ("disagree", "disagree"),
        ("disagree", "agree"), ("undetermined", "undetermined"), ("disagree", "declared-only"),
    ]  # fmt: skip
    assert {r["drop_reason"] for r in found} == {None}
    assert [r["positive_lang_final"] for r in found] == ["eng-Latn"] * 6 + ["python-Code"]


def test_dropping_says_which_side_from_the_confidence_on(made):
    build = made(DROP)
    run_step(build, "identify")
    reasons = [r["drop_reason"] for r in verdicts(build)]
    assert reasons == [None, "query-language", "positive-language", "both-languages", None, None, "query-language"]
    entry = load(build, "identify").stats["sources"]["pairs"]
    assert entry["dropped"] == {"query-language": 2, "positive-language": 1, "both-languages": 1}
    assert entry["overruled"] == 5
    assert {r["drop_reason"] for r in verdicts(build, "others")} == {None}, "their policy is another"


def test_trusting_the_identifier_replaces_what_disagrees_and_nothing_else(made):
    build = made(OVERRULE)
    run_step(build, "identify")
    found = verdicts(build)
    assert [r["query_lang_final"][:3] for r in found] == ["eng", "nld", "eng", "deu", "eng", "eng", "nld"]
    assert [r["positive_lang_final"] for r in found][2:4] == ["nld-Latn", "nld-Latn"]
    assert {r["drop_reason"] for r in found} == {None}


def test_the_figures_of_a_source_add_up(made):
    build = made(shard_rows=3)
    run_step(build, "identify")
    entry = load(build, "identify").stats["sources"]["pairs"]
    assert sum(entry[name] for name in VERDICTS) == entry["texts"] == 2 * len(ROWS)
    assert sum(sum(found.values()) for found in entry["confusion"].values()) == entry["texts"] - entry["declared-only"]
    assert entry["confusion"] == {"eng": {"eng": 5, "nld": 5, "deu": 1, "und": 1, "zxx": 1}}
    assert entry["programming"] == ["python"]


def test_another_policy_identifies_nothing_again(made, calls):
    run_step(made(), "identify")
    identified = list(calls)
    run_step(made(DROP), "identify")
    assert calls == identified


def test_the_mix_leaves_out_what_is_dropped_with_a_counted_reason(made):
    build = made(DROP)
    for step in ("identify", "dedup", "mine"):
        run_step(build, step)
    stats = run_step(build, "mix-plain").stats["sources"]
    assert stats["pairs"]["other-language"] == 4
    assert stats["others"]["other-language"] == 0
    assert sum(stats["pairs"].values()) == len(ROWS)
    assert not {ROWS[i]["query"] for i in (1, 2, 3, 6)} & samples(build).keys()
    (ends,) = [row for row in collect(build, inputs_of(build, "report"))["funnel"].rows if row["source"] == "pairs"]
    assert ends["other_language"] == 4


def test_the_mix_has_the_final_languages(made):
    build = made(OVERRULE)
    for step in ("identify", "dedup", "mine"):
        run_step(build, step)
    run_step(build, "mix-plain")
    found = samples(build)
    assert found["deu 0.9 wrong"]["language"] == "deu"
    assert found["deu 0.9 wrong"]["positive_language"] == "nld"
    assert found["nld 0.5 weak"]["language"] == "eng"


@pytest.mark.parametrize("change", ["not run", "another policy", "other rows"])
def test_the_mix_refuses_verdicts_that_are_not_of_this_build(made, change):
    run_step(made(), "identify")
    build = made(DROP, rows=ROWS[:5] if change == "other rows" else ROWS)
    if change == "not run":
        (build.out / "steps" / "identify.json").unlink()
    run_step(build, "dedup"), run_step(build, "mine")
    with pytest.raises(StageError, match="curate identify"):
        run_step(build, "mix-plain")


def test_the_strongest_disagreements_are_the_same_whatever_the_shards(made):
    found, rng = [], random.Random(3)
    said = [f"{rng.choice(['nld', 'eng'])} {rng.randrange(60, 64) / 100}" for _ in range(300)]
    rows = [row(f"{words} w{i % 60}", f"eng 0.9 p{i}") for i, words in enumerate(said)]
    for shard_rows in (500, 33):
        build = made(rows=rows, shard_rows=shard_rows)
        run_step(build, "identify")
        found.append(load(build, "identify").stats["sources"]["pairs"]["disagreements"])
    assert found[0] == found[1]
    assert len(found[0]) == len({d["text"] for d in found[0]}) == SHOWN
    assert sorted(found[0], key=lambda d: (-d["confidence"], d["row_id"])) == found[0]
    assert all((d["declared"], d["identified"], d["side"]) == ("eng-Latn", "nld-Latn", "query") for d in found[0])


entries = st.fixed_dictionaries(
    {"row_id": st.integers(0, 400).map("{:032x}".format), "side": st.sampled_from(["query", "positive"]),
     "declared": st.just("eng-Latn"), "identified": st.sampled_from(["nld-Latn", "deu-Latn"]),
     "confidence": st.sampled_from([0.5, 0.75, 1.0]), "text": st.integers(0, 50).map(str)}
)  # fmt: skip


@given(st.lists(entries, max_size=120, unique_by=lambda d: (d["row_id"], d["side"])), st.integers(1, 40))
def test_merging_in_parts_is_merging_at_once(found, size):
    parts = [strongest([found[i : i + size]]) for i in range(0, len(found), size)]
    assert strongest(parts) == strongest([found])
    assert all(len(part) <= SHOWN for part in parts)


def test_hindi_and_urdu_are_one_where_the_text_is_in_latin_letters():
    assert verdict("hin-Deva", "urd", "Latn", code_declared=True) == "agree"
    assert verdict("hin-Deva", "urd", "Arab", code_declared=True) == "disagree"
    declared = pa.chunked_array([["hin-Deva", "hin-Deva", "urd-Arab"]])
    columns = [["urd", "urd", "hin"], ["Latn", "Arab", "Latn"], [0.95] * 3, [40] * 3]
    judged = judge(declared, identified_table(columns), LanguageSettings(), SourceTrust())
    assert [VERDICTS[i] for i in judged.verdict] == ["agree", "disagree", "agree"]
    assert judged.confusion == {"hin": {"hin": 1, "urd": 1}, "urd": {"urd": 1}}


def identified_table(columns):
    kinds = (pa.string(), pa.string(), pa.float32(), pa.int32())
    names = ("code", "script", "confidence", "letters")
    return pa.table({n: pa.chunked_array([pa.array(c, k)]) for n, c, k in zip(names, columns, kinds, strict=True)})


def test_a_text_too_short_to_judge_overrules_nothing():
    declared = pa.chunked_array([["eng-Latn"] * 3])
    columns = [["cat"] * 3, ["Latn"] * 3, [1.0] * 3, [SHORT - 1, SHORT, 200]]
    judged = judge(declared, identified_table(columns), LanguageSettings(), SourceTrust(confidence=0.5))
    assert judged.overruled.tolist() == [False, True, True]
    assert [VERDICTS[i] for i in judged.verdict] == ["disagree"] * 3


@pytest.mark.parametrize("trust", [DROP, OVERRULE])
def test_a_short_row_stays_as_its_source_says(workshop, trust):
    """The whole way, with the bundled model: a word that it takes for another language, and a sentence in another."""
    workshop.manifest("pairs", ["all"])
    build = workshop.build(languages={"trust": {"sources": {"pairs": trust | {"confidence": 0.5}}}})
    english = "The ferry leaves the harbour at noon and returns before it is dark"
    german = "Die Fähre verlässt den Hafen am Mittag und kehrt vor der Dunkelheit zurück"
    workshop.rows(build, {("pairs", "all"): [row("diabetes", english), row("visa", english), row(german, english)]})
    run_step(build, "identify")
    found = verdicts(build)
    assert [r["query_lang_final"] for r in found][:2] == ["eng-Latn", "eng-Latn"]
    assert [r["drop_reason"] for r in found][:2] == [None, None]
    assert found[2]["query_verdict"] == "disagree"
    changed = found[2]["drop_reason"], found[2]["query_lang_final"]
    assert changed == (("query-language", "eng-Latn") if trust is DROP else (None, "deu-Latn"))


codes = st.sampled_from(["eng", "nld", "und", "zxx", "cmn", "python", "hif", "urd"])
tags = st.sampled_from(["eng-Latn", "zho-Hans", "zxx-Zxxx", "python-Code", "deu-Latn", "hin-Deva", "hin-Latn"])
scripts = st.sampled_from(["Latn", "Hani", "Arab"])


@given(
    st.lists(st.tuples(tags, codes, scripts, st.floats(0, 1, width=32), st.integers(0, 30))),
    st.floats(0.5, 1, width=32),
)
def test_judging_together_is_judging_one_by_one(texts, threshold):
    columns = list(zip(*texts, strict=True)) or [(), (), (), (), ()]
    declared = pa.chunked_array([pa.array(columns[0], pa.string())])
    judged = judge(declared, identified_table(columns[1:]), LanguageSettings(), SourceTrust(confidence=threshold))
    expected = [verdict(tag, code, script, code_declared=True) for tag, code, script, _, _ in texts]
    assert [VERDICTS[i] for i in judged.verdict] == expected
    assert judged.overruled.tolist() == [
        says == "disagree" and score >= np.float32(threshold) and letters >= SHORT
        for says, (_, _, _, score, letters) in zip(expected, texts, strict=True)
    ]


def test_long_texts_are_cut_and_evil_ones_are_escaped(made):
    evil = "nld 0.99 <script>alert(1)</script> " + "x" * 500
    build = made(DROP, rows=[row(evil, "eng 0.9 y"), *ROWS])
    run_step(build, "identify")
    found = load(build, "identify").stats["sources"]["pairs"]["disagreements"]
    (shown,) = [d for d in found if "script" in d["text"]]
    assert len(shown["text"]) == 201
    text = written_report(build)
    assert text.count("<script>") == 1, "the page's own"
    assert "<script>alert" not in text
    assert shown["row_id"] in text
    assert html.escape("<script>alert(1)</script>") in text
    assert "Disagreements to look at" in text
    assert collect(build, inputs_of(build, "report"))["agreement"].sum("dropped") == 5


def test_show_has_the_table_and_the_disagreements(made, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    build = made(DROP)
    run_step(build, "identify")
    show_disagreements(build, "pairs")
    printed = capsys.readouterr().out
    assert "drop-disagreement" in printed
    assert "nld 0.95 wrong" in printed
    assert load(build, "identify").stats["sources"]["pairs"]["disagreements"][0]["row_id"] in printed
    show_rows(build, "pairs", None, 2, None)
    assert "left out: query-language" in capsys.readouterr().out
    show_rows(build, "pairs", None, 2, None, as_json=True)
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(row["source"], len(row["row_id"])) for row in shown} == {("pairs", 32)}
    assert "query-language" in {row["drop_reason"] for row in shown}
    show_disagreements(build, "pairs", as_json=True)
    assert json.loads(capsys.readouterr().out)["trust"]["policy"] == "drop-disagreement"
    with pytest.raises(UnknownNameError, match="did you mean pairs"):
        show_disagreements(build, "pair")


def test_a_policy_for_no_source_is_refused(workshop):
    workshop.manifest("pairs", ["all"])
    build = workshop.build(languages={"trust": {"sources": {"pears": DROP}}})
    workshop.rows(build, {("pairs", "all"): ROWS})
    with pytest.raises(UnknownNameError, match="did you mean pairs"):
        run_step(build, "identify")


def test_settings_are_read_with_their_defaults_and_refused_with_the_nearest(tmp_path):
    def load(trust):
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"p": {"languages": {"trust": trust}}}))
        return load_profile(tmp_path / "params.yaml", "p")[1].languages

    languages = load({"default": {"policy": "trust-identified"}, "sources": {"a": DROP}})
    assert languages.trust.of("a").confidence == 0.8
    assert languages.trust.of("b") == SourceTrust(policy="trust-identified")
    assert hash(languages) == hash(load({"default": {"policy": "trust-identified"}, "sources": {"a": DROP}}))
    assert TrustSettings().of("a").policy == "trust-declared"
    with pytest.raises(UnknownNameError, match="did you mean policy"):
        load({"sources": {"a": {"polcy": "trust-declared"}}})
    with pytest.raises(UnknownNameError, match="drop-disagreement"):
        load({"default": {"policy": "drop"}})
    with pytest.raises(SettingsError, match=r"0\.5"):
        load({"sources": {"a": DROP | {"confidence": 0.4}}})
