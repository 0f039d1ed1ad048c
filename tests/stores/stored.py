"""A server of S3 behind a proxy, and what tests do with it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.stores import sample, servers
from tests.stores.fetch import packages
from tests.stores.proxy import Proxy, Request, proxied


class S3:
    """A running server, its proxy, and the bucket in it.

    Attributes:
        proxy: what embprep talks to.
        env: of a process that has embprep[s3] and the credentials.
    """

    def __init__(self, port: int, proxy: Proxy) -> None:
        self._direct = f"http://127.0.0.1:{port}"
        self.proxy = proxy
        self.env = sample.environment(
            "s3",
            AWS_ACCESS_KEY_ID=servers.ACCESS_KEY,
            AWS_SECRET_ACCESS_KEY=servers.SECRET_KEY,
            AWS_DEFAULT_REGION="us-east-1",
            AWS_ENDPOINT_URL=proxy.url,
        )

    def uri(self, key: str) -> str:
        return f"s3://{servers.BUCKET}/{key}"

    @property
    def flags(self) -> list[str]:
        """Beam's flags for the server and the credentials."""
        return [
            f"--s3_endpoint_url={self.proxy.url}",
            f"--s3_access_key_id={servers.ACCESS_KEY}",
            f"--s3_secret_access_key={servers.SECRET_KEY}",
            "--s3_region_name=us-east-1",
        ]

    def put(self, folder: Path, prefix: str) -> None:
        """Puts files there, past the proxy."""
        sample.run("tests.stores.s3_tool", self._direct, "put", str(folder), prefix, env=self.env)

    def get(self, prefix: str, folder: Path) -> Path:
        """Gets files from there, past the proxy."""
        sample.run("tests.stores.s3_tool", self._direct, "get", prefix, str(folder), env=self.env)
        return folder

    def run_program(
        self, program: str, folder: Path, *, fails: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Runs some Python in a process that talks to the server."""
        (folder / "program.py").write_text(program)
        paths = os.pathsep.join([self.env["PYTHONPATH"], str(folder)])
        return sample.run("program", env={**self.env, "PYTHONPATH": paths}, fails=fails)

    def changes(self, part_of_path: str) -> list[Request]:
        """The requests that change objects whose path has a part, in the order of their ends."""
        return [
            request
            for request in self.proxy.requests
            if request.method not in ("GET", "HEAD") and part_of_path in request.path
        ]

    def history(self, requests: Iterable[Request]) -> list[tuple[str, str]]:
        """Which objects requests put there or deleted, in the order of the requests' ends."""
        changes = [r for r in requests if r.method in ("PUT", "DELETE") and r.status < 300]
        bucket = f"/{servers.BUCKET}/"
        return [(r.method.lower(), r.path.removeprefix(bucket)) for r in changes]


@contextlib.contextmanager
def running_s3(name: str, folder: Path) -> Iterator[S3]:
    """Runs ``moto`` or ``versitygw`` behind a proxy."""
    with getattr(servers, name)(folder) as port, proxied(port) as proxy:
        # Not installed is told of before a test, not by one.
        packages("s3")
        yield S3(port, proxy)
