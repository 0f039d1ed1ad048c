"""A server of Google Cloud Storage behind a proxy, and what tests do with it."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.stores import sample, servers
from tests.stores.proxy import Proxy, Request, proxied

_OBJECTS = f"/storage/v1/b/{servers.BUCKET}/o"
_NAME_IN_BODY = re.compile(rb'"name": *"([^"]*)"')


class _Tokens(BaseHTTPRequestHandler):
    """Gives a token of OAuth 2.0 to everybody who asks."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def _token_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Tokens) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            thread.join()


def _write_account(folder: Path, token_uri: str) -> Path:
    """Writes the credentials of a service account, with a key of its own."""
    program = """
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
print(rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode())
"""
    (folder / "make_key.py").write_text(program)
    made = sample.run("make_key", env=sample.environment("gcs", also=folder))
    account = {
        "type": "service_account",
        "project_id": "embprep-tests",
        "private_key": made.stdout,
        "client_email": "tests@embprep-tests.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }
    path = folder / "account.json"
    path.write_text(json.dumps(account))
    return path


class Gcs:
    """A running server behind a proxy, and the environment of a process that uses it."""

    def __init__(self, proxy: Proxy, credentials: Path) -> None:
        self.proxy = proxy
        self.env = sample.environment(
            "gcs",
            STORAGE_EMULATOR_HOST=proxy.url,
            GOOGLE_APPLICATION_CREDENTIALS=str(credentials),
            GOOGLE_CLOUD_PROJECT="embprep-tests",
        )

    def uri(self, key: str) -> str:
        return f"gs://{servers.BUCKET}/{key}"

    def ask(self, path: str, data: bytes | None = None, **query: str) -> bytes:
        url = f"{self.proxy.url}{path}?{urllib.parse.urlencode(query)}"
        kind = {"Content-Type": "application/octet-stream"}
        with urllib.request.urlopen(urllib.request.Request(url, data, kind)) as answer:
            found: bytes = answer.read()
            return found

    def put(self, folder: Path, prefix: str) -> None:
        """Makes the bucket, and puts files there."""
        self.ask("/storage/v1/b", json.dumps({"name": servers.BUCKET}).encode())
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = prefix + path.relative_to(folder).as_posix()
                self.ask(f"/upload{_OBJECTS}", path.read_bytes(), uploadType="media", name=name)

    def get(self, prefix: str, folder: Path) -> Path:
        """Gets files from there."""
        for entry in json.loads(self.ask(_OBJECTS, prefix=prefix))["items"]:
            path = folder / entry["name"].removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            place = f"{_OBJECTS}/{urllib.parse.quote(entry['name'], safe='')}"
            path.write_bytes(self.ask(place, alt="media"))
        return folder

    def history(self, requests: Iterable[Request]) -> list[tuple[str, str]]:
        """Which objects requests put there or deleted, in the order of the requests' ends."""
        changes = [r for r in requests if r.method in ("POST", "DELETE") and r.status < 300]
        return [("delete" if r.method == "DELETE" else "put", _name(r)) for r in changes]


def _name(request: Request) -> str:
    if request.method == "DELETE":
        quoted = request.path.partition("?")[0].removeprefix(f"{_OBJECTS}/")
        return urllib.parse.unquote(quoted)
    found = _NAME_IN_BODY.search(request.head)
    assert found, request
    return found[1].decode()


@contextlib.contextmanager
def running_gcs(folder: Path) -> Iterator[Gcs]:
    """Runs fake-gcs-server, whose clients have the credentials of a service account."""
    with contextlib.ExitStack() as stack:
        tokens = stack.enter_context(_token_server())
        port = servers.free_port()
        proxy = stack.enter_context(proxied(port))
        stack.enter_context(servers.fake_gcs(folder, proxy.url, port))
        yield Gcs(proxy, _write_account(folder, tokens))
