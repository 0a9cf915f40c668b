"""Python files: each function with a docstring is a record.

Fields: `name` (qualified within the module), `docstring` (cleaned by `inspect.cleandoc`), `source` (the function
without its docstring, dedented; null if its body does nothing) and `line`. Record numbers count the documented
functions in file order.
"""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from open_ml_embed.core.errors import SchemaError
from sources.manifest import ArrowType, RawTable
from sources.parts import RawBatch
from sources.readers.cast import SIMPLE, Casting
from sources.readers.sniff import BrokenStreamError, open_binary

_FIELDS: dict[str, ArrowType] = {"name": "string", "docstring": "string", "source": "string", "line": "int64"}
_BLOCKS = ("body", "orelse", "handlers", "finalbody")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Read a Python file; see `sources.readers.read`. A file that does not parse is quarantined as one record.

    Raises:
        SchemaError: the manifest declares other fields or other types.

    """
    casting.has_columns(_FIELDS, name)
    if any(table.fields[field] != kind for field, kind in _FIELDS.items() if field in table.fields):
        raise SchemaError("functions have other types", where=name, remedy=f"declare {_FIELDS} in the manifest")
    content = b""
    try:
        with open_binary(path, name) as stream:
            content = stream.read()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes in the file
            tree = ast.parse(text)
        lines = text.encode().splitlines(keepends=True)  # the parser's columns count UTF-8 bytes
        functions = [_record(node, qualified, lines) for node, qualified in _documented(tree, "")]
    except (BrokenStreamError, SyntaxError, ValueError, LookupError, RecursionError, MemoryError) as error:
        casting.quarantine.add_unreadable(name, str(error), path.stat().st_size, reason="does-not-parse")
        return
    for first in range(0, len(functions), batch_rows):
        rows = functions[first : first + batch_rows]
        columns = {field: pa.array([row[field] for row in rows], SIMPLE[table.fields[field]]) for field in table.fields}
        yield RawBatch(pa.table(columns), name, pa.array(range(first, first + len(rows)), pa.int64()))


def _documented(node: ast.AST, prefix: str) -> Iterator[tuple[_Function, str]]:
    """Yield (function, qualified name); only statements are traversed, since expressions contain no functions."""
    for block in _BLOCKS:
        for child in getattr(node, block, ()):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if _docstring(child) is not None:
                    yield child, prefix + child.name
                yield from _documented(child, f"{prefix}{child.name}.<locals>.")
            elif isinstance(child, ast.ClassDef):
                yield from _documented(child, f"{prefix}{child.name}.")
            elif isinstance(child, (ast.stmt, ast.ExceptHandler)):
                yield from _documented(child, prefix)


def _docstring(node: _Function) -> str | None:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.value.value
    return None


def _record(node: _Function, qualified: str, lines: list[bytes]) -> dict[str, Any]:
    return {
        "name": qualified,
        "docstring": inspect.cleandoc(_docstring(node) or "").encode("utf-8", "replace").decode(),  # lone surrogates
        "source": None if all(map(_does_nothing, node.body[1:])) else _without_docstring(node, lines),
        "line": node.lineno,
    }


def _does_nothing(node: ast.stmt) -> bool:
    """Tell whether a statement is a placeholder: `pass`, a constant such as `...`, or `raise NotImplementedError`."""
    if isinstance(node, ast.Raise):
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(error, ast.Name) and error.id == "NotImplementedError"
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _without_docstring(node: _Function, lines: list[bytes]) -> str:
    """Remove the docstring from the lines of a function; whole lines if it does not share them with other code."""
    doc, following = node.body[0], node.body[1]
    assert doc.end_lineno is not None
    assert doc.end_col_offset is not None
    assert node.end_lineno is not None
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    before = lines[start - 1 : doc.lineno - 1]
    after = lines[doc.end_lineno : node.end_lineno]
    head, tail = lines[doc.lineno - 1][: doc.col_offset], lines[doc.end_lineno - 1][doc.end_col_offset :]
    if following.lineno == doc.end_lineno:  # "docstring"; statement
        tail = lines[doc.end_lineno - 1][following.col_offset :]
        before.append(head + tail)
    elif head.strip():  # def f(): "docstring", and the rest below
        before.append(head.rstrip() + b"\n")
    else:
        while after and not after[0].strip():
            after = after[1:]
    margin = node.col_offset
    kept = [line[margin:] if not line[:margin].strip() else line for line in before + after]
    return b"".join(kept).decode("utf-8", "replace").rstrip()
