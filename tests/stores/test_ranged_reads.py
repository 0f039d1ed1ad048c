"""What a worker fetches of a large object: its range and little more, by few requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stores.stored import S3

MIB = 1 << 20
OBJECT, START, STOP = 64 * MIB, 30 * MIB, 34 * MIB
DIM = 10


def whole_rows(block: str) -> str:
    """Repeats a block up to the size of the object; its last row has a long token."""
    text = (block * (OBJECT // len(block) + 1))[:OBJECT]
    end = text.rindex("\n", 0, OBJECT - 2 * len(block.partition("\n")[0])) + 1
    row = block.partition("\n")[0] + "\n"
    return text[:end] + "x" * (OBJECT - end - len(row)) + row


@pytest.fixture(scope="module")
def large(versitygw: S3, tmp_path_factory: pytest.TempPathFactory) -> S3:
    """A server with a text vector file of 64 MiB, rows of 64 bytes."""
    folder = tmp_path_factory.mktemp("large")
    floats = " ".join(["0.125"] * DIM)
    rows = [f"w{number} {floats}".ljust(63) + "\n" for number in range(100_000, 100_000 + 16384)]
    block = "".join(row.replace("  ", " ").rstrip() + "\n" for row in rows)
    (folder / "large.txt").write_text(whole_rows(block))
    versitygw.put(folder, "large/")
    return versitygw


@pytest.mark.parametrize("start", [START, OBJECT - 4 * MIB])
def test_a_range_of_4_mib_of_64_is_fetched_with_at_most_a_quarter_more(
    start: int, large: S3, tmp_path: Path
) -> None:
    program = f"""
from formats.vectors.source import VectorRange, open_source, read_range
from transforms.storage import open_file
source = open_source(0, {large.uri("large/large.txt")!r}, {OBJECT}, open_file)
*blocks, report = read_range(source, VectorRange(0, {start}, {start + 4 * MIB}, 0), open_file)
print(report.rows)
"""
    large.proxy.requests.clear()
    done = large.run_program(program, tmp_path)
    assert int(done.stdout) > 4 * MIB // 70
    reads = [read for read in large.proxy.gets("/large.txt") if read.range]
    of_range = [read for read in reads if read.range and read.range[0] >= start]
    others = [read for read in reads if read not in of_range]
    assert 4 * MIB <= sum(read.sent for read in of_range) <= 5 * MIB + 128 * 1024
    assert len(of_range) <= 6
    # To find out what the file is: how it is packed, and its first MiB.
    assert sum(read.sent for read in others) <= MIB + 128 * 1024
    assert all(read.status == 206 for read in reads)


def test_a_file_read_in_small_pieces_is_fetched_once_by_ever_larger_requests(
    large: S3, tmp_path: Path
) -> None:
    program = f"""
from transforms.storage import open_file
with open_file({large.uri("large/large.txt")!r}) as stream:
    while stream.read(1 << 16):
        pass
"""
    large.proxy.requests.clear()
    large.run_program(program, tmp_path)
    reads = large.proxy.gets("/large.txt")
    assert sum(read.sent for read in reads) == OBJECT
    assert len(reads) <= OBJECT // (2 * MIB)
    sizes = [read.sent for read in reads]
    assert sizes[:-1] == sorted(sizes[:-1])
    assert max(sizes) == 8 * MIB
