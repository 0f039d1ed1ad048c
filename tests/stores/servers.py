"""Servers of object stores on this machine, started for a test and stopped by their process."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.stores.fetch import packages, server

ACCESS_KEY, SECRET_KEY = "embprep-tests", "embprep-tests-secret"
BUCKET = "bucket"
_START_SECONDS = 30


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(
    command: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}
        )
    try:
        _wait_for(port, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[int]:
    """moto's server of S3, which keeps objects in memory; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    paths = [str(packages("moto")), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(paths)}
    with _running(command, port, folder / "moto.log", environment):
        yield port


@contextlib.contextmanager
def versitygw(folder: Path) -> Iterator[int]:
    """Versity's gateway of S3, which keeps objects as files; gives its port."""
    port = free_port()
    for name in ("objects", "facts", "iam"):
        (folder / name).mkdir()
    command = [str(server("versitygw")), "--quiet", "--port", f"127.0.0.1:{port}", "posix"]
    # File systems of temporary folders need not have extended attributes.
    command += ["--sidecar", str(folder / "facts"), str(folder / "objects")]
    environment = {"ROOT_ACCESS_KEY_ID": ACCESS_KEY, "ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
    with _running(command, port, folder / "versitygw.log", environment):
        yield port


@contextlib.contextmanager
def fake_gcs(folder: Path, url: str, port: int) -> Iterator[None]:
    """fsouza's server of Google Cloud Storage, known to its clients under a URL."""
    command = [str(server("fake-gcs-server")), "-scheme", "http", "-host", "127.0.0.1"]
    command += ["-port", str(port), "-backend", "memory", "-external-url", url]
    command += ["-public-host", url.removeprefix("http://")]
    with _running(command, port, folder / "fake-gcs-server.log"):
        yield
