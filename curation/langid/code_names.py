"""Names of programming languages: maps the name that a source, a file or a fence uses to the corpus's name.

`sources.languages` has the table of aliases, which declared languages use too, so that both get the same names. This
module has the closed list of names that count as programming languages.
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
"""The programming languages of the published corpus, by frequency; its `csharp` is the same as `c#`."""

OTHER_NAMES = (
    "ada", "apex", "awk", "batch", "clojure", "cmake", "cobol", "coffeescript", "crystal", "cuda", "diff", "dockerfile",
    "elixir", "elm", "erlang", "f#", "fortran", "gdscript", "glsl", "hcl", "ini", "jupyter-notebook", "julia", "latex",
    "less", "makefile", "nim", "nix", "prolog", "protobuf", "racket", "sass", "scheme", "scss", "smalltalk", "solidity",
    "svelte", "tcl", "toml", "vbscript", "verilog", "vhdl", "vim", "vue", "webassembly", "zig",
)  # fmt: skip
"""Further names of programming languages, which do not occur in the published corpus."""

_KNOWN = frozenset(CORPUS_NAMES + OTHER_NAMES)
_VERSION = re.compile(r"(?<=[a-z+#])[-_ ]?v?\d+(?:\.\d+)*$")


@cache
def code_name(name: str) -> str | None:
    """Return the corpus's name of a programming language, or None if the name is unknown.

    Args:
        name: a name in any case, an alias or a file extension, with or without a version.

    >>> code_name("C++17"), code_name("golang"), code_name("csharp"), code_name(".hs"), code_name("English")
    ('cpp', 'go', 'c#', 'haskell', None)

    """
    plain = name.strip().lower().lstrip(".")
    for written in (plain, _VERSION.sub("", plain)):
        resolved = code_tag(written).removesuffix("-Code")
        if resolved in _KNOWN:
            return resolved
    return None
