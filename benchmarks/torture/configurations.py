"""YAML of any shape, as settings, manifests and mixes: each is taken or refused in words."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import yaml

from benchmarks.torture.isolated import faults_of
from benchmarks.torture.rows import Row
from open_ml_embed.core.errors import CorpusError

ODD = [
    "null", "~", "true", "0x1F", "1e999", ".nan", "-.inf", "2024-13-45", "2024-02-30T99:00:00Z", "12:30:45",
    "!!binary aGk=", "!!python/object/apply:os.system ['true']", "!!set {a, b}", "!!omap [a: 1]", "!<tag:x> y",
    "*nowhere", "&a [*a]", "&b {k: *b}", "{}", "[]", "[[[]]]", "''", "'\\0'", '"\\x00"', '"\\x1b]52;c;aGk=\\a"',
    '"\\ud83d"', "../../etc/passwd", "/etc/passwd", "a/b", "'[bold red]x[/]'", "9" * 400, "'" + "n" * 300 + "'",
    "? {a: b} : c", "<<: *nowhere", "<<: 3", "@", "`", "%TAG", "- x", "|\n  text", "{a: {a: {a: {a: {}}}}}", "-1",
    "0", "1e-9", "99999999999999999999", "'1984'", "no", "café", "١٢٣", "\u2028",
]  # fmt: skip
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
)


def row(count: int, seed: int) -> Row:
    """Try `count` configurations."""
    result = Row("configurations: params.yaml, manifests and mixes, damaged or of another shape")
    with tempfile.TemporaryDirectory() as folder:
        template = _template(Path(folder) / "template")
        import curation.cli.app
        import curation.pipeline.status
        import curation.pipeline.validation  # noqa: F401 (loaded before the processes are forked)

        found = faults_of(lambda case: _fault(template, Path(folder) / "case", seed, case), 0, count)
    result.tried, result.failed = count, len(found)
    result.faults = [f"seed {seed}, configuration {case}: {fault}" for case, fault in sorted(found.items())]
    return result


def _template(root: Path) -> Path:
    from tests.support import project

    root.mkdir(parents=True)
    return project.make(root, rows=20)


def _fault(template: Path, root: Path, seed: int, case: int) -> str:
    """Damage one of the files; return what a reader of it raises, if it is not an error of ours."""
    import os

    from curation.mixing.recipe import load_recipe
    from curation.pipeline.opening import open_build
    from curation.pipeline.plan import make_plan
    from curation.pipeline.source_filter import Filter
    from curation.pipeline.status import make_status
    from sources import registry

    rng = random.Random(f"{seed}/{case}")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, ignore=shutil.ignore_patterns("raw"))
    names = [
        "params.yaml",
        *(f"manifests/sources/{s}.yaml" for s in ("pairs", "classes")),
        "manifests/mixes/retrieval.yaml",
    ]
    name = rng.choice(names)
    (root / name).write_bytes(damaged((root / name).read_bytes(), rng))
    os.environ["CORPUS_MANIFESTS"] = str(root / "manifests")
    os.chdir(root)
    for function in (registry.load, registry.load_all, load_recipe):
        getattr(function, "cache_clear", lambda: None)()
    for call in (
        lambda: make_plan(open_build(None, Path("params.yaml")), Filter()),
        lambda: make_status(open_build(None, Path("params.yaml"))),
        lambda: load_recipe("retrieval", root),
    ):
        try:
            call()
        except CorpusError as error:
            str(error)
    return ""


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return other YAML, or something that is none."""
    way = rng.randrange(10)
    if way == 0:
        return BOMB.encode() + b"\n" + data
    if way == 1:
        at = rng.randrange(len(data))
        return data[:at] + rng.randbytes(rng.randint(1, 4)) + data[at + rng.randint(0, 4) :]
    if way == 2:
        return data.decode().replace("Made up", "Caf\xe9").replace("tiny", "t\xefny").encode("latin-1")
    if way == 3:
        return rng.choice(ODD).encode("utf-8", "surrogatepass")
    if way == 4:
        return b"x: " + b"[" * rng.choice([50, 500, 5000, 200_000]) + b"\n" + data
    tree = yaml.safe_load(data)
    for _ in range(rng.randint(1, 2)):
        _replace(tree, rng)
    text = yaml.safe_dump(tree, allow_unicode=True)
    for number in range(3):
        text = text.replace(f"ODD{number}ODD", rng.choice(ODD))
    return text.encode("utf-8", "surrogatepass")


def _replace(tree: object, rng: random.Random) -> None:
    """Replace a random value or key in nested data by a mark that becomes something odd."""
    holder = tree
    while True:
        assert isinstance(holder, (dict, list))
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = rng.choice(keys)
        value = holder[key]
        if isinstance(value, (dict, list)) and value and rng.random() < 0.8:
            holder = value
            continue
        mark = f"ODD{rng.randrange(3)}ODD"
        if isinstance(holder, dict) and rng.random() < 0.25:
            holder[mark] = holder.pop(key)
        else:
            holder[key] = rng.choice([mark, mark, mark, [value], {"x": value}, None])
        return
