"""Corpus, vectors and output on a server of Google Cloud Storage."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.stores import sample, servers
from tests.stores.proxy import Fault, Proxy, proxied


class Tokens(BaseHTTPRequestHandler):
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
def token_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Tokens) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            thread.join()


def write_account(folder: Path, token_uri: str) -> Path:
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

    def ask(self, path: str, data: bytes | None = None, **query: str) -> bytes:
        url = f"{self.proxy.url}{path}?{urllib.parse.urlencode(query)}"
        kind = {"Content-Type": "application/octet-stream"}
        with urllib.request.urlopen(urllib.request.Request(url, data, kind)) as answer:
            found: bytes = answer.read()
            return found

    def put(self, folder: Path, prefix: str) -> None:
        self.ask("/storage/v1/b", json.dumps({"name": servers.BUCKET}).encode())
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = prefix + path.relative_to(folder).as_posix()
                upload = f"/upload/storage/v1/b/{servers.BUCKET}/o"
                self.ask(upload, path.read_bytes(), uploadType="media", name=name)

    def get(self, prefix: str, folder: Path) -> Path:
        objects = f"/storage/v1/b/{servers.BUCKET}/o"
        for entry in json.loads(self.ask(objects, prefix=prefix))["items"]:
            path = folder / entry["name"].removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            place = f"{objects}/{urllib.parse.quote(entry['name'], safe='')}"
            path.write_bytes(self.ask(place, alt="media"))
        return folder


@pytest.fixture(scope="module")
def gcs(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gcs]:
    """A server that holds the inputs, and takes credentials as a service account has them."""
    folder = tmp_path_factory.mktemp("gcs")
    with contextlib.ExitStack() as stack:
        tokens = stack.enter_context(token_server())
        port = servers.free_port()
        proxy = stack.enter_context(proxied(port))
        stack.enter_context(servers.fake_gcs(folder, proxy.url, port))
        store = Gcs(proxy, write_account(folder, tokens))
        store.put(inputs, "in/")
        yield store


def test_a_build_writes_the_same_bytes_as_on_this_machine(
    gcs: Gcs, expected: dict[str, str], tmp_path: Path
) -> None:
    gcs.proxy.requests.clear()
    command = sample.config(f"gs://{servers.BUCKET}/in", f"gs://{servers.BUCKET}/out")
    sample.run("tests.stores.run_build", command, env=gcs.env)
    requests = list(gcs.proxy.requests)
    assert sample.hashes(gcs.get("out/", tmp_path)) == expected

    uploads = [r for r in requests if "/upload/" in r.path]
    [commit] = [r for r in uploads if b'"name": "out/manifest.json"' in r.head]
    assert (commit.method, commit.status) == ("POST", 200)
    assert "uploadType=multipart" in commit.path
    assert commit is uploads[-1]
    assert not [r for r in requests if "/copyTo/" in r.path or "/rewriteTo/" in r.path]

    reads = [r for r in requests if r.method == "GET" and "alt=media" in r.path]
    assert len(reads) > 20
    assert all(r.range and r.status == 206 for r in reads)


def test_verify_and_a_missing_object(gcs: Gcs) -> None:
    done = sample.run("pipeline", "verify", f"gs://{servers.BUCKET}/out", env=gcs.env)
    assert done.stdout.startswith(f"OK gs://{servers.BUCKET}/out: run {sample.RUN}, ")
    missing = f"gs://{servers.BUCKET}/missing.txt"
    done = sample.run("pipeline", "inspect", missing, env=gcs.env, fails=True)
    assert done.stderr == f"embprep: error: inspect {missing}: no such file\n"


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.CUT, Fault.UNANSWERED])
def test_each_fault_of_each_request_is_mended(fault: Fault, gcs: Gcs, tmp_path: Path) -> None:
    # More than 8 MiB are sent by more than one request. This server takes the last of them only
    # once, which would be mended too, but no sooner than after 40 seconds.
    blocks = 36 if fault is Fault.BUSY else 4
    program = f"""
from transforms.storage import create_file, delete, exists, match_files, open_file
folder = "gs://{servers.BUCKET}/{fault.name}"
data = bytes(range(256)) * {blocks << 10}
for size in (0, len(data)):
    with create_file(f"{{folder}}/file") as file:
        file.write(data[:size])
with open_file(f"{{folder}}/file") as stream:
    assert stream.read(100) == data[:100]
    stream.seek(500_000)
    assert stream.read() == data[500_000:]
assert [file.size for file in match_files(f"{{folder}}/*")] == [len(data)]
delete(folder)
assert not exists(f"{{folder}}/file")
"""
    (tmp_path / "program.py").write_text(program)
    seen: set[str] = set()

    def first_of_its_kind(number: int, method: str) -> Fault:
        new = method not in seen
        seen.add(method)
        return fault if new else Fault.NONE

    paths = os.pathsep.join([gcs.env["PYTHONPATH"], str(tmp_path)])
    gcs.proxy.fault = first_of_its_kind
    try:
        sample.run("program", env={**gcs.env, "PYTHONPATH": paths})
    finally:
        gcs.proxy.fault = lambda number, method: Fault.NONE
    assert seen >= {"POST", "GET", "DELETE"}
    assert ("PUT" in seen) == (blocks > 32)
