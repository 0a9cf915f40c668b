"""Servers that misbehave: fetching ends with the right bytes, or with an error of ours, in bounded time."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.torture.isolated import faults_of
from benchmarks.torture.rows import Row
from open_ml_embed.core.errors import CorpusError

DATA = b'{"a": "' + b"x" * 300_000 + b'"}\n'
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
LONGEST_S = 60.0
Behavior = Callable[[socket.socket], None]


def _answer(status: str, body: bytes, *headers: str, length: int | None = None) -> Behavior:
    size = [] if length == -1 else [f"Content-Length: {len(body) if length is None else length}"]
    head = "\r\n".join([f"HTTP/1.1 {status}", *size, *headers, "Connection: close", "", ""])
    return lambda connection: connection.sendall(head.encode("latin-1") + body)


def _reset(after: bytes) -> Behavior:
    def behave(connection: socket.socket) -> None:
        connection.sendall(after)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    return behave


def _drip(start: bytes) -> Behavior:
    def behave(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(200):
            time.sleep(0.05)
            connection.sendall(b"x")

    return behave


def _silent(connection: socket.socket) -> None:
    time.sleep(3)


PART_OF = f"Content-Range: bytes 10-{len(DATA) - 1}/{len(DATA)}"
OK = f"HTTP/1.1 200 OK\r\nContent-Length: {len(DATA)}\r\n".encode()
BEHAVIORS: dict[str, Behavior] = {
    **{
        f"status {status}": _answer(status, b"no")
        for status in (
            "400 Bad", "401 Who", "402 Pay", "403 No", "404 Gone", "405 M", "406 N", "407 Proxy", "408 Slow", "409 C",
            "410 Gone", "411 L", "413 Big", "418 Tea", "421 M", "425 Early", "429 Many", "451 Law", "500 X", "501 X",
            "502 X", "503 X", "504 X", "507 X", "511 Login", "599 X", "999 Denied",
        )
    },
    "a web page": _answer("200 OK", PAGE, "Content-Type: text/html"),
    "a web page that says it is data": _answer("200 OK", b"\n  " + PAGE, "Content-Type: application/json"),
    "nothing at all": lambda connection: None,
    "a reset at once": _reset(b""),
    "a reset in the headers": _reset(OK[:20]),
    "a reset in the body": _reset(OK + b"\r\n" + DATA[:1000]),
    "a body that ends early": _answer("200 OK", DATA[:5000], length=len(DATA)),
    "a body longer than stated": _answer("200 OK", DATA + b"more", length=len(DATA)),
    "an empty body": _answer("200 OK", b""),
    "a negative length": _answer("200 OK", DATA, length=-5),
    "a length in other digits": _answer("200 OK", DATA, "Content-Length: \xb2\xb3", length=-1),
    "two lengths": _answer("200 OK", DATA, "Content-Length: 7"),
    "a huge length": _answer("200 OK", DATA, length=10**17),
    "no length": _answer("200 OK", DATA, length=-1),
    "broken chunks": _answer("200 OK", b"zz\r\n" + DATA, "Transfer-Encoding: chunked", length=-1),
    "chunks without end": _answer("200 OK", b"5\r\nabcde\r\n", "Transfer-Encoding: chunked", length=-1),
    "gzip that is none": _answer("200 OK", DATA, "Content-Encoding: gzip"),
    "a redirect to itself": _answer("302 Found", b"", "Location: /v1/a.jsonl"),
    "a redirect to a file": _answer("302 Found", b"", "Location: file:///etc/passwd"),
    "a redirect to no host": _answer("302 Found", b"", "Location: http://no-such-host.invalid/a.jsonl"),
    "a redirect to nowhere": _answer("302 Found", b"", "Location: http://[::1"),
    "a redirect without a place": _answer("302 Found", b""),
    "a part that nobody asked for": _answer("206 Partial", DATA[10:], PART_OF),
    "a part of no range": _answer("206 Partial", DATA),
    "not modified": _answer("304 Not Modified", b""),
    "no such range": _answer("416 Range", b""),
    "no HTTP": lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "HTTP of the future": lambda connection: connection.sendall(b"HTTP/9.9 200 OK\r\n\r\n" + DATA),
    "bytes at random": lambda connection: connection.sendall(bytes(range(256)) * 40),
    "TLS": lambda connection: connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500),
    "a header of a megabyte": lambda connection: connection.sendall(OK + b"X: " + b"y" * 10**6 + b"\r\n\r\n" + DATA),
    "ten thousand headers": lambda connection: connection.sendall(OK + b"X: y\r\n" * 10_000 + b"\r\n" + DATA),
    "control characters in headers": _answer("200 \x1b]52;c;x\x07", DATA, 'ETag: "\x1b[31m\x01"'),
    "a pause asked for that is none": _answer("429 Many", b"", "Retry-After: soon"),
    "a pause of a year": _answer("503 X", b"", "Retry-After: 31536000"),
    "a negative pause": _answer("503 X", b"", "Retry-After: -5"),
    "a drip in the body": _drip(OK + b"\r\n"),
    "a drip in the headers": _drip(OK + b"X: "),
    "silence": _silent,
}  # fmt: skip


def row(count: int, seed: int) -> Row:
    """Try `count` of the behaviors: for the first two requests, and for all."""
    del seed
    names = list(BEHAVIORS)
    cases = [(name, times) for times in (2, 1 << 30) for name in names][:count]
    result = Row("network: statuses, resets, cuts, lies about lengths, portals, redirects, drips, silence")
    with tempfile.TemporaryDirectory() as folder:
        import httpx2  # noqa: F401 (before the processes are forked)

        found = faults_of(lambda case: _fault(Path(folder) / str(case), *cases[case]), 0, len(cases))
    result.tried, result.failed = len(cases), len(found)
    result.faults = [f"{cases[case][0]}, {cases[case][1]} times: {fault}" for case, fault in sorted(found.items())]
    return result


def fault_with(name: str, *, times: int, number: int) -> str:
    """Fetch a file from a server that misbehaves some times, in a process of its own; return what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        found = faults_of(lambda case: _fault(Path(folder) / str(case), name, times), number, number + 1)
    return found.get(number, "")


def _fault(root: Path, name: str, times: int) -> str:
    """Fetch a file from a server that misbehaves some times; return what is wrong with the result."""
    from sources.fetch import FetchOptions, fetch, url
    from tests.support.hub_set import manifest as example

    url.PAUSE_S, url.SLOW_S, url.READ_S, url.ANSWER_S = 0.001, 1.0, 1.5, 2.0
    with _serving(BEHAVIORS[name], times) as address:
        data = example(["a.jsonl"]).model_dump()
        data["origin"] = {"kind": "url", "base": f"http://{address}/v1", "sha256": {}}
        manifest = type(example(["a.jsonl"])).model_validate(data)
        began = time.monotonic()
        for _ in range(3):
            url._fresh.clear()
            try:
                (file,) = fetch(manifest, "en", FetchOptions(raw_root=str(root)))
            except CorpusError as error:
                str(error)
                continue
            content = Path(file.path).read_bytes()
            if content != DATA and not _may_be_believed(name, content):
                return f"{len(content)} wrong bytes were believed"
            break
        else:
            recovers = times < 1 << 20 and not name.startswith(("status 4", "status 5", "status 9"))
            if recovers and not name.startswith(("a redirect", "a pause of a year")):
                return "it never came, though the server behaved in the end"
        seconds = time.monotonic() - began
        return f"it took {seconds:.0f} s" if seconds > LONGEST_S else ""


def _may_be_believed(name: str, content: bytes) -> bool:
    """Tell whether no client could know better: a server's answer that is whole, of a length that fits."""
    return name in ("an empty body", "gzip that is none", "no length", "a part of no range") and content in (b"", DATA)


@contextlib.contextmanager
def _serving(behave: Behavior, times: int) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    left = [times]

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            left[0] -= 1
            if left[0] >= 0:
                behave(connection)
            else:
                _answer("200 OK", DATA, 'ETag: "good"')(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()
