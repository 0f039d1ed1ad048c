"""Engines that others built, each run by ``up.sh`` for as long as a test needs it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
UP = Path(__file__).with_name("up.sh")


class Engine(NamedTuple):
    """A running engine.

    Attributes:
        name: flink, spark or prism.
        facts: what ``up.sh`` says of it, such as its job_endpoint.
    """

    name: str
    facts: dict[str, str]

    @property
    def loopback(self) -> list[str]:
        """The flags of a build that this engine leads and whose workers are in its own process."""
        return [*self.job_service, "--environment_type=LOOPBACK"]

    @property
    def as_told(self) -> list[str]:
        """The flags that are told to users, for the same."""
        if self.name == "prism":
            return ["--runner=PrismRunner", f"--prism_location={self.facts['prism_location']}"]
        return self.loopback

    @property
    def job_service(self) -> list[str]:
        """The flags that name the running engine."""
        runners = {"flink": "FlinkRunner", "spark": "SparkRunner", "prism": "PortableRunner"}
        return [f"--runner={runners[self.name]}", f"--job_endpoint={self.facts['job_endpoint']}"]

    def processes(self, variables: Mapping[str, str]) -> list[str]:
        """The flags of a build whose workers are processes that the engine starts.

        Args:
            variables: what they are to have in their environment too.
        """
        variables = {
            # The program that starts the workers would make them an environment with pip.
            "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1",
            **_where_python_is(),
            **variables,
        }
        config = {"command": self.facts["boot"], "env": variables}
        return [
            *self.job_service,
            "--environment_type=PROCESS",
            f"--environment_config={json.dumps(config)}",
            # Less than the cluster waits before it starts again what failed: a worker that is
            # kept longer is taken for the new attempt, though it is dead.
            "--environment_cache_millis=200",
        ]

    def ask(self, path: str) -> Any:
        """An answer of Flink's own REST server."""
        with urllib.request.urlopen(f"http://{self.facts['rest']}{path}", timeout=20) as answer:
            return json.load(answer)


def _where_python_is() -> dict[str, str]:
    """What a program needs to know that starts workers by the name ``python``."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{os.environ['PYTHONPATH']}",
    }


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def worker_pool(variables: Mapping[str, str] | None = None) -> Iterator[list[str]]:
    """Runs Beam's worker pool, a server that starts Python workers; gives the flags to use it.

    Args:
        variables: what the workers are to have in their environment too.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    module = "apache_beam.runners.worker.worker_pool_main"
    process = subprocess.Popen(
        [sys.executable, "-m", module, f"--service_port={port}"],
        env=os.environ | _where_python_is() | dict(variables or {}),
        stderr=subprocess.DEVNULL,
        # A group of its own, which its workers are in too.
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 60
        while not _listens(port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]
    finally:
        # Beam's pool ends its workers then, but now and then waits for ever for one that has ended.
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def running(name: str, **settings: str) -> Iterator[Engine]:
    """Runs an engine for as long as the block takes; settings are variables for ``up.sh``."""
    process = subprocess.Popen(
        [str(UP), name],
        env=os.environ | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    facts = {}
    try:
        for line in process.stdout:
            key, _, value = line.rstrip("\n").partition("=")
            if key == "ready":
                break
            facts[key] = value
        else:
            raise AssertionError(f"{UP} {name} ended with {process.wait()}; it says why above")
        yield Engine(name, facts)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


def processes_below(process: int) -> list[int]:
    """The living processes that one has started, and those that these have, parents first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, *_ = stat.read_text().rpartition(")")[2].split()
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found = list(children.get(process, []))
    for one in found:
        found += children.get(one, [])
    return found


@contextlib.contextmanager
def replaced_task_manager(flink: Engine) -> Iterator[None]:
    """Kills Flink's task manager with all its workers, and lets a new one join the cluster.

    The new one runs for as long as the block takes.
    """
    lost = int(flink.facts["taskmanager"])
    command = Path(f"/proc/{lost}/cmdline").read_bytes().split(b"\0")[:-1]
    folder = os.readlink(f"/proc/{lost}/cwd")
    for process in [lost, *processes_below(lost)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    new = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        new.terminate()
        try:
            new.wait(20)
        except subprocess.TimeoutExpired:
            new.kill()
            new.wait()
