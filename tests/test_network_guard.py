"""The tests' own guard against the network works, in every layer."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import network_guard
import offline
import pytest

# TEST-NET-1 of RFC 5737: no machine has this address.
ELSEWHERE = ("192.0.2.1", 9)

REACH_OUT = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
"""


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_a_connection_to_another_machine_is_refused(method: str) -> None:
    with (
        socket.socket() as outward,
        pytest.raises(network_guard.NetworkForbiddenError, match=r"192\.0\.2\.1"),
    ):
        getattr(outward, method)(ELSEWHERE)


def test_a_datagram_to_another_machine_is_refused() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outward,
        pytest.raises(network_guard.NetworkForbiddenError, match=r"192\.0\.2\.1"),
    ):
        outward.sendto(b"", ELSEWHERE)


@pytest.mark.parametrize("look_up", [socket.gethostbyname, socket.gethostbyaddr])
def test_a_name_of_another_machine_is_not_looked_up(look_up) -> None:
    with pytest.raises(network_guard.NetworkForbiddenError, match="host.invalid"):
        look_up("host.invalid")


# The worker tells what happened and does not fail: Beam's local engine may not notice that one
# of several worker processes failed, and then waits for ever.
REACH_OUT_FROM_A_WORKER = """
import os
import pathlib
import socket
import sys

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

def reach_out(driver, report):
    assert os.getpid() != driver
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
    except Exception as error:
        pathlib.Path(report).write_text(type(error).__name__)

options = PipelineOptions([], direct_running_mode="multi_processing", direct_num_workers=2)
with beam.Pipeline(FnApiRunner(), options=options) as pipeline:
    pipeline | beam.Create([os.getpid()]) | beam.Map(reach_out, sys.argv[1])
"""


def test_a_child_process_is_refused_too() -> None:
    # The datagram socket's `connect` would send nothing even if the guard were absent.
    child = subprocess.run(
        [sys.executable, "-c", REACH_OUT], capture_output=True, text=True, check=False
    )
    assert child.returncode == 1
    assert "NetworkForbiddenError" in child.stderr


def test_a_worker_process_of_beam_is_refused_too(tmp_path: Path) -> None:
    report = tmp_path / "report"
    subprocess.run([sys.executable, "-c", REACH_OUT_FROM_A_WORKER, str(report)], check=True)
    assert report.read_text() == "NetworkForbiddenError"


def test_the_loopback_stays_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=10) as client,
    ):
        client.sendall(b"x")
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(1) == b"x"


def test_a_c_library_finds_no_route_in_the_kernels_guard() -> None:
    if offline.MARK not in os.environ:
        pytest.skip("no network namespace here: run_tests.sh makes one where it is permitted")
    libc = ctypes.CDLL(None, use_errno=True)
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 9, bytes([192, 0, 2, 1]))
    # Past Python's hook. Connecting a datagram socket looks for a route and sends nothing.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outward:
        assert libc.connect(outward.fileno(), address, len(address)) == -1
    assert ctypes.get_errno() == errno.ENETUNREACH
