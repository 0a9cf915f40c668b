"""Programming languages by name: what a source, a file or a fence calls them → the corpus's own names.

The aliases are `sources.languages`' one table, so a declared language and an identified one meet; here is the closed
list of what counts as a programming language at all.
"""

from __future__ import annotations

import re
from functools import cache

from sources.languages import code_tag

CORPUS_NAMES = (
    "python", "php", "java", "cpp", "go", "javascript", "c#", "ruby", "c", "rust", "kotlin", "sql", "pascal", "d",
    "haskell", "scala", "html", "shell", "perl", "swift", "ocaml", "css", "typescript", "r", "lisp", "jsx",
    "objective-c", "json", "xml", "yaml", "assembly", "powershell", "vba", "lua", "matlab", "dart", "bash", "http",
    "graphql", "svg", "vb.net", "groovy",
)  # fmt: skip
"""The published corpus's programming languages, commonest first; its `csharp` is the same as `c#`."""

OTHER_NAMES = (
    "ada", "apex", "awk", "batch", "clojure", "cmake", "cobol", "coffeescript", "crystal", "cuda", "diff", "dockerfile",
    "elixir", "elm", "erlang", "f#", "fortran", "gdscript", "glsl", "hcl", "ini", "jupyter-notebook", "julia", "latex",
    "less", "makefile", "nim", "nix", "prolog", "protobuf", "racket", "sass", "scheme", "scss", "smalltalk", "solidity",
    "svelte", "tcl", "toml", "vbscript", "verilog", "vhdl", "vim", "vue", "webassembly", "zig",
)  # fmt: skip
"""Names that are programming languages too, though the corpus has none of them."""

_KNOWN = frozenset(CORPUS_NAMES + OTHER_NAMES)
_VERSION = re.compile(r"(?<=[a-z+#])[-_ ]?v?\d+(?:\.\d+)*$")


@cache
def code_name(name: str) -> str | None:
    """Return the corpus's name of a programming language, or none if it is no known one.

    Args:
        name: as written: any case, an alias, an extension, with or without a version.

    >>> code_name("C++17"), code_name("golang"), code_name("csharp"), code_name(".hs"), code_name("English")
    ('cpp', 'go', 'c#', 'haskell', None)

    """
    plain = name.strip().lower().lstrip(".")
    for written in (plain, _VERSION.sub("", plain)):
        found = code_tag(written).removesuffix("-Code")
        if found in _KNOWN:
            return found
    return None
