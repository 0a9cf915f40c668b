"""What data, manifests and errors hold does not reach a terminal as control characters or as markup."""

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core.printing import print_json, print_text, visible
from open_ml_embed.core.terminal import Terminal
from tests.support import ROOT, project

CLIPBOARD = "\x1b]52;c;cm0gLXJm\x07"
HOSTILE = f"plain {CLIPBOARD}\x9b31m[red]red[/red]\u202e tail"
CONTROLS = {*range(9), *range(11, 32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


@given(st.text())
def test_visible_texts_hold_no_control_character_and_lose_nothing(text):
    shown = visible(text)
    assert not CONTROLS & set(map(ord, shown))
    assert [c for c in text if ord(c) not in CONTROLS and c != "\\"] == [
        c for c in _without_escapes(text, shown) if c != "\\"
    ]


def _without_escapes(text: str, shown: str) -> str:
    for char in {c for c in text if ord(c) in CONTROLS}:
        code = ord(char)
        shown = shown.replace(f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}", "", text.count(char))
    return shown


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_is_the_same_data(data):
    import contextlib
    import io

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        print_json(data)
    assert json.loads(said.getvalue()) == data
    assert not CONTROLS & set(map(ord, said.getvalue()))


def test_lines_and_tables_show_escapes(capsys):
    from rich.table import Table

    print_text(HOSTILE)
    table = Table(title="t\x1b[31m")
    table.add_column("c\x9b")
    table.add_row(HOSTILE)
    Terminal(width=200, force_terminal=False).print(table)
    said = capsys.readouterr().out
    assert not CONTROLS & set(map(ord, said))
    assert said.count("\\x1b]52;c;cm0gLXJm\\x07\\x9b31m[red]red[/red]\\u202e tail") == 2


@pytest.mark.slow
def test_no_verb_writes_control_characters_of_a_source(tmp_path):
    root = project.make(tmp_path, rows=40)
    project.manifest(
        root, "hostile", title=HOSTILE, citation=HOSTILE, notes=HOSTILE, instruction=f"Find what fits {HOSTILE}",
        tables={"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}},
        shape={"kind": "pair", "args": {"query": "q", "positive": "d"}},
    )  # fmt: skip
    (root / "raw/hostile").mkdir()
    lines = [json.dumps({"q": f"{i} [bold]question {CLIPBOARD}", "d": f"{HOSTILE} {i}"}) for i in range(30)]
    (root / "raw/hostile" / f"{'x' * 20}.jsonl").write_text("\n".join([*lines, f'"{CLIPBOARD}" is no object']))
    params = (root / "params.yaml").read_text().replace("- opinions\n", "- opinions\n    - hostile\n")
    (root / "params.yaml").write_text(params)
    said = {}
    for verb in (
        ["plan"], ["sources"], ["sources", "show", "hostile"], ["sources", "show", "hostile", "--json"],
        ["probe", "hostile"], ["fetch"], ["normalize"], ["identify"], ["show", "hostile"],
        ["show", "hostile", "--json"], ["show", "hostile", "--quarantined"], ["show", "hostile", "--disagreements"],
        ["status"], ["show", f"hostile{CLIPBOARD}"],
    ):  # fmt: skip
        done = project.curate(root, *verb, check=False)
        said[" ".join(verb)] = done.stdout + done.stderr
    found = {verb: sorted(CONTROLS & set(map(ord, text))) for verb, text in said.items()}
    assert {verb: codes for verb, codes in found.items() if codes} == {}
    assert "[red]red[/red]" in said["sources show hostile"]
    assert "[bold]question" in said["show hostile"], "markup in data is text"


def test_nothing_prints_past_the_two_modules():
    wrong = []
    for folder in ("open_ml_embed", "sources", "curation", "train"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name in ("printing.py", "terminal.py"):
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                name = getattr(getattr(node, "func", None), "id", "") if isinstance(node, ast.Call) else ""
                if name in ("print", "Console"):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert wrong == []
