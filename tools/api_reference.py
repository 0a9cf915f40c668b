"""Writes docs/python-api.md from the docstrings of `open_ml_embed`: `python -m tools.api_reference`."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import open_ml_embed

PAGE = Path(__file__).resolve().parent.parent / "docs" / "python-api.md"
WIDTH = 120
GROUPS = {
    "Texts at hand": (
        "identify", "Languages", "find_duplicates", "Duplicates", "find_contamination", "Contamination",
        "mine_hard_negatives", "HardNegatives",
    ),
    "Corpora": ("Build", "Plan", "Status", "Statistics", "BuildRun", "StepRun", "report", "Mix", "MixStatistics",
                "MixDatasets", "Exported", "sources"),
    "Models": ("TrainConfig", "Trainer", "FittedModel", "load_model"),
    "Errors": ("CorpusError", "TransientError"),
}  # fmt: skip
"""Heading → public names, and what they return, in the order of the page."""
RETURNED = {
    "Plan": "build_results", "Status": "build_results", "Statistics": "build_results", "BuildRun": "build_results",
    "StepRun": "build_results", "MixStatistics": "mix", "MixDatasets": "mix", "Exported": "mix",
    "FittedModel": "training",
}  # fmt: skip
"""Name of what a public name returns → its module."""
HEAD = """# Python API

Written from the docstrings by `python -m tools.api_reference`; a test holds it to them.

`import open_ml_embed as ome` loads nothing heavy: each name is loaded when it is first asked for. Results are objects
with attributes and, where they are about many texts or sources, a `.table` of pyarrow. Everything that a user can put
right is raised as a `CorpusError`, which says what, where and the remedy; what stems from an argument, a setting or a
name is a `ValueError` too.
"""
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):$")
_ENTRY = re.compile(r"^(\*{0,2}\w[\w.]*): (.*)$")


class _Bare:
    """An annotation whose `repr` is its text in the source."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def page() -> str:
    """Return the page."""
    listed = [name for names in GROUPS.values() for name in names]
    missing = set(open_ml_embed.__all__) - {*listed, "__version__"}
    assert not missing, f"GROUPS lacks {', '.join(sorted(missing))}"
    parts = [HEAD]
    for heading, names in GROUPS.items():
        parts.append(f"## {heading}\n")
        for name in names:
            member = _member_of(name)
            parts.extend(_module(name, member) if inspect.ismodule(member) else _object(name, member))
    return "\n".join(parts).rstrip() + "\n"


def _member_of(name: str) -> Any:
    home = f"open_ml_embed.{RETURNED[name]}" if name in RETURNED else "open_ml_embed"
    return getattr(import_module(home), name)


def _module(name: str, module: ModuleType) -> Iterator[str]:
    yield f"### {name}\n"
    yield _markdown(inspect.getdoc(module) or "")
    for member in sorted(module.__all__):
        yield from _object(f"{name}.{member}", getattr(module, member), "####")


def _object(title: str, member: Any, level: str = "###") -> Iterator[str]:
    yield f"{level} {title}\n"
    yield from _class(member) if inspect.isclass(member) else _function(member.__name__, member)


def _function(name: str, function: Any, *, bound: bool = False) -> Iterator[str]:
    yield f"```python\n{_signature(name, function, bound=bound)}\n```\n"
    yield _markdown(inspect.getdoc(function) or "")


def _class(kind: type) -> Iterator[str]:
    """Yield the parts of a class: docstring, `__init__` if it is written out, properties, methods."""
    yield _markdown(inspect.getdoc(kind) or "")
    members = vars(kind)
    made = members.get("__init__")
    if made is not None and made.__code__.co_filename == inspect.getsourcefile(kind):  # not one that `dataclass` wrote
        yield from _function("__init__", made, bound=True)
    getters = {name: _getter(member) for name, member in members.items() if not name.startswith("_")}
    properties = {name: getter for name, getter in getters.items() if getter is not None}
    if properties:
        shown = (
            f"- `.{name}`, {_returns(one)}: {_flowing(inspect.getdoc(one) or '')}" for name, one in properties.items()
        )
        yield "Properties:\n\n" + "\n".join(shown) + "\n"
    for name, member in members.items():
        function = member.__func__ if isinstance(member, classmethod) else member
        if not name.startswith("_") and inspect.isfunction(function):
            yield from _function(name, function, bound=True)


def _getter(member: object) -> Any:
    """Return the function behind a property; None for other members."""
    if isinstance(member, property):
        return member.fget
    return member.func if isinstance(member, cached_property) else None


def _returns(function: Any) -> str:
    return f"`{inspect.signature(function).return_annotation}`"


def _signature(name: str, function: Any, *, bound: bool = False) -> str:
    """Return `def name(…) -> …: ...` on one line, or with one parameter per line; methods without `self`."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[bound:]
    shown = list(map(_parameter, parameters))
    keyword = [index for index, one in enumerate(parameters) if one.kind is inspect.Parameter.KEYWORD_ONLY]
    if keyword:
        shown.insert(keyword[0], "*")
    line = f"def {name}({', '.join(shown)}) -> {signature.return_annotation}: ..."
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"    {one},\n" for one in shown)
    return f"def {name}(\n{inner}) -> {signature.return_annotation}: ..."


def _parameter(parameter: inspect.Parameter) -> str:
    """Return a parameter as in the source, with unquoted annotations, and with paths as strings."""
    default = parameter.default
    if isinstance(default, Path):
        parameter = parameter.replace(default=str(default))
    return str(parameter.replace(annotation=_Bare(parameter.annotation)))


def _markdown(doc: str) -> str:
    """Convert a docstring to Markdown: sections become lists, examples become a code block."""
    parts = [part for part in doctest.DocTestParser().parse(doc) if part]
    prose = "".join(part if isinstance(part, str) else "\0" for part in parts)
    examples = [part for part in parts if isinstance(part, doctest.Example)]
    text = prose.replace("\0", "")
    blocks = [_block(block) for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    if examples:
        blocks.append(_example(examples))
    return "\n\n".join(blocks) + "\n"


def _block(block: str) -> str:
    head, _, rest = block.partition("\n")
    section = _SECTION.match(head)
    if section is None:
        return _flowing(block)
    entries = _entries(textwrap.dedent(rest))
    listed = "\n".join(f"- `{name}`: {text}" if name else f"- {text}" for name, text in entries)
    return f"{'Arguments' if section[1] == 'Args' else section[1]}:\n\n{listed}"


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield (name, description) of the entries of a section; an entry without a name is a paragraph."""
    held: list[str] = []
    for line in [*text.splitlines(), ""]:
        if held and (not line or not line.startswith(" ")):
            whole = " ".join(held)
            named = _ENTRY.match(whole)
            if named:
                yield named[1], named[2]
            elif line:
                held.append(line.strip())
                continue
            else:
                yield "", whole
            held = []
        if line:
            held.append(line.strip())


def _flowing(text: str) -> str:
    return " ".join(text.split())


def _example(examples: list[doctest.Example]) -> str:
    """Return examples as runnable code, with their output as comments."""
    lines = []
    for example in examples:
        source = example.source.rstrip("\n")
        ast.parse(source)
        lines.append(source)
        lines.extend(f"# {line}" for line in example.want.splitlines())
    return "```python\n{}\n```".format("\n".join(lines))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
