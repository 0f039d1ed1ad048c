"""What of Google Cloud a job meets, on this machine: its storage, and the service that takes jobs.

The storage is gcp-storage-emulator, which Google's own client library talks to. The service is
no more than the two answers that Beam's DataflowRunner waits for. It takes the request for a job,
and has it run: by whom, and with what, is the test's business.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

BUCKET = "bucket"
_START_SECONDS = 20


class Storage(NamedTuple):
    """An emulator of Cloud Storage with one bucket."""

    url: str

    def put(self, name: str, data: bytes) -> str:
        """Stores an object; gives its URI."""
        query = urllib.parse.urlencode({"uploadType": "media", "name": name})
        self._request(f"/upload/storage/v1/b/{BUCKET}/o?{query}", data)
        return f"gs://{BUCKET}/{name}"

    def get(self, uri: str) -> bytes:
        """The bytes of an object."""
        name = urllib.parse.quote(uri.removeprefix(f"gs://{BUCKET}/"), safe="")
        return self._request(f"/storage/v1/b/{BUCKET}/o/{name}?alt=media")

    def names(self, prefix: str) -> list[str]:
        """The names of all objects whose names begin with a prefix, without it."""
        query = urllib.parse.urlencode({"prefix": prefix})
        listed = json.loads(self._request(f"/storage/v1/b/{BUCKET}/o?{query}"))
        return sorted(item["name"].removeprefix(prefix) for item in listed.get("items", []))

    def _request(self, path: str, data: bytes | None = None) -> bytes:
        kind = {"Content-Type": "application/json" if path.startswith("/storage") else "text/plain"}
        request = urllib.request.Request(self.url + path, data, kind)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def serve_storage(program: Path) -> Iterator[Storage]:
    """Runs the emulator, which keeps its objects in memory."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    storage = Storage(f"http://localhost:{port}")
    command = [program, "start", "--host=localhost", f"--port={port}", "--in-memory", "--quiet"]
    with subprocess.Popen([*command, f"--default-bucket={BUCKET}"]) as server:
        try:
            _wait_for(storage, server)
            yield storage
        finally:
            server.terminate()


def _wait_for(storage: Storage, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            storage.names("")
            return
        except urllib.error.URLError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)


class Service(NamedTuple):
    """Where the service listens, and the jobs that it was asked for."""

    url: str
    jobs: list[dict[str, Any]]


@contextlib.contextmanager
def serve_dataflow(run: Callable[[dict[str, Any]], None]) -> Iterator[Service]:
    """Runs the service.

    Args:
        run: is given each request for a job, as JSON, and returns when the job is done.
    """
    jobs: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                return self._answer({"access_token": "t", "expires_in": 3600})
            if (
                not re.fullmatch(r"/v1b3/projects/project/locations/region/jobs(\?.*)?", self.path)
                or not self.headers["Authorization"]
            ):
                return self.send_error(404)
            job = json.loads(body)
            jobs.append(job)
            run(job)
            return self._answer({"id": "job-1", "currentState": "JOB_STATE_DONE"})

        def _answer(self, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Service(f"http://localhost:{server.server_port}", jobs)
    finally:
        server.shutdown()
        server.server_close()


def write_credentials(python: Path, file: Path, service: Service) -> None:
    """Writes the key of a service account whose tokens are given out by the service."""
    make_key = (
        "from cryptography.hazmat.primitives.asymmetric import rsa\n"
        "from cryptography.hazmat.primitives import serialization as s\n"
        "key = rsa.generate_private_key(65537, 2048)\n"
        "print(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode())"
    )
    key = subprocess.run([python, "-c", make_key], check=True, capture_output=True, text=True)
    account = {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "key",
        "private_key": key.stdout,
        "client_email": "embprep@project.iam",
        "token_uri": f"{service.url}/token",
    }
    file.write_text(json.dumps(account))


def environment(storage: Storage, credentials: Path) -> dict[str, str]:
    """The variables by which Google's libraries find this cloud."""
    return {
        **os.environ,
        "STORAGE_EMULATOR_HOST": storage.url,
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
    }
