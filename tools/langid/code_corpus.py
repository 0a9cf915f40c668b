"""Training and test texts of the code classifier (`code_content`): snippets of programs, and prose as counterexamples.

`code_packages.tsv` lists the packages, each on one side of the split. The extension of a file determines its language.
Programs are cut into blocks and runs of lines. Prose comes from the read-me files, change logs, message catalogs and
descriptions of the same packages, with its markup.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

import pyarrow as pa
import xxhash

from curation.langid.code_content import PROSE
from curation.langid.code_names import code_name
from curation.langid.fences import split

CODE_SCHEMA = pa.schema([pa.field(name, pa.string()) for name in ("text", "label", "domain", "document", "split")])
MOST_TRAIN, MOST_TEST = 6000, 800
"""Most snippets of a label in each split; domains of prose have twice as many."""
MOST_A_PACKAGE, MOST_A_FILE = 1500, 8
SHORTEST, LONGEST = 24, 1600
"""Least and most characters of a snippet."""

_OWN = {
    "cmakelists.txt": "cmake", "makefile": "makefile", "gnumakefile": "makefile", "rakefile": "ruby",
    "gemfile": "ruby", "dockerfile": "dockerfile",
}  # fmt: skip
_EXTENSIONS = {
    "py": "python", "php": "php", "inc": "", "java": "java", "cpp": "cpp", "cc": "cpp", "cxx": "cpp", "hpp": "cpp",
    "hh": "cpp", "c": "c", "h": "c", "go": "go", "js": "javascript", "mjs": "javascript", "cs": "c#", "rb": "ruby",
    "rs": "rust", "kt": "kotlin", "kts": "kotlin", "sql": "sql", "pas": "pascal", "pp": "pascal", "lpr": "pascal",
    "d": "d", "hs": "haskell", "scala": "scala", "html": "html", "htm": "html", "sh": "shell", "bash": "shell",
    "bats": "shell", "pl": "perl", "pm": "perl", "swift": "swift", "ml": "ocaml", "mli": "ocaml", "css": "css",
    "ts": "typescript", "tsx": "typescript", "r": "r", "lisp": "lisp", "el": "lisp", "lsp": "lisp", "jsx": "jsx",
    "m": "matlab", "mm": "objective-c", "json": "json", "xml": "xml", "svg": "svg", "yaml": "yaml", "yml": "yaml",
    "s": "assembly", "asm": "assembly", "inc.asm": "assembly", "ps1": "powershell", "psm1": "powershell",
    "lua": "lua", "dart": "dart", "graphql": "graphql", "gql": "graphql", "groovy": "groovy", "gradle": "groovy",
    "clj": "clojure", "cljs": "clojure", "ex": "elixir", "exs": "elixir", "erl": "erlang", "f": "fortran",
    "f90": "fortran", "tcl": "tcl", "scm": "scheme", "cmake": "cmake", "mk": "makefile", "v": "verilog",
    "sv": "verilog", "vhd": "vhdl", "vhdl": "vhdl", "scss": "scss", "toml": "toml", "diff": "diff", "patch": "diff",
    "vim": "vim", "proto": "protobuf", "coffee": "coffeescript", "vb": "vb.net", "bas": "vba", "cls": "vba",
    "awk": "awk",
}  # fmt: skip
_CPP = re.compile(r"^\s*(?:class|template|namespace|using|public:|private:)\b|\bstd::|#include <\w+>", re.MULTILINE)
_OBJC = re.compile(r"^\s*(?:@(?:interface|implementation|end|import|property)\b|#import\b)", re.MULTILINE)
_COMMENT = re.compile(r"\s*(?:#(?!\s*(?:include|define|if|else|endif|import|undef|pragma)\b)|//|/?\*|--|;|%|\(\*|\"|')")
_QUERY = re.compile(r"""(["'])((?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE)\s[^"'%{}$]{20,400})\1""")
_SKIPPED = re.compile(r"(?i)(?:^|/)(?:node_modules|vendor|third[-_]party|\.min\.)|\.min\.|(?:^|/)(?:locale|i18n|lang)/")
_TEXT = re.compile(
    r"(?i)(?:^|/)(?:readme|changes|changelog|news|authors|copying|licen[cs]e|install|todo)(?:\.\w+)?$|\.(?:md|rst|tex)$"
)
_PO = re.compile(r'^(?:msgid|msgstr) ((?:"(?:[^"\\]|\\.)*"\s*)+)', re.MULTILINE)


class Snippet(NamedTuple):
    """A row of `CODE_SCHEMA`, without its split."""

    text: str
    label: str
    domain: str
    document: str


def stable(text: str) -> int:
    """Return a 64-bit hash that does not depend on the machine; accepts lone surrogates (from names not in UTF-8)."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def label_of(name: str, content: str) -> str | None:  # noqa: PLR0911 (one return per rule)
    """Return the programming language of a file from its name and, if that is ambiguous, from its content; or None."""
    path = PurePosixPath(name.lower())
    label = _OWN.get(path.name) or _EXTENSIONS.get(path.suffix[1:])
    if label not in (None, "svg", "html", "php") and content.lstrip().startswith("<?xml"):
        return "svg" if "<svg" in content else "xml"
    if label == "c" and _CPP.search(content):
        return "cpp"
    if label == "matlab" and _OBJC.search(content):
        return "objective-c"
    if label == "xml" and "<svg" in content:
        return "svg"
    if label == "php" and "<?" not in content:
        return None
    if not label and content.startswith("#!"):
        command = re.match(r"#!\s*\S*/(?:env\s+)?(\w+)", content)
        return code_name(command[1].replace("dash", "sh").replace("bash", "sh")) if command else None
    return label or None


def snippets(name: str, content: str, package: str) -> Iterator[Snippet]:
    """Yield the snippets of one file: pieces of programs, paragraphs of texts, messages of catalogs."""
    document = f"{package}/{name}"
    chance = random.Random(stable(document))  # noqa: S311 (no secret)
    if _SKIPPED.search(name) and not name.endswith(".po"):
        return
    if name.endswith(".po"):
        yield from _messages(content, document, chance)
    elif name.endswith("package.json") and stable(document) % 2:
        described = re.search(r'"description": "((?:[^"\\]|\\.){20,})"', content)
        if described:
            yield Snippet(described[1].replace('\\"', '"'), PROSE, "descriptions", document)
    elif _TEXT.search(name) and not name.lower().endswith("cmakelists.txt"):
        yield from _paragraphs(content, document, chance)
    else:
        label = label_of(name, content)
        if label:
            yield from _programs(content, label, document, chance)


def _programs(content: str, label: str, document: str, chance: random.Random) -> Iterator[Snippet]:
    lines = content.replace("\r", "").split("\n")
    if not lines or sum(map(len, lines)) > 200 * len(lines):  # minified
        return
    if label != "sql":
        queries = [match[2].strip() for match in _QUERY.finditer(content)]
        for query in chance.sample(queries, min(len(queries), MOST_A_FILE)):
            yield Snippet(query, "sql", "code", document)
    starts = [i for i in range(1, len(lines)) if lines[i][:1].strip() and not lines[i - 1].strip()]
    for number in range(min(MOST_A_FILE + len(lines) // 100, 5 * MOST_A_FILE)):
        if number % 2 and starts:  # a block between blank lines, such as a function
            start = chance.choice(starts)
            later = [i for i in starts if i > start]
            size = (later[0] if later else len(lines)) - start
        else:
            start = chance.randrange(len(lines))
            size = int(2 ** chance.uniform(0.5, 5.5))
        chosen = lines[start : start + min(size, 60)]
        indent = min((len(line) - len(line.lstrip()) for line in chosen if line.strip()), default=0)
        if chance.random() < 0.7:
            chosen = [line[indent:] for line in chosen]
        text = "\n".join(chosen).strip("\n")[:LONGEST].rstrip()
        solid = sum(len(line.strip()) for line in chosen if not _COMMENT.match(line))
        if len(text) >= SHORTEST and 2 * solid >= len(text.replace(" ", "")):
            yield Snippet(text, label, "code", document)
        comments = [_COMMENT.sub("", line).strip(" */#;-") for line in chosen if _COMMENT.match(line)]
        comment = " ".join(comments)
        if len(comment) > 60 and re.fullmatch(r"[\w\s.,:'()/-]+", comment) and chance.random() < 0.3:
            yield Snippet(comment[:LONGEST], PROSE, "comments", document)


def _paragraphs(content: str, document: str, chance: random.Random) -> Iterator[Snippet]:
    prose = split(content.replace("\r", "")).prose
    paragraphs = [part.strip("\n") for part in re.split(r"\n\s*\n", prose)]
    paragraphs = [part for part in paragraphs if len(part) >= SHORTEST and not re.match(r"(?: {4}|\t|\$ )", part)]
    if not document.endswith(".tex"):  # a paragraph of a read-me file that looks like a program may be one
        paragraphs = [part for part in paragraphs if sum(part.count(sign) for sign in "{};=<>$") * 30 < len(part)]
    paragraphs = [part for part in paragraphs if 2 * sum(map(str.isalpha, part)) > len("".join(part.split()))]
    for part in chance.sample(paragraphs, min(len(paragraphs), MOST_A_FILE)):
        yield Snippet(part[:LONGEST], PROSE, "latex" if document.endswith(".tex") else "readme", document)


def _messages(content: str, document: str, chance: random.Random) -> Iterator[Snippet]:
    texts = []
    for match in _PO.finditer(content):
        try:
            text = "".join(json.loads(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"', match[1]))
        except ValueError:
            continue
        if len(text) >= SHORTEST:
            texts.append(text[:LONGEST])
    for text in chance.sample(texts, min(len(texts), 3 * MOST_A_FILE)):
        yield Snippet(text, PROSE, "catalogs", document)


def table(labeled: Iterator[tuple[Snippet, str]]) -> pa.Table:
    """Make a table in `CODE_SCHEMA` of (snippet, split), distinct and capped; the input's order does not matter."""
    ordered = sorted(labeled, key=lambda pair: stable(pair[0].text))
    seen: set[str] = set()
    counts: Counter[tuple[str, ...]] = Counter()
    rows = []
    for snippet, side in ordered:
        kind = (snippet.label, snippet.domain, side)
        caps: dict[tuple[str, ...], int] = {kind: MOST_TRAIN if side == "train" else MOST_TEST}
        if snippet.label == PROSE:
            caps[kind] *= 2
        else:
            caps[*kind, snippet.document.split("/")[0]] = MOST_A_PACKAGE
        key = re.sub(r"\W+", " ", snippet.text)
        if key in seen or any(counts[group] >= cap for group, cap in caps.items()):
            continue
        seen.add(key)
        counts.update(caps.keys())
        rows.append({**snippet._asdict(), "split": side})
    return pa.Table.from_pylist(rows, CODE_SCHEMA)
