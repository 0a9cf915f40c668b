"""Ends a request whose answer does not begin in time.

The client's timeouts are for a single read, so a server that sends a byte of its headers now and then would never meet
one. The sockets of the request are shut down instead; the client then reports a lost connection.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class AnswerDeadline:
    """Knows the sockets of one request.

    Attributes:
        extensions: to pass to the client's request.

    """

    def __init__(self) -> None:
        self.extensions = {"trace": self._trace}
        self._sockets: list[socket.socket] = []
        self._is_over = False

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Shut the sockets down if the block, which waits for the headers, takes longer.

        Args:
            seconds: from now, redirects included.

        """
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(_CONNECTED):
            found = info["return_value"].get_extra_info("socket")
            if found is not None:
                self._sockets.append(found)
                if self._is_over:
                    self._end()

    def _end(self) -> None:
        self._is_over = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
