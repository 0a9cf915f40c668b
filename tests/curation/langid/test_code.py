"""Programming languages by name, by content and by fence."""

import ast
import inspect
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.langid.code_content import (
    CODE_MODEL,
    PROSE,
    CodeModel,
    CodeWeights,
    code_model,
    is_code,
    load_code_weights,
)
from curation.langid.code_features import MOST, features
from curation.langid.code_names import CORPUS_NAMES, OTHER_NAMES, code_name
from curation.langid.fences import Block, fenced, language_of, split
from open_ml_embed.core.errors import SettingsError
from sources.languages import check_tag, code_tag
from tools.langid.code_corpus import CODE_SCHEMA, label_of, snippets, table
from tools.langid.train_code import CodeRecipe, train

# by name


@pytest.mark.parametrize("name", CORPUS_NAMES + OTHER_NAMES)
def test_every_name_is_its_own_and_makes_a_tag(name):
    assert code_name(name) == code_name(name.upper()) == name
    assert check_tag(code_tag(name)) == f"{name}-Code"


ALIASES = {
    "C++": "cpp", "c++17": "cpp", "golang": "go", "csharp": "c#", "C Sharp": "c#", "cs": "c#", "Python 3.9": "python",
    "py3": "python", ".rs": "rust", "Objective-C": "objective-c", "objc": "objective-c", "sh": "shell", "bash": "bash",
    "PL/SQL": None, "plsql": "sql", "postgresql": "sql", "Visual Basic .NET": None, "vb": "vb.net", "tsx": "typescript",
    "elisp": "lisp", "English": None, "": None, "text": None, "nodejs": "javascript", "yml": "yaml", "f90": "fortran",
    "Jupyter Notebook": "jupyter-notebook", "java8": "java",
}  # fmt: skip


@pytest.mark.parametrize(("name", "corpus"), ALIASES.items())
def test_aliases(name, corpus):
    assert code_name(name) == corpus


# by fence


def blocks(text):
    return split(text).blocks


def test_prose_around_fences_stays_whole():
    text = "Hallo!\n\n```py\na = 1\n\nb = 2\n```\nUnd dann:\n~~~ sql\nSELECT 1;\n~~~\nDanke."
    assert split(text) == ("Hallo!\n\nUnd dann:\nDanke.", [("python", "a = 1\n\nb = 2"), ("sql", "SELECT 1;")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("````\n```\nx\n```\n````", [(None, "```\nx\n```")]),
        ("```\nx\n~~~\ny\n```", [(None, "x\n~~~\ny")]),
        ("```\nx\n`````", [(None, "x")]),
        ("```js\nunclosed\n  to the end", [("javascript", "unclosed\n  to the end")]),
        ("```", [(None, "")]),
        ("   ```\n   x\n     y\n  z\n   ```", [(None, "x\n  y\nz")]),
        ("    ```\n    x\n    ```", []),
        ("```\nx\n    ```", [(None, "x\n    ```")]),
        ("```\nx\n``` not a closing", [(None, "x\n``` not a closing")]),
        ("``` a`b\nx", []),
        ("~~~ a`b ~~~\nx\n~~~", [(None, "x")]),
        ("inline ```code``` here", []),
        ("``\nx\n``", []),
        ("> ```go\n> x := 1\n> ```\nafter", [("go", "x := 1")]),
        ("> ```go\n> x := 1\nafter", [("go", "x := 1")]),
        ("1. First:\n\n   ```c\n   int x;\n   ```\n2. Then", [("c", "int x;")]),
        ("- a\n  - b\n\n    ```c\n    int x;\n    ```", [("c", "int x;")]),
        ("- ```c\n  int x;\n  ```", [("c", "int x;")]),
        ("```c\r\nint x;\r\n```\r\n", [("c", "int x;")]),
    ],
)
def test_fences_by_the_rules(text, expected):
    assert blocks(text) == [Block(*pair) for pair in expected]


@pytest.mark.parametrize(
    ("info", "language"),
    [("python", "python"), ("Python title='x.py'", "python"), ("{.haskell .numberLines}", "haskell"), ("c++", "cpp"),
     ("language-ruby", "ruby"), ("text", None), ("console", None), ("", None), ("js{1,3}", "javascript")],
)  # fmt: skip
def test_info_strings(info, language):
    assert language_of(info) == language


@settings(deadline=None)  # Arrow is loaded by the first call
@given(st.lists(st.text(alphabet="`~> -1.\nab \t", max_size=40), max_size=6))
def test_texts_without_fences_are_left_alone_and_the_hint_misses_none(texts):
    held = fenced(pa.array(texts, pa.string())).to_pylist()
    for text, hint in zip(texts, held, strict=True):
        found = split(text)
        if found.blocks:
            assert hint
        else:
            assert found.prose == text


@given(
    st.lists(st.sampled_from(["Ein Satz.", "", "und noch einer"]), min_size=1, max_size=4),
    st.text(alphabet="ab =\n;`~", max_size=40),
    st.sampled_from(["`", "~"]),
    st.integers(0, 3),
)
def test_what_a_longer_fence_holds_comes_back(prose, code, sign, more):
    longest = max((len(run) for run in code.replace("\n", " ").split() if set(run) == {sign}), default=0)
    fence = sign * (max(3, longest + 1) + more)
    before = "\n".join(prose)
    found = split(f"{before}\n{fence}python\n{code}\n{fence}\nEnde")
    assert found == (f"{before}\nEnde", [("python", code)])


# by content

CODE = {
    "python": "def mean(values):\n    total = sum(values)\n    return total / len(values) if values else None",
    "java": "public static int max(List<Integer> xs) {\n    int best = xs.get(0);\n    return best;\n}",
    "javascript": "const names = items.filter(x => x.ok).map(x => x.name);\nconsole.log(names.length);",
    "go": "func add(a, b int) (int, error) {\n\tif a < 0 {\n\t\treturn 0, errNegative\n\t}\n\treturn a + b, nil\n}",
    "php": "public function total()\n{\n    foreach ($this->items as $item) {\n        $sum += $item->price;\n    }\n}",
    "ruby": 'def greet(name)\n  puts "Hello, #{name}!"\nend\n\n[1, 2].each do |x|\n  puts x\nend',
    "cpp": "std::vector<int> v;\nfor (auto it = v.begin(); it != v.end(); ++it) {\n    std::cout << *it << '\\n';\n}",
    "c": "static int count(const char *s)\n{\n\tint n = 0;\n\twhile (*s++)\n\t\tn++;\n\treturn n;\n}",
    "rust": "fn parse(input: &str) -> Result<u32, Error> {\n    let n = input.trim().parse::<u32>()?;\n    Ok(n)\n}",
    "sql": "SELECT name, COUNT(*) FROM users WHERE age > 21 GROUP BY name ORDER BY name;",
    "haskell": "quicksort :: Ord a => [a] -> [a]\nquicksort [] = []\nquicksort (p:xs) = filter (< p) xs ++ [p]",
    "shell": 'for f in *.txt; do\n  if [ -f "$f" ]; then\n    echo "$f" | sed \'s/a/b/\'\n  fi\ndone',
    "html": '<ul class="menu">\n  <li><a href="/home">Home</a></li>\n  <li><a href="/help">Help</a></li>\n</ul>',
    "css": ".menu li {\n  margin: 0 auto;\n  color: #fff;\n  padding: 4px 8px;\n}",
    "perl": "sub trim {\n    my ($s) = @_;\n    $s =~ s/^\\s+//;\n    return $s;\n}",
}

NO_CODE = [
    "The function returns the sum of two numbers; see the manual for details.",
    '{{PLURAL:$1|One page|$1 pages}} in this category (of $2 total) <span class="x">[[Help:Contents|help]]</span>',
    "Use 'git commit -a' to save your changes, then run 'git push'.",
    "Visit https://example.org/a?b=1&c=2 or write to me@example.org; don't forget the #hashtag @friend",
    "| Name | Age |\n|---|---|\n| Ann | 31 |\n| Bob | 27 |",
    "* Milk\n* Bread\n* Butter; eggs [optional]\n* Cheese & wine",
    "1. First item\n2. Second item (see [1])\n3. Third item",
    "Öffnen Sie die Datei /etc/fstab und ändern Sie den Eintrag <device> entsprechend.",
    "10, 20, 30, 40, 50; 60 = 70 + 80 - 90",
    "From: someone@example.org\nSubject: Re: lunch?\n\n> Are you coming?\nYes, at noon!",
    "d41d8cd98f00b204e9800998ecf8427e  empty.txt",
    "Click [here](http://example.org) for *more* _information_ about **this**!",
    "العربية: {{SITENAME}} هو موقع [[حر]] <br />",
    "",
]


def test_languages_are_told_by_their_code():
    found = is_code(pa.array(CODE.values()))
    assert found.mask.all()
    wrong = [pair for pair in zip(CODE, found.name.to_pylist(), strict=True) if pair[0] != pair[1]]
    assert len(wrong) <= 1, wrong  # five lines of PHP without its tag might be Perl
    assert found.confidence.min() > 0.3


def test_prose_is_no_code():
    found = is_code(pa.array(NO_CODE))
    assert [text for text, hit in zip(NO_CODE, found.mask, strict=True) if hit] == []
    assert found.name.null_count == len(NO_CODE)


def test_functions_of_the_standard_library_are_python():
    tree = ast.parse(inspect.getsource(json.decoder))
    source = inspect.getsource(json.decoder)
    functions = [ast.get_source_segment(source, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    found = is_code(pa.array(functions))
    assert sum(name == "python" for name in found.name.to_pylist()) >= 0.9 * len(functions)


@settings(deadline=None)  # the first call may compile
@given(st.lists(st.text(max_size=200), max_size=5))
def test_any_text_gets_an_answer(texts):
    found = is_code(pa.array(texts, pa.string()))
    assert len(found.mask) == len(found.name) == len(found.confidence) == len(texts)
    assert ((found.confidence >= 0) & (found.confidence <= 1.0001)).all()
    assert [name is not None for name in found.name.to_pylist()] == found.mask.tolist()


def test_answers_do_not_depend_on_the_company():
    texts = [*CODE.values(), *NO_CODE]
    together = is_code(pa.array(["", *texts], pa.string()).slice(1))
    alone = [is_code(pa.array([text])).name[0].as_py() for text in texts]
    assert together.name.to_pylist() == alone
    assert is_code(pa.chunked_array([texts[:3], texts[3:]])).name.to_pylist() == alone


def test_labels_are_names_of_the_corpus_or_beyond():
    names = set(code_model().weights.labels) - {PROSE}
    assert names <= set(CORPUS_NAMES + OTHER_NAMES)
    assert CODE_MODEL.stat().st_size <= 1_000_000


def test_a_long_text_is_read_at_both_ends():
    keys = np.empty(MOST, np.uint32)
    data = np.frombuffer(("x = {;}\n" * 5000).encode(), np.uint8)
    used, tokens = features(data, 0, len(data), keys)
    assert 0 < used <= MOST
    assert 0 < tokens <= used


def test_a_model_comes_back_as_it_was_saved(tmp_path):
    made = CodeWeights(
        ("go", PROSE),
        np.array([3, 9], np.uint32),
        np.array([[1, -2], [3, 4]], np.int8),
        np.ones(2, np.float32),
        np.zeros(2, np.float32),
        0.75,
    )
    made.save(tmp_path / "a.lid")
    back = load_code_weights(tmp_path / "a.lid")
    back.save(tmp_path / "b.lid")
    assert (tmp_path / "a.lid").read_bytes() == (tmp_path / "b.lid").read_bytes()
    assert back.labels == made.labels
    assert back.threshold == 0.75
    assert np.allclose(CodeModel(back).probabilities(pa.array(["hm"])), 0.5)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "x.lid").write_bytes(b"nothing of the kind")
    with pytest.raises(SettingsError, match="no code model"):
        load_code_weights(tmp_path / "x.lid")
    with pytest.raises(SettingsError, match="no code model"):
        load_code_weights(tmp_path / "missing.lid")


# its training


@pytest.mark.parametrize(
    ("name", "content", "label"),
    [("a/b.py", "x = 1", "python"), ("x.h", "int f(void);", "c"), ("x.h", "namespace a {}", "cpp"),
     ("x.m", "@interface A\n@end", "objective-c"), ("x.m", "function y = f(x)", "matlab"),
     ("run", "#!/bin/sh\n", "shell"), ("run", "#!/usr/bin/env python3\n", "python"),
     ("x.xml", "<?xml?><svg></svg>", "svg"), ("x.txt", "words", None),
     ("CMakeLists.txt", "project(x)", "cmake"), ("x.ts", "<?xml version='1.0'?><TS>", "xml")],
)  # fmt: skip
def test_files_are_labeled_by_name_and_content(name, content, label):
    assert label_of(name, content) == label


def test_files_are_cut_into_snippets_alike_every_time():
    source = inspect.getsource(json.decoder)
    found = list(snippets("lib/decoder.py", source, "json"))
    assert found == list(snippets("lib/decoder.py", source, "json"))
    assert {snippet.label for snippet in found} <= {"python", PROSE}
    readme = list(snippets("README.md", "Some words about the package.\n\n```py\nimport this\n```\n", "json"))
    assert [(snippet.text, snippet.label) for snippet in readme] == [("Some words about the package.", PROSE)]
    assert table((snippet, "train") for snippet in found + found).num_rows <= len(found)


def test_training_learns_and_repeats_itself(tmp_path):
    rows = [
        {"text": text, "label": label, "domain": "code", "document": f"{number % 3}/{number}", "split": "train"}
        for number in range(30)
        for text, label in ((f"x{number} := f({number})\nreturn x", "go"), (f"Some words, {number} in all.", PROSE))
    ]
    recipe = CodeRecipe(least=1, packages=1, texts=1, size=8000, epochs=(1, 3))
    for name in ("a", "b"):
        weights = train(pa.Table.from_pylist(rows, CODE_SCHEMA), recipe)
        weights.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").stat().st_size <= recipe.size
    assert CodeModel(weights).code(pa.array(["y := f(7)", "Other words, more of them."])).name.to_pylist() == [
        "go",
        None,
    ]
