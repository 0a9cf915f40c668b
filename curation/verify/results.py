"""Checks what stands in `out/`: the files of steps, and the files of mixes and of the report."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from curation.build import Build, StepResult
from curation.verify.findings import Checked, Finding
from curation.verify.hashed import fault_of
from open_ml_embed.core.errors import StageError


def check_results(build: Build, checked: Checked, described: Collection[str], *, deep: bool) -> dict[str, StepResult]:
    """Check the files of steps and the files that they list; add what is found.

    Args:
        build: the build.
        checked: takes the findings.
        described: paths of shards that have been checked against their markers.
        deep: read every file and compare its hash.

    Returns:
        The results that are readable, by step.

    """
    results: dict[str, StepResult] = {}
    for step in steps_of(build):
        path = f"out/{build.name}/steps/{step}.json"
        try:
            result = build.read(step)
        except StageError as error:
            checked.add([Finding(path, "damaged", error.what, step, remove=(path,))])
            continue
        except OSError as error:  # a folder or a broken link in its place
            checked.add([Finding(path, "damaged", str(error.strerror), step, remove=(path,))])
            continue
        if result is not None:
            results[step] = result
            checked.count((build.root / path).stat().st_size)
            checked.add(_files(build, step, result, checked, described, deep=deep))
    checked.add(_unlisted(build, results))
    return results


def _unlisted(build: Build, results: Mapping[str, StepResult]) -> Iterator[Finding]:
    """Yield the files of mixes, and the report, that no readable file of a step lists."""
    listed = {
        file.path
        for step, result in results.items()
        if build.place(step).root != build.store.root
        for file in result.files
    }
    for path in sorted([*build.out.glob("mixes/*/**/*"), *build.out.glob("report.html")]):
        name = path.relative_to(build.out).as_posix()
        if path.is_file() and name not in listed:
            yield Finding(f"out/{build.name}/{name}", "unknown", "is listed by no step")


def steps_of(build: Build) -> list[str]:
    """Return the steps of a build whose files stand there, in the order in which they run."""
    from curation.build import STEPS

    there = {path.name.removesuffix(".json") for path in (build.out / "steps").glob("*.json")}
    mixes = sorted(step for step in there if step.startswith("mix-"))
    return [step for step in (*STEPS, *mixes, "report") if step in there]


def _files(
    build: Build, step: str, result: StepResult, checked: Checked, described: Collection[str], *, deep: bool
) -> Iterator[Finding]:
    store = build.place(step)
    in_work = store.root == build.store.root
    folder = f"{'work' if in_work else 'out'}/{build.name}"
    known = {finding.path for finding in checked.findings}
    files = [file for file in result.files if not (in_work and file.path in described)]
    sizes = store.sizes(file.path for file in files)
    for file in files:
        path = f"{folder}/{file.path}"
        checked.count(file.bytes)
        fault = fault_of(store, file, sizes[file.path], deep=deep)
        if fault and path not in known:
            kind, what = fault
            yield Finding(path, kind, what, step, remove=(path,))
