"""Calls a function for many cases in processes that may die: a signal or a hang is a fault of one case.

The processes are forked from this one, which has imported what they need and has started no threads, so that a case
costs no start of an interpreter.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable

SECONDS_A_CASE = 20
"""CPU time for one case; the clock allows ten times as much."""
CASES_A_PROCESS = 200


def faults_of(fault_of: Callable[[int], str], first: int, last: int) -> dict[int, str]:
    """Return case number → fault, for those that have one.

    Args:
        fault_of: takes the number of a case and returns what is wrong, or nothing. An exception is a fault.
        first: number of the first case.
        last: one more than the number of the last case.

    """
    found: dict[int, str] = {}
    number = first
    while number < last:
        number = _some(fault_of, number, min(last, number + CASES_A_PROCESS), found)
    return found


def _some(fault_of: Callable[[int], str], first: int, last: int, found: dict[int, str]) -> int:
    """Run cases in one process; return the number of the first case that did not run."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            _cases(fault_of, first, last, writing)
        finally:
            os._exit(0)
    os.close(writing)
    at, ended = first - 1, False
    with os.fdopen(reading, "r") as lines, selectors.DefaultSelector() as selector:
        selector.register(lines, selectors.EVENT_READ)
        until = time.monotonic() + SECONDS_A_CASE * 10
        while True:
            if not selector.select(max(0.0, until - time.monotonic())):
                os.kill(child, signal.SIGKILL)
                break
            line = lines.readline()
            if not line:
                break
            until = time.monotonic() + SECONDS_A_CASE * 10
            message = json.loads(line)
            if "fault" in message:
                found[message["case"]] = message["fault"]
            at, ended = message["case"], message["case"] + 1 == last and "done" in message
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if not ended:
        found[at] = f"the process ended by {signal.Signals(-code).name}" if code < 0 else "the process ended early"
    return at + 1


def _cases(fault_of: Callable[[int], str], first: int, last: int, writing: int) -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    for case in range(first, last):
        os.write(writing, (json.dumps({"case": case}) + "\n").encode())
        most = int(time.process_time()) + 1 + SECONDS_A_CASE
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
        try:
            fault = fault_of(case)
        except BaseException as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__}: {str(error)[:200]} ({at.filename.rpartition('/')[2]}:{at.lineno})"
        message = {"case": case, "done": True} | ({"fault": fault} if fault else {})
        os.write(writing, (json.dumps(message) + "\n").encode())
