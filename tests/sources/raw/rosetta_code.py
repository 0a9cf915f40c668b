"""`cakiki/rosetta-code`: programs in Parquet with the names of task and language, some of them odd."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("all",)
BROKEN = ("train-00000-of-00001-8b4da49264116bbf.parquet", 3, "unknown-language")

_PROGRAMS = [
    ("Sum of digits", "Ada", "function Sum (N : Natural) return Natural is\n  (if N = 0 then 0 else N mod 10 + Sum (N / 10));"),
    ("Sum of digits", "Julia", "sumdigits(n) = sum(digits(n))"),
    ("Tide table", "Fortran", "      PROGRAM TIDE\n      PRINT *, 'HIGH'\n      END"),
    ("Tide table", "МК-61/52", "С/П"),
    ("Count in octal", "Tcl", "for {set i 0} {$i < 8} {incr i} {\n    puts [format %o $i]\n}"),
    ("Count in octal", "Emacs Lisp", "(dotimes (i 8) (message \"%o\" i))"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {
            "task_url": f"http://rosettacode.org/wiki/{task.replace(' ', '_')}", "task_name": task, "task_description": f"{task}.",
            "language_url": "#" + language, "language_name": language, "code": code,
        }
        for task, language, code in _PROGRAMS
    ]  # fmt: skip
    parquet(folder / "cakiki/rosetta-code/data/train-00000-of-00001-8b4da49264116bbf.parquet", rows)
