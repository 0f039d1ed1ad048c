"""A file that is read by requests for ranges: the same bytes as any file, by few requests."""

from __future__ import annotations

import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.ranged_file import RangedFile

MIB = 1 << 20


class Object:
    """Some bytes, and the ranges of them that were asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.ranges: list[tuple[int, int]] = []

    def fetch(self, start: int, stop: int) -> bytes:
        assert 0 <= start < stop <= len(self.data)
        self.ranges.append((start, stop))
        return self.data[start:stop]

    def open(self) -> RangedFile:
        return RangedFile(self.fetch, len(self.data))

    @property
    def sizes(self) -> list[int]:
        return [stop - start for start, stop in self.ranges]


MOVES = st.tuples(
    st.sampled_from(["read", "read1", "readinto", "seek", "skip", "from_end"]),
    st.integers(-1, 400_000),
)


@given(st.integers(0, 700_000), st.lists(MOVES, max_size=12))
def test_whatever_is_read_is_what_a_file_in_memory_gives(
    size: int, moves: list[tuple[str, int]]
) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    plain, ranged = io.BytesIO(data), Object(data).open()
    for move, number in moves:
        if move == "read":
            assert ranged.read(number) == plain.read(number)
        elif move == "read1":
            found = ranged.read1(number)
            assert found == plain.read(len(found))
            assert found or number == 0 or not plain.read(1)
        elif move == "readinto":
            buffer = bytearray(max(number, 0))
            count = ranged.readinto(buffer)
            assert bytes(buffer[:count]) == plain.read(len(buffer))
        elif move == "seek":
            assert ranged.seek(max(number, 0)) == plain.seek(max(number, 0))
        elif move == "skip":
            assert ranged.seek(number + 1, io.SEEK_CUR) == plain.seek(number + 1, io.SEEK_CUR)
        else:
            back = -min(max(number, 0), size)
            assert ranged.seek(back, io.SEEK_END) == plain.seek(back, io.SEEK_END)
        assert ranged.tell() == plain.tell()


def test_nothing_is_asked_for_before_it_is_read() -> None:
    stored = Object(bytes(MIB))
    with stored.open() as file:
        file.seek(0, io.SEEK_END)
        assert file.read(5) == b""
        file.seek(10 * MIB)
        assert file.read() == b""
        file.seek(7)
    assert stored.ranges == []


def test_large_pieces_are_asked_for_as_they_are() -> None:
    stored = Object(bytes(64 * MIB))
    with stored.open() as file:
        file.seek(20 * MIB)
        file.read(4 * MIB)
        file.read(4 * MIB)
        file.seek(0)
        file.readinto(bytearray(3 * MIB))
    assert stored.ranges == [
        (20 * MIB, 24 * MIB),
        (24 * MIB, 28 * MIB),
        (0, 3 * MIB),
    ]


def test_no_request_is_for_more_than_16_mib() -> None:
    stored = Object(bytes(40 * MIB))
    with stored.open() as file:
        assert len(file.read()) == 40 * MIB
    assert stored.sizes == [16 * MIB, 16 * MIB, 8 * MIB]


@pytest.mark.parametrize("piece", [1, 1 << 10, 1 << 16, 1 << 20])
def test_of_what_is_read_ahead_at_most_a_quarter_and_128_kib_are_left(piece: int) -> None:
    stored = Object(bytes(64 * MIB))
    read = 0
    with stored.open() as file:
        file.seek(MIB)
        while read < (3 * MIB if piece > 1 else 300_000):
            read += len(file.read(piece))
    assert read <= sum(stored.sizes) <= read * 5 // 4 + (128 << 10)
    assert len(stored.ranges) <= 14


def test_a_look_elsewhere_starts_small_again() -> None:
    stored = Object(bytes(64 * MIB))
    with stored.open() as file:
        for _ in range(40 * 16):
            file.read(1 << 16)
        assert max(stored.sizes) == 8 * MIB
        file.seek(5)
        file.read(10)
    assert stored.sizes[-1] == 128 << 10


def test_readers_of_other_formats_take_it() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"a" * MIB)
    with zipfile.ZipFile(Object(out.getvalue()).open()) as archive:
        assert archive.read("a.txt") == b"a" * MIB
    with gzip.open(Object(gzip.compress(b"one\ntwo\n")).open()) as packed:
        assert packed.readlines() == [b"one\n", b"two\n"]
    assert io.TextIOWrapper(Object(b"one\ntwo\n").open(), "utf-8").readlines() == ["one\n", "two\n"]
    table = pa.table({"number": range(1000)})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    assert pq.read_table(Object(sink.getvalue()).open()) == table


def test_a_closed_file_can_not_be_read() -> None:
    file = Object(b"bytes").open()
    file.close()
    for use in (file.read, file.read1, file.tell, lambda: file.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            use()
    with pytest.raises(ValueError, match="negative"):
        Object(b"bytes").open().seek(-1)
