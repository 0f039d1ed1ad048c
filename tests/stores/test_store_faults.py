"""A store that is busy or loses connections: builds end with the same bytes, by trying again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stores import sample
from tests.stores.proxy import Fault
from tests.stores.stored import S3, running_s3

_LOST = (Fault.DROPPED, Fault.CUT, Fault.UNANSWERED)


def one_in_ten_is_busy(number: int, method: str) -> Fault:
    return Fault.BUSY if number % 10 == 9 else Fault.NONE


def one_in_ten_is_lost(number: int, method: str) -> Fault:
    """The connection ends before the server is asked, within its answer, or before the answer."""
    return _LOST[number // 10 % 3] if number % 10 == 9 else Fault.NONE


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A server that holds the inputs."""
    inputs = tmp_path_factory.mktemp("inputs")
    sample.write_sample(inputs)
    with running_s3("versitygw", tmp_path_factory.mktemp("versitygw")) as store:
        store.put(inputs, "in/")
        yield store


@pytest.fixture
def faulty(store: S3) -> Iterator[S3]:
    """The server, whose proxy is whole again after the test."""
    whole = store.proxy.fault
    store.proxy.requests.clear()
    yield store
    store.proxy.fault = whole


@pytest.fixture(scope="module")
def without_faults(store: S3, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Hashes of the files of a build that met no fault."""
    return build(store, "whole", tmp_path_factory.mktemp("whole"))


def build(store: S3, output: str, folder: Path) -> dict[str, str]:
    command = sample.config(store.uri("in"), store.uri(output))
    sample.run("tests.stores.run_build", command, env=store.env)
    return sample.hashes(store.get(f"{output}/", folder))


def faults(store: S3) -> Counter[tuple[str, Fault]]:
    """How often each kind of request met each fault."""
    met = [(r.method, r.fault) for r in store.proxy.requests if r.fault is not Fault.NONE]
    return Counter(met)


@pytest.mark.parametrize("fault", [one_in_ten_is_busy, one_in_ten_is_lost])
def test_a_build_ends_with_the_same_bytes(
    fault: Callable[[int, str], Fault],
    faulty: S3,
    without_faults: dict[str, str],
    tmp_path: Path,
) -> None:
    faulty.proxy.requests.clear()
    faulty.proxy.fault = fault
    assert build(faulty, fault.__name__, tmp_path) == without_faults
    met = faults(faulty)
    assert {method for method, _ in met} >= {"GET", "PUT"}
    assert sum(met.values()) >= len(faulty.proxy.requests) // 10 > 5
    manifest = [r for r in faulty.changes("/manifest.json") if "/runs/" not in r.path]
    assert manifest[-1].status == 200


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.DROPPED, Fault.CUT, Fault.UNANSWERED])
def test_each_fault_of_each_request_is_mended(fault: Fault, faulty: S3, tmp_path: Path) -> None:
    """Every first request of its kind meets the fault, so none of them is without its retry."""
    program = f"""
from transforms.storage import create_file, delete, exists, match_files, open_file
folder = {faulty.uri(fault.name)!r}
data = bytes(range(256)) * 4096
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
    seen: set[str] = set()

    def first_of_its_kind(number: int, method: str) -> Fault:
        new = method not in seen
        seen.add(method)
        return fault if new else Fault.NONE

    faulty.proxy.fault = first_of_its_kind
    faulty.run_program(program, tmp_path)
    assert {method for method, _ in faults(faulty)} == {"PUT", "HEAD", "GET", "DELETE"}


def test_a_store_that_stays_busy_fails_the_command_after_as_many_tries_as_boto3_was_told(
    faulty: S3,
) -> None:
    faulty.proxy.fault = lambda number, method: Fault.BUSY
    env = {**faulty.env, "AWS_MAX_ATTEMPTS": "1"}
    done = sample.run("pipeline", "inspect", faulty.uri("in/glove.txt"), env=env, fails=True)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("embprep: error: an input can't be read: s3://bucket/in/glove.txt: ")
    assert "503" in line
    assert [r.method for r in faulty.proxy.requests] == ["HEAD"] * 5
