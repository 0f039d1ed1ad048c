"""A proxy of HTTP that writes down what passes, and makes some requests fail."""

from __future__ import annotations

import contextlib
import enum
import http.client
import itertools
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

_BLOCK_BYTES = 1 << 16
_HEAD_BYTES = 1 << 10
# Of one connection, so not passed on; http.server answers `Expect` itself.
_OWN_HEADERS = {"connection", "expect", "keep-alive", "transfer-encoding"}


class Fault(enum.Enum):
    """What happens to a request."""

    NONE = 0
    BUSY = 1  # it is answered by 503 and not passed on
    DROPPED = 2  # the connection ends without an answer, and the request is not passed on
    UNANSWERED = 3  # it is passed on and done, and the connection ends without an answer
    CUT = 4  # the connection ends within the answer's body
    NOT_KNOWN = 5  # it is answered by 501, as by a server that can't do it, and not passed on


_REFUSED = {Fault.BUSY: 503, Fault.NOT_KNOWN: 501}


class Request(NamedTuple):
    """A request that was passed on or refused.

    Attributes:
        method: GET, PUT, ...
        path: with the query.
        headers: in lower case.
        status: of the answer; 0 without one.
        sent: bytes of the answer's body that went to the client.
        head: the first bytes of the request's body.
        fault: what happened to it.
    """

    method: str
    path: str
    headers: dict[str, str]
    status: int
    sent: int
    head: bytes
    fault: Fault

    @property
    def range(self) -> tuple[int, int] | None:
        """First byte, and the byte behind the last, of the range that was asked for."""
        text = self.headers.get("range", "")
        if not text:
            return None
        first, last = text.removeprefix("bytes=").split("-")
        return int(first), int(last) + 1


class Proxy:
    """A running proxy; ``requests`` are those that have ended, in the order of their ends.

    Attributes:
        url: of the proxy.
        requests: what passed.
        fault: gives the fault of the next request, by its number from 0 and its method.
    """

    def __init__(self, server: Any) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.requests: list[Request] = []
        self.fault: Callable[[int, str], Fault] = lambda number, method: Fault.NONE

    def next_fault(self, method: str) -> Fault:
        with self._lock:
            return self.fault(next(self._numbers), method)

    def record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def gets(self, part_of_path: str) -> list[Request]:
        """The requests for bytes of objects whose path has a part, in any order."""
        return [r for r in self.requests if r.method == "GET" and part_of_path in r.path]


@contextlib.contextmanager
def proxied(upstream_port: int, port: int = 0) -> Iterator[Proxy]:
    """Runs a proxy before a server of this machine; port 0 is any that is free."""

    class Handler(_Handler):
        upstream = upstream_port

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        Handler.proxy = Proxy(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Handler.proxy
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else the head and the body of an answer wait for each other.
    disable_nagle_algorithm = True
    upstream: int
    proxy: Proxy

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _pass_on(self) -> None:
        fault = self.proxy.next_fault(self.command)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = sent = 0
        if fault in _REFUSED:
            status = _REFUSED[fault]
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif fault is not Fault.DROPPED:
            with contextlib.closing(self._ask(body)) as connection:
                answer = connection.getresponse()
                if fault is not Fault.UNANSWERED:
                    status, sent = answer.status, self._answer(answer, fault)
        if fault is not Fault.NONE and fault not in _REFUSED:
            self.close_connection = True
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.proxy.record(
            Request(self.command, self.path, headers, status, sent, body[:_HEAD_BYTES], fault)
        )

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _pass_on

    def _ask(self, body: bytes) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream)
        # The name of the host as the client said it, since it is part of what S3's clients sign.
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _OWN_HEADERS:
                connection.putheader(name, value)
        connection.endheaders(body or None)
        return connection

    def _answer(self, answer: http.client.HTTPResponse, fault: Fault) -> int:
        """Passes an answer on, or half of it; gives the bytes of its body that were sent."""
        size, short = answer.length, b""
        if size is None and self.command != "HEAD":
            short = answer.read()
            size = len(short)
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {*_OWN_HEADERS, "content-length"}:
                self.send_header(name, value)
        if self.command == "HEAD":
            size = 0
            self.send_header("Content-Length", answer.getheader("Content-Length", "0"))
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        left = (size or 0) // 2 if fault is Fault.CUT else size or 0
        sent = 0
        while sent < left:
            block = short[sent:left] or answer.read(min(_BLOCK_BYTES, left - sent))
            # A client may go when it has what it wants.
            try:
                self.wfile.write(block)
            except OSError:
                self.close_connection = True
                break
            sent += len(block)
        return sent
