"""A store that is busy or loses connections: builds end with the same bytes, by trying again."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stores import sample
from tests.stores.proxy import Fault, Proxy
from tests.stores.stored import S3
from tests.stores.stored_gcs import Gcs


def no_fault(number: int, method: str) -> Fault:
    return Fault.NONE


def one_in_ten(*faults: Fault) -> Callable[[int, str], Fault]:
    """Every tenth request of its kind meets a fault, one after another of those given."""
    seen: Counter[str] = Counter()
    endless = itertools.cycle(faults)

    def meet(number: int, method: str) -> Fault:
        seen[method] += 1
        return Fault.NONE if seen[method] % 10 else next(endless)

    return meet


def first_of_each_kind(fault: Fault) -> Callable[[int, str], Fault]:
    """Every first request of its kind meets the fault, so none of them is without its retry."""
    seen: set[str] = set()

    def meet(number: int, method: str) -> Fault:
        new = method not in seen
        seen.add(method)
        return fault if new else Fault.NONE

    return meet


@pytest.fixture
def faulty(versitygw: S3) -> Iterator[S3]:
    """A server of S3, whose proxy is whole again after the test."""
    versitygw.proxy.requests.clear()
    yield versitygw
    versitygw.proxy.fault = no_fault


@pytest.fixture
def faulty_gcs(gcs: Gcs) -> Iterator[Gcs]:
    """The server of Google Cloud Storage, the same."""
    gcs.proxy.requests.clear()
    yield gcs
    gcs.proxy.fault = no_fault


def faults(proxy: Proxy) -> Counter[tuple[str, Fault]]:
    """How often each kind of request met each fault."""
    return Counter((r.method, r.fault) for r in proxy.requests if r.fault is not Fault.NONE)


def use_storage(store: S3 | Gcs, fault: Fault, blocks: int) -> set[str]:
    """Lets the first request of each kind meet a fault; gives the kinds."""
    store.proxy.fault = first_of_each_kind(fault)
    sample.run("tests.stores.use_storage", store.uri(fault.name), str(blocks), env=store.env)
    return {method for method, _ in faults(store.proxy)}


@pytest.mark.parametrize(
    "some",
    [
        (Fault.BUSY,),
        # The connection ends before the server is asked, within its answer, or before the answer.
        (Fault.DROPPED, Fault.CUT, Fault.UNANSWERED),
    ],
    ids=["busy", "lost"],
)
def test_a_build_ends_with_the_same_bytes(
    some: tuple[Fault, ...], faulty: S3, expected: dict[str, str], tmp_path: Path
) -> None:
    faulty.proxy.fault = one_in_ten(*some)
    output = f"one-in-ten-{some[0].name}"
    sample.run(
        "tests.stores.run_build", sample.config(faulty.uri("in"), faulty.uri(output)),
        env=faulty.env,
    )  # fmt: skip
    assert sample.hashes(faulty.get(f"{output}/", tmp_path)) == expected
    met = faults(faulty.proxy)
    assert {method for method, _ in met} >= {"GET", "PUT"}
    assert {fault for _, fault in met} == {*some}
    of_a_kind = Counter(request.method for request in faulty.proxy.requests)
    assert sum(met.values()) == sum(number // 10 for number in of_a_kind.values()) > 5
    manifest = [r for r in faulty.changes("/manifest.json") if "/runs/" not in r.path]
    assert manifest[-1].status == 200


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.DROPPED, Fault.CUT, Fault.UNANSWERED])
def test_each_fault_of_each_request_is_mended(fault: Fault, faulty: S3) -> None:
    assert use_storage(faulty, fault, 4) == {"PUT", "HEAD", "GET", "DELETE"}


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.CUT, Fault.UNANSWERED])
def test_each_fault_of_each_request_is_mended_on_gcs(fault: Fault, faulty_gcs: Gcs) -> None:
    # More than 8 MiB are sent by more than one request. This server takes the last of them only
    # once, which would be mended too, but no sooner than after 40 seconds.
    parts = fault is Fault.BUSY
    kinds = {"POST", "GET", "DELETE"}
    assert use_storage(faulty_gcs, fault, 36 if parts else 4) == kinds | (
        {"PUT"} if parts else set()
    )


def test_a_server_that_knows_no_condition_puts_a_new_file_there_anyway(faulty: S3) -> None:
    refused = iter([Fault.NOT_KNOWN])
    faulty.proxy.fault = lambda number, method: (
        next(refused, Fault.NONE) if method == "PUT" else Fault.NONE
    )
    sample.run("tests.stores.use_storage", faulty.uri("unconditional"), "4", env=faulty.env)
    first, second, *_ = [r for r in faulty.proxy.requests if r.method == "PUT"]
    assert (first.status, first.headers["if-none-match"]) == (501, "*")
    assert second.path == first.path
    assert (second.status, "if-none-match" in second.headers) == (200, False)


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
